//! The log: the last lines in memory, and all of them in `/run/PRODUCT-installer.log` where that can be
//! written. As much of it as the image wants is shown: on serial consoles, and on standard error, where that is
//! no terminal. Whichever thread logs something writes it there itself, so that a loop that hangs hides nothing.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use common::log;
use common::product::product;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::serial::Wire;

/// How many lines are kept in memory.
const LINES: usize = 500;

/// A handle on the log; clones share it.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<Mutex<Shared>>,
    path: Option<PathBuf>,
    /// What is shown.
    shown: LevelFilter,
}

#[derive(Debug)]
struct Shared {
    lines: VecDeque<String>,
    file: Option<File>,
    /// Whether standard error is no terminal: one may be drawn on.
    stderr: bool,
    /// What was to be shown when there was no serial console.
    waiting: VecDeque<String>,
    wires: Vec<Weak<Wire>>,
}

impl Log {
    /// Starts a log, with a file below `root` if one can be made there.
    pub fn open(root: &Path) -> Self {
        let path = root.join(format!("run/{}-installer.log", product().id));
        let file = File::options().create(true).append(true).open(&path).ok();
        let path = file.as_ref().map(|_| path);
        Self {
            shared: Arc::new(Mutex::new(Shared {
                lines: VecDeque::new(),
                file,
                stderr: !std::io::stderr().is_terminal(),
                waiting: VecDeque::new(),
                wires: Vec::new(),
            })),
            path,
            shown: log::wanted(root),
        }
    }

    /// Makes this log the one that `tracing` writes to. Without effect after the first call.
    pub fn install(&self) {
        let this = self.clone();
        log::install(self.shown.max(LevelFilter::INFO), move |level, line| {
            this.write(level, line);
        });
    }

    /// Writes on standard error what the image below `root` wants to be shown, for a program without screens.
    pub fn to_stderr(root: &Path) {
        log::install(log::wanted(root), |_, line| {
            // Nobody misses what cannot be written.
            let _ = writeln!(std::io::stderr(), "{line}");
        });
    }

    /// Shows on this serial console what is logged from now on, and what nobody has seen yet.
    pub fn show_on(&self, wire: &Arc<Wire>) {
        let mut shared = self.lock();
        for line in shared.waiting.drain(..) {
            wire.log(&line);
        }
        shared.wires.push(Arc::downgrade(wire));
    }

    /// The lines in memory, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.iter().cloned().collect()
    }

    /// The log file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, level: Level, line: &str) {
        let mut shared = self.lock();
        keep(&mut shared.lines, line);
        let written = shared.file.as_mut().map(|file| writeln!(file, "{line}"));
        if let Some(Err(_)) = written {
            // A full or vanished file system must not stop the program; memory still has it.
            shared.file = None;
        }
        if level <= self.shown {
            shared.show(line);
        }
    }
}

impl Shared {
    fn show(&mut self, line: &str) {
        self.wires.retain(|wire| wire.strong_count() > 0);
        let wires: Vec<_> = self.wires.iter().filter_map(Weak::upgrade).collect();
        for wire in &wires {
            wire.log(line);
        }
        if wires.is_empty() {
            keep(&mut self.waiting, line);
        }
        if self.stderr {
            // Nobody misses what cannot be written.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// Adds a line to so many that are kept.
fn keep(lines: &mut VecDeque<String>, line: &str) {
    if lines.len() == LINES {
        lines.pop_front();
    }
    lines.push_back(line.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_lines_in_memory_and_all_in_the_file() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("run")).unwrap();
        let log = Log::open(root.path());
        for number in 0..=LINES {
            log.write(Level::INFO, &format!("line {number}"));
        }
        assert_eq!(log.lines().len(), LINES);
        assert_eq!(log.lines()[0], "line 1");
        let file = std::fs::read_to_string(log.path().unwrap()).unwrap();
        assert_eq!(file.lines().next(), Some("line 0"));
        assert_eq!(file.lines().count(), LINES + 1);
    }

    #[test]
    fn does_without_a_file_where_none_can_be_made() {
        let root = tempfile::tempdir().unwrap();
        let log = Log::open(root.path());
        log.write(Level::WARN, "still here");
        assert_eq!(log.path(), None);
        assert_eq!(log.lines(), ["still here"]);
    }
}
