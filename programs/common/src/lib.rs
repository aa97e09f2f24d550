//! What the programs share that run on booted machines: installer and appliance go by the same rules.
//!
//! | module | owns |
//! | --- | --- |
//! | [`product`] | what is installed, which no program knows by itself |
//! | [`disks`] | which disk is which, and which one this system was started from |
//! | [`partition_table`] | what a GPT says, as either of its two tables has it |
//! | [`cmdline`], [`terminals`] | what the kernel was told, and which terminals it talks to |
//! | [`log`] | what of a log is shown, and how a line of it looks |
//! | [`node_toml`], [`settings`] | what an installation is told, and how it is told something else |
//! | [`os_release`], [`text`], [`problem`] | what is said of an image, text from elsewhere, the one error |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod cmdline;
pub mod disks;
pub mod log;
pub mod node_toml;
pub mod os_release;
pub mod partition_table;
pub mod problem;
pub mod product;
pub mod settings;
pub mod terminals;
pub mod text;
