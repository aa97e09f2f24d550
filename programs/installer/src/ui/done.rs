//! What was done, and where.

use common::product::product;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::{Page, duration};
use super::{Look, ending, frame};
use crate::install::{Report, Task};
use crate::state::Done;

/// Draws [`crate::state::State::Done`].
pub(super) fn render(state: &Done, look: &Look, area: Rect, buffer: &mut Buffer) {
    let keys = [("R", "Reboot"), ("P", "Power off"), ("E", "Export logs")];
    let release = Some(&state.origin.hardware().product);
    let area = frame::render(release, &keys, look, area, buffer);
    let report = &state.report;
    let mut page = Page::new(look, area);
    page.heading("Done");
    page.say(
        &sentence(report, state.origin.hardware().title()),
        look.good,
    );
    if let Some(done) = &product().texts.done {
        page.say(done, look.text);
    }
    if let Some((what, left)) = state.ending {
        page.say(&ending::sentence(what, left), look.note);
    } else {
        let text =
            "Tables and system were read back and compared. Remove the boot medium and press R.";
        page.say(text, look.text);
    }
    for note in &report.notes {
        page.say(note, look.text);
    }
    if let Some(notice) = &state.notice {
        page.say(notice, look.note);
    }
    if !report.warnings.is_empty() {
        page.heading("Warnings");
        for warning in &report.warnings {
            page.item(warning, look.note);
        }
    }
    page.heading(match report.task {
        Task::ChangeSettings => "Its metadata/node.toml from then on",
        _ => "On the disk now",
    });
    for line in &report.layout {
        page.line(format!("  {line}"));
    }
    page.heading("Time");
    page.marked("  ", &times(report), look.quiet);
    page.render_scrolled(state.scroll, area, buffer);
}

fn sentence(report: &Report, name: &str) -> String {
    let Report {
        disk,
        model,
        version,
        ..
    } = report;
    match report.task {
        Task::Install => format!("{name} {version} is installed on {disk}, {model}."),
        Task::KeepData => {
            format!("{name} {version} is installed on {disk}, {model}. Its data were kept.")
        }
        Task::ChangeSettings => {
            format!("{disk}, {model}, takes the new settings when it starts next.")
        }
        Task::RepairBoot => {
            format!("{disk}, {model}, can be booted again with {name} {version}.")
        }
    }
}

/// The stages and how long each took, and all of them together.
fn times(report: &Report) -> String {
    let stages = report.stages.iter();
    let mut parts: Vec<String> = stages
        .clone()
        .map(|(stage, time)| format!("{stage}: {}", duration(*time)))
        .collect();
    let all = stages.map(|(_, time)| *time).sum();
    parts.push(format!("all: {}", duration(all)));
    parts.join("; ") + "."
}
