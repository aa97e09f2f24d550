//! What was written, read back past the page cache, and judged: before this nothing is called finished.

use std::path::Path;

use common::problem::Problem;

use super::super::disk_error;
use super::super::layout::Place;
use super::super::report::Finding;
use super::super::request::{Request, Task};
use super::check::{self, Expected};
use super::content::digest;
use super::facts::ContentFacts;
use super::list::Role;
use super::places::of;
use super::plan::Plan;
use super::{grow, writing};

/// What the first bytes of a partition are.
pub(super) fn content(
    plan: &Plan,
    disk: &str,
    place: &Place,
    bytes: u64,
    done: &mut dyn FnMut(u64),
) -> Result<ContentFacts, Problem> {
    let sha256 = digest(&plan.device, place.start, bytes, done)
        .map_err(|error| disk_error::of_disk("Reading from", disk, error))?;
    Ok(ContentFacts {
        partition: place.name.clone(),
        bytes,
        sha256,
    })
}

/// What there is of `core.img`, which is as it was written.
pub(super) fn core(plan: &Plan, disk: &str) -> Result<ContentFacts, Problem> {
    let place = of(&plan.spots, Role::Bios).map_or(&plan.esp, |it| &it.place);
    let found = content(plan, disk, place, plan.core.len() as u64, &mut |_| {})?;
    if found.sha256 == writing::core_digest(plan) {
        Ok(found)
    } else {
        Err(disk_error::unlike(disk, &place.name, place.start))
    }
}

/// Fails where the file system that was grown is not whole.
pub(super) fn grown(root: &Path, plan: &Plan, disk: &str, place: &Place) -> Result<(), Problem> {
    match grow::check(root, &plan.device, place)? {
        None => Ok(()),
        Some(said) => Err(Problem::new(
            format!("{} on {disk} is not as it was made: {said}.", place.name),
            "The disk may be failing: check its cables, or choose another one.",
        )),
    }
}

/// Everything that is found of what `plan` is about; with `is_finished`, also what a BIOS follows.
pub(super) fn findings(
    root: &Path,
    request: &Request,
    plan: &Plan,
    is_finished: bool,
) -> Vec<Finding> {
    let files: Vec<(String, String)> = plan
        .expected_files()
        .map(|(path, _, sha256)| (path.to_owned(), sha256))
        .collect();
    let chain = plan.boot_code.filter(|_| is_finished).map(|code| {
        let bytes = plan.core.len() as u64;
        (Some(code), bytes, writing::core_digest(plan))
    });
    check::findings(&Expected {
        root,
        disk: &request.disk,
        device: &plan.device,
        set: &plan.set,
        spots: &plan.spots,
        esp: &plan.esp,
        files: &files,
        chain,
        is_new: request.task == Task::Install,
    })
}

/// Fails with the first thing because of which what `plan` is about would not start.
pub(super) fn judge(
    root: &Path,
    request: &Request,
    plan: &Plan,
    is_finished: bool,
) -> Result<(), Problem> {
    let found = findings(root, request, plan, is_finished);
    let mut wrong = found.into_iter().filter(|it| !it.good);
    let Some(first) = wrong.next() else {
        return Ok(());
    };
    let more = match wrong.count() {
        0 => String::new(),
        count => format!(" There are {count} more such findings; Validate has them all."),
    };
    Err(Problem::new(
        format!(
            "What is on {} would not start as it should. {}{more}",
            request.disk.name, first.text
        ),
        "Retry; if that does not help, the medium or the disk is damaged.",
    ))
}
