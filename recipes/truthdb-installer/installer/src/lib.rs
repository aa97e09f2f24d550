//! The program that runs on a machine booted from the TruthDB installer ISO.
//!
//! It draws one and the same screen on the monitor and on every serial console, takes keys from
//! both, and does only what can be done without touching a disk: it shows the machine and leaves.
//! It is not PID 1, mounts nothing and needs no network.
//!
//! From the inside out:
//!
//! | module | owns |
//! | --- | --- |
//! | [`state`] | what the program is doing, and what each event makes of that; pure |
//! | [`hardware`] | facts about the machine, read from `/proc`, `/sys` and `/etc/os-release` |
//! | [`ui`] | what each state looks like, as ratatui widgets |
//! | [`screen`], [`serial`] | where that is drawn: DRM/KMS or `/dev/fb0`, and serial consoles |
//! | [`keyboard`], [`prober`] | what happens outside: key presses, disks whose content was read |
//! | [`app`], [`fatal`] | the event loop that connects these, and what can end it |
//! | [`log`], [`restore`], `sys` | the log, the way back to a sane terminal, three ioctls |

pub mod app;
pub mod fatal;
pub mod hardware;
pub mod keyboard;
pub mod log;
pub mod prober;
pub mod restore;
pub mod screen;
pub mod serial;
pub mod state;
mod sys;
pub mod ui;
