//! [`State::Confirm`]: the last screen before anything is written. Nothing happens to a disk that
//! nobody read the serial number of.

use super::{Choices, Effect, Event, Input, Key, Next, Origin, State, Work};
use crate::hardware::{Disk, Hardware};
use crate::install::{Encryption, Request, Settings, Task};

/// What has to be typed, too, to put an older version in the place of a newer one.
pub const DOWNGRADE: &str = "downgrade";
/// How much of a serial number has to be typed.
const ENOUGH: usize = 4;

/// Details of [`State::Confirm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// What was chosen.
    pub choices: Choices,
    /// What is to be done.
    pub task: Task,
    /// The disk, as it was when this screen was entered or last looked at.
    pub disk: Disk,
    /// With which settings.
    pub settings: Settings,
    /// How the data are encrypted, if they are.
    pub encryption: Option<Encryption>,
    /// What was typed.
    pub typed: Input,
    /// How many lines above the question are scrolled away.
    pub scroll: u16,
}

/// What has to be typed to prove that the right disk is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The end of its serial number.
    Serial(String),
    /// Its kernel name, because it has no serial number.
    Name(String),
}

impl Proof {
    /// The proof for `disk`.
    pub fn of(disk: &Disk) -> Self {
        let serial = disk.serial.as_deref().map(str::trim).unwrap_or_default();
        let start = serial.char_indices().rev().nth(ENOUGH - 1);
        let end = &serial[start.map_or(0, |(at, _)| at)..];
        if end.trim().is_empty() {
            Self::Name(disk.name.clone())
        } else {
            Self::Serial(end.trim().to_owned())
        }
    }

    /// The text itself.
    pub fn text(&self) -> &str {
        match self {
            Self::Serial(text) | Self::Name(text) => text,
        }
    }

    /// Whether `typed` is it; capitals do not matter.
    pub fn accepts(&self, typed: &str) -> bool {
        typed.trim().eq_ignore_ascii_case(self.text())
    }
}

impl Confirm {
    /// Asks whether `task` shall be done to `disk` with `settings`.
    pub(super) fn new(choices: Choices, task: Task, disk: Disk, settings: Settings) -> Self {
        Self {
            choices,
            task,
            disk,
            settings,
            encryption: None,
            typed: Input::default(),
            scroll: 0,
        }
    }

    /// The same, with data that are encrypted so.
    pub(super) fn encrypted(self, encryption: Option<Encryption>) -> Self {
        Self { encryption, ..self }
    }

    /// Whether Enter would start.
    pub fn is_proven(&self) -> bool {
        let mut words = self.typed.text().rsplitn(2, char::is_whitespace);
        let typed = match (self.is_downgrade(), words.next()) {
            (false, _) => Some(self.typed.text()),
            (true, Some(word)) if word.eq_ignore_ascii_case(DOWNGRADE) => words.next(),
            (true, _) => None,
        };
        typed.is_some_and(|typed| Proof::of(&self.disk).accepts(typed))
    }

    /// Whether what is on the disk is newer than what this medium writes in its place.
    pub fn is_downgrade(&self) -> bool {
        let writes_system = matches!(self.task, Task::KeepData | Task::RepairBoot);
        writes_system && self.choices.hardware.is_downgrade(&self.disk)
    }

    /// The first state on the way to this.
    pub(super) fn begin(self) -> Next {
        if self.can_enroll() {
            return State::SecureBoot(Box::new(self)).alone();
        }
        self.ask()
    }

    /// The state that shows this.
    pub(super) fn ask(self) -> Next {
        State::Confirm(Box::new(self)).alone()
    }

    /// The state before [`State::SecureBoot`].
    pub(super) fn back(self) -> State {
        match self.task {
            Task::Install | Task::ChangeSettings if self.choices.hardware.set.is_none() => {
                State::Settings(self.choices)
            }
            _ => State::Disk(self.choices),
        }
    }

    /// Takes a newer look at the machine; where it is not the same disk, the list of disks says so.
    #[allow(clippy::result_large_err)] // there is one at a time
    pub(super) fn follow(mut self, hardware: Hardware) -> Result<Self, State> {
        if let Err(notice) = self.choices.follow(hardware) {
            self.choices.notice = Some(notice);
            return Err(State::Disk(self.choices));
        }
        let now = self.choices.disk().cloned();
        match now.filter(|now| self.choices.task(now) == Some(self.task)) {
            Some(now) => self.disk = now,
            None => return Err(State::Disk(self.choices)),
        }
        Ok(self)
    }

    fn start(self) -> Next {
        let mut warnings = self.choices.hardware.lacking();
        if self.choices.space > 0 {
            warnings.extend(self.choices.hardware.mismatch(&self.disk));
        }
        let request = Box::new(Request {
            secure_boot: self.enrolment(),
            task: self.task,
            disk: self.disk,
            target: self.choices.target(),
            settings: self.settings,
            encryption: self.encryption,
            warnings,
        });
        let origin = Origin::Person(Box::new(self.choices));
        let work = Work::new(request.clone(), origin);
        (State::Progress(work), Some(Effect::Install(request)))
    }
}

/// What happens in [`State::Confirm`].
pub(super) fn next(mut confirm: Confirm, event: Event) -> Next {
    match event {
        Event::Key(Key::Enter) if confirm.is_proven() => return confirm.start(),
        Event::Key(Key::Esc) if confirm.can_enroll() => return confirm.begin(),
        Event::Key(Key::Esc) => return confirm.back().alone(),
        Event::Key(key) => {
            let _ = key.scrolls(&mut confirm.scroll) || confirm.typed.press(key);
        }
        Event::Scanned(Ok(hardware)) => match confirm.follow(hardware) {
            Ok(now) => confirm = now,
            Err(disks) => return disks.alone(),
        },
        _ => {}
    }
    confirm.ask()
}
