//! [`State::Disk`], and everything that is chosen on the way from Welcome to Confirm.

use super::{Confirm, Effect, Event, Form, Key, Next, State, Tools, Validation, Welcome};
use crate::hardware::{Disk, Earlier, FreeSpace, Hardware};
use crate::install::{Enrolment, Settings, Target, Task, settings_on};

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
            (Self::Install, _) => return taken(hardware, disk, true),
            (_, None) => return Some(format!("no {} on it", hardware.title())),
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
            (Self::ChangeSettings, Some(earlier)) if earlier.encrypted => {
                "settings are encrypted with the data"
            }
            (Self::ChangeSettings, Some(earlier)) if earlier.node.is_none() => {
                "settings cannot be read"
            }
            (_, Some(_)) => return None,
        };
        Some(reason.to_owned())
    }

    /// The largest free space of `disk` that can be chosen for this, or where the same is installed, which is
    /// never overwritten; or why there is none, in few words.
    pub fn space_of(self, hardware: &Hardware, disk: &Disk) -> Result<FreeSpace, String> {
        let none = || {
            let obstacle = hardware.obstacle(disk);
            obstacle.unwrap_or_else(|| "nothing is on it beside which it could be".to_owned())
        };
        let earlier = disk.contents.as_ref().and_then(|it| it.earlier.as_ref());
        if earlier.is_some_and(|it| !it.unfinished)
            && let Some(room) = hardware.installed_room(disk)
        {
            return Ok(FreeSpace {
                room,
                obstacle: None,
            });
        }
        let space = hardware
            .free_space(disk)
            .into_iter()
            .next()
            .ok_or_else(none)?;
        match self.refusal_beside(hardware, disk, &space) {
            Some(reason) => Err(reason),
            None => Ok(space),
        }
    }

    /// The same of free space on it.
    pub fn refusal_beside(
        self,
        hardware: &Hardware,
        disk: &Disk,
        space: &FreeSpace,
    ) -> Option<String> {
        let obstacle = space.obstacle.clone();
        obstacle.or_else(|| taken(hardware, disk, false))
    }
}

/// Which label of what is installed is somebody else's, too: nobody would know then which one is meant.
fn taken(hardware: &Hardware, disk: &Disk, whole: bool) -> Option<String> {
    let (label, place) = hardware.taken_labels(disk, whole).into_iter().next()?;
    Some(format!(
        "label is taken, {place} is called {label}, too; take it away, or give it another label"
    ))
}

/// Free space as an installation takes it.
pub fn target_of(space: &FreeSpace) -> Target {
    Target::FreeSpace {
        start: space.room.start,
        end: space.room.end,
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
    /// Which row of free space below that disk is meant, counted from 1; 0 for the disk itself.
    pub space: usize,
    /// How many lines below the list of disks are scrolled away.
    pub scroll: u16,
    /// The settings, as far as they are written.
    pub form: Form,
    /// Which keys the firmware is to get.
    pub secure_boot: Enrolment,
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
            space: 0,
            scroll: 0,
            form: Form::default(),
            secure_boot: Enrolment::default(),
            anew: false,
            notice: None,
        }
    }

    /// The disk that is chosen, or that is being looked at; none if there are no disks.
    pub fn disk(&self) -> Option<&Disk> {
        self.hardware.disks.get(self.selected)
    }

    /// The rows of free space below `disk` in the list.
    pub fn spaces(&self, disk: &Disk) -> Vec<FreeSpace> {
        match self.purpose {
            Purpose::Install => self.hardware.free_space(disk),
            _ => Vec::new(),
        }
    }

    /// The free space that is chosen, or that is being looked at; none if that is a disk.
    pub fn free_space(&self) -> Option<FreeSpace> {
        let index = self.space.checked_sub(1)?;
        self.spaces(self.disk()?).into_iter().nth(index)
    }

    /// Where to on the disk.
    pub fn target(&self) -> Target {
        self.free_space()
            .map_or(Target::WholeDisk, |it| target_of(&it))
    }

    /// Every row of the list: index of the disk, and which free space of it.
    pub fn rows(&self) -> Vec<(usize, usize)> {
        let disks = self.hardware.disks.iter().enumerate();
        disks
            .flat_map(|(index, disk)| (0..=self.spaces(disk).len()).map(move |it| (index, it)))
            .collect()
    }

    /// The row that the pointer is at.
    pub fn row(&self) -> usize {
        let mut rows = self.rows().into_iter();
        rows.position(|it| it == (self.selected, self.space))
            .unwrap_or(0)
    }

    /// Moves the pointer to a row, or to the last one.
    fn go_to(&mut self, row: usize) {
        let rows = self.rows();
        let row = rows.get(row).or(rows.last()).copied();
        (self.selected, self.space) = row.unwrap_or_default();
    }

    /// Why what the pointer is at cannot be chosen, in few words.
    pub fn refusal(&self) -> Option<String> {
        let (hardware, disk) = (&self.hardware, self.disk()?);
        match self.free_space() {
            Some(space) => self.purpose.refusal_beside(hardware, disk, &space),
            None => self.purpose.refusal(hardware, disk),
        }
    }

    /// What the pointer is at, as people call it.
    fn called(&self) -> String {
        let name = self.disk().map_or("", |it| it.name.as_str());
        match self.space {
            0 => name.to_owned(),
            _ => format!("The free space of {name}"),
        }
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

    /// Whether E erases what Enter would finish.
    pub fn can_erase(&self) -> bool {
        self.space == 0 && self.disk().is_some_and(|disk| self.finishes(disk))
    }

    /// Says no longer that the selected disk cannot be chosen, if it can.
    fn take_back_refusal(&mut self, can_be_chosen: bool) {
        let refusal = can_be_chosen.then(|| self.refused());
        let stays = |notice: &String| !refusal.is_some_and(|it| notice.starts_with(&it));
        self.notice = self.notice.take().filter(stays);
    }

    /// Takes a newer look at the machine, in which the same disk stays selected. If it is gone,
    /// or cannot be chosen any more, says so and selects one close to where it was.
    pub(super) fn follow(&mut self, hardware: Hardware) -> Result<(), String> {
        let before = self.disk().cloned();
        let (space, called) = (self.free_space(), self.called());
        self.hardware = hardware;
        let disks = &self.hardware.disks;
        let Some(before) = before else {
            (self.selected, self.space) = (0, 0);
            return Ok(());
        };
        let same_name = |disk: &Disk| disk.name == before.name;
        let found = disks.iter().position(same_name);
        self.selected = found.unwrap_or_else(|| self.selected.min(disks.len().saturating_sub(1)));
        let spaces = self
            .disk()
            .map(|disk| self.spaces(disk))
            .unwrap_or_default();
        let same = |it: &FreeSpace| space.as_ref().is_some_and(|space| space.room == it.room);
        let place = spaces.iter().position(same).filter(|_| found.is_some());
        let is_other = space.is_some() && place.is_none();
        self.space = place.map_or(0, |it| it + 1);
        match self.disk().filter(|_| found.is_some()) {
            None => Err(format!("{} is gone.", before.name)),
            Some(disk) if disk.key() != before.key() => {
                Err(format!("{} holds another medium now.", before.name))
            }
            Some(_) if is_other => Err(format!("{called} is not there any more.")),
            Some(_) => match self.refusal() {
                Some(reason) => Err(format!("{called} cannot be chosen now: {reason}.")),
                None => Ok(()),
            },
        }
    }

    /// How the refusal of what the pointer is at begins.
    fn refused(&self) -> String {
        format!("{} cannot be chosen: ", self.called())
    }
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
        Key::Char('e') if choices.can_erase() => {
            choices.anew = true;
            return choose(choices);
        }
        Key::PageUp | Key::PageDown => {
            key.scrolls(&mut choices.scroll);
        }
        Key::Up => {
            choices.scroll = 0;
            choices.go_to(choices.row().saturating_sub(1));
        }
        Key::Down => {
            choices.scroll = 0;
            choices.go_to(choices.row() + 1);
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
    if let Some(reason) = choices.refusal() {
        choices.notice = Some(format!("{}{reason}.", choices.refused()));
        return State::Disk(choices).alone();
    }
    match choices.task(&disk) {
        None => {
            let effect = Effect::Validate(Box::new(disk));
            (State::Validate(Validation::new(choices)), Some(effect))
        }
        Some(Task::Install) if choices.hardware.set.is_none() => State::Settings(choices).alone(),
        Some(Task::ChangeSettings) => {
            choices.form = Form::of(&settings_on(&disk).unwrap_or_default());
            State::Settings(choices).alone()
        }
        // The settings on the disk stay.
        Some(task) => Confirm::new(choices, task, disk, Settings::default()).begin(),
    }
}
