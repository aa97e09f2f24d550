//! Answer files: an installation that nobody sits at, described by `install.toml`.
//!
//! What such a file may say, and what is said of one that is wrong, is the same here and in
//! `installer --check-answers`. docs/unattended.md is for the people who write one.
//!
//! | module | owns |
//! | --- | --- |
//! | `file`, `disk_keys`, `encryption_keys` | the keys of the file, and their rules; the rest of it is in [`common::answer_file`] |
//! | `rule`, `choose` | which disks a rule is about; the one disk of this machine, or a refusal |
//! | `consent` | what must be allowed before a disk that is not blank is erased |
//! | `find` | where the file lies, and that there is one |
//! | `almost` | volumes that seem to be meant for one, and are not followed |
//! | `check`, `summary` | what a person is told who checks a file beforehand |

mod almost;
mod check;
mod choose;
mod consent;
mod disk_keys;
mod encryption_keys;
mod file;
mod find;
mod rule;
mod summary;

use std::fmt;

pub use check::{Verdict, check};
pub use choose::choose;
pub use common::answer_file::firmware::Found;
pub use common::answer_file::{FILE, LARGEST, Mistake};
pub use consent::Consent;
pub(crate) use consent::erased;
pub use file::{ending_on_error, parse, read};
pub use find::{Sought, find};
pub use rule::{Extreme, Rule};
pub use summary::summary;

use crate::hardware::{Bus, Disk};
use crate::install::{Changes, Encryption, Enrolment, Settings, Task};

/// What an answer file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// What to do.
    pub task: Task,
    /// To which disk.
    pub rule: Rule,
    /// It is installed into free space of that disk, beside what is there, and nothing is erased.
    pub beside: bool,
    /// What allows to erase it; there for [`Task::Install`] alone, which erases, and not beside what is there.
    pub erase: Option<Erase>,
    /// What may be erased that somebody might miss.
    pub consent: Consent,
    /// It is installed even on a computer that lacks what is needed.
    pub ignore_requirements: bool,
    /// An older version may take the place of a newer one.
    pub allow_downgrade: bool,
    /// Which keys the firmware gets.
    pub secure_boot: Enrolment,
    /// With which settings; the usual ones for tasks that leave those on the disk.
    pub settings: Settings,
    /// How the data are encrypted, if they are; there for [`Task::Install`] alone.
    pub encryption: Option<Encryption>,
    /// Which settings it names; the others stay when those on a disk are changed.
    pub changes: Changes,
    /// What happens when it is done.
    pub on_success: Ending,
    /// What happens when it cannot be done.
    pub on_error: Ending,
    /// For how many seconds it is shown what will happen, before it does.
    pub countdown: u8,
}

impl Answers {
    /// Whether they name `disk`, which they fit, so that no other that turns up can fit them, too. A serial
    /// number says so of no USB disk: bridges of one make have one for all.
    pub fn name_only(&self, disk: &Disk) -> bool {
        let has_serial = self.rule.serial.is_some() || matches!(self.erase, Some(Erase::Serial(_)));
        let has_wwn = self.rule.wwn.is_some() && disk.marks().has_registered_name();
        has_wwn || (has_serial && disk.bus != Bus::Usb)
    }
}

/// What an answer file says about erasing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erase {
    /// Only the disk with this serial number.
    Serial(String),
    /// Whichever disk the rule is about.
    AnyMatching,
}

/// What happens when nobody says what to do next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// The screen stays.
    #[default]
    Wait,
    /// The computer is switched off.
    PowerOff,
    /// The computer is started again.
    Reboot,
    /// The installation that is on the disk is started; no file asks for that.
    StartInstalled,
}

/// Why an answer file is not followed. Both are sentences without line breaks, for a screen of 80
/// columns to wrap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// The disk that holds an installation which therefore stays, and can be started.
    pub installed: Option<Box<Disk>>,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
            installed: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.message, self.hint)
    }
}
