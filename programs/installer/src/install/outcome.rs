//! What is said at the end: of an installation that succeeded, and of a disk on which one did not.

use std::time::Duration;

use super::layout::Place;
use super::plan::Plan;
use super::report::{Report, Stage};
use super::request::{Request, Task};
use crate::hardware::decimal_size;

/// The report of what `request` asked for and `plan` says was done.
pub(super) fn report(
    request: &Request,
    plan: &Plan,
    warnings: &[String],
    stages: &[(Stage, Duration)],
    receipt: String,
) -> Report {
    let disk = &request.disk;
    let serial = disk
        .serial
        .as_ref()
        .map_or_else(String::new, |it| format!(", serial {it}"));
    let describe = |place: &Place| {
        let holds = if place.is_system() {
            format!("{} {}", plan.product, plan.version)
        } else if request.task == Task::Install {
            match request.encryption {
                Some(_) => "new, for data, encrypted".to_owned(),
                None => "new, for data".to_owned(),
            }
        } else {
            "data, kept as they were".to_owned()
        };
        let size = decimal_size(place.size);
        format!("{}  {:<14} {size:>9}  {holds}", place.number, place.name)
    };
    Report {
        task: request.task,
        disk: disk.name.clone(),
        model: format!("{}{serial}", disk.model),
        version: plan.version.clone(),
        layout: plan.layout.places.iter().map(describe).collect(),
        warnings: warnings.to_vec(),
        notes: Vec::new(),
        recovery: None,
        stages: stages.to_vec(),
        receipt,
        log: String::new(),
    }
}

/// What a failure in `stage` leaves on the disk.
pub(super) fn state_of_disk(request: &Request, stage: Stage) -> String {
    let disk = &request.disk.name;
    match (stage, request.task) {
        (Stage::Prepare, _) => format!("Nothing was written to {disk}."),
        (Stage::Partition, Task::Install) => format!(
            "{disk} may still hold what was on it, or be an unfinished installation that does not \
             start."
        ),
        (_, Task::ChangeSettings) => format!(
            "{disk} still starts, with its present settings or with the other ones. The data on it were not \
             touched."
        ),
        (Stage::Finish, _) => format!(
            "What starts {disk} was read back and is right, but it may still be marked as unfinished, and not start."
        ),
        (_, Task::Install) => format!(
            "{disk} holds an unfinished installation: it does not start, and what was on it is lost."
        ),
        (_, Task::KeepData | Task::RepairBoot) => {
            format!("The data on {disk} were not touched; it may not start until this is finished.")
        }
    }
}
