//! What is to be done, to which disk, with which settings: all that an installation depends on,
//! whoever asked for it, a person at the keyboard or an answer file.

pub use common::node_settings::{Address, Changes, Settings};

use super::encryption::Encryption;
use super::enroll::Enrolment;
use crate::hardware::Disk;

/// What to do to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Partition the disk anew; everything on it is lost.
    Install,
    /// Write the system again and leave the data partitions as they are.
    KeepData,
    /// Write the boot files and the boot entry again; leave settings and data as they are.
    RepairBoot,
    /// Have the appliance take other settings at its next start; leave everything else.
    ChangeSettings,
}

/// Where to on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// All of it: what is there is lost.
    #[default]
    WholeDisk,
    /// A stretch of it that no partition has; what lies beside it stays as it is.
    FreeSpace {
        /// Its first byte, at a multiple of a MiB.
        start: u64,
        /// The first byte behind it, at a multiple of a MiB.
        end: u64,
    },
}

/// Everything that an installation depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub task: Task,
    /// To which disk.
    pub disk: Disk,
    /// Where to on it, for [`Task::Install`].
    pub target: Target,
    /// With which settings. [`Task::RepairBoot`] and [`Task::KeepData`] leave those on the disk.
    pub settings: Settings,
    /// How the data are encrypted that [`Task::Install`] makes; they are not if there is none.
    pub encryption: Option<Encryption>,
    /// Which keys the firmware gets when that is done.
    pub secure_boot: Enrolment,
    /// What whoever asks knows beforehand and the receipt is to tell: a sentence each.
    pub warnings: Vec<String>,
}
