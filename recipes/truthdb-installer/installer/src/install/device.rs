//! A whole disk, read and written by byte offsets: writes go through the page cache and are flushed
//! when told; reading back goes past it, so that it tells what the disk has and not what it was sent.

use std::fs::File;
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::OFlags;

use crate::hardware::Disk;
use crate::slice::{count_read, sought};

/// What reading past the page cache is aligned to, in bytes: the largest logical block there is.
pub(super) const ALIGNMENT: usize = 4096;
/// How much is read or written at once, in bytes.
pub(super) const CHUNK: usize = 1 << 20;

/// How often a part of a disk is read at most: a chain of clusters may lead back to itself.
const MOST_READS: u32 = 1 << 20;

/// A disk that is open for reading and, unless opened otherwise, for writing.
#[derive(Debug)]
pub(super) struct Device {
    path: PathBuf,
    file: File,
    /// The same disk without the page cache; the same as `file` where there is no such thing.
    direct: File,
    size: u64,
    block_size: u64,
}

impl Device {
    /// Opens `disk` for writing. Fails with `ResourceBusy` if anything else uses it.
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
        Self::open_as(path, disk, true)
    }

    /// Opens `disk` for reading only.
    pub(super) fn open_read_only(root: &Path, disk: &Disk) -> io::Result<Self> {
        Self::open_as(root.join("dev").join(&disk.name), disk, false)
    }

    fn open_as(path: PathBuf, disk: &Disk, write: bool) -> io::Result<Self> {
        let file = File::options().read(true).write(write).open(&path)?;
        let flags = OFlags::DIRECT.bits().cast_signed();
        let direct = match File::options().read(true).custom_flags(flags).open(&path) {
            Err(error) if error.kind() == ErrorKind::InvalidInput => file.try_clone()?,
            other => other?,
        };
        let size = match file.metadata()? {
            it if it.is_file() => it.len(),
            _ => disk.size,
        };
        Ok(Self {
            path,
            file,
            direct,
            size,
            block_size: disk.block_size,
        })
    }

    /// The device node.
    pub(super) fn path(&self) -> &Path {
        &self.path
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

    /// Reads what is at `offset` as a program would, from the page cache if it is there.
    pub(super) fn read_at(&self, offset: u64, data: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(data, offset)
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
        }
    }
}

/// A part of a disk, read past the page cache from its own offset 0 on; it cannot be written.
#[derive(Debug)]
pub(super) struct Window {
    device: Rc<Device>,
    offset: u64,
    size: u64,
    position: u64,
    reads: u32,
}

impl Window {
    /// The same, to be read `reads` times at most.
    pub(super) fn read_at_most(self, reads: u32) -> Self {
        Self { reads, ..self }
    }
}

impl io::Read for Window {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        count_read(&mut self.reads)?;
        let left = usize::try_from(self.size.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let length = data.len().min(left).min(CHUNK);
        let found = self.device.read_back(self.offset + self.position, length)?;
        data[..length].copy_from_slice(&found);
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
