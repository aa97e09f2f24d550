//! Keys, wherever they were pressed.

/// By how many lines a page is scrolled at once.
const PAGE: i16 = 10;
/// The most lines that can be scrolled away.
const LONGEST: u16 = 1000;

/// A key. What it does depends on the state: in a text field a letter is text, elsewhere a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A printable ASCII character, with the case that it was typed in.
    Char(char),
    /// Enter or Return.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Tab with Shift.
    BackTab,
    /// Deletes to the left.
    Backspace,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// A function key, counted from 1.
    Function(u8),
    /// Any other key.
    Other,
}

impl Key {
    /// What the key means where there is nothing to write: a letter is the same as a capital.
    pub(super) fn command(self) -> Self {
        match self {
            Self::Char(c) => Self::Char(c.to_ascii_lowercase()),
            other => other,
        }
    }

    /// Moves `scroll`, how many lines of a long page are scrolled away, if this key does that;
    /// returns whether it does.
    pub(super) fn scrolls(self, scroll: &mut u16) -> bool {
        let by = match self {
            Self::Up => -1,
            Self::Down => 1,
            Self::PageUp => -PAGE,
            Self::PageDown => PAGE,
            _ => return false,
        };
        *scroll = scroll.saturating_add_signed(by).min(LONGEST);
        true
    }
}
