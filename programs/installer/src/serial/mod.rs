//! The serial consoles: finds them, opens them again when they were hung up, draws on all of them
//! and takes keys from all of them. Where there is no screen and no serial console, `/dev/console`
//! stands in.

mod ansi;
mod decode;
mod line;
mod outbox;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use common::{cmdline, terminals};
use rustix::event::PollFlags;

pub use ansi::{encode, encode_lines};
pub use line::{Line, Wire};

use crate::log::Log;
use crate::state::{Key, State};
use crate::ui::{Look, View};

/// Columns and rows of a serial console: what a VT100 has, since nothing says otherwise.
pub const SIZE: (u16, u16) = (80, 24);

/// The row, counted from 1, that shows the newest line of the log: that of the rule above the keys.
const LOG_ROW: u16 = SIZE.1 - 1;

/// All serial consoles, and the screen that is on them.
#[derive(Debug)]
pub struct Consoles {
    root: PathBuf,
    look: Look,
    lines: Vec<Line>,
    screen: Vec<u8>,
    losses: Losses,
    log: Log,
    /// Whether serial consoles are ours to draw on.
    is_on: bool,
}

impl Consoles {
    /// The serial consoles that the kernel below `root` names, unless its command line leaves them to others.
    /// Opened in [`Consoles::refresh`]; `log` is shown on them, too.
    pub fn new(root: &Path, log: &Log) -> Self {
        Self {
            root: root.to_owned(),
            look: Look::serial(),
            lines: Vec::new(),
            screen: Vec::new(),
            losses: Losses::default(),
            log: log.clone(),
            is_on: cmdline::has_serial(root),
        }
    }

    /// Whether serial consoles are left to others.
    pub fn are_left(&self) -> bool {
        !self.is_on
    }

    /// Opens every serial console that is not open, and `/dev/console` if there is none and
    /// `alone`, which says that nothing else is drawn on.
    pub fn refresh(&mut self, alone: bool) {
        if self.is_on {
            for name in terminals::serial_consoles(&self.root) {
                self.open(&name);
            }
        } else if terminals::console_is_serial(&self.root) {
            return;
        }
        let stand_in = self.root.join("dev/console").display().to_string();
        let others = self.lines.iter().any(|line| line.name() != stand_in);
        if others || !alone {
            self.lines.retain(|line| line.name() != stand_in);
        } else {
            self.open("console");
        }
    }

    /// Whether no line is open.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines, to wait for. Their indices hold until the next call that closes or opens one.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Draws `state` on every line, if it looks different from what was drawn before; returns
    /// whether it does.
    pub fn draw(&mut self, state: &State) -> bool {
        let look = &self.look;
        let screen = encode(&View { state, look }.draw(SIZE.0, SIZE.1));
        if screen == self.screen {
            return false;
        }
        self.screen = screen;
        let screen = &self.screen;
        keep_working(&mut self.lines, &mut self.losses, |line| line.show(screen));
        true
    }

    /// Shows lines of text on every line until a key is pressed there, and returns the names of
    /// the lines.
    pub fn hold(&mut self, text: &[&str]) -> Vec<String> {
        let text = encode_lines(text.iter().copied());
        keep_working(&mut self.lines, &mut self.losses, |line| line.hold(&text));
        self.lines
            .iter()
            .map(|line| line.name().to_owned())
            .collect()
    }

    /// Shows the screen again wherever text is held.
    pub fn release(&mut self) {
        let screen = &self.screen;
        keep_working(&mut self.lines, &mut self.losses, |line| {
            if line.release() {
                line.show(screen)
            } else {
                Ok(())
            }
        });
    }

    /// Sends the screen again to the line with this index.
    pub fn redraw(&mut self, index: usize) {
        if let Some(line) = self.lines.get_mut(index)
            && let Err(error) = line.show(&self.screen)
        {
            self.losses.note(line.name(), &error);
            self.lines.remove(index);
        }
    }

    /// Handles what `poll` reported for the line with this index, and returns its keys.
    ///
    /// The first key on a line that held text only asks for the screen.
    pub fn ready(&mut self, index: usize, events: PollFlags) -> Vec<Key> {
        let Some(line) = self.lines.get_mut(index) else {
            return Vec::new();
        };
        match service(line, events, &self.screen) {
            Ok(keys) => keys,
            Err(error) => {
                self.losses.note(line.name(), &error);
                self.lines.remove(index);
                Vec::new()
            }
        }
    }

    /// When [`Consoles::expire`] is due, if it is.
    pub fn deadline(&self) -> Option<Instant> {
        self.lines.iter().filter_map(Line::deadline).min()
    }

    /// Escape keys that could have been the start of something longer until `now`. On a line that
    /// holds text they only ask for the screen.
    pub fn expire(&mut self, now: Instant) -> Vec<Key> {
        let mut keys = Vec::new();
        let screen = &self.screen;
        keep_working(&mut self.lines, &mut self.losses, |line| {
            let Some(key) = line.expire(now) else {
                return Ok(());
            };
            if line.release() {
                return line.show(screen);
            }
            keys.push(key);
            Ok(())
        });
        keys
    }

    /// Sends what the lines take now; returns whether everything is sent.
    pub fn flush(&mut self) -> bool {
        keep_working(&mut self.lines, &mut self.losses, Line::send);
        self.lines.iter().all(Line::is_idle)
    }

    /// Gives all lines back, as other programs expect them.
    pub fn close(&mut self) {
        self.lines.clear();
    }

    fn open(&mut self, name: &str) {
        let path = self.root.join("dev").join(name);
        let known = path.display().to_string();
        if self.lines.iter().any(|line| line.name() == known) {
            return;
        }
        // A line that cannot be opened now is tried again at the next call, which is soon.
        match Line::open(&path).and_then(|mut line| line.show(&self.screen).map(|()| line)) {
            Ok(line) => {
                if !self.losses.are_usual(&known) {
                    tracing::info!(name = known, "drawing on a terminal line");
                }
                self.log.show_on(line.wire());
                self.lines.push(line);
            }
            Err(error) => self.losses.note(&known, &error),
        }
    }
}

fn service(line: &mut Line, events: PollFlags, screen: &[u8]) -> io::Result<Vec<Key>> {
    if events.contains(PollFlags::OUT) {
        line.send()?;
    }
    if !events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
        return Ok(Vec::new());
    }
    let mut keys = line.keys()?;
    if !keys.is_empty() && line.release() {
        keys.clear();
        line.show(screen)?;
    }
    Ok(keys)
}

/// Does something with every line, and closes those on which it fails.
fn keep_working(
    lines: &mut Vec<Line>,
    losses: &mut Losses,
    mut action: impl FnMut(&mut Line) -> io::Result<()>,
) {
    lines.retain_mut(|line| match action(line) {
        Ok(()) => true,
        Err(error) => {
            losses.note(line.name(), &error);
            false
        }
    });
}

/// How often each line was lost, so that a bad one does not fill the log.
#[derive(Debug, Default)]
struct Losses(HashMap<String, u32>);

impl Losses {
    const LOGGED: u32 = 5;

    fn note(&mut self, name: &str, error: &io::Error) {
        if !self.are_usual(name) {
            tracing::warn!(name, %error, "a terminal line is gone, or cannot be opened");
        }
        *self.0.entry(name.to_owned()).or_default() += 1;
    }

    fn are_usual(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|count| *count >= Self::LOGGED)
    }
}
