//! What was found on a disk that was only read.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::Page;
use super::{Look, frame, machine};
use crate::state::Validation;

/// Draws [`crate::state::State::Validate`].
pub(super) fn render(state: &Validation, look: &Look, area: Rect, buffer: &mut Buffer) {
    let mut keys = vec![("B", "Back")];
    if state.findings.is_some() {
        keys.splice(0..0, [("Up/Down", "Scroll"), ("R", "Read again")]);
    }
    if state.has_repair() {
        keys.insert(2, ("P", "Repair"));
    }
    let product = Some(&state.choices.hardware.product);
    let area = frame::render(product, &keys, look, area, buffer);
    let mut page = Page::new(look, area);
    page.heading("Validate");
    if let Some(disk) = state.choices.disk() {
        page.line(machine::disk(disk));
    }
    let Some(findings) = &state.findings else {
        page.blank();
        page.say("Reading the disk. Nothing is written.", look.note);
        page.render(area, buffer);
        return;
    };
    let bad = findings.iter().filter(|finding| !finding.good).count();
    let (text, style) = match bad {
        0 => ("Everything is as it should be.".to_owned(), look.good),
        1 => ("1 thing is not as it should be.".to_owned(), look.alert),
        bad => (
            format!("{bad} things are not as they should be."),
            look.alert,
        ),
    };
    page.say(&text, style);
    page.blank();
    for finding in findings {
        if finding.good {
            page.marked("  ok   ", &finding.text, look.text);
        } else {
            page.marked("  BAD  ", &finding.text, look.alert);
        }
    }
    page.render_scrolled(state.scroll, area, buffer);
}
