//! One line of text that is being written.

use std::fmt;

use zeroize::Zeroizing;

use super::Key;

/// A line of printable ASCII with a cursor in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Input {
    text: Zeroizing<String>,
    cursor: usize,
    is_secret: bool,
}

impl Input {
    /// The most characters that are taken: more than any host name or list of addresses has.
    pub const LONGEST: usize = 255;

    /// A line that holds `text`, which is ASCII, with the cursor behind it.
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        let cursor = text.len();
        Self {
            text,
            cursor,
            is_secret: false,
        }
    }

    /// An empty line whose text no screen and no log shows.
    pub fn secret() -> Self {
        Self {
            // With room from the start: what grows leaves copies behind.
            text: Zeroizing::new(String::with_capacity(Self::LONGEST)),
            cursor: 0,
            is_secret: true,
        }
    }

    /// What a screen shows of it.
    pub fn shown(&self) -> String {
        if self.is_secret {
            "*".repeat(self.text.len())
        } else {
            self.text.as_str().to_owned()
        }
    }

    /// What was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many characters stand in front of the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Takes a key; returns whether the text changed.
    pub(super) fn press(&mut self, key: Key) -> bool {
        match key {
            Key::Char(c) if self.text.len() < Self::LONGEST => {
                self.text.insert(self.cursor, c);
                self.cursor += 1;
                true
            }
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
                true
            }
            Key::Left => {
                self.cursor = self.cursor.saturating_sub(1);
                false
            }
            Key::Right => {
                self.cursor = (self.cursor + 1).min(self.text.len());
                false
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_where_the_cursor_is() {
        let mut input = Input::new("ac");
        assert!(!input.press(Key::Left));
        assert!(input.press(Key::Char('b')));
        assert_eq!((input.text(), input.cursor()), ("abc", 2));
        assert!(input.press(Key::Backspace));
        assert_eq!((input.text(), input.cursor()), ("ac", 1));
        for _ in 0..3 {
            input.press(Key::Right);
        }
        assert_eq!(input.cursor(), 2);
        for _ in 0..3 {
            input.press(Key::Left);
        }
        assert_eq!(input.cursor(), 0);
        assert!(!input.press(Key::Backspace));
        assert!(!input.press(Key::Enter));
        assert_eq!(input.text(), "ac");
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let mut input = Input::secret();
        for c in "correct horse".chars() {
            input.press(Key::Char(c));
        }
        assert_eq!(
            (input.shown().as_str(), input.text()),
            ("*************", "correct horse")
        );
        assert_eq!(format!("{input:?}"), "\"*************\"");
    }

    #[test]
    fn text_does_not_grow_without_end() {
        let mut input = Input::new("x".repeat(Input::LONGEST));
        assert!(!input.press(Key::Char('x')));
        assert_eq!(input.text().len(), Input::LONGEST);
    }
}
