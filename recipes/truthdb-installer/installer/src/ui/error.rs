//! What went wrong, what to do about it, and the log if the user asked for it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::Widget;

use super::{Look, frame};
use crate::state::Failure;

/// Draws [`crate::state::State::Error`].
pub(super) fn render(state: &Failure, look: &Look, area: Rect, buffer: &mut Buffer) {
    let mut keys = vec![("R", "Retry")];
    if state.back.is_some() {
        keys.push(("B", "Back"));
    }
    keys.extend([("E", "Export logs"), ("Q", "Leave and restart")]);
    let product = state.back.as_ref().map(|back| &back.hardware.product);
    let area = frame::render(product, &keys, look, area, buffer);

    let wrapped = |text: &str| wrap(text, area.width).into_iter().map(Line::raw);
    let mut lines = vec![
        Line::default(),
        Line::styled("Something went wrong", look.alert),
    ];
    lines.extend(wrapped(&state.problem.message));
    lines.extend([Line::default(), frame::heading(look, "What to do")]);
    lines.extend(wrapped(&state.problem.hint));
    lines.extend(wrapped(
        "Press R to try again. Nothing on this computer was changed.",
    ));
    if let Some(notice) = &state.notice {
        lines.push(Line::default());
        lines.extend(wrapped(notice).map(|line| line.style(look.note)));
    }
    if !state.log.is_empty() {
        lines.extend([Line::default(), frame::heading(look, "Log")]);
        let room = usize::from(area.height).saturating_sub(lines.len());
        let newest = &state.log[state.log.len().saturating_sub(room)..];
        lines.extend(
            newest
                .iter()
                .map(|line| Line::styled(line.as_str(), look.quiet)),
        );
    }
    Text::from(lines).render(area, buffer);
}

/// Breaks `text` into lines of at most `width` characters, between words where that is possible.
fn wrap(text: &str, width: u16) -> Vec<String> {
    let width = usize::from(width).max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_between_words() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable x", 4), ["unbreakable", "x"]);
        assert!(wrap("", 4).is_empty());
    }
}
