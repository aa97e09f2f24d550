//! Keys, wherever they were pressed.

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
}
