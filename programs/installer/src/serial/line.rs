//! One terminal line: raw and non-blocking while it is open, as it was before when it is closed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::OFlags;
use rustix::termios::{ControlModes, OptionalActions, tcgetattr, tcsetattr};

use super::ansi;
use super::decode::Decoder;
use super::outbox::Outbox;
use crate::restore;
use crate::state::Key;

/// How long after an escape the rest of a sequence may come: at 1200 baud a byte takes 8 ms.
const ESCAPE: Duration = Duration::from_millis(100);

/// A terminal line that is drawn on.
#[derive(Debug)]
pub struct Line {
    name: String,
    device: File,
    outbox: Outbox,
    decoder: Decoder,
    /// When an escape that was received is a key of its own.
    escape: Option<Instant>,
    /// Shows text that the next key is to replace by the screen.
    held: bool,
}

impl Line {
    /// Opens the terminal at `path`. It never blocks, and does not wait for a modem's carrier.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = (OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed();
        let device = File::options()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        let before = tcgetattr(&device)?;
        let mut raw = before.clone();
        raw.make_raw();
        raw.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
        tcsetattr(&device, OptionalActions::Now, &raw)?;
        let name = path.display().to_string();
        let undo = device.try_clone()?;
        restore::remember(&name, move || {
            // Nothing more can be done if one of these fails.
            drop((&undo).write_all(ansi::END.as_bytes()));
            let _ = tcsetattr(&undo, OptionalActions::Now, &before);
        });
        Ok(Self {
            name,
            device,
            outbox: Outbox::default(),
            decoder: Decoder::default(),
            escape: None,
            held: false,
        })
    }

    /// Its device's path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What to wait for.
    pub fn interest(&self) -> PollFlags {
        if self.outbox.is_empty() {
            PollFlags::IN
        } else {
            PollFlags::IN | PollFlags::OUT
        }
    }

    /// Sends a whole screen, unless text is shown that no key was pressed on yet.
    pub fn show(&mut self, screen: &[u8]) -> io::Result<()> {
        if self.held {
            return Ok(());
        }
        self.outbox.put(screen.to_vec());
        self.send()
    }

    /// Sends text, and shows no screen before a key is pressed on this line.
    pub fn hold(&mut self, text: &[u8]) -> io::Result<()> {
        self.held = true;
        self.outbox.put(text.to_vec());
        self.send()
    }

    /// Ends what [`Line::hold`] began; returns whether there was something to end.
    pub fn release(&mut self) -> bool {
        std::mem::take(&mut self.held)
    }

    /// Sends what the line takes now.
    pub fn send(&mut self) -> io::Result<()> {
        self.outbox.send(&self.device)
    }

    /// Whether everything is sent.
    pub fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }

    /// The keys that were pressed. Fails when the line is hung up.
    pub fn keys(&mut self) -> io::Result<Vec<Key>> {
        let mut bytes = [0; 64];
        match (&self.device).read(&mut bytes) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                let bytes = bytes[..count].iter();
                let keys = bytes.filter_map(|byte| self.decoder.take(*byte)).collect();
                let waits = self.decoder.is_at_escape();
                self.escape = waits.then(|| Instant::now() + ESCAPE);
                Ok(keys)
            }
            Err(error)
                if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted]
                    .contains(&error.kind()) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }
}

impl Line {
    /// When [`Line::expire`] is due, if it is.
    pub fn deadline(&self) -> Option<Instant> {
        self.escape
    }

    /// The Escape key, if it was pressed and it is clear by now that nothing follows.
    pub fn expire(&mut self, now: Instant) -> Option<Key> {
        self.escape.filter(|deadline| *deadline <= now)?;
        self.escape = None;
        self.decoder.expire()
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        restore::undo(&self.name);
    }
}
