//! The one disk of this machine that an answer file is about, or why there is none.

use super::{Answers, Erase, Refusal, Rule, consent};
use crate::hardware::{Disk, quoted, size_beside};

/// How many disks a refusal lists.
const LISTED: usize = 8;

/// The disk that the rule of `answers` is about. Optical drives, and drives without a medium, are
/// no disks here. `refuse` says in few words why a disk cannot be taken; `None` if it can.
///
/// Refuses unless exactly one disk fits the rule, it can be taken, and it and all that is on it may
/// be erased.
pub fn choose<'a>(
    answers: &Answers,
    disks: &'a [Disk],
    refuse: &dyn Fn(&Disk) -> Option<String>,
) -> Result<&'a Disk, Refusal> {
    let disks = disks.iter().filter(|it| !it.is_optical() && !it.is_empty());
    let (fitting, others) = answers.rule.choose(disks);
    let disk = match &fitting[..] {
        [] => {
            return Err(Refusal {
                installed: taken(answers, &others),
                ..none_fits(answers, &others)
            });
        }
        // One disk, to which there may be several paths, of which not every one need work.
        [first, more @ ..] if more.iter().all(|it| it.is_another_path_to(first)) => {
            let works = fitting.iter().find(|it| refuse(it).is_none());
            *works.unwrap_or(first)
        }
        _ => return Err(many_fit(answers, &fitting)),
    };
    if let Some(Erase::Serial(wanted)) = &answers.erase {
        check_serial(disk, wanted, &answers.rule)?;
    }
    match refuse(disk) {
        None => match consent::refusal(answers, disk) {
            None => Ok(disk),
            Some(refusal) => Err(refusal),
        },
        Some(reason) => Err(Refusal::new(
            format!(
                "{} is the disk that the answer file asks for, but it cannot be used: {}.",
                shown(disk, &answers.rule),
                reason.trim_end_matches('.')
            ),
            "Change that, or name another disk in the answer file.",
        )),
    }
}

/// The disk that fits a rule for empty ones but for the installation on it, as after the file was followed.
fn taken(answers: &Answers, disks: &[&Disk]) -> Option<Box<Disk>> {
    let mut rule = answers.rule.clone();
    if !std::mem::take(&mut rule.empty) {
        return None;
    }
    let (fitting, _) = rule.choose(disks.iter().copied());
    let mut installed = fitting.into_iter().filter(|disk| consent::starts(disk));
    match (installed.next(), installed.next()) {
        (Some(disk), None) => Some(Box::new(disk.clone())),
        _ => None,
    }
}

fn none_fits(answers: &Answers, disks: &[&Disk]) -> Refusal {
    let rule = &answers.rule;
    if disks.is_empty() {
        return Refusal::new(
            format!("No disk fits the answer file ({rule}), because there is no disk."),
            "Attach the disk, or look whether the firmware sees it.",
        );
    }
    let mut hint = "Correct [disk] in the answer file, or attach the disk.".to_owned();
    let no_serial = |disk: &&&Disk| disk.serial.is_none();
    if rule.serial.is_some() && disks.iter().any(|disk| no_serial(&disk)) {
        hint += " A disk without a serial number can be named by wwn, model, bus or size.";
    }
    let there = listed(disks, rule);
    let message = format!("No disk fits the answer file ({rule}). There is {there}.");
    Refusal::new(message, hint)
}

fn many_fit(answers: &Answers, disks: &[&Disk]) -> Refusal {
    let (count, rule) = (disks.len(), &answers.rule);
    Refusal::new(
        format!(
            "{count} disks fit the answer file ({rule}), and it must be one: {}.",
            listed(disks, rule)
        ),
        "Add to [disk] in the answer file what only one of them has, such as serial.",
    )
}

/// Looks whether `disk` is the one that may be erased.
fn check_serial(disk: &Disk, wanted: &str, rule: &Rule) -> Result<(), Refusal> {
    let hint = match &disk.serial {
        Some(serial) if serial.eq_ignore_ascii_case(wanted) => return Ok(()),
        Some(_) => "Correct erase in the answer file, or attach the right disk.",
        None => "A disk without a serial number needs erase_any_matching = true.",
    };
    let (disk, wanted) = (shown(disk, rule), quoted(wanted));
    let message = format!(
        "{disk} fits the answer file, which allows to erase the disk with serial number {wanted} \
         only."
    );
    Err(Refusal::new(message, hint))
}

fn listed(disks: &[&Disk], rule: &Rule) -> String {
    let mut texts: Vec<String> = disks
        .iter()
        .take(LISTED)
        .map(|disk| shown(disk, rule))
        .collect();
    if disks.len() > LISTED {
        texts.push(format!("{} more", disks.len() - LISTED));
    }
    texts.join("; ")
}

/// A disk with everything that a rule can name, but its world wide name; a size that only just does
/// not fit `rule` is shown to the byte.
fn shown(disk: &Disk, rule: &Rule) -> String {
    let limits: Vec<u64> = rule.min_size.into_iter().chain(rule.max_size).collect();
    let serial = disk.serial.as_ref().map_or_else(
        || "no serial number".to_owned(),
        |serial| format!("serial number {serial}"),
    );
    format!(
        "{} ({}, {}, {}, {serial})",
        disk.name,
        disk.bus,
        size_beside(disk.size, &limits),
        disk.model
    )
}
