//! The keys of `[disk]`: which disk it is, and whether it may be erased.

use common::answer_file::mistakes::Mistakes;
use common::answer_file::table::{At, Table};

use super::rule::BUSES;
use super::{Consent, Erase, Extreme, Rule};
use crate::hardware::{Bus, decimal_size, minimum_disk, quoted};
use crate::install::Task;
use crate::install::settings::size;
use common::product::product;

/// Reads the rule, which must say something; `top` is the whole file.
pub(super) fn read_rule(top: &Table<'_>, disk: &Table<'_>, mistakes: &mut Mistakes) -> Rule {
    let before = mistakes.count();
    let bytes = |name, mistakes: &mut Mistakes| disk.text(name, size, mistakes);
    let min_size = bytes("min_size", mistakes);
    let max_size = disk.text("max_size", max_size, mistakes);
    if let (Some(min), Some(max)) = (&min_size, &max_size)
        && min.value > max.value
    {
        let message = "It is less than min_size, so no disk could match.".to_owned();
        let hint = "Make it the same or more.".to_owned();
        mistakes.add_unless_broken(max.at, disk.path("max_size"), message, hint);
    }
    let removable = disk.boolean("removable", mistakes).map(|it| it.value);
    let empty = disk.is_true("empty", mistakes).is_some();
    let extreme = read_extreme(disk, mistakes);
    let mut text = |name, rule: fn(&str) -> _| Some(disk.text(name, rule, mistakes)?.value);
    let rule = Rule {
        serial: text("serial", mark),
        wwn: text("wwn", wwn),
        model: text("model", words),
        bus: disk.text("bus", bus, mistakes).map(|it| it.value),
        min_size: min_size.map(|it| it.value),
        max_size: max_size.map(|it| it.value),
        removable,
        empty,
        extreme,
    };
    if rule.is_empty() && mistakes.count() == before {
        let said = if !top.has("disk") {
            Some((
                "This table is missing.",
                "It says which disk: [disk], and below it a key such as serial.",
            ))
        } else if disk.is_there() {
            Some((
                "It says nothing that tells a disk from others.",
                "Add at least one of serial, wwn, model, bus, min_size, max_size, removable, empty, \
                 largest, smallest.",
            ))
        } else {
            None // It is no table, which was said already.
        };
        if let Some((message, hint)) = said {
            mistakes.add_unless_broken(disk.at(), "disk".to_owned(), message.into(), hint.into());
        }
    }
    rule
}

/// Reads which end of the list of sizes is meant; it cannot be both.
fn read_extreme(disk: &Table<'_>, mistakes: &mut Mistakes) -> Option<Extreme> {
    let largest = disk.is_true("largest", mistakes);
    let smallest = disk.is_true("smallest", mistakes);
    if let (Some(_), Some(at)) = (largest, smallest) {
        let message = "It contradicts largest.".to_owned();
        let hint = "Leave one of the two out.".to_owned();
        mistakes.add_unless_broken(at, disk.path("smallest"), message, hint);
    }
    let largest = largest.map(|_| Extreme::Largest);
    largest.or(smallest.map(|_| Extreme::Smallest))
}

/// The most bytes that a disk may have.
fn max_size(text: &str) -> Result<u64, String> {
    let size = size(text)?;
    if size < minimum_disk() {
        let least = decimal_size(minimum_disk());
        let name = &product().name;
        return Err(format!("{name} needs {least}, so no disk could match."));
    }
    Ok(size)
}

/// Text that is compared with what a device says of itself.
fn words(text: &str) -> Result<String, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() {
        return Err("It is empty.".to_owned());
    }
    // Of anything else, `hardware` makes a question mark.
    let is_foreign = |c: &char| !c.is_ascii_graphic() && *c != ' ';
    let words = words.join(" ");
    match words.chars().find(is_foreign) {
        Some(c) => Err(format!("Write ? for {c:?}: that is how disks are shown.")),
        None => Ok(words),
    }
}

/// Such text, of which all has to be the same.
fn mark(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err("The star stands for other characters in model alone.".to_owned());
    }
    words(text)
}

/// A world wide name; also as udev and lsblk write those of SCSI disks, with `0x`.
fn wwn(text: &str) -> Result<String, String> {
    let text = mark(text)?;
    let bare = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    Ok(bare.map_or(text.clone(), |bare| format!("naa.{bare}")))
}

fn bus(text: &str) -> Result<Bus, String> {
    let is_called = |bus: &&Bus| bus.to_string().eq_ignore_ascii_case(text);
    BUSES.iter().find(is_called).copied().ok_or_else(|| {
        let names: Vec<String> = BUSES.iter().map(Bus::to_string).collect();
        format!("{} is none of {}.", quoted(text), names.join(", "))
    })
}

/// Where something is installed to that erases nothing.
const FREE_SPACE: &str = "free-space";

/// Reads whether free space is installed to, which is about a set of partitions: nothing on the disk is
/// erased then, and nothing may be said of that.
pub(super) fn read_beside(disk: &Table<'_>, task: Option<Task>, mistakes: &mut Mistakes) -> bool {
    let into = |text: &str| match text {
        FREE_SPACE => Ok(()),
        other => Err(format!("{} is not {FREE_SPACE:?}.", quoted(other))),
    };
    let Some(At { at, .. }) = disk.text("into", into, mistakes) else {
        return false;
    };
    let mut refuse = |at, name: &str, message: &str| {
        let hint = "Leave one of the two out.".to_owned();
        mistakes.add_unless_broken(at, disk.path(name), message.to_owned(), hint);
    };
    if task.is_some_and(|it| it != Task::Install) {
        refuse(
            at,
            "into",
            "It contradicts task, which is about what is installed.",
        );
    }
    let contradicting = [
        "empty",
        "erase",
        "erase_any_matching",
        "replace_installation",
        "erase_foreign_data",
    ];
    for name in contradicting {
        if let Some(at) = disk.place(name) {
            refuse(at, name, "It contradicts into, by which nothing is erased.");
        }
    }
    true
}

/// Reads what allows to erase the disk: needed by the task that does, refused for others.
pub(super) fn read_erase(
    disk: &Table<'_>,
    task: Option<Task>,
    rule: &Rule,
    mistakes: &mut Mistakes,
) -> Option<Erase> {
    let serial = disk.text("erase", mark, mistakes);
    let any = disk.boolean("erase_any_matching", mistakes);
    let is_wrong = (disk.has("erase") && serial.is_none())
        || (disk.has("erase_any_matching") && any.is_none());
    let any = any.filter(|it| it.value);
    let mut refuse = |at, name: &str, message: &str, hint: &str| {
        mistakes.add_unless_broken(at, disk.path(name), message.to_owned(), hint.to_owned());
    };
    match (task, serial, any) {
        (_, Some(_), Some(any)) => {
            let message = "It contradicts erase, which allows one disk only.";
            refuse(
                any.at,
                "erase_any_matching",
                message,
                "Leave one of the two out.",
            );
            None
        }
        (
            Some(Task::KeepData | Task::RepairBoot | Task::ChangeSettings),
            Some(At { at, .. }),
            None,
        ) => {
            refuse(at, "erase", "This task erases nothing.", "Leave it out.");
            None
        }
        (
            Some(Task::KeepData | Task::RepairBoot | Task::ChangeSettings),
            None,
            Some(At { at, .. }),
        ) => {
            let name = "erase_any_matching";
            refuse(at, name, "This task erases nothing.", "Leave it out.");
            None
        }
        (_, Some(At { value, at }), None) => {
            let serial = rule.serial.as_ref();
            if serial.is_some_and(|serial| !serial.eq_ignore_ascii_case(&value)) {
                let message = "It is another serial number than serial, so no disk could match.";
                refuse(at, "erase", message, "Write the same number twice.");
            }
            Some(Erase::Serial(value))
        }
        (_, None, Some(_)) => Some(Erase::AnyMatching),
        (Some(Task::Install), None, None) if disk.is_there() && !is_wrong => {
            let message = "Installing erases the disk, which this file does not allow.";
            let hint = "Add its serial number: erase = \"...\"; or erase_any_matching = true.";
            refuse(disk.at(), "erase", message, hint);
            None
        }
        _ => None,
    }
}

/// Reads what else may be erased, which only a task that erases can be allowed; and says of a disk that
/// has to be empty that such a task finds nothing on it.
pub(super) fn read_consent(
    disk: &Table<'_>,
    task: Option<Task>,
    rule: &Rule,
    mistakes: &mut Mistakes,
) -> Consent {
    let installation = disk.is_true("replace_installation", mistakes);
    let foreign = disk.is_true("erase_foreign_data", mistakes);
    let mut refuse = |name: &str, at: Option<usize>, message: &str, hint: &str| {
        if let Some(at) = at {
            mistakes.add_unless_broken(at, disk.path(name), message.to_owned(), hint.to_owned());
        }
    };
    if matches!(
        task,
        Some(Task::KeepData | Task::RepairBoot | Task::ChangeSettings)
    ) {
        let nothing = "This task erases nothing.";
        refuse(
            "replace_installation",
            installation,
            nothing,
            "Leave it out.",
        );
        refuse("erase_foreign_data", foreign, nothing, "Leave it out.");
        let none = "This task needs an installation, so no disk could match.";
        let place = disk.place("empty").filter(|_| rule.empty);
        refuse("empty", place, none, "Leave it out.");
    } else if rule.empty {
        let nothing = "It contradicts empty, which only fits a disk with nothing to erase.";
        let hint = "Leave one of the two out.";
        refuse("replace_installation", installation, nothing, hint);
        refuse("erase_foreign_data", foreign, nothing, hint);
    }
    Consent {
        installation: installation.is_some(),
        foreign: foreign.is_some(),
    }
}
