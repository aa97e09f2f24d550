//! Keys out of the bytes that a terminal sends: ASCII, and the control sequences of VT100, xterm
//! and the Linux console (ECMA-48, section 5.4; xterm's ctlseqs, "PC-Style Function Keys").

use crate::state::Key;

/// Where in a key the last byte left off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decoder {
    /// Between keys.
    #[default]
    Ground,
    /// After a carriage return, which a line feed may belong to.
    Return,
    /// After an escape: the key itself, or the start of a sequence.
    Escape,
    /// In a control sequence, which ends with a letter or a tilde.
    Sequence {
        /// Its first parameter, which tells keys apart.
        number: u8,
        /// Whether that is complete.
        complete: bool,
    },
    /// After the start of an application key, which one letter ends.
    Application,
    /// After the start of a function key of the Linux console, which one letter ends.
    Console,
}

impl Decoder {
    /// Takes the next byte; returns the key that it completes.
    pub fn take(&mut self, byte: u8) -> Option<Key> {
        const START: Decoder = Decoder::Sequence {
            number: 0,
            complete: false,
        };
        let (state, key) = match (*self, byte) {
            // Line noise when a cable is plugged in.
            (state, 0) => (state, None),
            (Self::Escape, 0x1b) => (Self::Escape, Some(Key::Esc)),
            (_, 0x1b) => (Self::Escape, None),
            (Self::Escape, b'[') => (START, None),
            (Self::Escape, b'O') => (Self::Application, None),
            (START, b'[') => (Self::Console, None),
            (Self::Sequence { number, complete }, 0x20..=0x3f) => {
                (parameter(number, complete, byte), None)
            }
            (Self::Sequence { number, .. }, b'~') => (Self::Ground, Some(numbered(number))),
            // A report of where the cursor is looks like F3, but for its number.
            (Self::Sequence { number: 2.., .. }, b'P'..=b'S') => (Self::Ground, Some(Key::Other)),
            (Self::Sequence { .. } | Self::Application, _) => (Self::Ground, Some(lettered(byte))),
            (Self::Console, b'A'..=b'E') => (Self::Ground, Some(Key::Function(byte - b'A' + 1))),
            (Self::Console, _) => (Self::Ground, Some(Key::Other)),
            (Self::Return, b'\n') => (Self::Ground, None),
            (_, b'\r') => (Self::Return, Some(Key::Enter)),
            _ => (Self::Ground, Some(plain(byte))),
        };
        *self = state;
        key
    }

    /// Whether an escape was sent that may be the key itself: then nothing follows it soon.
    pub fn is_at_escape(self) -> bool {
        self == Self::Escape
    }

    /// Nothing followed; returns the key that was meant.
    pub fn expire(&mut self) -> Option<Key> {
        self.is_at_escape().then(|| {
            *self = Self::Ground;
            Key::Esc
        })
    }
}

/// The state after a parameter byte or an intermediate byte of a control sequence.
fn parameter(number: u8, complete: bool, byte: u8) -> Decoder {
    let digit = byte.is_ascii_digit() && !complete;
    Decoder::Sequence {
        number: if digit {
            number.saturating_mul(10).saturating_add(byte - b'0')
        } else {
            number
        },
        complete: !digit,
    }
}

/// A key whose sequence ends with a letter.
fn lettered(letter: u8) -> Key {
    match letter {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'M' => Key::Enter,
        b'P'..=b'S' => Key::Function(letter - b'P' + 1),
        b'Z' => Key::BackTab,
        _ => Key::Other,
    }
}

/// A key whose sequence ends with a tilde. The numbers have gaps.
fn numbered(number: u8) -> Key {
    match number {
        5 => Key::PageUp,
        6 => Key::PageDown,
        11..=15 => Key::Function(number - 10),
        17..=21 => Key::Function(number - 11),
        23..=24 => Key::Function(number - 12),
        _ => Key::Other,
    }
}

/// A key that is one byte. After an escape it was pressed together with Alt, which says nothing.
fn plain(byte: u8) -> Key {
    match byte {
        b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x08 | 0x7f => Key::Backspace,
        b' '..=b'~' => Key::Char(char::from(byte)),
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::default();
        bytes
            .iter()
            .filter_map(|byte| decoder.take(*byte))
            .collect()
    }

    #[test]
    fn keys_are_told_apart() {
        let rows: [(&[u8], &[Key]); 22] = [
            (b"q", &[Key::Char('q')]),
            (b"Q ~", &[Key::Char('Q'), Key::Char(' '), Key::Char('~')]),
            (b"\x1b[A\x1bOB", &[Key::Up, Key::Down]),
            (b"\x1b[C\x1bOD", &[Key::Right, Key::Left]),
            (b"\t\x1b[Z", &[Key::Tab, Key::BackTab]),
            (b"\x7f\x08", &[Key::Backspace, Key::Backspace]),
            (b"\r", &[Key::Enter]),
            (b"\n", &[Key::Enter]),
            // One key, for which some terminals send both.
            (b"\r\n", &[Key::Enter]),
            (b"\r\r", &[Key::Enter, Key::Enter]),
            (b"\x1bOQ\x1b[12~\x1b[[B", &[Key::Function(2); 3]),
            (b"\x1b[17~", &[Key::Function(6)]),
            (b"\x1b[24~", &[Key::Function(12)]),
            (b"\x1b\x1b", &[Key::Esc]),
            (b"\x0c", &[Key::Other]),
            (b"\x1b[5~\x1b[6~", &[Key::PageUp, Key::PageDown]),
            (b"\x1b[4~", &[Key::Other]),
            (b"\x1b[1;5A", &[Key::Up]),
            // What terminals answer to programs that ask who they are.
            (b"\x1b[?1;2c\x1b[24;80R", &[Key::Other, Key::Other]),
            (b"\x1b[[x", &[Key::Other]),
            (b"\x1bq", &[Key::Char('q')]),
            (b"\0\0", &[]),
        ];
        for (bytes, expected) in rows {
            assert_eq!(keys(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn an_escape_is_a_key_when_nothing_follows() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.expire(), None);
        assert_eq!(decoder.take(0x1b), None);
        assert!(decoder.is_at_escape());
        assert_eq!(decoder.expire(), Some(Key::Esc));
        assert_eq!(decoder.expire(), None);
        assert_eq!(decoder.take(b'['), Some(Key::Char('[')));
    }

    #[test]
    fn long_numbers_are_no_key() {
        assert_eq!(keys(b"\x1b[99999999999~"), [Key::Other]);
    }
}
