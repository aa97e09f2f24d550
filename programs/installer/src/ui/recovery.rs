//! The recovery key, in words and as QR code, and the question for some of its words.

use qrcodegen::{QrCode, QrCodeEcc};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::settings::field_box;
use super::text::Page;
use super::{Look, frame};
use crate::state::{self, Recovery};
use common::recovery_key::RecoveryKey;
use zeroize::Zeroizing;

/// Columns of a field for a word: the longest has eight letters.
const BOX: usize = 12;
/// Modules of light around the code: four are wanted (ISO/IEC 18004, 6.3.8), and two do where there is no room.
const QUIET: [i32; 2] = [4, 2];

/// Draws [`crate::state::State::Recovery`].
pub(super) fn render(state: &Recovery, look: &Look, area: Rect, buffer: &mut Buffer) {
    let release = Some(&state.done().origin.hardware().product);
    match &state.page {
        state::Page::Words => {
            let keys = [("Enter", "I have written it down")];
            let area = frame::render(release, &keys, look, area, buffer);
            words(&state.shown.key, look, area, buffer);
        }
        state::Page::Question {
            typed,
            focus,
            wrong,
        } => {
            let keys = [
                ("Up/Down", "Choose"),
                ("Enter", "Go on"),
                ("Esc", "Look again"),
            ];
            let area = frame::render(release, &keys, look, area, buffer);
            let mut page = Page::new(look, area);
            page.heading("Recovery key");
            let text = "To be sure that it can be read later, type these of its words. The first four letters of \
                        each suffice.";
            page.say(text, look.text);
            page.blank();
            for (place, input) in typed.iter().enumerate() {
                let number = state.shown.asked[place] + 1;
                let focused = place == *focus;
                let mut spans = vec![
                    Span::styled(if focused { look.pointer } else { "  " }, look.heading),
                    Span::styled(format!("Word {number:<4}"), look.quiet),
                ];
                spans.extend(field_box(input, BOX, focused, look));
                if wrong.contains(&place) {
                    let text = format!("  This is not word {number}.");
                    spans.push(Span::styled(text, look.alert));
                }
                page.line(Line::from(spans));
            }
            if !wrong.is_empty() {
                page.blank();
                page.say("Try again, or press Esc to look again.", look.text);
            }
            page.render(area, buffer);
        }
    }
}

/// The words at the left, and at the right what a telephone reads.
fn words(key: &RecoveryKey, look: &Look, area: Rect, buffer: &mut Buffer) {
    let code = code(key, area);
    let width = code.as_ref().map_or(0, |(code, quiet)| side(code, *quiet));
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(width)]).areas(area);
    let mut page = Page::new(look, left);
    page.heading("Recovery key");
    let text = "These words open the data when nothing else does. They are shown once: write them down, and keep \
                them apart from this computer.";
    page.say(text, look.text);
    page.blank();
    let words: Vec<&str> = key.words().collect();
    let half = words.len().div_ceil(2);
    for row in 0..half {
        let cell = |index: usize| format!("{:>2} {:<10}", index + 1, words[index]);
        let text = Zeroizing::new(format!("{}{}", cell(row), cell(row + half)));
        page.line(Line::styled(text.to_string(), look.heading));
    }
    page.render(left, buffer);
    if let Some((code, quiet)) = code {
        draw(&code, quiet, right, buffer);
    }
}

/// The code, which has the words in capitals as that takes fewer modules; with as much light around it as there is room
/// for, and none if it does not fit.
fn code(key: &RecoveryKey, area: Rect) -> Option<(QrCode, i32)> {
    let text = Zeroizing::new(key.passphrase().reveal().to_ascii_uppercase());
    let code = QrCode::encode_text(&text, QrCodeEcc::Low).ok()?;
    let fits = |quiet: &i32| side(&code, *quiet).div_ceil(2) <= area.height;
    let quiet = QUIET.into_iter().find(fits)?;
    Some((code, quiet))
}

/// Modules from one side to the other.
fn side(code: &QrCode, quiet: i32) -> u16 {
    u16::try_from(code.size() + 2 * quiet).unwrap_or(u16::MAX)
}

/// Draws two modules in a cell, one above the other.
fn draw(code: &QrCode, quiet: i32, area: Rect, buffer: &mut Buffer) {
    let colour = |x: i32, y: i32| {
        if code.get_module(x - quiet, y - quiet) {
            Color::Black
        } else {
            Color::White
        }
    };
    let side = side(code, quiet);
    for row in 0..side.div_ceil(2) {
        let spans: Vec<Span> = (0..side)
            .map(|column| {
                let (x, y) = (i32::from(column), 2 * i32::from(row));
                let (upper, lower) = (colour(x, y), colour(x, y + 1));
                let symbol = if upper == lower { " " } else { "\u{2580}" };
                Span::styled(symbol, Style::new().fg(upper).bg(lower))
            })
            .collect();
        Line::from(spans).render(frame::row(area, row), buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that take the most room fit a code of 33 modules: with light around it, 19 rows.
    #[test]
    fn every_key_fits_the_smallest_screen() {
        let longest = ["abstract"; 12].join(" ");
        let code = QrCode::encode_text(&longest.to_ascii_uppercase(), QrCodeEcc::Low).unwrap();
        assert_eq!(code.size(), 33);
        assert_eq!(side(&code, QUIET[1]).div_ceil(2), 19);
    }
}
