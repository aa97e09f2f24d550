//! A ratatui buffer as bytes for a VT100: always the whole screen, row by row, so that each word
//! stands in one piece and somebody who attaches late sees everything. ASCII only, but for QR codes.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// Hides the cursor, turns line wrap and colours off, clears, goes to the upper left corner.
const BEGIN: &str = "\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J\x1b[H";

/// Leaves the screen as it is, and the cursor, colours and wrap as other programs expect them.
pub const END: &str = "\x1b[0m\x1b[?7h\x1b[24;1H\x1b[?25h\r\n";

/// Writes the whole of `buffer`.
pub fn encode(buffer: &Buffer) -> Vec<u8> {
    let mut text = String::from(BEGIN);
    let width = usize::from(buffer.area.width).max(1);
    for (index, row) in buffer.content().chunks(width).enumerate() {
        if index > 0 {
            text.push_str("\r\n");
        }
        encode_row(row, &mut text);
    }
    text.into_bytes()
}

/// Writes text, line by line, below each other on a cleared screen.
pub fn encode_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut text = String::from("\x1b[0m\x1b[?7h\x1b[2J\x1b[H");
    for line in lines {
        text.extend(line.chars().map(ascii));
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// Writes a line of the log over the rule above the keys. What does not fit in the row is sent all the same:
/// without line wrap it changes nothing but the last column.
pub fn encode_log(line: &str) -> Vec<u8> {
    let line: String = line.chars().map(ascii).collect();
    format!("\x1b[{};1H\x1b[0m\x1b[2K{line}", super::LOG_ROW).into_bytes()
}

fn encode_row(row: &[Cell], text: &mut String) {
    let blank = |cell: &Cell| cell.symbol() == " " && style(cell) == Style::default();
    let end = row
        .iter()
        .rposition(|cell| !blank(cell))
        .map_or(0, |at| at + 1);
    let mut current = Style::default();
    for cell in &row[..end] {
        let mut wanted = style(cell);
        if cell.symbol() == " " && wanted.background == current.background {
            // Ink does not matter here, and words that belong together stay in one piece.
            wanted = current;
        }
        if wanted != current {
            wanted.encode(text);
            current = wanted;
        }
        text.extend(cell.symbol().chars().map(drawn).take(1));
    }
    if current != Style::default() {
        Style::default().encode(text);
    }
}

/// The half of a cell that QR codes are made of, in UTF-8, as there is nothing like it in ASCII.
const HALF: char = '\u{2580}';

fn drawn(c: char) -> char {
    if c == HALF { c } else { ascii(c) }
}

fn ascii(c: char) -> char {
    if c.is_ascii() && !c.is_ascii_control() {
        c
    } else {
        '?'
    }
}

/// The part of a cell's style that every terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Style {
    bold: bool,
    foreground: Option<u8>,
    background: Option<u8>,
}

fn style(cell: &Cell) -> Style {
    // The colour of a blank, and whether it is bold, cannot be seen.
    let ink = cell.symbol() != " ";
    Style {
        bold: ink && cell.modifier.contains(Modifier::BOLD),
        foreground: color(cell.fg).filter(|_| ink),
        background: color(cell.bg),
    }
}

/// The number of one of the eight colours (ECMA-48, section 8.3.117); the terminal's own for others.
fn color(color: Color) -> Option<u8> {
    Some(match color {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::White | Color::Gray => 7,
        _ => return None,
    })
}

impl Style {
    fn encode(self, text: &mut String) {
        text.push_str("\x1b[0");
        if self.bold {
            text.push_str(";1");
        }
        // Writing into a string cannot fail.
        if let Some(color) = self.foreground {
            let _ = write!(text, ";3{color}");
        }
        if let Some(color) = self.background {
            let _ = write!(text, ";4{color}");
        }
        text.push('m');
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style as CellStyle;

    use super::*;

    #[test]
    fn rows_are_whole_and_trailing_blanks_left_out() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 3));
        buffer.set_string(1, 0, "ab cd", CellStyle::new());
        let bold = CellStyle::new()
            .fg(Color::Cyan)
            .add_modifier(Modifier::BOLD);
        buffer.set_string(0, 2, "two words", bold);
        buffer.set_string(10, 2, "x\u{e9}", CellStyle::new().bg(Color::Blue));
        let text = String::from_utf8(encode(&buffer)).unwrap();
        let expected = "\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J\x1b[H ab cd\r\n\r\n\
                        \x1b[0;1;36mtwo words \x1b[0;44mx?\x1b[0m";
        assert_eq!(text, expected);
    }

    #[test]
    fn lines_of_text_cannot_smuggle_control_codes() {
        let text = String::from_utf8(encode_lines(["a\x1bb", "c"])).unwrap();
        assert_eq!(text, "\x1b[0m\x1b[?7h\x1b[2J\x1b[Ha?b\r\nc\r\n");
    }
}
