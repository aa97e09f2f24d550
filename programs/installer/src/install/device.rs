//! A whole disk, read and written by byte offsets: writes go through the page cache and are flushed
//! when told; reading back goes past it, so that it tells what the disk has and not what it was sent.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Error, ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{Advice, OFlags, fadvise, major, minor};
use rustix::io::Errno;

use crate::hardware::Disk;
use crate::sys::discard;
use common::slice::{count_read, sought};

/// What reading past the page cache is aligned to, in bytes: the largest logical block there is.
pub(super) const ALIGNMENT: usize = 4096;
/// How much is read or written at once, in bytes.
pub(super) const CHUNK: usize = 1 << 20;

/// How much a [`Window`] reads at once, in bytes: who reads a file system asks for small pieces, and
/// a disk on USB takes as long for one as for many.
const PIECE: u64 = 64 << 10;
/// How many pieces a [`Window`] remembers: some of a file, some of the tables that say where it lies.
const PIECES: usize = 8;

/// How often a part of a disk is read at most: a chain of clusters may lead back to itself.
const MOST_READS: u32 = 1 << 20;

/// A disk that is open for reading and, unless opened otherwise, for writing.
#[derive(Debug)]
pub(super) struct Device {
    file: File,
    /// The same disk without the page cache; the same as `file` where there is no such thing.
    direct: File,
    size: u64,
    block_size: u64,
}

impl Device {
    /// Opens `disk` for writing. Fails with `ResourceBusy` if anything else uses it, and with `NODEV`
    /// if there is something else in its place. What is opened stays that disk: when it is taken out,
    /// all that is done to it fails, whatever gets its name.
    pub(super) fn open(root: &Path, disk: &Disk) -> io::Result<Self> {
        let path = root.join("dev").join(&disk.name);
        if std::fs::metadata(&path)?.file_type().is_block_device() {
            // Whoever else opened it so, such as a mounted file system, makes this fail.
            let exclusive = OFlags::EXCL.bits().cast_signed();
            drop(
                File::options()
                    .read(true)
                    .write(true)
                    .custom_flags(exclusive)
                    .open(&path)?,
            );
        }
        Self::open_as(&path, disk, true)
    }

    /// Opens `disk` for reading only.
    pub(super) fn open_read_only(root: &Path, disk: &Disk) -> io::Result<Self> {
        Self::open_as(&root.join("dev").join(&disk.name), disk, false)
    }

    fn open_as(path: &Path, disk: &Disk, write: bool) -> io::Result<Self> {
        let file = File::options().read(true).write(write).open(path)?;
        let is_file = file.metadata()?.is_file();
        let flags = OFlags::DIRECT.bits().cast_signed();
        let direct = match File::options().read(true).custom_flags(flags).open(path) {
            Err(error) if error.kind() == ErrorKind::InvalidInput && is_file => file.try_clone()?,
            other => other?,
        };
        for handle in [&file, &direct] {
            if !is_device_of(handle, disk)? {
                return Err(Errno::NODEV.into());
            }
        }
        let size = (&file).seek(SeekFrom::End(0))?;
        Ok(Self {
            file,
            direct,
            size,
            block_size: disk.block_size,
        })
    }

    /// Opens what is at `path`, a device that the kernel makes out of another one.
    pub(super) fn open_made(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let flags = OFlags::DIRECT.bits().cast_signed();
        let direct = File::options().read(true).custom_flags(flags).open(path)?;
        let size = (&file).seek(SeekFrom::End(0))?;
        Ok(Self {
            file,
            direct,
            size,
            block_size: ALIGNMENT as u64,
        })
    }

    /// Another handle on the same disk, for a program that is not to look for it by its name: another
    /// one may have that by then, or nobody.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes in a logical block.
    pub(super) fn block_size(&self) -> u64 {
        self.block_size
    }

    /// Writes all of `data` at `offset`.
    pub(super) fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    /// Waits until everything written is where a power cut cannot reach it, if the disk tells the
    /// truth.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Says of `length` bytes at `offset` that nothing of them is in use; what they read as from then on
    /// is the disk's choice.
    pub(super) fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        discard(&self.file, offset, length)
    }

    /// The disk, to be read by others' code: what was written to it is on it, and not remembered.
    pub(super) fn fresh(&self) -> io::Result<&File> {
        self.flush()?;
        fadvise(&self.file, 0, None, Advice::DontNeed)?;
        Ok(&self.file)
    }

    /// Reads `length` bytes at `offset` from the disk itself. Neither need be aligned.
    pub(super) fn read_back(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let align = ALIGNMENT as u64;
        let start = offset / align * align;
        let skipped = usize::try_from(offset - start).map_err(Error::other)?;
        let wanted = (skipped + length).next_multiple_of(ALIGNMENT);
        let mut buffer = vec![0; wanted + ALIGNMENT];
        let shift = buffer.as_ptr().align_offset(ALIGNMENT);
        let aligned = &mut buffer[shift..shift + wanted];
        let mut filled = 0;
        while filled < skipped + length {
            match self
                .direct
                .read_at(&mut aligned[filled..], start + filled as u64)
            {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(aligned[skipped..skipped + length].to_vec())
    }

    /// A part of the disk, to be read by others' code.
    pub(super) fn window(self: &Rc<Self>, offset: u64, size: u64) -> Window {
        Window {
            device: Rc::clone(self),
            offset,
            size,
            position: 0,
            reads: MOST_READS,
            pieces: VecDeque::new(),
        }
    }
}

/// Whether an open file is the device of `disk`, and not what lies where its node was.
pub(super) fn is_device_of(file: &File, disk: &Disk) -> io::Result<bool> {
    let found = file.metadata()?;
    let number = (major(found.rdev()), minor(found.rdev()));
    let is_device = found.file_type().is_block_device();
    Ok((disk.device).is_none_or(|device| is_device && device == number))
}

/// A part of a disk, read past the page cache from its own offset 0 on; it cannot be written. It shows
/// what the disk has, or had since the window was made.
#[derive(Debug)]
pub(super) struct Window {
    device: Rc<Device>,
    offset: u64,
    size: u64,
    position: u64,
    reads: u32,
    /// What was read last, with its offset, newest first.
    pieces: VecDeque<(u64, Vec<u8>)>,
}

impl Window {
    /// The same, to be read `reads` times at most.
    pub(super) fn read_at_most(self, reads: u32) -> Self {
        Self { reads, ..self }
    }

    /// The piece that begins at `start`; it is shorter at the window's end.
    fn piece(&mut self, start: u64) -> io::Result<&[u8]> {
        let known = self.pieces.iter().position(|(at, _)| *at == start);
        let index = if let Some(index) = known {
            index
        } else {
            let length = usize::try_from(PIECE.min(self.size - start)).map_err(Error::other)?;
            let from = self.offset.saturating_add(start);
            let piece = self.device.read_back(from, length)?;
            self.pieces.truncate(PIECES - 1);
            self.pieces.push_front((start, piece));
            0
        };
        Ok(&self.pieces[index].1)
    }
}

impl io::Read for Window {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        count_read(&mut self.reads)?;
        if self.position >= self.size {
            return Ok(0);
        }
        let skipped = self.position % PIECE;
        let piece = self.piece(self.position - skipped)?;
        let left = &piece[usize::try_from(skipped).map_err(Error::other)?..];
        let length = data.len().min(left.len());
        data[..length].copy_from_slice(&left[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl io::Write for Window {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::PermissionDenied.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Seek for Window {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.position = sought(to, self.position, self.size)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::test_disk;
    use super::*;

    /// A disk of these bytes in a folder, which it is open in.
    fn opened(content: &[u8]) -> (tempfile::TempDir, Device) {
        let root = tempfile::tempdir().unwrap();
        let disk = test_disk::disk(root.path(), 0, 512);
        fs::write(root.path().join("dev/sda"), content).unwrap();
        let device = Device::open(root.path(), &disk).unwrap();
        (root, device)
    }

    #[test]
    fn a_window_shows_its_part_of_the_disk_however_it_is_read() {
        use std::io::{Read, Seek};

        let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let (_root, device) = opened(&content);
        let (offset, size) = (1_234_567, 1_500_001);
        let expected = &content[offset..offset + size];
        let mut window = Rc::new(device).window(offset as u64, size as u64);
        let mut found = Vec::new();
        window.read_to_end(&mut found).unwrap();
        assert!(found == expected);
        assert_eq!(window.pieces.len(), PIECES);
        for step in 0..100 {
            let at = step * 777_777 % (size - 10);
            let mut few = [0; 10];
            window.seek(SeekFrom::Start(at as u64)).unwrap();
            window.read_exact(&mut few).unwrap();
            assert_eq!(few, expected[at..at + 10]);
        }
        window.seek(SeekFrom::Start(size as u64)).unwrap();
        assert_eq!(window.read(&mut [0; 10]).unwrap(), 0);
    }

    #[test]
    fn a_file_in_the_place_of_a_disk_is_not_taken_for_it() {
        let root = tempfile::tempdir().unwrap();
        let mut disk = test_disk::disk(root.path(), 8192, 512);
        for open in [Device::open, Device::open_read_only] {
            assert!(open(root.path(), &disk).is_ok());
        }
        disk.device = Some((8, 0));
        for open in [Device::open, Device::open_read_only] {
            let error = open(root.path(), &disk).unwrap_err();
            assert_eq!(Errno::from_io_error(&error), Some(Errno::NODEV));
        }
    }

    #[test]
    fn windows_of_any_size_and_place_are_read_without_counting_too_far() {
        let (_root, device) = opened(&[7; 8192]);
        let device = Rc::new(device);
        for (offset, size, position, expected) in [
            (100, 50, 0, Some(50)),
            (8000, u64::MAX, 0, None),
            (u64::MAX, u64::MAX, 9, None),
            (512, 512, u64::MAX, Some(0)),
        ] {
            let mut window = device.window(offset, size);
            io::Seek::seek(&mut window, io::SeekFrom::Start(position)).unwrap();
            let count = io::Read::read(&mut window, &mut [0; 512]).ok();
            assert_eq!(count, expected, "{offset} {size} {position}");
        }
    }
}
