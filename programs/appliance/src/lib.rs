//! What makes an appliance out of a kernel, BusyBox and a service. Started by `/etc/inittab`:
//! `unlock` and `check` before the data is mounted, `recheck`, `first` and `panics` after that, `run` for as long as
//! the machine runs, `stop` and `lock` before it ends. `confine` starts others with no more rights than they need. Only
//! there is anything mounted, for nobody else to see.
//!
//! - [`unlock`] opens the data partitions that are encrypted.
//! - [`check`] finds the data partitions, checks their file systems, and links the good ones to
//!   where `/etc/fstab` looks for them; [`disk`] knows disks, [`data`] the result.
//! - [`first`] makes a machine of an image that starts for the first time.
//! - [`supervisor`] is the loop behind `run`: [`network`], [`service`] and [`child`] do its parts.
//! - [`confine`] takes from programs what they do not need.
//! - [`panics`] keeps what the kernel said when it stopped for good.
//! - [`clock`] keeps the time, [`stop`] ends the supervisor, [`mounts`] reads what is mounted,
//!   [`log`] keeps what programs say, [`events`] what this one does.
//! - [`settings`] takes new settings from the installer, [`config`] reads `metadata/node.toml`,
//!   [`os_release`] the name of this system.
//! - [`attest`] answers what runs here, as the TPM has it.
//! - [`helper`] is what the kernel may start.
//! - [`page`] decides what is shown, and [`console`] shows it; neither knows where it comes from.
//! - [`sys`] holds the one thing that takes unsafe code.
//!
//! Every path is looked up below a root folder, which is `/` but in tests.

pub mod attest;
pub mod check;
pub mod child;
pub mod clock;
pub mod config;
pub mod confine;
pub mod console;
pub mod data;
pub mod disk;
pub mod events;
pub mod first;
pub mod helper;
pub mod log;
pub mod mounts;
pub mod network;
pub mod os_release;
pub mod page;
pub mod panics;
pub mod service;
pub mod settings;
pub mod stop;
pub mod supervisor;
pub mod sys;
pub mod text;
pub mod unlock;
