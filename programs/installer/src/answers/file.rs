//! `install.toml`, version 1: from text to [`Answers`], or to every mistake in it.

use std::ops::RangeInclusive;

use common::answer_file::document::{self, missing, one_of};
use common::answer_file::keys::{DISK, SETTINGS, TABLES};
use common::answer_file::mistakes::Mistakes;
use common::answer_file::settings_keys::{read_changes, read_settings};
use common::answer_file::table::{Key, Table};

use super::disk_keys::{read_beside, read_consent, read_erase, read_rule};
use super::encryption_keys::{KEYS, read_encryption};
use super::{Answers, Ending, LARGEST, Mistake, Rule};
use crate::hardware::{minimum_disk, size_beside};
use crate::install::{Enrolment, Settings, Task};

/// For how many seconds it is shown what will happen, before it does.
const COUNTDOWN: RangeInclusive<u8> = 5..=240;
const USUAL_COUNTDOWN: u8 = 10;

const TASKS: [(&str, Task); 4] = [
    ("install", Task::Install),
    ("keep-data", Task::KeepData),
    ("repair-boot", Task::RepairBoot),
    ("change-settings", Task::ChangeSettings),
];

const ENDINGS: [(&str, Ending); 3] = [
    ("wait", Ending::Wait),
    ("poweroff", Ending::PowerOff),
    ("reboot", Ending::Reboot),
];

/// Reads an answer file as it lies somewhere, or says everything that is wrong with it.
pub fn read(bytes: &[u8]) -> Result<Answers, Vec<Mistake>> {
    document::read(bytes, read_answers)
}

/// Reads the text of an answer file, or says everything that is wrong with it, from the first line
/// to the last. Values that are wrong are told even in a file that is no TOML elsewhere.
pub fn parse(text: &str) -> Result<Answers, Vec<Mistake>> {
    document::parse(text, read_answers)
}

/// What a file that has mistakes wants to happen, as far as that can be read; else the screen
/// stays.
pub fn ending_on_error(bytes: &[u8]) -> Ending {
    if bytes.len() > LARGEST {
        return Ending::default();
    }
    let text = String::from_utf8_lossy(bytes);
    document::survey(&text, |top, mistakes| {
        let found = one_of(top, "on_error", &ENDINGS, mistakes);
        found.map_or_else(Ending::default, |it| it.value)
    })
}

fn read_answers(top: &Table<'_>, mistakes: &mut Mistakes) -> Option<Answers> {
    top.refuse_unknown(&TABLES, mistakes);
    let task = one_of(top, "task", &TASKS, mistakes);
    if task.is_none() && !top.has("task") {
        missing(top, "task", mistakes);
    }
    let task = task.map(|it| it.value);
    let on_success = one_of(top, "on_success", &ENDINGS, mistakes);
    let on_error = one_of(top, "on_error", &ENDINGS, mistakes);
    let countdown = top.integer("countdown_seconds", countdown, mistakes);
    let ignore_requirements = insisted(top, "ignore_requirements", task, mistakes);
    let allow_downgrade = insisted(top, "allow_downgrade", task, mistakes);
    let secure_boot = read_secure_boot(top, task, mistakes);
    let disk = top.table("disk", DISK, mistakes);
    disk.refuse_unknown(&TABLES, mistakes);
    let rule = read_rule(top, &disk, mistakes);
    let beside = read_beside(&disk, task, mistakes);
    let erases = if beside { None } else { task };
    let erase = read_erase(&disk, erases, &rule, mistakes);
    let consent = read_consent(&disk, task, &rule, mistakes);
    let settings = top.table("settings", SETTINGS, mistakes);
    settings.refuse_unknown(&TABLES, mistakes);
    refuse_settings(&settings, task, mistakes);
    let values = read_settings(&settings, mistakes);
    compare_sizes(&rule, &settings, &values, mistakes);
    let encryption = read_encryption(&settings, mistakes);
    Some(Answers {
        changes: read_changes(&settings, &values),
        settings: values,
        encryption: encryption.filter(|_| task == Some(Task::Install)),
        task: task?,
        rule,
        beside,
        erase: erase.filter(|_| !beside),
        consent,
        ignore_requirements,
        allow_downgrade,
        secure_boot,
        on_success: on_success.map_or(Ending::Reboot, |it| it.value),
        on_error: on_error.map_or(Ending::Wait, |it| it.value),
        countdown: countdown.map_or(USUAL_COUNTDOWN, |it| it.value),
    })
}

/// Reads what is said about the computer, for an installation, or about the version, for the other
/// tasks.
fn insisted(
    top: &Table<'_>,
    name: &'static str,
    task: Option<Task>,
    mistakes: &mut Mistakes,
) -> bool {
    let found = top.boolean(name, mistakes).filter(|it| it.value);
    let is_about_computer = name == "ignore_requirements";
    let (Some(found), Some(task)) = (&found, task) else {
        return found.is_some();
    };
    if is_about_computer != (task == Task::Install) {
        let message = if is_about_computer {
            "Only installing asks for what the computer has."
        } else {
            "Installing erases what is there, whatever its version is."
        };
        let hint = "Leave it out.".to_owned();
        mistakes.add_unless_broken(found.at, name.to_owned(), message.to_owned(), hint);
    }
    true
}

/// Reads which keys the firmware gets; it gets none by a task that writes nothing it would start.
fn read_secure_boot(top: &Table<'_>, task: Option<Task>, mistakes: &mut Mistakes) -> Enrolment {
    const NAME: &str = "secure_boot";
    let Some(found) = one_of(top, NAME, &Enrolment::WORDS, mistakes) else {
        return Enrolment::default();
    };
    if found.value != Enrolment::Leave && task == Some(Task::ChangeSettings) {
        let message = "This task writes nothing that the firmware starts.".to_owned();
        let hint = "Leave it out, or use task = \"repair-boot\".".to_owned();
        mistakes.add_unless_broken(found.at, NAME.to_owned(), message, hint);
    }
    found.value
}

fn countdown(digits: &str) -> Result<u8, String> {
    let seconds = digits.parse().ok().filter(|it| COUNTDOWN.contains(it));
    let (least, most) = (COUNTDOWN.start(), COUNTDOWN.end());
    seconds.ok_or_else(|| format!("{digits} is not from {least} to {most}."))
}

/// Says of space that is to be reserved that no disk of this rule could spare it.
fn compare_sizes(rule: &Rule, table: &Table<'_>, values: &Settings, mistakes: &mut Mistakes) {
    let most = rule.max_size.map(|it| it.saturating_sub(minimum_disk()));
    if let (Some(most), Some(at)) = (most, table.place("reserved"))
        && values.reserved > most
    {
        let most = size_beside(most, &[values.reserved]);
        let message = format!("A disk of at most max_size can spare {most}.");
        let hint = "Reserve less, or allow larger disks.".to_owned();
        mistakes.add_unless_broken(at, table.path("reserved"), message, hint);
    }
}

/// Settings are made when a disk is installed to; of the other tasks only one is about those that are
/// on it, and needs some that can change.
pub fn refuse_settings(settings: &Table<'_>, task: Option<Task>, mistakes: &mut Mistakes) {
    let mut refuse = |at, path: String, message: &str, hint: &str| {
        mistakes.add_unless_broken(at, path, message.to_owned(), hint.to_owned());
    };
    let at = settings.at();
    match task {
        Some(Task::KeepData | Task::RepairBoot) if settings.is_there() => {
            let message = "This task keeps the settings that are on the disk.";
            let hint = "Leave this table out, or use task = \"change-settings\".";
            refuse(at, "settings".to_owned(), message, hint);
        }
        Some(Task::ChangeSettings) => {
            for name in ["data_partitions", "reserved"].into_iter().chain(KEYS) {
                if let Some(at) = settings.place(name) {
                    let message = "It cannot change without erasing the disk.";
                    refuse(at, settings.path(name), message, "Leave it out.");
                }
            }
            let is_changed = |key: &Key| settings.has(key.name);
            if !SETTINGS.iter().any(is_changed) {
                let message = "This task changes the settings that stand here, and there are none.";
                let hint = "Add [settings], and below it a key such as host_name.";
                refuse(at, "settings".to_owned(), message, hint);
            }
        }
        _ => {}
    }
}
