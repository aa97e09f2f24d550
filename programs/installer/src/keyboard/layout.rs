//! What the keys of a keyboard mean, where they are on a keyboard of the United States: input
//! devices report positions, and nobody has said yet what is printed on them.

use evdev::{EventSummary, InputEvent, KeyCode};

use crate::state::Key;

/// Value of a key event when the key goes up.
const RELEASED: i32 = 0;
/// Value of a key event when the key goes down.
const PRESSED: i32 = 1;
/// Value of a key event while the key is held down.
const REPEATED: i32 = 2;

/// The keys that write something: alone, and together with Shift.
const CHARACTERS: [(KeyCode, char, char); 47] = [
    (KeyCode::KEY_GRAVE, '`', '~'),
    (KeyCode::KEY_1, '1', '!'),
    (KeyCode::KEY_2, '2', '@'),
    (KeyCode::KEY_3, '3', '#'),
    (KeyCode::KEY_4, '4', '$'),
    (KeyCode::KEY_5, '5', '%'),
    (KeyCode::KEY_6, '6', '^'),
    (KeyCode::KEY_7, '7', '&'),
    (KeyCode::KEY_8, '8', '*'),
    (KeyCode::KEY_9, '9', '('),
    (KeyCode::KEY_0, '0', ')'),
    (KeyCode::KEY_MINUS, '-', '_'),
    (KeyCode::KEY_EQUAL, '=', '+'),
    (KeyCode::KEY_Q, 'q', 'Q'),
    (KeyCode::KEY_W, 'w', 'W'),
    (KeyCode::KEY_E, 'e', 'E'),
    (KeyCode::KEY_R, 'r', 'R'),
    (KeyCode::KEY_T, 't', 'T'),
    (KeyCode::KEY_Y, 'y', 'Y'),
    (KeyCode::KEY_U, 'u', 'U'),
    (KeyCode::KEY_I, 'i', 'I'),
    (KeyCode::KEY_O, 'o', 'O'),
    (KeyCode::KEY_P, 'p', 'P'),
    (KeyCode::KEY_LEFTBRACE, '[', '{'),
    (KeyCode::KEY_RIGHTBRACE, ']', '}'),
    (KeyCode::KEY_BACKSLASH, '\\', '|'),
    (KeyCode::KEY_A, 'a', 'A'),
    (KeyCode::KEY_S, 's', 'S'),
    (KeyCode::KEY_D, 'd', 'D'),
    (KeyCode::KEY_F, 'f', 'F'),
    (KeyCode::KEY_G, 'g', 'G'),
    (KeyCode::KEY_H, 'h', 'H'),
    (KeyCode::KEY_J, 'j', 'J'),
    (KeyCode::KEY_K, 'k', 'K'),
    (KeyCode::KEY_L, 'l', 'L'),
    (KeyCode::KEY_SEMICOLON, ';', ':'),
    (KeyCode::KEY_APOSTROPHE, '\'', '"'),
    (KeyCode::KEY_Z, 'z', 'Z'),
    (KeyCode::KEY_X, 'x', 'X'),
    (KeyCode::KEY_C, 'c', 'C'),
    (KeyCode::KEY_V, 'v', 'V'),
    (KeyCode::KEY_B, 'b', 'B'),
    (KeyCode::KEY_N, 'n', 'N'),
    (KeyCode::KEY_M, 'm', 'M'),
    (KeyCode::KEY_COMMA, ',', '<'),
    (KeyCode::KEY_DOT, '.', '>'),
    (KeyCode::KEY_SLASH, '/', '?'),
];

/// The number pad, whose keys write what is printed on them, whatever its lamp says.
const PAD: [(KeyCode, char); 15] = [
    (KeyCode::KEY_KP0, '0'),
    (KeyCode::KEY_KP1, '1'),
    (KeyCode::KEY_KP2, '2'),
    (KeyCode::KEY_KP3, '3'),
    (KeyCode::KEY_KP4, '4'),
    (KeyCode::KEY_KP5, '5'),
    (KeyCode::KEY_KP6, '6'),
    (KeyCode::KEY_KP7, '7'),
    (KeyCode::KEY_KP8, '8'),
    (KeyCode::KEY_KP9, '9'),
    (KeyCode::KEY_KPDOT, '.'),
    (KeyCode::KEY_KPSLASH, '/'),
    (KeyCode::KEY_KPASTERISK, '*'),
    (KeyCode::KEY_KPMINUS, '-'),
    (KeyCode::KEY_KPPLUS, '+'),
];

/// The function keys, from F1 on.
const FUNCTIONS: [KeyCode; 12] = [
    KeyCode::KEY_F1,
    KeyCode::KEY_F2,
    KeyCode::KEY_F3,
    KeyCode::KEY_F4,
    KeyCode::KEY_F5,
    KeyCode::KEY_F6,
    KeyCode::KEY_F7,
    KeyCode::KEY_F8,
    KeyCode::KEY_F9,
    KeyCode::KEY_F10,
    KeyCode::KEY_F11,
    KeyCode::KEY_F12,
];

/// What the keys of one keyboard mean, given which others are held down.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    /// Which of the two Shift keys are held down.
    shift: [bool; 2],
    /// Capitals are locked.
    caps: bool,
}

impl Layout {
    /// Takes an input event; returns the key that it is.
    pub(super) fn take(&mut self, event: InputEvent) -> Option<Key> {
        let EventSummary::Key(_, code, value) = event.destructure() else {
            return None;
        };
        match (code, value) {
            (KeyCode::KEY_LEFTSHIFT, _) => self.shift[0] = value != RELEASED,
            (KeyCode::KEY_RIGHTSHIFT, _) => self.shift[1] = value != RELEASED,
            (KeyCode::KEY_CAPSLOCK, PRESSED) => self.caps = !self.caps,
            (_, PRESSED) => return Some(self.key(code)),
            (_, REPEATED) => return Some(self.key(code)).filter(|key| repeats(*key)),
            _ => {}
        }
        None
    }

    fn key(self, code: KeyCode) -> Key {
        let shift = self.shift.contains(&true);
        match code {
            KeyCode::KEY_ENTER | KeyCode::KEY_KPENTER => Key::Enter,
            KeyCode::KEY_ESC => Key::Esc,
            KeyCode::KEY_TAB if shift => Key::BackTab,
            KeyCode::KEY_TAB => Key::Tab,
            KeyCode::KEY_BACKSPACE => Key::Backspace,
            KeyCode::KEY_LEFT => Key::Left,
            KeyCode::KEY_RIGHT => Key::Right,
            KeyCode::KEY_UP => Key::Up,
            KeyCode::KEY_DOWN => Key::Down,
            KeyCode::KEY_PAGEUP => Key::PageUp,
            KeyCode::KEY_PAGEDOWN => Key::PageDown,
            KeyCode::KEY_SPACE => Key::Char(' '),
            code => self.written(code, shift),
        }
    }

    fn written(self, code: KeyCode, shift: bool) -> Key {
        let function = FUNCTIONS.iter().position(|it| *it == code);
        if let Some(number) = function.and_then(|index| u8::try_from(index + 1).ok()) {
            return Key::Function(number);
        }
        if let Some((_, c)) = PAD.iter().find(|(it, _)| *it == code) {
            return Key::Char(*c);
        }
        match CHARACTERS.iter().find(|(it, ..)| *it == code) {
            Some((_, c, capital)) if shift != (self.caps && c.is_ascii_lowercase()) => {
                Key::Char(*capital)
            }
            Some((_, c, _)) => Key::Char(*c),
            None => Key::Other,
        }
    }
}

/// Whether holding a key down presses it again and again: only where too often does no harm.
fn repeats(key: Key) -> bool {
    matches!(
        key,
        Key::Up | Key::Down | Key::Left | Key::Right | Key::Backspace
    )
}

#[cfg(test)]
mod tests {
    use evdev::EventType;

    use super::*;

    const Q: KeyCode = KeyCode::KEY_Q;
    const LEFT_SHIFT: KeyCode = KeyCode::KEY_LEFTSHIFT;
    const RIGHT_SHIFT: KeyCode = KeyCode::KEY_RIGHTSHIFT;

    fn keys(events: &[(KeyCode, i32)]) -> Vec<Key> {
        let mut layout = Layout::default();
        let events = events.iter();
        events
            .filter_map(|(code, value)| {
                layout.take(InputEvent::new(EventType::KEY.0, code.0, *value))
            })
            .collect()
    }

    #[test]
    fn presses_count_and_few_keys_repeat() {
        let rows = [
            (Q, PRESSED, Some(Key::Char('q'))),
            (Q, RELEASED, None),
            (Q, REPEATED, None),
            (KeyCode::KEY_ENTER, REPEATED, None),
            (KeyCode::KEY_DOWN, REPEATED, Some(Key::Down)),
            (KeyCode::KEY_BACKSPACE, REPEATED, Some(Key::Backspace)),
            (KeyCode::KEY_UP, PRESSED, Some(Key::Up)),
            (KeyCode::KEY_SPACE, PRESSED, Some(Key::Char(' '))),
            (KeyCode::KEY_KPENTER, PRESSED, Some(Key::Enter)),
            (KeyCode::KEY_KP7, PRESSED, Some(Key::Char('7'))),
            (KeyCode::KEY_F2, PRESSED, Some(Key::Function(2))),
            (KeyCode::KEY_F12, PRESSED, Some(Key::Function(12))),
            (KeyCode::KEY_LEFTCTRL, PRESSED, Some(Key::Other)),
            (LEFT_SHIFT, PRESSED, None),
        ];
        for (code, value, expected) in rows {
            let found = keys(&[(code, value)]);
            assert_eq!(found, Vec::from_iter(expected), "{code:?} {value}");
        }
        let relative = InputEvent::new(EventType::RELATIVE.0, 0, 1);
        assert_eq!(Layout::default().take(relative), None);
    }

    #[test]
    fn shift_is_whichever_is_held_down() {
        let found = keys(&[
            (LEFT_SHIFT, PRESSED),
            (Q, PRESSED),
            (RIGHT_SHIFT, PRESSED),
            (LEFT_SHIFT, RELEASED),
            (KeyCode::KEY_SLASH, PRESSED),
            (KeyCode::KEY_TAB, PRESSED),
            (RIGHT_SHIFT, RELEASED),
            (KeyCode::KEY_SLASH, PRESSED),
        ]);
        let expected = [Key::Char('Q'), Key::Char('?'), Key::BackTab, Key::Char('/')];
        assert_eq!(found, expected);
    }

    #[test]
    fn locked_capitals_are_letters_only() {
        let found = keys(&[
            (KeyCode::KEY_CAPSLOCK, PRESSED),
            (Q, PRESSED),
            (KeyCode::KEY_1, PRESSED),
            (LEFT_SHIFT, PRESSED),
            (Q, PRESSED),
            (KeyCode::KEY_1, PRESSED),
        ]);
        assert_eq!(found, ['Q', '1', 'q', '!'].map(Key::Char));
    }

    #[test]
    fn every_printable_character_can_be_written() {
        let mut written: Vec<char> = CHARACTERS
            .iter()
            .flat_map(|(_, c, capital)| [*c, *capital])
            .collect();
        written.push(' ');
        written.sort_unstable();
        assert_eq!(written, (' '..='~').collect::<Vec<_>>());
    }
}
