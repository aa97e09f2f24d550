//! What programs say, in `NAME.log` of the folder in `/run`: of bounded length, for `/run` is memory.

use common::product::product;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// When a log is so long, in bytes, a new one is begun; the one before is kept as `NAME.log.old`,
/// and the one before that is forgotten.
const LONGEST_LOG: u64 = 1 << 20;

/// A log.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: Option<File>,
    length: u64,
}

impl Log {
    /// Goes on with the log called `name` below `root`, or begins it.
    pub fn open(root: &Path, name: &str) -> Self {
        Self::at(root.join(product().run(&format!("{name}.log"))))
    }

    fn at(path: PathBuf) -> Self {
        let file = File::options().create(true).append(true).open(&path).ok();
        let length = file.as_ref().and_then(|it| it.metadata().ok());
        Self {
            path,
            length: length.map_or(0, |it| it.len()),
            file,
        }
    }

    /// Appends a line. A log that cannot be written is no reason to stop anything.
    pub fn write(&mut self, line: &str) {
        if self.length >= LONGEST_LOG {
            let _ = std::fs::rename(&self.path, self.path.with_extension("log.old"));
            *self = Self::at(self.path.clone());
        }
        if let Some(file) = &mut self.file {
            let _ = file.write_all(format!("{line}\n").as_bytes());
            self.length += line.len() as u64 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("service.log");
        let mut log = Log::at(path.clone());
        for number in 0..30_000 {
            log.write(&format!("{number:099}"));
        }
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&path) <= LONGEST_LOG + 100);
        assert!(size(&folder.path().join("service.log.old")) <= LONGEST_LOG + 100);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("29999\n"));
        assert_eq!(Log::at(path).length, text.len() as u64);
    }
}
