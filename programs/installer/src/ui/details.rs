//! What is known about one disk: its exact size, its names, and what is on it.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Look, beside, machine, text};
use crate::hardware::{Contents, Disk, Earlier, Part, Volume, decimal_size, grouped, listed};
use crate::install::Task;
use crate::state::{Choices, Purpose};

/// Everything to say about the disk that the pointer is at, the most important things first.
pub(super) fn lines<'a>(state: &'a Choices, look: &Look, width: u16) -> Vec<Line<'a>> {
    let Some(disk) = state.disk() else {
        return notice(state, look, width);
    };
    let said = notice(state, look, width);
    let mut lines = if let Some(space) = state.free_space() {
        beside::verdict(state, disk, &space, look, width)
    } else {
        let mut lines = vec![Line::from(vec![
            Span::styled(disk.name.as_str(), look.heading),
            Span::raw(format!(": {}", exact_size(disk))),
        ])];
        if said.is_empty() {
            let (text, style) = verdict(state, disk, look);
            let wrapped = text::wrap(&text, width).into_iter();
            lines.extend(wrapped.map(|line| Line::styled(line, style)));
        }
        lines
    };
    lines.extend(said);
    if !disk.is_empty() {
        let mut fact =
            |label: &str, value: &str| lines.extend(text::fact(label, value, look, width));
        fact("Model", &disk.model);
        fact("Serial number", machine::serial(disk));
        if let Some(wwn) = &disk.wwn {
            fact("WWN", wwn);
        }
        if state.hardware.has_twin(disk) {
            fact("Attached at", &disk.place);
        }
        fact("On it", &summary(disk));
    }
    let parts = disk.contents.iter().flat_map(|it| &it.parts);
    lines.extend(parts.map(|it| Line::styled(format!("    {}", part(it)), look.quiet)));
    let lines = lines.into_iter();
    lines.flat_map(|line| text::fold(line, width)).collect()
}

/// A partition, or what fills a disk, in one line.
pub(super) fn part(part: &Part) -> String {
    let number = part
        .number
        .map_or_else(|| "-".to_owned(), |number| number.to_string());
    let size = decimal_size(part.size);
    format!("{number:>3}  {size:>9}  {:<16} {}", part.kind, part.label)
        .trim_end()
        .to_owned()
}

/// What is on a disk, with what its parts hold, in one line.
pub(super) fn on_it(disk: &Disk) -> String {
    let summary = summary(disk);
    match disk.contents.as_ref().map(|it| listed(&it.parts)) {
        Some(parts) if !parts.is_empty() => format!("{summary}: {parts}"),
        _ => summary,
    }
}

/// What is on a disk, in one line, in short.
pub(super) fn summary(disk: &Disk) -> String {
    let Some(Contents { table, parts, .. }) = &disk.contents else {
        return match &disk.volume {
            Volume::Unread => "still being looked at".to_owned(),
            Volume::Silent => "does not answer".to_owned(),
            Volume::Unreadable => "cannot be read".to_owned(),
            Volume::Iso(name) => format!("ISO 9660 volume {name}"),
            Volume::Other => "not known".to_owned(),
        };
    };
    // What fills the whole disk is no partition.
    let partitions = parts.iter().filter(|it| it.number.is_some()).count();
    match (table, partitions) {
        (None, _) if parts.is_empty() => "nothing was found".to_owned(),
        (None, _) => "no partition table".to_owned(),
        (Some(table), 0) => format!("{table} without partitions"),
        (Some(table), 1) => format!("{table} with 1 partition"),
        (Some(table), count) => format!("{table} with {count} partitions"),
    }
}

fn notice<'a>(state: &Choices, look: &Look, width: u16) -> Vec<Line<'a>> {
    let notice = state.notice.as_deref().unwrap_or_default();
    let lines = text::wrap(notice, width).into_iter();
    lines.map(|it| Line::styled(it, look.alert)).collect()
}

fn exact_size(disk: &Disk) -> String {
    if disk.is_empty() {
        return "no medium in it".to_owned();
    }
    let mut parts = vec![
        format!("{} bytes", grouped(disk.size)),
        format!("blocks of {}", grouped(disk.block_size)),
    ];
    if disk.removable {
        parts.push("removable".to_owned());
    }
    if disk.read_only {
        parts.push("read-only".to_owned());
    }
    parts.join(", ")
}

/// Whether it can be chosen, and what that would mean.
fn verdict(state: &Choices, disk: &Disk, look: &Look) -> (String, Style) {
    if let Some(reason) = state.purpose.refusal(&state.hardware, disk) {
        return (format!("It cannot be chosen: {reason}."), look.note);
    }
    let earlier = disk.contents.as_ref().and_then(|it| it.earlier.as_ref());
    let text = match (state.purpose, earlier) {
        (
            Purpose::Install,
            Some(Earlier {
                unfinished: true, ..
            }),
        ) => match state.task(disk) {
            Some(Task::KeepData) => {
                "An installation on it was cut off. Enter goes on to finish it: its data stay. E goes \
                 on to erase it with its data, and to install anew."
            }
            _ => "An installation on it was cut off. Enter goes on to begin it again.",
        },
        (Purpose::Install, Some(_)) => {
            let name = state.hardware.title();
            let tools = match state.hardware.set {
                Some(_) => "Tools can repair what starts it.",
                None => "Tools can keep its data.",
            };
            let text = format!("{name} is on it. Installing erases it. {tools}");
            return (text, look.good);
        }
        (Purpose::Install, None) => "Enter goes on. Nothing is written yet.",
        (Purpose::KeepData, _) => {
            let change = machine::version_change(&state.hardware, disk);
            let data = match earlier {
                Some(Earlier {
                    encrypted: true, ..
                }) => "Its data are encrypted; they are kept, with all that opens them.",
                _ => "Its data are kept.",
            };
            return (
                format!("Its system can be written again: {change}. {data}"),
                look.good,
            );
        }
        (Purpose::RepairBoot, _) => {
            let change = machine::version_change(&state.hardware, disk);
            let text = format!("Its boot files can be written again: {change}.");
            return (text, look.good);
        }
        (Purpose::ChangeSettings, _) => "Enter goes on. Nothing is written yet. Its data stay.",
        (Purpose::Validate, _) => "It can be validated. Nothing is written.",
    };
    (text.to_owned(), look.good)
}
