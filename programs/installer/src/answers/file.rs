//! `install.toml`, version 1: from text to [`Answers`], or to every mistake in it.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use toml::de::DeTable;

use super::disk_keys::{DISK, read_consent, read_erase, read_rule};
use super::mistakes::Mistakes;
use super::settings_keys::{SETTINGS, read_changes, read_settings, refuse_settings};
use super::table::{At, Key, Table, key};
use super::{Answers, Ending, LARGEST, Mistake, Rule, unseen};
use crate::hardware::{minimum_disk, quoted, size_beside};
use crate::install::{Settings, Task};

/// How often a file that is no TOML is parsed, without the lines that are known to be broken.
const MOST_ROUNDS: usize = 16;

/// The version of the format that is read here.
const VERSION: &str = "1";

const TOP: &[Key] = &[
    key("version", VERSION),
    key("task", "\"install\""),
    key("on_success", "\"reboot\""),
    key("on_error", "\"wait\""),
    key("countdown_seconds", "10"),
    key("ignore_requirements", "true"),
    key("allow_downgrade", "true"),
    key("disk", ""),
    key("settings", ""),
];

/// For how many seconds it is shown what will happen, before it does.
const COUNTDOWN: RangeInclusive<u8> = 5..=240;
const USUAL_COUNTDOWN: u8 = 10;

const TABLES: [(&str, &[Key]); 3] = [("", TOP), ("disk", DISK), ("settings", SETTINGS)];

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
    if bytes.len() > LARGEST {
        return Err(vec![too_large()]);
    }
    parse(unseen::text(bytes).map_err(|mistake| vec![mistake])?)
}

fn too_large() -> Mistake {
    Mistake {
        line: 1,
        key: String::new(),
        message: format!("The file has more than {LARGEST} bytes."),
        hint: "An answer file is some lines of text; is this one?".to_owned(),
    }
}

/// Reads the text of an answer file, or says everything that is wrong with it, from the first line
/// to the last. Values that are wrong are told even in a file that is no TOML elsewhere.
pub fn parse(text: &str) -> Result<Answers, Vec<Mistake>> {
    if text.len() > LARGEST {
        return Err(vec![too_large()]);
    }
    let mut mistakes = Mistakes::new(text);
    let text = without_broken_lines(text, &mut mistakes);
    let (values, _) = DeTable::parse_recoverable(&text);
    let top = Table::top(values.get_ref(), TOP);
    let answers = if is_known_version(&top, &mut mistakes) {
        read_answers(&top, &mut mistakes)
    } else {
        None
    };
    match (answers, mistakes.into_vec()) {
        (Some(answers), mistakes) if mistakes.is_empty() => Ok(answers),
        (_, mistakes) => Err(mistakes),
    }
}

/// What a file that has mistakes wants to happen, as far as that can be read; else the screen
/// stays.
pub fn ending_on_error(bytes: &[u8]) -> Ending {
    if bytes.len() > LARGEST {
        return Ending::default();
    }
    let text = String::from_utf8_lossy(bytes);
    let mut mistakes = Mistakes::new(&text);
    let text = without_broken_lines(&text, &mut mistakes);
    let (values, _) = DeTable::parse_recoverable(&text);
    let top = Table::top(values.get_ref(), TOP);
    one_of(&top, "on_error", &ENDINGS, &mut mistakes).map_or_else(Ending::default, |it| it.value)
}

/// The text with blanks in place of every line that is no TOML, each of which is noted. The parser
/// gives up at some of them, so it is asked again without them.
fn without_broken_lines(text: &str, mistakes: &mut Mistakes) -> String {
    let mut lines: Vec<Cow<'_, str>> = text.split('\n').map(Cow::Borrowed).collect();
    for _ in 0..MOST_ROUNDS {
        let rest = lines.join("\n");
        let (_, errors) = DeTable::parse_recoverable(&rest);
        let new = errors
            .iter()
            .filter_map(|error| mistakes.add_syntax(error, &lines));
        let new: Vec<usize> = new.collect();
        if new.is_empty() {
            break;
        }
        for line in new {
            if let Some(line) = lines.get_mut(line - 1) {
                *line = " ".repeat(line.len()).into();
            }
        }
    }
    lines.join("\n")
}

/// Whether the file is written for this program. Of a newer one nothing else can be judged.
fn is_known_version(top: &Table<'_>, mistakes: &mut Mistakes) -> bool {
    let mut other = false;
    let version = top.integer("version", |digits| Ok(digits.to_owned()), mistakes);
    match version {
        Some(At { value, at }) if value != VERSION => {
            let message = format!("This program reads version {VERSION}, not {value}.");
            let hint = "Use an installer that is made for this file, or version = 1.".to_owned();
            mistakes.add(at, "version".to_owned(), message, hint);
            other = true;
        }
        Some(_) => {}
        None if top.has("version") => {}
        None => missing(top, "version", mistakes),
    }
    !other
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
    let disk = top.table("disk", DISK, mistakes);
    disk.refuse_unknown(&TABLES, mistakes);
    let rule = read_rule(top, &disk, mistakes);
    let erase = read_erase(&disk, task, &rule, mistakes);
    let consent = read_consent(&disk, task, &rule, mistakes);
    let settings = top.table("settings", SETTINGS, mistakes);
    settings.refuse_unknown(&TABLES, mistakes);
    refuse_settings(&settings, task, mistakes);
    let values = read_settings(&settings, mistakes);
    compare_sizes(&rule, &settings, &values, mistakes);
    Some(Answers {
        changes: read_changes(&settings, &values),
        settings: values,
        task: task?,
        rule,
        erase,
        consent,
        ignore_requirements,
        allow_downgrade,
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

fn missing(table: &Table<'_>, name: &str, mistakes: &mut Mistakes) {
    let message = "This key is missing.".to_owned();
    mistakes.add_unless_broken(table.at(), table.path(name), message, table.example(name));
}

/// Reads a key that is one of some words.
fn one_of<T: Copy>(
    table: &Table<'_>,
    name: &'static str,
    words: &[(&str, T)],
    mistakes: &mut Mistakes,
) -> Option<At<T>> {
    let rule = |text: &str| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            format!("{} is none of {}.", quoted(text), words.join(", "))
        })
    };
    table.text(name, rule, mistakes)
}
