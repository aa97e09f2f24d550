//! What is to be done, to which disk, with which settings: all that an installation depends on,
//! whoever asked for it, a person at the keyboard or an answer file.

pub use common::node_settings::{Address, Changes, Settings};

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

/// Everything that an installation depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub task: Task,
    /// To which disk.
    pub disk: Disk,
    /// With which settings. [`Task::RepairBoot`] and [`Task::KeepData`] leave those on the disk.
    pub settings: Settings,
    /// What whoever asks knows beforehand and the receipt is to tell: a sentence each.
    pub warnings: Vec<String>,
}
