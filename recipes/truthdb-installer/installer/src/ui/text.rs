//! Text that several screens are made of: wrapped sentences, facts with labels, pages that may be
//! longer than the screen, and durations for people.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Widget;

use super::{Look, frame};

/// How many columns the label of a fact takes.
const LABEL: usize = 15;

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

    /// A line as it is.
    pub(super) fn line(&mut self, line: impl Into<Line<'a>>) {
        self.lines.push(line.into());
    }

    /// Sentences, wrapped.
    pub(super) fn say(&mut self, text: &str, style: Style) {
        let lines = wrap(text, self.width).into_iter();
        self.lines.extend(lines.map(|it| Line::styled(it, style)));
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
            let start = if index == 0 { mark } else { "    " };
            let line = format!("{start:<width$}{line}", width = mark.len());
            self.lines.push(Line::styled(line, style));
        }
    }

    /// A label and what it labels, wrapped.
    pub(super) fn fact(&mut self, label: &str, value: &str) {
        self.lines.extend(fact(label, value, self.look, self.width));
    }

    /// Leaves out what does not fit into `rows`.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.lines.truncate(rows);
    }

    /// Puts all of `other` below this.
    pub(super) fn append(&mut self, other: Self) {
        self.lines.extend(other.lines);
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
    pub(super) fn render_scrolled(mut self, scroll: usize, area: Rect, buffer: &mut Buffer) {
        let room = usize::from(area.height);
        if self.lines.len() > room {
            let most = self.lines.len() - room;
            self.lines.drain(..scroll.min(most));
            if scroll < most {
                let below = self.lines.len() - room + 1;
                self.lines.truncate(room.saturating_sub(1));
                let more = format!("Up and Down show more: {below} lines below.");
                self.lines.push(Line::styled(more, self.look.note));
            }
        }
        self.render(area, buffer);
    }
}

/// Draws a page between the bands of a screen with these `keys`.
pub(super) fn on_screen(
    product: Option<&crate::hardware::Product>,
    keys: &[(&str, &str)],
    look: &Look,
    area: Rect,
    buffer: &mut Buffer,
    fill: impl FnOnce(&mut Page<'_>),
) {
    let area = frame::render(product, keys, look, area, buffer);
    let mut page = Page::new(look, area);
    fill(&mut page);
    page.render(area, buffer);
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
