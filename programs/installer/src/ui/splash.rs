//! The first and the last thing that is shown: the name, and a word about what happens.

use common::product::product;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::Widget;

use super::{Look, frame, text};
use crate::state::Exit;

/// While the hardware is looked at.
pub(super) fn starting(look: &Look, area: Rect, buffer: &mut Buffer) {
    let below = [Line::styled("Looking at this computer...", look.quiet)];
    render(below, look, area, buffer);
}

/// After the user chose to leave.
pub(super) fn leaving(exit: &Exit, look: &Look, area: Rect, buffer: &mut Buffer) {
    let end = if exit.power_off {
        "This computer switches off now."
    } else {
        "This computer restarts now."
    };
    let words = exit.last_words.as_deref().unwrap_or_default();
    let mut below = vec![Line::raw(end)];
    let width = area.width.saturating_sub(4).min(60);
    below.extend(text::wrap(words, width).into_iter().map(Line::raw));
    below.push(Line::default());
    below.push(Line::styled("You can remove the boot medium.", look.quiet));
    render(below, look, area, buffer);
}

/// The name, and `below` it, in the middle of `area`.
fn render<'a>(
    below: impl IntoIterator<Item = Line<'a>>,
    look: &Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    let mut lines = vec![frame::brand(&product().name, look), Line::default()];
    lines.extend(below);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let area = area.centered_vertically(Constraint::Length(height));
    Text::from(lines).centered().render(area, buffer);
}
