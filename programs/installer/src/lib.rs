//! The program that runs on a machine booted from an installer ISO.
//!
//! It draws one and the same screen on the monitor and on every serial console, takes keys from
//! all of them, and puts a product on a disk when somebody who knows its serial number, or an answer
//! file, says so. It is not PID 1, mounts nothing and needs no network.
//!
//! From the inside out:
//!
//! | module | owns |
//! | --- | --- |
//! | [`state`] | what the program is doing, and what each event makes of that; pure |
//! | [`hardware`] | facts about the machine and its disks |
//! | [`install`] | what is written to a disk, and how it is read back |
//! | [`answers`] | answer files, for installations that nobody sits at |
//! | [`ui`] | what each state looks like, as ratatui widgets |
//! | [`screen`], [`serial`] | where that is drawn: DRM/KMS or `/dev/fb0`, and serial consoles |
//! | [`keyboard`], [`prober`], `worker` | what happens outside: keys, disks that were read, work that is done |
//! | [`app`], [`headless`], [`fatal`] | the event loop that connects these, and what can end it |
//! | [`log`], [`restore`], `sys` | the log, the way back to a sane terminal, four ioctls |
//! | [`respawn`] | the pause before it begins again |
//! | `fat` | files that are added to a FAT volume |
//! | `grown` | where a disk ended before it was made larger |
//! | `untrusted` | whether what is on a disk is fit to be read |

pub mod answers;
pub mod app;
mod fat;
pub mod fatal;
mod grown;
pub mod hardware;
pub mod headless;
pub mod install;
pub mod keyboard;
pub mod log;
pub mod medium;
pub mod prober;
pub mod respawn;
pub mod restore;
pub mod screen;
pub mod serial;
pub mod state;
mod sys;
pub mod ui;
mod untrusted;
mod worker;
