//! The init of an initramfs (`rdinit=/init`) for a system whose root is on a disk: it loads the modules that devices
//! ask for, finds the root file system, mounts it, and becomes the init in there. It stops with one sentence where
//! that cannot be.
//!
//! - [`cmdline`] reads what is wanted, [`superblock`] and [`verity`] what partitions say of themselves: pure.
//! - [`modules`] knows which modules there are and what they need, [`loading`] hands them to the kernel.
//! - [`disks`] looks at block devices, [`search`] waits for the one that is wanted.
//! - [`mapper`] sets up a root that is verified, [`handover`] mounts one and gives it the machine.
//! - [`state`] mounts what the machine keeps besides it, and makes it where it was lost.
//! - [`messages`] is what people get to read, and what follows when all is lost.
//! - [`sys`] holds the one thing that takes unsafe code.

pub mod cmdline;
pub mod disks;
pub mod handover;
pub mod loading;
pub mod mapper;
pub mod messages;
pub mod modules;
pub mod search;
pub mod state;
pub mod superblock;
pub mod sys;
pub mod verity;
