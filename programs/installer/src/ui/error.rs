//! What went wrong, what to do about it, and the log if the user asked for it.

use common::product::product;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::text::Page;
use super::{Look, ending, frame, machine};
use crate::hardware::Problem;
use crate::install::{self, Request};
use crate::state::{Cause, Failure, Refused};

/// Draws [`crate::state::State::Error`].
pub(super) fn render(state: &Failure, look: &Look, area: Rect, buffer: &mut Buffer) {
    let mut keys = vec![("R", "Retry")];
    if state.has_repair() {
        keys.push(("P", "Repair"));
    }
    if state.has_back() {
        keys.push(("B", "Back"));
    }
    let mut leave = if state.has_restart() {
        "Leave and restart"
    } else {
        "Power off"
    };
    if state.installed().is_some() {
        keys.push(("S", "Start it"));
        leave = "Restart";
    }
    keys.extend([("E", "Export logs"), ("Q", leave)]);
    let release = state.hardware().map(|hardware| &hardware.product);
    let area = frame::render(release, &keys, look, area, buffer);
    let mut page = Page::new(look, area);
    match &state.cause {
        Cause::Scan { problem, .. } => scan(problem, look, &mut page),
        Cause::Install {
            failure, request, ..
        } => install(failure, request, look, &mut page),
        Cause::Answers { refused, .. } => answers(refused, look, &mut page),
    }
    if let Some(support) = &product().texts.support {
        page.blank();
        page.say(support, look.text);
    }
    if let Some((what, left)) = state.ending {
        page.blank();
        page.say(&ending::sentence(what, left), look.note);
    }
    if let Some(notice) = &state.notice {
        page.blank();
        page.say(notice, look.note);
    }
    if !state.log.is_empty() {
        page.heading("Log, newest line first");
        for line in state.log.iter().rev() {
            page.line(Line::styled(line.clone(), look.quiet));
        }
    }
    page.render_scrolled(state.scroll, area, buffer);
}

fn title(text: &'static str, look: &Look, page: &mut Page<'_>) {
    page.line(Line::styled(text, look.alert));
}

fn scan(problem: &Problem, look: &Look, page: &mut Page<'_>) {
    title("Something went wrong", look, page);
    page.say(&problem.message, look.text);
    page.heading("What to do");
    page.say(&problem.hint, look.text);
    page.say(
        "Then press R to look again. Looking changes nothing.",
        look.text,
    );
}

fn install(failure: &install::Failure, request: &Request, look: &Look, page: &mut Page<'_>) {
    title("Something went wrong", look, page);
    page.say(&failure.message, look.text);
    page.blank();
    page.fact("While", &failure.stage.to_string());
    page.fact("Disk", &machine::disk(&request.disk));
    page.fact("Serial number", machine::serial(&request.disk));
    page.heading("The disk now");
    page.say(&failure.disk, look.text);
    page.heading("What to do");
    page.say(&failure.hint, look.text);
}

fn answers(refused: &Refused, look: &Look, page: &mut Page<'_>) {
    title("The answer file is not followed", look, page);
    if let Some(source) = &refused.source {
        page.say(&format!("Found: {source}."), look.quiet);
    }
    page.blank();
    for Problem { message, hint, .. } in &refused.problems {
        page.marked("- ", message, look.text);
        page.marked("  ", hint, look.quiet);
    }
    page.blank();
    page.say("It changed nothing on this computer.", look.text);
    if let Some(disk) = &refused.installed {
        let (name, disk) = (&product().name, &disk.name);
        let text = format!("{name} on {disk} can be started as it is: press S.");
        page.say(&text, look.text);
    }
}
