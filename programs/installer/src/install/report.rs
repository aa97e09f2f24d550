//! What an installation says: how far it is, what it did, or why it failed.

use std::fmt;
use std::time::Duration;

use super::encryption::Shown;
use super::request::Task;

/// A part of the work, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Looking at the disk and at what is to be written. Nothing is written.
    Prepare,
    /// A partition table that says that this disk is not finished.
    Partition,
    /// The file system that the firmware reads, and the system in it.
    System,
    /// The data partitions.
    Data,
    /// Reading back from the disk, and comparing: see the receipt's `compared`.
    Verify,
    /// The firmware's boot entry, and the receipt.
    BootEntry,
    /// The partition table that says that this disk is finished.
    Finish,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 7] = [
        Self::Prepare,
        Self::Partition,
        Self::System,
        Self::Data,
        Self::Verify,
        Self::BootEntry,
        Self::Finish,
    ];

    /// Its name in receipts and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Partition => "partition",
            Self::System => "system",
            Self::Data => "data",
            Self::Verify => "verify",
            Self::Finish => "finish",
            Self::BootEntry => "boot-entry",
        }
    }
}

impl fmt::Display for Stage {
    /// What a person is told.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Prepare => "Looking at the disk",
            Self::Partition => "Writing the partition table",
            Self::System => "Writing the system",
            Self::Data => "Making the data partitions",
            Self::Verify => "Reading back and comparing",
            Self::Finish => "Finishing the partition table",
            Self::BootEntry => "Telling the firmware",
        })
    }
}

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Bytes of all stages that are done.
    pub done: u64,
    /// Bytes of all stages.
    pub total: u64,
}

/// What an installation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was asked for.
    pub task: Task,
    /// Kernel name of the disk, such as `nvme0n1`.
    pub disk: String,
    /// What the disk is called by its maker, and its serial number if it has one.
    pub model: String,
    /// The version that is on the disk now.
    pub version: String,
    /// One line a partition: number, label, size and what it holds. Of [`Task::ChangeSettings`], the
    /// settings.
    pub layout: Vec<String>,
    /// What did not work and is not needed to run, each with its consequence.
    pub warnings: Vec<String>,
    /// What else is to be known of it, a sentence each.
    pub notes: Vec<String>,
    /// The recovery key that was made for encrypted data, which somebody has to write down.
    pub recovery: Option<Shown>,
    /// The stages, and how long each took.
    pub stages: Vec<(Stage, Duration)>,
    /// The receipt that lies on the disk: the text of `install-receipt.json`; empty if nothing was
    /// installed.
    pub receipt: String,
    /// What happened, a JSON object a line; empty of an installation that keeps no log of its own.
    pub log: String,
}

/// Why an installation did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub stage: Stage,
    /// What happened: a sentence.
    pub message: String,
    /// What state the disk is in now: a sentence.
    pub disk: String,
    /// What to do: a sentence.
    pub hint: String,
    /// The receipt as far as it got, if anything was written.
    pub receipt: Option<String>,
    /// What happened, a JSON object a line; empty of an installation that keeps no log of its own.
    pub log: Box<str>,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stage,
            message,
            disk,
            hint,
            receipt: _,
            log: _,
        } = self;
        write!(formatter, "{}: {message} {disk} {hint}", stage.name())
    }
}

/// What was written down of an installation, for whoever exports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The receipt; empty if nothing was written.
    pub receipt: String,
    /// The log, a JSON object a line; empty if there is none.
    pub log: String,
}

/// One thing that Validate looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it should be.
    pub good: bool,
    /// What was found: a sentence.
    pub text: String,
}
