//! All consoles of the kernel: those that are open, and when it is looked for the others.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::cmdline;
use common::terminals::{self, is_virtual};

use crate::terminal::Terminal;

/// How often it is looked for consoles that came, or that hung up and are there again.
const TICK: Duration = Duration::from_secs(2);

/// The consoles of the kernel.
#[derive(Debug)]
pub struct Consoles {
    root: PathBuf,
    next_look: Instant,
    /// Those that are open.
    pub terminals: Vec<Terminal>,
}

impl Consoles {
    /// Opens all consoles that the kernel has below `root`; where it lists none, `/dev/console`.
    /// `console.serial=off` on its command line leaves serial ones to others.
    pub fn open(root: &Path) -> Self {
        let mut consoles = Self {
            root: root.to_owned(),
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
        for path in paths(&self.root) {
            if self.terminals.iter().all(|it| it.path() != path) {
                self.terminals.extend(Terminal::open(path));
            }
        }
    }
}

/// The devices of the consoles.
fn paths(root: &Path) -> Vec<PathBuf> {
    let mut names = terminals::consoles(root);
    if names.is_empty() {
        names.push("console".to_owned());
    }
    if !cmdline::serial_is_for(root, "console") {
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
