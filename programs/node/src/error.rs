//! The errors that end the program, each as one line that says what and what to do, with its exit
//! code from `sysexits.h`.

use std::path::Path;
use std::{fmt, io};

/// Why the program ends without having been asked to.
#[derive(Debug)]
pub enum Fatal {
    /// The log is damaged, and not only at its end. Exit code 65, `EX_DATAERR`.
    Damaged(String),
    /// The system refused something. Exit code 74, `EX_IOERR`.
    Io(String),
    /// An option or `node.toml` is wrong. Exit code 78, `EX_CONFIG`.
    Config(String),
}

impl Fatal {
    /// A refusal of the system: `what` says what was tried, as in "cannot write to".
    pub fn io(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::Io(format!("{what} {}: {error}", path.display()))
    }

    /// What the program exits with.
    pub fn code(&self) -> u8 {
        match self {
            Self::Damaged(_) => 65,
            Self::Io(_) => 74,
            Self::Config(_) => 78,
        }
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Damaged(text) | Self::Io(text) | Self::Config(text)) = self;
        formatter.write_str(text)
    }
}

impl std::error::Error for Fatal {}
