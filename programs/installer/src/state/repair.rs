//! Repair: the way to Confirm from where something turned out to be wrong with an installed set of partitions, for
//! the disk that it is on.

use super::{Choices, Confirm, Next, Origin, Purpose, State, target_of};
use crate::hardware::{Disk, Hardware};
use crate::install::{Request, Settings, Target, Task};

/// Asks whether what starts the installation on the selected disk shall be written again; `None` if that cannot
/// be, or is [`super::Tools`]' alone.
pub(super) fn recover(choices: &Choices) -> Option<Next> {
    let disk = choices.disk()?.clone();
    if !is_recoverable(&choices.hardware, &disk) {
        return None;
    }
    let choices = Choices {
        purpose: Purpose::RepairBoot,
        space: 0,
        notice: None,
        ..choices.clone()
    };
    Some(Confirm::new(choices, Task::RepairBoot, disk, Settings::default()).ask())
}

/// Whether `disk` holds an installed set of which what starts it can be written again.
pub(super) fn is_recoverable(hardware: &Hardware, disk: &Disk) -> bool {
    hardware.set.is_some() && Purpose::RepairBoot.refusal(hardware, disk).is_none()
}

/// Asks the same of the disk at `index`, on which what `request` asked for turned out wrong; or, where it is not
/// finished, whether all of it shall be written again. Where neither can be, the list of disks says why.
pub(super) fn ask(request: &Request, origin: &Origin, index: usize) -> Next {
    let mut choices = match origin {
        Origin::Person(choices) => (**choices).clone(),
        Origin::AnswerFile(it) => Choices::new(it.hardware.clone(), Purpose::Install),
    };
    choices.selected = index;
    if let Some(asked) = recover(&choices) {
        return asked;
    }
    choices.purpose = Purpose::of(request.task);
    choices.space = match (request.target, choices.disk()) {
        (Target::FreeSpace { .. }, Some(disk)) => {
            let mut spaces = choices.spaces(disk).into_iter();
            let place = spaces.position(|it| target_of(&it) == request.target);
            place.map_or(0, |it| it + 1)
        }
        _ => 0,
    };
    let name = &request.disk.name;
    let is_same_place = choices.target() == request.target;
    choices.notice = Some(match choices.refusal() {
        Some(reason) => format!("{name} cannot be repaired: {reason}."),
        None if is_same_place => {
            format!("What is on {name} is not finished: all of it is written again.")
        }
        None => format!("The space on {name} is not what it was."),
    });
    match choices.disk().cloned() {
        Some(disk) if is_same_place && choices.refusal().is_none() => {
            Confirm::new(choices, request.task, disk, request.settings.clone()).ask()
        }
        _ => State::Disk(choices).alone(),
    }
}
