//! The choice of the keys that the firmware gets, and what is said of it elsewhere.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text::Page;
use super::{Look, frame};
use crate::hardware::Standing;
use crate::install::Enrolment;
use crate::state::Confirm;

/// Draws [`crate::state::State::SecureBoot`].
pub(super) fn render(state: &Confirm, look: &Look, area: Rect, buffer: &mut Buffer) {
    let keys = [("Up/Down", "Choose"), ("Enter", "Go on"), ("Esc", "Back")];
    let hardware = &state.choices.hardware;
    let area = frame::render(Some(&hardware.product), &keys, look, area, buffer);
    let mut page = Page::new(look, area);
    page.heading("Secure Boot");
    page.say(
        "The firmware is in setup mode: it starts whatever there is, and takes the keys of whoever comes first.",
        look.text,
    );
    if let Some(keys) = &hardware.keys {
        let text = format!(
            "This medium carries keys; their owner's certificate begins with SHA-256 {}.",
            keys.owner
        );
        page.say(&text, look.text);
        if keys.standing == Standing::Begun {
            let text = "The firmware has some of them already: enrolling was cut off, and is finished here.";
            page.say(text, look.note);
        }
    }
    for enrolment in state.enrolments() {
        let (name, meaning) = words(*enrolment);
        let is_chosen = *enrolment == state.enrolment();
        let pointer = if is_chosen { look.pointer } else { "  " };
        page.blank();
        let line = Line::from(vec![Span::styled(pointer, look.heading), Span::raw(name)]);
        page.line(if is_chosen {
            line.style(look.chosen)
        } else {
            line
        });
        page.marked("    ", meaning, look.quiet);
    }
    page.render(area, buffer);
}

/// A choice, and what it means.
fn words(enrolment: Enrolment) -> (&'static str, &'static str) {
    match enrolment {
        Enrolment::Leave => (
            "Leave it as it is",
            "Nothing is written to the firmware. Secure Boot stays off.",
        ),
        Enrolment::Enroll => (
            "Enrol the keys of this medium",
            "The firmware then starts only what they have signed: this medium, and what it installs. A graphics or \
             network card with firmware that another maker has signed is not started, and a screen may stay dark.",
        ),
        Enrolment::EnrollWithFirmware => (
            "Enrol them, and keep those of the maker of this computer",
            "Such cards work, and whatever else the maker trusts starts, too.",
        ),
    }
}

/// What the last question says of it.
pub(super) fn consequence(state: &Confirm) -> Option<&'static str> {
    match state.enrolment() {
        Enrolment::Leave => None,
        Enrolment::Enroll => Some(
            "Then the firmware gets the keys of this medium and no others, and Secure Boot is on.",
        ),
        Enrolment::EnrollWithFirmware => Some(
            "Then the firmware gets the keys of this medium beside its maker's, and Secure Boot is on.",
        ),
    }
}

/// What an answer file says of it.
pub(super) fn answered(enrolment: Enrolment) -> Option<&'static str> {
    match enrolment {
        Enrolment::Leave => None,
        Enrolment::Enroll => Some("the firmware gets this medium's keys alone"),
        Enrolment::EnrollWithFirmware => {
            Some("the firmware gets this medium's keys beside its maker's")
        }
    }
}
