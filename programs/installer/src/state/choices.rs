//! [`State::Disk`], and everything that is chosen on the way from Welcome to Confirm.

use super::{Confirm, Effect, Event, Form, Key, Next, State, Tools, Validation, Welcome};
use crate::hardware::{Disk, Earlier, Hardware};
use crate::install::{Settings, Task, settings_on};
use common::product::product;

/// What a disk is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be installed to.
    Install,
    /// To get a new system beside its data.
    KeepData,
    /// To get its boot files and its boot entry again.
    RepairBoot,
    /// To get other settings.
    ChangeSettings,
    /// To be read and reported on.
    Validate,
}

impl Purpose {
    /// What a disk must be like for an answer file that asks for `task`.
    pub fn of(task: Task) -> Self {
        match task {
            Task::Install => Self::Install,
            Task::KeepData => Self::KeepData,
            Task::RepairBoot => Self::RepairBoot,
            Task::ChangeSettings => Self::ChangeSettings,
        }
    }

    /// Why `disk` cannot be chosen for this, in few words; `None` if it can.
    pub fn refusal(self, hardware: &Hardware, disk: &Disk) -> Option<String> {
        let earlier = disk.contents.as_ref().and_then(|it| it.earlier.as_ref());
        // Reading needs neither room nor a disk that can be written to.
        if self != Self::Validate || earlier.is_none() {
            let obstacle = hardware.obstacle(disk);
            if obstacle.is_some() {
                return obstacle;
            }
        }
        let reason = match (self, earlier) {
            (Self::Install, _) | (Self::Validate, Some(_)) => return None,
            (_, None) => return Some(format!("no {} on it", product().name)),
            (
                Self::KeepData,
                Some(Earlier {
                    has_data: false, ..
                }),
            ) => "no data that can be kept",
            // Beside data, only the system can be unfinished: a repair that was cut off is repeated.
            (
                Self::RepairBoot,
                Some(Earlier {
                    unfinished: true,
                    has_data: false,
                    ..
                }),
            )
            | (
                Self::ChangeSettings,
                Some(Earlier {
                    unfinished: true, ..
                }),
            ) => "unfinished installation",
            (Self::ChangeSettings, Some(earlier)) if earlier.node.is_none() => {
                "settings cannot be read"
            }
            (Self::KeepData | Self::RepairBoot | Self::ChangeSettings, Some(_)) => return None,
        };
        Some(reason.to_owned())
    }
}

/// What is chosen so far. Going back and forth between the screens loses nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// The machine.
    pub hardware: Hardware,
    /// What for.
    pub purpose: Purpose,
    /// Index in `hardware.disks` of the disk that is chosen, or that is being looked at.
    pub selected: usize,
    /// How many lines below the list of disks are scrolled away.
    pub scroll: u16,
    /// The settings, as far as they are written.
    pub form: Form,
    /// An installation that was cut off is to be erased with its data, instead of finished beside them.
    pub anew: bool,
    /// Why the last key did not do what it was pressed for, or what changed meanwhile.
    pub notice: Option<String>,
}

impl Choices {
    /// Nothing but the purpose is chosen; the first disk that can be chosen is looked at.
    pub fn new(hardware: Hardware, purpose: Purpose) -> Self {
        let mut disks = hardware.disks.iter();
        let selected = disks
            .position(|disk| purpose.refusal(&hardware, disk).is_none())
            .unwrap_or(0);
        Self {
            hardware,
            purpose,
            selected,
            scroll: 0,
            form: Form::default(),
            anew: false,
            notice: None,
        }
    }

    /// The disk that is chosen, or that is being looked at; none if there are no disks.
    pub fn disk(&self) -> Option<&Disk> {
        self.hardware.disks.get(self.selected)
    }

    /// What Enter would do to `disk`. An installation that was cut off is finished: anew, or
    /// beside its data if those are whole and nobody wants it otherwise.
    pub fn task(&self, disk: &Disk) -> Option<Task> {
        match self.purpose {
            Purpose::Install if self.finishes(disk) && !self.anew => Some(Task::KeepData),
            Purpose::Install => Some(Task::Install),
            Purpose::KeepData => Some(Task::KeepData),
            Purpose::RepairBoot => Some(Task::RepairBoot),
            Purpose::ChangeSettings => Some(Task::ChangeSettings),
            Purpose::Validate => None,
        }
    }

    /// Whether an installation on `disk` can be finished beside its data, or be erased with them.
    pub fn finishes(&self, disk: &Disk) -> bool {
        let earlier = disk.contents.as_ref().and_then(|it| it.earlier.as_ref());
        self.purpose == Purpose::Install && earlier.is_some_and(|it| it.unfinished && it.has_data)
    }

    /// Says no longer that the selected disk cannot be chosen, if it can.
    fn take_back_refusal(&mut self, can_be_chosen: bool) {
        let refusal = self.disk().filter(|_| can_be_chosen).map(refused);
        let stays = |notice: &String| !refusal.is_some_and(|it| notice.starts_with(&it));
        self.notice = self.notice.take().filter(stays);
    }

    /// Takes a newer look at the machine, in which the same disk stays selected. If it is gone,
    /// or cannot be chosen any more, says so and selects one close to where it was.
    pub(super) fn follow(&mut self, hardware: Hardware) -> Result<(), String> {
        let before = self.disk().cloned();
        self.hardware = hardware;
        let disks = &self.hardware.disks;
        let Some(before) = before else {
            self.selected = 0;
            return Ok(());
        };
        let same_name = |disk: &Disk| disk.name == before.name;
        let found = disks.iter().position(same_name);
        self.selected = found.unwrap_or_else(|| self.selected.min(disks.len().saturating_sub(1)));
        match self.disk().filter(|_| found.is_some()) {
            None => Err(format!("{} is gone.", before.name)),
            Some(disk) if disk.key() != before.key() => {
                Err(format!("{} holds another medium now.", before.name))
            }
            Some(disk) => match self.purpose.refusal(&self.hardware, disk) {
                Some(reason) => Err(format!("{} cannot be chosen now: {reason}.", before.name)),
                None => Ok(()),
            },
        }
    }
}

/// How the refusal of a disk begins.
fn refused(disk: &Disk) -> String {
    format!("{} cannot be chosen: ", disk.name)
}

/// What happens in [`State::Disk`].
pub(super) fn next(mut choices: Choices, event: Event) -> Next {
    match event {
        Event::Key(key) => return on_key(choices, key.command()),
        Event::Scanned(Ok(hardware)) => {
            // The table shows what changed.
            let can_be_chosen = choices.follow(hardware).is_ok();
            choices.take_back_refusal(can_be_chosen);
        }
        Event::Scanned(Err(problem)) => choices.notice = Some(problem.message),
        _ => {}
    }
    State::Disk(choices).alone()
}

fn on_key(mut choices: Choices, key: Key) -> Next {
    if key != Key::Other {
        choices.notice = None;
    }
    choices.anew = false;
    match key {
        Key::Char('e') if choices.disk().is_some_and(|disk| choices.finishes(disk)) => {
            choices.anew = true;
            return choose(choices);
        }
        Key::PageUp | Key::PageDown => {
            key.scrolls(&mut choices.scroll);
        }
        Key::Up => {
            choices.scroll = 0;
            choices.selected = choices.selected.saturating_sub(1);
        }
        Key::Down => {
            choices.scroll = 0;
            let last = choices.hardware.disks.len().saturating_sub(1);
            choices.selected = (choices.selected + 1).min(last);
        }
        Key::Enter => return choose(choices),
        Key::Esc | Key::Char('b') => return back(choices).alone(),
        Key::Char('r') => return (State::Disk(choices), Some(Effect::ScanAfresh)),
        _ => {}
    }
    State::Disk(choices).alone()
}

fn back(choices: Choices) -> State {
    match choices.purpose {
        Purpose::Install => State::Welcome(Welcome::new(choices.hardware, true)),
        _ => State::Tools(Tools::new(choices.hardware)),
    }
}

fn choose(mut choices: Choices) -> Next {
    let Some(disk) = choices.disk().cloned() else {
        choices.notice = Some("There is no disk to choose.".to_owned());
        return State::Disk(choices).alone();
    };
    if let Some(reason) = choices.purpose.refusal(&choices.hardware, &disk) {
        choices.notice = Some(format!("{}{reason}.", refused(&disk)));
        return State::Disk(choices).alone();
    }
    match choices.task(&disk) {
        None => {
            let effect = Effect::Validate(Box::new(disk));
            (State::Validate(Validation::new(choices)), Some(effect))
        }
        Some(Task::Install) => State::Settings(choices).alone(),
        Some(Task::ChangeSettings) => {
            choices.form = Form::of(&settings_on(&disk).unwrap_or_default());
            State::Settings(choices).alone()
        }
        // The settings on the disk stay.
        Some(task) => Confirm::new(choices, task, disk, Settings::default()).ask(),
    }
}
