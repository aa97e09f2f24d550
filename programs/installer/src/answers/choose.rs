//! The one disk of this machine that an answer file is about, or why there is none.

use std::collections::BTreeSet;

use super::{Answers, Erase, Refusal, Rule, consent};
use crate::hardware::{Disk, Volume, quoted, size_beside};

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
                shown(disk, &answers.rule, false),
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
    let hint = match telling(disks) {
        Some(key) => {
            format!("Add to [disk] in the answer file what only one of them has, such as {key}.")
        }
        None => {
            "They differ in nothing that a rule can name. Leave one of them attached, or install \
                 without an answer file."
                .to_owned()
        }
    };
    Refusal::new(
        format!(
            "{count} disks fit the answer file ({rule}), and it must be one: {}.",
            listed(disks, rule)
        ),
        hint,
    )
}

/// What a disk has for a key of a rule; none for nothing.
type Value = fn(&Disk) -> Option<String>;

/// Keys of a rule, those that tell most first.
const KEYS: [(&str, Value); 5] = [
    ("serial", |disk| {
        disk.serial.as_deref().map(str::to_lowercase)
    }),
    ("wwn", |disk| disk.wwn.as_deref().map(str::to_lowercase)),
    ("model", |disk| Some(disk.model.to_lowercase())),
    ("bus", |disk| Some(disk.bus.to_string())),
    ("min_size", |disk| Some(disk.size.to_string())),
];

/// The first key of a rule whose value every one of `disks` has, and no two have in common.
fn telling(disks: &[&Disk]) -> Option<&'static str> {
    let is_telling = |value: Value| {
        let values: Option<BTreeSet<String>> = disks.iter().map(|disk| value(disk)).collect();
        values.is_some_and(|it| it.len() == disks.len())
    };
    let found = KEYS.iter().find(|(_, value)| is_telling(*value));
    found.map(|(key, _)| *key)
}

/// Looks whether `disk` is the one that may be erased.
fn check_serial(disk: &Disk, wanted: &str, rule: &Rule) -> Result<(), Refusal> {
    let hint = match &disk.serial {
        Some(serial) if serial.eq_ignore_ascii_case(wanted) => return Ok(()),
        Some(_) => "Correct erase in the answer file, or attach the right disk.",
        None => "A disk without a serial number needs erase_any_matching = true.",
    };
    let (disk, wanted) = (shown(disk, rule, false), quoted(wanted));
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
        .map(|disk| {
            let is_twin = |it: &&&Disk| it.serial == disk.serial;
            let has_twin = disk.serial.is_some() && disks.iter().filter(is_twin).count() > 1;
            shown(disk, rule, has_twin)
        })
        .collect();
    if disks.len() > LISTED {
        texts.push(format!("{} more", disks.len() - LISTED));
    }
    texts.join("; ")
}

/// A disk with everything that a rule can name, or that it does not answer; its world wide name and its
/// place only if it `has_twin`s, with its serial number. A size that only just does not fit `rule` is shown
/// to the byte.
fn shown(disk: &Disk, rule: &Rule, has_twin: bool) -> String {
    let limits: Vec<u64> = rule.min_size.into_iter().chain(rule.max_size).collect();
    let serial = disk.serial.iter();
    let mut parts: Vec<String> = serial.map(|it| format!("serial number {it}")).collect();
    if disk.volume == Volume::Silent {
        parts.push("does not answer".to_owned());
    } else if parts.is_empty() {
        parts.push("no serial number".to_owned());
    }
    if has_twin {
        parts.extend(disk.wwn.as_ref().map(|wwn| format!("WWN {wwn}")));
        parts.push(format!("at {}", disk.place));
    }
    let marks = parts.join(", ");
    format!(
        "{} ({}, {}, {}, {marks})",
        disk.name,
        disk.bus,
        size_beside(disk.size, &limits),
        disk.model
    )
}
