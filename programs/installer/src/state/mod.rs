//! What the program is doing, and what each event makes of that. Pure: [`next`] touches nothing,
//! and whatever has to happen outside is returned as an [`Effect`].
//!
//! ```text
//! BootSplash → Welcome → Disk → Settings → Confirm → Progress → (Recovery →) Done → Exit
//!                 │  └→ Tools → Disk ─────────┘ ↑ ↑      └→ Error
//!                 │               └→ Validate ──┤ └────────────┘
//!                 └→ Unattended ────────────────┘
//! ```
//! Before Confirm comes `SecureBoot` where the firmware takes the keys that the medium carries.
//!
//! Nothing is written before Confirm: [`Effect::Install`] comes out of Confirm when the right text
//! was typed, out of Unattended when its time is over, and out of Error when the user wants the
//! same again; out of nothing else.

mod choices;
mod confirm;
mod done;
mod encryption;
mod failure;
mod form;
mod input;
mod key;
mod recovery;
mod repair;
mod secure_boot;
mod splash;
mod tools;
mod unattended;
mod validation;
mod welcome;
mod work;

use std::time::Duration;

use crate::hardware::{Disk, Hardware, Problem};
use crate::install::{self, Finding, Progress, Report, Request};

pub use choices::{Choices, Purpose, target_of};
pub use confirm::{Confirm, DOWNGRADE, Proof};
pub use done::Done;
pub use failure::{Cause, Failure};
pub use form::{Field, Form};
pub use input::Input;
pub use key::Key;
pub use recovery::{Page, Recovery};
pub use tools::{Tool, Tools};
pub use unattended::{Plan, Refused, Unattended};
pub use validation::Validation;
pub use welcome::Welcome;
pub use work::Work;

/// What is said while logs are being exported.
const EXPORTING: &str = "Looking for a stick to export the logs to...";

/// What the program is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // there is one at a time
pub enum State {
    /// Showing the name while the hardware is looked at.
    BootSplash,
    /// Showing the machine.
    Welcome(Welcome),
    /// Offering everything but a new installation.
    Tools(Tools),
    /// Having a disk chosen.
    Disk(Choices),
    /// Having the settings written.
    Settings(Choices),
    /// Offering to give the firmware keys, before [`State::Confirm`].
    SecureBoot(Box<Confirm>),
    /// Asking for the last time.
    Confirm(Box<Confirm>),
    /// Writing.
    Progress(Work),
    /// Having the recovery key of encrypted data written down.
    Recovery(Box<Recovery>),
    /// Showing what was done.
    Done(Done),
    /// Looking at an installation without writing.
    Validate(Validation),
    /// About to follow an answer file.
    Unattended(Unattended),
    /// Showing what went wrong.
    Error(Failure),
    /// Leaving.
    Exit(Exit),
}

/// Details of [`State::Exit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The computer is switched off, instead of started again.
    pub power_off: bool,
    /// What is on the disk now, as a sentence, if there is something to say.
    pub last_words: Option<String>,
}

impl Exit {
    pub(crate) fn restart(last_words: Option<String>) -> Self {
        Self {
            power_off: false,
            last_words,
        }
    }

    fn power_off(last_words: Option<String>) -> Self {
        Self {
            power_off: true,
            last_words,
        }
    }
}

/// Who asked for an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody who chose all this.
    Person(Box<Choices>),
    /// An answer file.
    AnswerFile(Box<Unattended>),
}

impl Origin {
    /// The machine.
    pub fn hardware(&self) -> &Hardware {
        match self {
            Self::Person(choices) => &choices.hardware,
            Self::AnswerFile(unattended) => &unattended.hardware,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // there is one at a time
pub enum Event {
    /// Linux had the time that it needs to find its first disks.
    Settled,
    /// A second is over. Comes only while [`State::counts_seconds`].
    Second,
    /// The hardware was looked at.
    Scanned(Result<Hardware, Problem>),
    /// An answer file was found, and can be followed or not.
    Answers(Result<Plan, Refused>),
    /// No answer file was found; perhaps a volume that may have been meant for one, and why that is not
    /// followed.
    NoAnswers(Option<Problem>),
    /// The installation is this far, after this time.
    Progress {
        /// How far.
        progress: Progress,
        /// Since its start.
        elapsed: Duration,
    },
    /// The installation ended.
    Finished(Result<Report, install::Failure>),
    /// What was found on the disk of this name.
    Validated(String, Vec<Finding>),
    /// The firmware was told to start the installation on a disk: what it will do, in a sentence.
    Starting(Result<String, Problem>),
    /// The log was exported.
    LogExported {
        /// Where to, in sentences.
        notice: String,
        /// Its newest lines.
        log: Vec<String>,
    },
    /// A key was pressed.
    Key(Key),
}

/// Something to do outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Look at the hardware, then report [`Event::Scanned`].
    Scan,
    /// Forget what is known about the disks' content, then as [`Effect::Scan`].
    ScanAfresh,
    /// Look for an answer file again, although that was done before.
    FindAnswers,
    /// Write to a disk; report [`Event::Progress`] now and then, and [`Event::Finished`].
    Install(Box<Request>),
    /// Have the firmware start the installation on a disk next, then report [`Event::Starting`].
    StartInstalled(Box<Disk>),
    /// Read the installation on a disk, then report [`Event::Validated`].
    Validate(Box<Disk>),
    /// Export the log, not to this disk, then report [`Event::LogExported`].
    ExportLog {
        /// The disk that was being installed to.
        except: Option<Box<Disk>>,
    },
}

/// A state, and what to do outside.
type Next = (State, Option<Effect>);

impl State {
    /// The state to start in, and what to do first.
    pub fn start() -> (Self, Option<Effect>) {
        (Self::BootSplash, Some(Effect::Scan))
    }

    /// Its name in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BootSplash => "BootSplash",
            Self::Welcome(_) => "Welcome",
            Self::Tools(_) => "Tools",
            Self::Disk(_) => "Disk",
            Self::Settings(_) => "Settings",
            Self::SecureBoot(_) => "SecureBoot",
            Self::Confirm(_) => "Confirm",
            Self::Progress(_) => "Progress",
            Self::Recovery(_) => "Recovery",
            Self::Done(_) => "Done",
            Self::Validate(_) => "Validate",
            Self::Unattended(_) => "Unattended",
            Self::Error(_) => "Error",
            Self::Exit(_) => "Exit",
        }
    }

    /// Whether the hardware is to be looked at again every now and then.
    pub fn wants_rescans(&self) -> bool {
        match self {
            Self::Welcome(_)
            | Self::Tools(_)
            | Self::Disk(_)
            | Self::Settings(_)
            | Self::SecureBoot(_)
            | Self::Confirm(_)
            | Self::Unattended(_) => true,
            Self::Error(failure) => !matches!(failure.cause, Cause::Scan { .. }),
            Self::BootSplash
            | Self::Progress(_)
            | Self::Recovery(_)
            | Self::Done(_)
            | Self::Validate(_)
            | Self::Exit(_) => false,
        }
    }

    /// The machine to look for answer files on, where one would be followed, or said not to be.
    pub fn wants_answers(&self) -> Option<&Hardware> {
        match self {
            Self::Welcome(welcome) => Some(&welcome.hardware),
            Self::Unattended(unattended) => Some(&unattended.hardware),
            _ => None,
        }
    }

    /// Whether [`Event::Second`] means something.
    pub fn counts_seconds(&self) -> bool {
        match self {
            Self::Progress(_) | Self::Unattended(_) => true,
            Self::Done(done) => done.ending.is_some(),
            Self::Error(failure) => failure.ending.is_some(),
            _ => false,
        }
    }

    /// This state, and nothing to do outside.
    fn alone(self) -> Next {
        (self, None)
    }
}

/// What `event` makes of `state`, and what to do outside.
pub fn next(state: State, event: Event) -> (State, Option<Effect>) {
    match state {
        State::BootSplash => splash::next(event),
        State::Welcome(welcome) => welcome::next(welcome, event),
        State::Tools(tools) => tools::next(tools, event),
        State::Disk(choices) => choices::next(choices, event),
        State::Settings(choices) => form::next(choices, event),
        State::SecureBoot(confirm) => secure_boot::next(*confirm, event),
        State::Confirm(confirm) => confirm::next(*confirm, event),
        State::Progress(work) => work::next(work, event),
        State::Recovery(recovery) => recovery::next(*recovery, &event),
        State::Done(done) => done::next(done, event),
        State::Validate(validation) => validation::next(validation, event),
        State::Unattended(unattended) => unattended::next(unattended, event),
        State::Error(failure) => failure::next(failure, event),
        State::Exit(exit) => State::Exit(exit).alone(),
    }
}
