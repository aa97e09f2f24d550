//! What is said at the end: of a set that was installed, and of a disk on which one was not.

use std::time::Duration;

use super::super::report::{Report, Stage};
use super::super::request::{Request, Target, Task};
use super::list::Role;
use super::places::Spot;
use super::plan::Plan;
use crate::hardware::decimal_size;

/// What it means that no UEFI firmware started the installer.
pub(super) const BY_BIOS: &str = "This computer was started by BIOS: it starts the disk by the code in its first \
                                  sector, and keeps no boot entry.";

/// The report of what `request` asked for and `plan` says was done.
pub(super) fn report(request: &Request, plan: &Plan, stages: &[(Stage, Duration)]) -> Report {
    let disk = &request.disk;
    let serial = disk
        .serial
        .as_ref()
        .map_or_else(String::new, |it| format!(", serial {it}"));
    let describe = |spot: &Spot| {
        let place = &spot.place;
        let holds = match (spot.role, request.task) {
            (Role::Bios, _) => "boot code for BIOS".to_owned(),
            (Role::Esp, _) => "boot loader for UEFI".to_owned(),
            (Role::Boot, _) => "kernels and menus".to_owned(),
            (_, Task::RepairBoot) => "kept as it was".to_owned(),
            (Role::Root, _) => plan.set.full_name(),
            (Role::Data, _) => "new, for data".to_owned(),
        };
        let size = decimal_size(place.size);
        format!("{}  {:<14} {size:>9}  {holds}", place.number, place.name)
    };
    let by_bios = (!plan.is_uefi).then(|| BY_BIOS.to_owned());
    Report {
        task: request.task,
        disk: disk.name.clone(),
        model: format!("{}{serial}", disk.model),
        version: plan.set.version.clone(),
        layout: plan.spots.iter().map(describe).collect(),
        warnings: Vec::new(),
        notes: by_bios.into_iter().collect(),
        recovery: None,
        stages: stages.to_vec(),
        receipt: String::new(),
        log: String::new(),
    }
}

/// What is said where everything is as it was asked for already.
pub(super) fn nothing_written(request: &Request) -> String {
    format!(
        "All of it was on {} already, byte for byte: nothing was written.",
        request.disk.name
    )
}

/// What a failure in `stage` leaves on the disk.
pub(super) fn state_of_disk(request: &Request, stage: Stage) -> String {
    let disk = &request.disk.name;
    match (stage, request.task, request.target) {
        (Stage::Prepare, ..) => format!("Nothing was written to {disk}."),
        (_, Task::RepairBoot, _) => format!(
            "Root and data on {disk} were not touched; it may not start until this is finished."
        ),
        (Stage::Finish, ..) => format!(
            "What is on {disk} was read back and is right, but it may still be marked as unfinished, and not start."
        ),
        (_, _, Target::FreeSpace { .. }) => format!(
            "The space on {disk} holds an unfinished installation, which does not start; what lies beside it was \
             not touched."
        ),
        (Stage::Partition, ..) => format!(
            "{disk} may still hold what was on it, or be an unfinished installation that does not start."
        ),
        _ => format!(
            "{disk} holds an unfinished installation: it does not start, and what was on it is lost."
        ),
    }
}
