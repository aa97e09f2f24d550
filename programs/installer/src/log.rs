//! The log: the last lines in memory, and all of them in `/run/PRODUCT-installer.log` where that
//! can be written. Nothing of it is drawn unless the user asks to export it.

use common::product::product;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::{MakeWriter, time};

/// How many lines are kept in memory.
const LINES: usize = 500;

/// A handle on the log; clones share it.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<Mutex<Shared>>,
    path: Option<PathBuf>,
}

#[derive(Debug)]
struct Shared {
    lines: VecDeque<String>,
    file: Option<File>,
}

impl Log {
    /// Starts a log, with a file below `root` if one can be made there.
    pub fn open(root: &Path) -> Self {
        let path = root.join(format!("run/{}-installer.log", product().id));
        let file = File::options().create(true).append(true).open(&path).ok();
        let path = file.as_ref().map(|_| path);
        let lines = VecDeque::new();
        Self {
            shared: Arc::new(Mutex::new(Shared { lines, file })),
            path,
        }
    }

    /// Makes this log the one that `tracing` writes to. Without effect after the first call.
    pub fn install(&self) {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(self.clone())
            .with_timer(time::uptime())
            .with_ansi(false)
            .finish();
        // An error means that a subscriber is installed already, which then stays.
        drop(tracing::subscriber::set_global_default(subscriber));
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
}

impl Write for &Log {
    /// Takes one event, which `tracing_subscriber` hands over in one piece.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut shared = self.lock();
        for line in String::from_utf8_lossy(bytes).lines() {
            if shared.lines.len() == LINES {
                shared.lines.pop_front();
            }
            shared.lines.push_back(line.to_owned());
        }
        let written = shared.file.as_mut().map(|file| file.write_all(bytes));
        if let Some(Err(_)) = written {
            // A full or vanished file system must not stop the program; memory still has it.
            shared.file = None;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Log;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
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
            (&log)
                .write_all(format!("line {number}\n").as_bytes())
                .unwrap();
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
        (&log).write_all(b"still here\n").unwrap();
        assert_eq!(log.path(), None);
        assert_eq!(log.lines(), ["still here"]);
    }
}
