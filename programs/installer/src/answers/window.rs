//! A part of a device, for libraries that want a whole one.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use super::extent::Extent;

/// The most bytes that are read through one window: a table, or a root directory and its chain of
/// clusters, are far smaller.
const ALLOWANCE: u64 = 16 << 20;

/// A part of a device as if it were all. Reads at most [`ALLOWANCE`] bytes, and never writes.
pub(crate) struct Window<'d> {
    device: &'d File,
    extent: Extent,
    position: u64,
    allowance: u64,
}

impl<'d> Window<'d> {
    /// The bytes of `device` in `extent`.
    pub(crate) fn new(device: &'d File, extent: Extent) -> Self {
        Self {
            device,
            extent,
            position: 0,
            allowance: ALLOWANCE,
        }
    }
}

impl std::fmt::Debug for Window<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?} at {}", self.extent, self.position)
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.extent.length.saturating_sub(self.position);
        let wanted = left.min(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
        if wanted > self.allowance {
            return Err(io::Error::other(
                "its tables lead in circles, or are far too large",
            ));
        }
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let start = self.extent.start + self.position;
        let count = self.device.read_at(&mut buffer[..wanted], start)?;
        let counted = u64::try_from(count).unwrap_or(u64::MAX);
        self.allowance -= counted;
        self.position += counted;
        Ok(count)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.extent.length.checked_add_signed(offset),
        };
        let target = target.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        self.position = target;
        Ok(target)
    }
}

impl Write for Window<'_> {
    /// The library wants a device that can be written to, and does not write unless asked.
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(ErrorKind::ReadOnlyFilesystem))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_its_part_only_and_takes_no_writes() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let part = Extent {
            number: None,
            is_esp: false,
            start: 2,
            length: 5,
        };
        let mut window = Window::new(&file, part);
        let mut text = String::new();
        window.seek(SeekFrom::End(-4)).unwrap();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "3456");
        assert!(window.seek(SeekFrom::Current(-6)).is_err());
        assert!(window.write(b"x").is_err());
    }
}
