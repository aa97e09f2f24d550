//! A part of a file or a disk, with offsets of its own, for code that reads or writes a file system
//! and knows nothing of partitions.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::time::Instant;

/// `size` bytes of a file from `start` on. Whether it can be written is the file's own matter.
#[derive(Debug)]
pub struct Slice {
    file: File,
    start: u64,
    size: u64,
    position: u64,
    allowance: u64,
    deadline: Option<Instant>,
}

impl Slice {
    /// That part of `file`, of which no more than `allowance` bytes may be read in all: a file system
    /// whose chains lead in circles is an error then, and not for ever.
    pub fn new(file: File, start: u64, size: u64, allowance: u64) -> Self {
        Self {
            file,
            start,
            size,
            position: 0,
            allowance,
            deadline: None,
        }
    }

    /// The same part, to which no write is begun any more at `deadline`.
    #[must_use]
    pub fn until(self, deadline: Instant) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }

    fn length(&self, wanted: usize) -> usize {
        let left = self.size.saturating_sub(self.position);
        wanted.min(usize::try_from(left).unwrap_or(usize::MAX))
    }
}

impl Read for Slice {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        let length = self.length(data.len());
        if length as u64 > self.allowance {
            return Err(io::Error::other(
                "its tables lead in circles, or are far too large",
            ));
        }
        let count = self.file.read_at(
            &mut data[..length],
            self.start.saturating_add(self.position),
        )?;
        self.allowance -= count as u64;
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for Slice {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.deadline.is_some_and(|it| Instant::now() >= it) {
            return Err(io::Error::other("it takes too long to write"));
        }
        let length = self.length(data.len());
        let count = self
            .file
            .write_at(&data[..length], self.start.saturating_add(self.position))?;
        self.position += count as u64;
        Ok(count)
    }

    /// Waits until what was written is on the disk.
    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Seek for Slice {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = sought(to, self.position, self.size)?;
        Ok(self.position)
    }
}

/// Takes one from the reads that are left before whoever reads is believed to go in circles.
pub fn count_read(left: &mut u32) -> io::Result<()> {
    let in_circles = || io::Error::other("it leads in circles");
    *left = left.checked_sub(1).ok_or_else(in_circles)?;
    Ok(())
}

/// Where a seek leads, from `position` in something of `size` bytes.
pub fn sought(to: SeekFrom, position: u64, size: u64) -> io::Result<u64> {
    let found = match to {
        SeekFrom::Start(offset) => Some(offset),
        SeekFrom::End(offset) => size.checked_add_signed(offset),
        SeekFrom::Current(offset) => position.checked_add_signed(offset),
    };
    found.ok_or_else(|| ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patience::PATIENCE;

    #[test]
    fn no_more_is_read_than_is_allowed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut slice = Slice::new(file, 0, 10, 6);
        let mut part = [0; 4];
        slice.read_exact(&mut part).unwrap();
        slice.rewind().unwrap();
        assert!(slice.read_exact(&mut part).is_err());
    }

    #[test]
    fn nothing_is_written_once_time_is_up() {
        let file = tempfile::tempfile().unwrap();
        let slice = Slice::new(file, 0, 10, 6);
        let mut slice = slice.until(Instant::now() + PATIENCE);
        assert_eq!(slice.write(b"x").unwrap(), 1);
        let mut slice = slice.until(Instant::now());
        assert!(slice.write(b"y").is_err());
        assert_eq!(slice.file.metadata().unwrap().len(), 1);
    }

    #[test]
    fn nothing_outside_of_it_is_read_or_written() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut slice = Slice::new(file, 2, 4, 64);
        let mut text = String::new();
        slice.read_to_string(&mut text).unwrap();
        assert_eq!(text, "2345");
        slice.seek(SeekFrom::End(-1)).unwrap();
        assert_eq!(slice.write(b"xyz").unwrap(), 1);
        assert!(slice.seek(SeekFrom::Current(-9)).is_err());
        let mut file = slice.file;
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "01234x6789");
    }
}
