//! A console: a line or a screen that may be slow, or take nothing at all.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::termios::{
    ControlModes, InputModes, OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr,
};

/// Bytes that may wait for a console.
const MOST_PENDING: usize = 1 << 16;
/// For how long a console may take nothing before nobody waits for it: a line may have flow control.
const STUCK: Duration = Duration::from_secs(2);
/// Columns and rows of a terminal that does not say: what serial lines lead to.
const USUAL: (u16, u16) = (80, 24);

/// A console that is open. It gets its old modes back when it is dropped.
#[derive(Debug)]
pub struct Terminal {
    path: PathBuf,
    file: File,
    before: Option<Termios>,
    pending: VecDeque<u8>,
    /// When it last took something, or had taken all.
    took: Instant,
    is_gone: bool,
}

impl Terminal {
    /// Opens the console at `path`, if it is there. A line need not have a modem's carrier.
    pub fn open(path: PathBuf) -> Option<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
            .open(&path)
            .ok()?;
        let before = tcgetattr(&file).ok();
        if let Some(mut modes) = before.clone() {
            // Whoever reads it echoes and edits lines, but ^S is to hold up one console alone.
            modes.make_raw();
            modes.input_modes |= InputModes::IXON;
            modes.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
            let _ = tcsetattr(&file, OptionalActions::Now, &modes);
        }
        Some(Self {
            path,
            file,
            before,
            pending: VecDeque::new(),
            took: Instant::now(),
            is_gone: false,
        })
    }

    /// Its device.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether more may be said: a console that is slow is waited for, and one that is stuck is not.
    pub fn has_room(&self) -> bool {
        self.pending.len() < MOST_PENDING || self.took.elapsed() > STUCK
    }

    /// Takes output, and writes as much of it as goes without waiting. A console that is stuck loses what
    /// there is no room for.
    pub fn say(&mut self, bytes: &[u8]) {
        if self.pending.is_empty() {
            self.took = Instant::now();
        }
        if self.pending.len() < MOST_PENDING {
            self.pending.extend(bytes);
        }
        self.flush();
    }

    /// Writes as much of what is pending as goes without waiting. A console that is gone loses it.
    pub fn flush(&mut self) {
        while !self.pending.is_empty() {
            match self.file.write(self.pending.as_slices().0) {
                Ok(0) => return,
                Ok(written) => {
                    self.pending.drain(..written);
                    self.took = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.pending.clear(),
            }
        }
    }

    /// Whether there is output that the console has not taken.
    pub fn is_behind(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether it hung up.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Returns what was typed, and notices where the line hung up.
    pub fn typed(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        let read = match self.file.read(&mut bytes) {
            Err(error) if is_passing(error.kind()) => 0,
            Ok(0) | Err(_) => {
                self.is_gone = true;
                0
            }
            Ok(read) => read,
        };
        bytes.truncate(read);
        bytes
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        match tcgetwinsize(&self.file) {
            Ok(Winsize { ws_col, ws_row, .. }) if ws_col > 0 && ws_row > 0 => (ws_col, ws_row),
            _ => USUAL,
        }
    }
}

/// Whether reading may go well later.
pub fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(modes) = &self.before {
            let _ = tcsetattr(&self.file, OptionalActions::Now, modes);
        }
    }
}
