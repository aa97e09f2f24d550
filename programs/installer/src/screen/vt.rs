//! The virtual terminal that the screen belongs to: while this program draws, the kernel must not.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::termios::{OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr};

use crate::restore;
use crate::sys::{self, VtMode};

const NAME: &str = "virtual terminal";

/// A virtual terminal in graphics mode. Dropping it gives it back to the kernel.
#[derive(Debug)]
pub struct Vt(());

impl Vt {
    /// Takes the virtual terminal that is visible. `None` in a kernel without virtual terminals.
    pub fn take(root: &Path) -> Option<Self> {
        match Self::try_take(&root.join("dev/tty0")) {
            Ok(vt) => Some(vt),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, "the virtual terminal stays in text mode");
                None
            }
        }
    }

    fn try_take(path: &Path) -> io::Result<Self> {
        let flags = (OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed();
        let tty = File::options()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        let before = sys::vt_mode(&tty)?;
        // Keys also reach this terminal. Raw, it neither echoes them nor makes signals of them.
        let terminal = tcgetattr(&tty)?;
        let mut raw = terminal.clone();
        raw.make_raw();
        tcsetattr(&tty, OptionalActions::Now, &raw)?;
        sys::set_vt_mode(&tty, VtMode::Graphics)?;
        // If a former process of this program was killed, it left graphics mode behind.
        tracing::debug!(?before, "took the virtual terminal");
        restore::remember(NAME, move || {
            // Nothing more can be done if one of these fails; the next one is still worth it.
            let _ = tcflush(&tty, QueueSelector::IFlush);
            let _ = tcsetattr(&tty, OptionalActions::Now, &terminal);
            drop(sys::set_vt_mode(&tty, VtMode::Text));
        });
        Ok(Self(()))
    }
}

impl Drop for Vt {
    fn drop(&mut self) {
        restore::undo(NAME);
    }
}
