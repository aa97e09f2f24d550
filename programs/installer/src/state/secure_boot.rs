//! [`State::SecureBoot`]: whether the firmware gets the keys that this medium carries. Nobody is asked where it would
//! not take them, and unless somebody says so, it gets none.

use super::{Confirm, Event, Key, Next, State};
use crate::answers::Refusal;
use crate::hardware::{FirmwareKeys, Hardware, Standing};
use crate::install::{Enrolment, Task};

impl Confirm {
    /// Whether the firmware takes keys, and this is about something that it is to start.
    pub(super) fn can_enroll(&self) -> bool {
        let keys = self.choices.hardware.keys.as_ref();
        self.task != Task::ChangeSettings && keys.is_some_and(FirmwareKeys::are_wanted)
    }

    /// What can be chosen.
    pub fn enrolments(&self) -> &'static [Enrolment] {
        static ALL: [Enrolment; 3] = [
            Enrolment::Leave,
            Enrolment::Enroll,
            Enrolment::EnrollWithFirmware,
        ];
        let keys = self.choices.hardware.keys.as_ref();
        match keys {
            Some(keys) if keys.are_wanted() && keys.has_others => &ALL,
            Some(keys) if keys.are_wanted() => &ALL[..2],
            _ => &ALL[..1],
        }
    }

    /// What is chosen, as far as that can be done.
    pub fn enrolment(&self) -> Enrolment {
        let chosen = self.choices.secure_boot;
        let can = self.can_enroll() && self.enrolments().contains(&chosen);
        if can { chosen } else { Enrolment::Leave }
    }

    /// Chooses the next one, or the one before.
    fn move_enrolment(&mut self, down: bool) {
        let (all, now) = (self.enrolments(), self.enrolment());
        let at = all.iter().position(|it| *it == now).unwrap_or(0);
        let at = if down { at + 1 } else { at.saturating_sub(1) };
        self.choices.secure_boot = all.get(at).copied().unwrap_or(now);
    }
}

/// What happens in [`State::SecureBoot`].
pub(super) fn next(mut confirm: Confirm, event: Event) -> Next {
    match event {
        Event::Key(Key::Enter) => return confirm.ask(),
        Event::Key(Key::Esc) => return confirm.back().alone(),
        Event::Key(Key::Up) => confirm.move_enrolment(false),
        Event::Key(Key::Down) => confirm.move_enrolment(true),
        Event::Scanned(Ok(hardware)) => match confirm.follow(hardware) {
            Ok(now) => return now.begin(),
            Err(disks) => return disks.alone(),
        },
        _ => {}
    }
    State::SecureBoot(Box::new(confirm)).alone()
}

/// Why the keys that an answer file asks for cannot be enrolled on this machine.
pub(super) fn refusal(hardware: &Hardware, wanted: Enrolment) -> Option<Refusal> {
    const HINT: &str = "or write secure_boot = \"leave\" in the answer file.";
    if wanted == Enrolment::Leave {
        return None;
    }
    let (message, hint) = match &hardware.keys {
        None => (
            "This medium carries no keys that the firmware could get.",
            "Build it with those of its vendor",
        ),
        Some(keys) => match keys.standing {
            Standing::Wanted | Standing::Begun
                if wanted == Enrolment::EnrollWithFirmware && !keys.has_others =>
            {
                (
                    "The firmware has no keys of its maker that could be kept.",
                    "Have them restored in its own menu",
                )
            }
            Standing::Wanted | Standing::Begun | Standing::Enrolled => return None,
            Standing::Refused => (
                "The firmware is not in setup mode, so it takes no keys.",
                "Put it in setup mode in its own menu",
            ),
        },
    };
    Some(Refusal::new(message, format!("{hint}, {HINT}")))
}
