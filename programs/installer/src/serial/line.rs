//! One terminal line: raw and non-blocking while it is open, as it was before when it is closed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
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

/// The device, and what still has to go out on it: the part of a line that every thread can write its log to.
#[derive(Debug)]
pub struct Wire {
    device: File,
    outbox: Mutex<Outbox>,
}

impl Wire {
    /// Puts something in, and sends what the line takes now.
    fn write(&self, put: impl FnOnce(&mut Outbox)) -> io::Result<()> {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        put(&mut outbox);
        outbox.send(&self.device)
    }

    /// Sends a line of the log. What is wrong with the device is found by whoever draws on it.
    pub fn log(&self, line: &str) {
        let _ = self.write(|outbox| outbox.put_line(line));
    }

    fn is_idle(&self) -> bool {
        let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        outbox.is_empty()
    }
}

/// A terminal line that is drawn on.
#[derive(Debug)]
pub struct Line {
    name: String,
    wire: Arc<Wire>,
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
            wire: Arc::new(Wire {
                device,
                outbox: Mutex::default(),
            }),
            decoder: Decoder::default(),
            escape: None,
            held: false,
        })
    }

    /// Its device's path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where lines of the log are sent to.
    pub fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    /// What to wait for.
    pub fn interest(&self) -> PollFlags {
        if self.is_idle() {
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
        self.wire.write(|outbox| outbox.put_screen(screen))
    }

    /// Sends text, and shows no screen before a key is pressed on this line.
    pub fn hold(&mut self, text: &[u8]) -> io::Result<()> {
        self.held = true;
        self.wire.write(|outbox| outbox.put_text(text))
    }

    /// Ends what [`Line::hold`] began; returns whether there was something to end.
    pub fn release(&mut self) -> bool {
        std::mem::take(&mut self.held)
    }

    /// Sends what the line takes now.
    pub fn send(&mut self) -> io::Result<()> {
        self.wire.write(|_| {})
    }

    /// Whether everything is sent.
    pub fn is_idle(&self) -> bool {
        self.wire.is_idle()
    }

    /// The keys that were pressed. Fails when the line is hung up.
    pub fn keys(&mut self) -> io::Result<Vec<Key>> {
        let mut bytes = [0; 64];
        match (&self.wire.device).read(&mut bytes) {
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
        self.wire.device.as_fd()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        restore::undo(&self.name);
    }
}
