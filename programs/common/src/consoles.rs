//! All consoles of the kernel: those that are open, and when it is looked for the others.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::terminal::Terminal;
use crate::terminals::{self, is_virtual};

/// How often it is looked for consoles that came, or that hung up and are there again.
const TICK: Duration = Duration::from_secs(2);

/// The consoles of the kernel.
#[derive(Debug)]
pub struct Consoles {
    root: PathBuf,
    with_serial: bool,
    next_look: Instant,
    /// Those that are open.
    pub terminals: Vec<Terminal>,
}

impl Consoles {
    /// Opens all consoles that the kernel has below `root`, or of these the screens alone; where it lists none,
    /// `/dev/console`.
    pub fn open(root: &Path, with_serial: bool) -> Self {
        let mut consoles = Self {
            root: root.to_owned(),
            with_serial,
            next_look: Instant::now(),
            terminals: Vec::new(),
        };
        consoles.refresh();
        consoles
    }

    /// Closes those that hung up, and opens, now and then, those that are not open.
    pub fn refresh(&mut self) {
        self.terminals.retain(|terminal| !terminal.is_gone());
        if Instant::now() < self.next_look {
            return;
        }
        self.next_look = Instant::now() + TICK;
        for path in paths(&self.root, self.with_serial) {
            if self.terminals.iter().all(|it| it.path() != path) {
                self.terminals.extend(Terminal::open(path));
            }
        }
    }
}

/// The devices of the consoles.
fn paths(root: &Path, with_serial: bool) -> Vec<PathBuf> {
    let mut names = terminals::consoles(root);
    if names.is_empty() {
        names.push("console".to_owned());
    }
    if !with_serial {
        names.retain(|name| is_virtual(name));
    }
    let devices = names.iter().map(|name| device(name));
    devices.map(|name| root.join("dev").join(name)).collect()
}

/// The device behind a console's name: `tty0` is whichever virtual terminal is in front, and the program
/// stays on the first.
fn device(console: &str) -> &str {
    if console == "tty0" { "tty1" } else { console }
}
