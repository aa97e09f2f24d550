//! Text that several screens are made of: wrapped sentences, facts with labels, pages that may be
//! longer than the screen, and durations for people.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Widget;

use super::Look;

/// How many columns the label of a fact takes.
const LABEL: usize = 15;

/// For how many seconds a part of a page is shown that is too long.
const PART: u64 = 3;

/// A column of lines that grows downwards.
#[derive(Debug)]
pub(super) struct Page<'a> {
    look: &'a Look,
    width: u16,
    lines: Vec<Line<'a>>,
}

impl<'a> Page<'a> {
    /// A page as wide as `area`, which begins with a blank line.
    pub(super) fn new(look: &'a Look, area: Rect) -> Self {
        Self {
            look,
            width: area.width,
            lines: vec![Line::default()],
        }
    }

    /// A heading, with a blank line above it unless it is the first.
    pub(super) fn heading(&mut self, text: &str) {
        if self.lines.len() > 1 {
            self.blank();
        }
        self.lines
            .push(Line::styled(text.to_owned(), self.look.heading));
    }

    /// A blank line.
    pub(super) fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    /// A line as it is; of one that is too wide, the rest stands indented below.
    pub(super) fn line(&mut self, line: impl Into<Line<'a>>) {
        self.lines.extend(fold(line.into(), self.width));
    }

    /// Sentences, wrapped.
    pub(super) fn say(&mut self, text: &str, style: Style) {
        self.marked("", text, style);
    }

    /// Sentences, wrapped, indented behind a dash.
    pub(super) fn item(&mut self, text: &str, style: Style) {
        self.marked("  - ", text, style);
    }

    /// Sentences, wrapped, indented behind `mark`.
    pub(super) fn marked(&mut self, mark: &str, text: &str, style: Style) {
        let width = u16::try_from(mark.len()).unwrap_or(0);
        let lines = wrap(text, self.width.saturating_sub(width));
        for (index, line) in lines.into_iter().enumerate() {
            let start = if index == 0 { mark } else { "" };
            let line = format!("{start:<indent$}{line}", indent = mark.len());
            self.lines.push(Line::styled(line, style));
        }
    }

    /// A label and what it labels, wrapped.
    pub(super) fn fact(&mut self, label: &str, value: &str) {
        self.lines.extend(fact(label, value, self.look, self.width));
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Draws what fits, from the top.
    pub(super) fn render(self, area: Rect, buffer: &mut Buffer) {
        Text::from(self.lines).render(area, buffer);
    }

    /// Draws what fits after `scroll` lines; if there are more below, says so in the last row.
    pub(super) fn render_scrolled(self, scroll: u16, area: Rect, buffer: &mut Buffer) {
        let look = self.look;
        scrolled(self.lines, "Up and Down", scroll, look, area, buffer);
    }

    /// Draws what fits so that the lines `from` to `to` are there.
    pub(super) fn render_around(mut self, from: usize, to: usize, area: Rect, buffer: &mut Buffer) {
        let room = usize::from(area.height);
        let above = to.saturating_sub(room).min(from);
        self.lines.drain(..above.min(self.lines.len()));
        self.render(area, buffer);
    }

    /// Draws what fits; of a page that is too long one part after the other, as the `seconds` go by.
    pub(super) fn render_in_turns(mut self, seconds: u64, area: Rect, buffer: &mut Buffer) {
        let room = usize::from(area.height);
        if self.lines.len() > room && room > 1 {
            let parts = self.lines.len().div_ceil(room - 1);
            let turn = usize::try_from(seconds / PART).unwrap_or(0);
            let part = turn % parts;
            self.lines.drain(..part * (room - 1));
            self.lines.truncate(room - 1);
            self.lines.resize(room - 1, Line::default());
            let note = format!(
                "Part {} of {parts}; the next one comes by itself.",
                part + 1
            );
            self.lines.push(Line::styled(note, self.look.quiet));
        }
        self.render(area, buffer);
    }
}

/// Parts `area` between a page that may be cut, and one below it that may not.
pub(super) fn split(above: &Page<'_>, below: &Page<'_>, area: Rect) -> [Rect; 2] {
    let rows = |page: &Page<'_>| u16::try_from(page.len()).unwrap_or(u16::MAX);
    let below = Constraint::Length(rows(below));
    Layout::vertical([Constraint::Max(rows(above)), below]).areas(area)
}

/// Draws of `lines` what fits after `scroll` of them; if there are more below, says in the last row
/// which `keys` show them.
pub(super) fn scrolled(
    mut lines: Vec<Line<'_>>,
    keys: &str,
    scroll: u16,
    look: &Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    let (room, scroll) = (usize::from(area.height), usize::from(scroll));
    if lines.len() > room {
        let most = lines.len() - room;
        lines.drain(..scroll.min(most));
        if scroll < most {
            let below = lines.len() - room + 1;
            lines.truncate(room.saturating_sub(1));
            let more = format!("{keys} show more: {below} lines below.");
            lines.push(Line::styled(more, look.note));
        }
    }
    Text::from(lines).render(area, buffer);
}

/// Breaks a line that is wider than `width`, where that is possible between words; what does not fit
/// is indented by four more columns than its start.
pub(super) fn fold(line: Line<'_>, width: u16) -> Vec<Line<'_>> {
    if line.width() <= usize::from(width) {
        return vec![line];
    }
    let style = line
        .spans
        .first()
        .map_or(line.style, |it| line.style.patch(it.style));
    let text: Vec<char> = line
        .spans
        .iter()
        .flat_map(|it| it.content.chars())
        .collect();
    let indent = text.iter().take_while(|it| **it == ' ').count();
    let most = usize::from(width).max(1);
    let is_break = |at: &usize| text.get(*at) == Some(&' ');
    let end = (indent + 1..=most).rev().find(is_break).unwrap_or(most);
    let (first, rest) = text.split_at(end.min(text.len()));
    let rest = String::from_iter(rest);
    let margin = (indent + 4).min(most / 2);
    let room = u16::try_from(most - margin).unwrap_or(width);
    let rest = wrap(&rest, room)
        .into_iter()
        .map(|it| format!("{:margin$}{it}", ""));
    let lines = std::iter::once(String::from_iter(first)).chain(rest);
    lines.map(|it| Line::styled(it, style)).collect()
}

/// A label and what it labels, wrapped, in lines of at most `width` columns.
pub(super) fn fact(label: &str, value: &str, look: &Look, width: u16) -> Vec<Line<'static>> {
    let indent = u16::try_from(LABEL + 2).unwrap_or(u16::MAX);
    let mut label = label;
    let mut lines = Vec::new();
    for line in wrap(value, width.saturating_sub(indent)) {
        lines.push(Line::from(vec![
            Span::styled(format!("  {label:<LABEL$}"), look.quiet),
            Span::raw(line),
        ]));
        label = "";
    }
    lines
}

/// Breaks `text` into lines of at most `width` characters, between words where that is possible.
pub(super) fn wrap(text: &str, width: u16) -> Vec<String> {
    let width = usize::from(width).max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => {
                let letters: Vec<char> = word.chars().collect();
                lines.extend(letters.chunks(width).map(String::from_iter));
            }
        }
    }
    lines
}

/// A duration, as exact as people care for.
pub(super) fn duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let seconds = (duration.as_millis() + 500) / 1000;
    match seconds {
        _ if tenths < 100 => format!("{}.{} s", tenths / 10, tenths % 10),
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_between_words() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable x", 4), ["unbr", "eaka", "ble", "x"]);
        assert!(wrap("", 4).is_empty());
    }

    #[test]
    fn durations_are_for_people() {
        let rows = [
            (0, "0.0 s"),
            (1_249, "1.2 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (59_499, "59 s"),
            (59_500, "1 min 00 s"),
            (3_599_000, "59 min 59 s"),
            (3_660_000, "1 h 01 min"),
        ];
        for (millis, expected) in rows {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn a_long_page_says_that_there_is_more() {
        let look = Look::serial();
        let area = Rect::new(0, 0, 50, 4);
        let rows = |scroll| {
            let mut page = Page::new(&look, area);
            for number in 1..=6 {
                page.line(format!("line {number}"));
            }
            let mut buffer = Buffer::empty(area);
            page.render_scrolled(scroll, area, &mut buffer);
            let cells = buffer.content().chunks(50);
            let rows = cells.map(|row| {
                let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
                row.trim_end().to_owned()
            });
            rows.collect::<Vec<_>>()
        };
        let more = "Up and Down show more: 4 lines below.";
        assert_eq!(rows(0), ["", "line 1", "line 2", more]);
        assert_eq!(rows(3), ["line 3", "line 4", "line 5", "line 6"]);
        assert_eq!(rows(99), rows(3));
    }
}
