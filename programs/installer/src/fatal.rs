//! The errors that end the program, each as one clear line for standard error.

use std::{fmt, io};

/// Why the program ends without the user having chosen it.
#[derive(Debug)]
pub enum Fatal {
    /// There is no screen, no serial console and no `/dev/console`.
    NothingToDrawOn,
    /// A signal asked for it.
    Stopped,
    /// Init was asked to restart the computer, or to switch it off, and did neither.
    StillOn,
    /// The kernel refused something without which there is no event loop.
    System(&'static str, io::Error),
}

impl fmt::Display for Fatal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToDrawOn => formatter.write_str(
                "nothing to draw on: no monitor behind /dev/dri/card* or /dev/fb0, no serial \
                 console in /sys/class/tty/console/active, and /dev/console cannot be opened",
            ),
            Self::Stopped => formatter.write_str("stopped by a signal"),
            Self::StillOn => {
                formatter.write_str("init neither restarted the computer nor switched it off")
            }
            Self::System(what, error) => write!(formatter, "{what}: {error}"),
        }
    }
}

impl std::error::Error for Fatal {}
