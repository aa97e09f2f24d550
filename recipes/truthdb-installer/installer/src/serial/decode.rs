//! Keys out of the bytes that a terminal sends.

use crate::state::Key;

/// Where in a key the last byte left off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decoder {
    /// Between keys.
    #[default]
    Ground,
    /// After an escape.
    Escape,
    /// In a control sequence, which ends with a letter or a tilde.
    Sequence,
}

impl Decoder {
    /// Takes the next byte; returns the key that it completes.
    pub fn take(&mut self, byte: u8) -> Option<Key> {
        let (state, key) = match (*self, byte) {
            // Line noise when a cable is plugged in.
            (state, 0) => (state, None),
            (_, 0x1b) => (Self::Escape, None),
            (Self::Escape, b'[' | b'O') | (Self::Sequence, 0x20..=0x3f) => (Self::Sequence, None),
            (Self::Sequence, b'A') => (Self::Ground, Some(Key::Up)),
            (Self::Sequence, b'B') => (Self::Ground, Some(Key::Down)),
            (Self::Ground | Self::Escape, letter) if letter.is_ascii_alphabetic() => {
                let letter = char::from(letter.to_ascii_lowercase());
                (Self::Ground, Some(Key::Letter(letter)))
            }
            _ => (Self::Ground, Some(Key::Other)),
        };
        *self = state;
        key
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
        let rows: [(&[u8], &[Key]); 9] = [
            (b"q", &[Key::Letter('q')]),
            (b"Q", &[Key::Letter('q')]),
            (b"\x1b[A\x1bOB", &[Key::Up, Key::Down]),
            (b"\x0c", &[Key::Other]),
            (b"\r", &[Key::Other]),
            (b"\x1b[5~", &[Key::Other]),
            (b"\x1b[1;5A", &[Key::Up]),
            (b"\x1bq", &[Key::Letter('q')]),
            (b"\0\0", &[]),
        ];
        for (bytes, expected) in rows {
            assert_eq!(keys(bytes), expected, "{bytes:?}");
        }
    }
}
