//! What the programs share that run on booted machines: installer and appliance go by the same rules.
//!
//! | module | owns |
//! | --- | --- |
//! | [`product`] | what is installed, which no program knows by itself |
//! | [`disks`] | which disk is which, and which one this system was started from |
//! | [`partition_table`] | what a GPT says, as either of its two tables has it |
//! | [`volumes`], [`slice`], [`patience`] | what strangers' disks hold, and how long they are waited for |
//! | [`cmdline`], [`terminals`] | what the kernel was told, and which terminals it talks to |
//! | [`terminal`], [`consoles`] | one of them, raw, with the output that it has not taken yet; all, as they come and go |
//! | [`log`] | what of a log is shown, and how a line of it looks |
//! | [`answer_file`] | `install.toml`, as far as it is the same whoever reads it |
//! | [`node_settings`], [`setting_rules`] | what an appliance is told, and what may be said |
//! | [`node_toml`], [`settings`] | how an installation keeps that, and how it is told something else |
//! | [`luks`], [`recovery_key`], [`secret`] | encrypted data, what opens them, and what nobody is to read |
//! | [`tpm`], [`tcg_log`] | what a TPM is asked besides by its own programs, and what was measured into it |
//! | [`machine`], [`digest`] | which machine this is; identifiers made of facts |
//! | [`os_release`], [`text`], [`problem`] | what is said of an image, text from elsewhere, the one error |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod answer_file;
pub mod cmdline;
pub mod consoles;
pub mod digest;
pub mod disks;
pub mod log;
pub mod luks;
pub mod machine;
pub mod node_settings;
pub mod node_toml;
pub mod os_release;
pub mod partition_table;
pub mod patience;
pub mod problem;
pub mod product;
pub mod recovery_key;
pub mod secret;
pub mod setting_rules;
pub mod settings;
pub mod slice;
pub mod tcg_log;
pub mod terminal;
pub mod terminals;
pub mod text;
pub mod tpm;
pub mod volumes;
