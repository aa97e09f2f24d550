//! The first and the last thing that is shown: the name, and a word about what happens.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::Widget;

use super::{Look, frame};

const BRAND: &str = "TruthDB";

/// While the hardware is looked at.
pub(super) fn starting(look: &Look, area: Rect, buffer: &mut Buffer) {
    let below = [Line::styled("Looking at this computer...", look.quiet)];
    render(below, look, area, buffer);
}

/// After the user chose to leave.
pub(super) fn leaving(look: &Look, area: Rect, buffer: &mut Buffer) {
    let below = [
        Line::raw("This computer restarts now."),
        Line::raw("Nothing on it was changed."),
        Line::default(),
        Line::styled("You can remove the boot medium.", look.quiet),
    ];
    render(below, look, area, buffer);
}

/// The name, and `below` it, in the middle of `area`.
fn render<'a>(
    below: impl IntoIterator<Item = Line<'a>>,
    look: &Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    let mut lines = vec![frame::brand(BRAND, look), Line::default()];
    lines.extend(below);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let area = area.centered_vertically(Constraint::Length(height));
    Text::from(lines).centered().render(area, buffer);
}
