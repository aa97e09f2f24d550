//! A console: a line or a screen that may be slow, or take nothing at all.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr};

/// Where the kernel lists its consoles, below the root.
const ACTIVE: &str = "sys/class/tty/console/active";
/// Bytes that may wait for a console.
const MOST_PENDING: usize = 1 << 16;
/// For how long a console may take nothing before nobody waits for it: a line may have flow control.
const STUCK: Duration = Duration::from_secs(2);
/// Columns and rows of a terminal that does not say: what serial lines lead to.
const USUAL: (u16, u16) = (80, 24);

/// A console that is open. It gets its old modes back when it is dropped.
#[derive(Debug)]
pub struct Terminal {
    file: File,
    before: Option<Termios>,
    pending: VecDeque<u8>,
    /// When it last took something, or had taken all.
    took: Instant,
    is_heard: bool,
}

/// Opens all consoles that the kernel has below `root`; where it lists none, `/dev/console`.
pub fn consoles(root: &Path) -> Vec<Terminal> {
    let active = std::fs::read_to_string(root.join(ACTIVE)).unwrap_or_default();
    let mut names: Vec<_> = active.split_whitespace().collect();
    if names.is_empty() {
        names.push("console");
    }
    let devices = names.into_iter().map(device);
    devices.filter_map(|name| open(root, name)).collect()
}

/// The device behind a console's name: `tty0` is whichever virtual terminal is in front, and the program
/// stays on the first.
fn device(console: &str) -> &str {
    if console == "tty0" { "tty1" } else { console }
}

fn open(root: &Path, name: &str) -> Option<Terminal> {
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(root.join("dev").join(name))
        .ok()?;
    let before = tcgetattr(&file).ok();
    if let Some(mut modes) = before.clone() {
        // The program's own terminal echoes, edits lines and knows ^C.
        modes.make_raw();
        let _ = tcsetattr(&file, OptionalActions::Now, &modes);
    }
    Some(Terminal {
        file,
        before,
        pending: VecDeque::new(),
        took: Instant::now(),
        is_heard: true,
    })
}

impl Terminal {
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

    /// Whether somebody may still type there.
    pub fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// Returns what was typed. A line that hung up is heard no more.
    pub fn typed(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; if self.is_heard { 1024 } else { 0 }];
        let read = match self.file.read(&mut bytes) {
            Err(error) if is_passing(error.kind()) => 0,
            Ok(0) | Err(_) => {
                self.is_heard = false;
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

fn is_passing(kind: ErrorKind) -> bool {
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
