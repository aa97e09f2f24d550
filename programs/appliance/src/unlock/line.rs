//! A line that somebody types at a console, which nobody else is to read: it is shown as stars. Pure.

use common::secret::Secret;
use zeroize::Zeroizing;

/// How many bytes are taken: more than any key has. All at once, since what grows leaves copies behind.
const MOST: usize = 1024;
/// How many characters are shown: a line does not become two.
const SHOWN: usize = 40;

/// What is being typed.
#[derive(Debug)]
pub(super) struct Line {
    bytes: Zeroizing<Vec<u8>>,
    /// How much of a control sequence was seen.
    escape: Escape,
    is_hidden: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    /// Nothing.
    No,
    /// ESC.
    Begun,
    /// `ESC [` or `ESC O`, ECMA-48, section 5.4: it ends with the first byte from 0x40 on.
    Inside,
}

/// What comes of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Something to show.
    Echo(String),
    /// The line is complete.
    Line(Secret),
}

impl Line {
    /// An empty line; `is_hidden` if it is shown as stars.
    pub(super) fn new(is_hidden: bool) -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(MOST)),
            escape: Escape::No,
            is_hidden,
        }
    }

    /// How the line looks.
    pub(super) fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let shown = text.chars().take(SHOWN);
        shown
            .map(|it| if self.is_hidden { '*' } else { it })
            .collect()
    }

    /// Takes a byte that a terminal in raw mode sends.
    pub(super) fn take(&mut self, byte: u8) -> Option<Typed> {
        match self.escape {
            Escape::No => {}
            Escape::Begun => {
                let is_sequence = [b'[', b'O'].contains(&byte);
                self.escape = if is_sequence {
                    Escape::Inside
                } else {
                    Escape::No
                };
                return None;
            }
            Escape::Inside => {
                if (0x40..=0x7E).contains(&byte) {
                    self.escape = Escape::No;
                }
                return None;
            }
        }
        let before = self.width();
        match byte {
            b'\r' | b'\n' => return Some(Typed::Line(self.finish())),
            0x1B => self.escape = Escape::Begun,
            // Backspace, whichever a terminal sends, takes a whole character of UTF-8.
            0x08 | 0x7F => while self.bytes.pop().is_some_and(|it| it & 0xC0 == 0x80) {},
            // Ctrl-U, as on any terminal.
            0x15 => self.bytes.clear(),
            b' '.. if self.bytes.len() < MOST => self.bytes.push(byte),
            _ => {}
        }
        let after = self.width();
        let echo = if after < before {
            "\x08 \x08".repeat(before - after)
        } else {
            self.shown().chars().skip(before).collect()
        };
        (!echo.is_empty()).then_some(Typed::Echo(echo))
    }

    fn width(&self) -> usize {
        self.shown().chars().count()
    }

    fn finish(&mut self) -> Secret {
        // What is no UTF-8 opens nothing.
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        self.bytes.clear();
        Secret::from(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of these keys, and the lines that came of them.
    fn typed(line: &mut Line, keys: &str) -> (String, Vec<String>) {
        let (mut shown, mut lines) = (String::new(), Vec::new());
        for byte in keys.bytes() {
            match line.take(byte) {
                Some(Typed::Echo(echo)) => shown.push_str(&echo),
                Some(Typed::Line(secret)) => lines.push(secret.reveal().to_owned()),
                None => {}
            }
        }
        (shown, lines)
    }

    #[test]
    fn a_secret_is_shown_as_stars_and_an_answer_as_it_is() {
        let mut secret = Line::new(true);
        let (shown, lines) = typed(&mut secret, "open sesame\rnext");
        assert_eq!(
            (shown.as_str(), lines),
            ("***************", vec!["open sesame".to_owned()])
        );
        assert_eq!(secret.shown(), "****");
        let (shown, lines) = typed(&mut Line::new(false), "y\n");
        assert_eq!((shown.as_str(), lines), ("y", vec!["y".to_owned()]));
    }

    #[test]
    fn mistakes_are_taken_back_and_other_keys_do_nothing() {
        for (keys, expected) in [
            ("ab\x7fc\r", "ac"),
            ("ab\x08\x08\x08c\r", "c"),
            ("grün\x7f\x7fün\r", "grün"),
            ("wrong\x15right\r", "right"),
            ("a\x1b[Ab\x1b[3~c\x1bOPd\t\x03\r", "abcd"),
            ("\r", ""),
        ] {
            assert_eq!(typed(&mut Line::new(true), keys).1, [expected], "{keys:?}");
        }
        let (shown, _) = typed(&mut Line::new(true), "aü\x7f\x15");
        assert_eq!(shown, "**\x08 \x08\x08 \x08");
    }

    #[test]
    fn however_much_is_typed_it_stays_one_line() {
        let mut line = Line::new(true);
        let (shown, lines) = typed(&mut line, &("x".repeat(3 * MOST) + "\x7f\r"));
        assert_eq!(shown, "*".repeat(SHOWN));
        assert_eq!(lines[0].len(), MOST - 1);
    }
}
