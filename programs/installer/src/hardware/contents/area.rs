//! A part of a disk that is being looked at: what lies at its two ends, and a few bytes anywhere.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::Range;

/// How much is looked at from the beginning, in bytes.
pub(super) const HEAD: u64 = 512 << 10;
/// How much is looked at before the end, in bytes.
pub(super) const TAIL: u64 = 768 << 10;
/// How much of the beginning is read to tell that there is nothing at all, in bytes.
const BEGINNING: u64 = 4 << 20;
/// How many places behind that are read for it, and how much of each, in bytes.
const SAMPLES: u64 = 128;
const SAMPLE: u64 = 4096;

/// `size` bytes of a device from `start` on.
#[derive(Debug)]
pub(super) struct Area<'a> {
    device: &'a File,
    start: u64,
    size: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl<'a> Area<'a> {
    /// Reads both ends of that part of `device`.
    pub(super) fn read(device: &'a File, start: u64, size: u64) -> io::Result<Self> {
        let mut area = Self {
            device,
            start,
            size,
            head: Vec::new(),
            tail: Vec::new(),
        };
        area.head = area.bytes(0, HEAD.min(size))?;
        let tail = TAIL.min(size);
        area.tail = area.bytes(size - tail, tail)?;
        Ok(area)
    }

    /// Bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// What is there from `offset` on, as far as it was read with the beginning.
    pub(super) fn head(&self, offset: usize) -> &[u8] {
        self.head.get(offset..).unwrap_or_default()
    }

    /// What is there from `distance` bytes before the end on, as far as it was read with the end.
    pub(super) fn tail(&self, distance: u64) -> &[u8] {
        let at = usize::try_from(distance).ok();
        let at = at.and_then(|distance| self.tail.len().checked_sub(distance));
        at.map_or(&[], |at| &self.tail[at..])
    }

    /// Reads `length` bytes at `offset`, which must lie in it. Whoever asks bounds the length.
    pub(super) fn bytes(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let outside = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let end = offset.checked_add(length).ok_or_else(outside)?;
        let at = self.start.checked_add(offset).ok_or_else(outside)?;
        if end > self.size {
            return Err(outside());
        }
        let mut data = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.device.read_exact_at(&mut data, at)?;
        Ok(data)
    }

    /// Forgets what was read of its ends inside of `ranges`: that is theirs. A range that reaches
    /// beyond the end is not of this disk alone, and keeps nothing.
    pub(super) fn leave(&mut self, ranges: &[Range]) {
        let ends = |it: &Range| it.start.saturating_add(it.size);
        let partitions = ranges.iter().filter(|it| !it.is_frame());
        let whole = partitions.filter(|it| ends(it) <= self.size);
        if let Some(first) = whole.clone().map(|it| it.start).min() {
            self.head
                .truncate(usize::try_from(first).unwrap_or(usize::MAX));
        }
        if let Some(last) = whole.map(ends).max() {
            let left = usize::try_from(self.size - last).unwrap_or(usize::MAX);
            let covered = self.tail.len().saturating_sub(left);
            self.tail.drain(..covered);
        }
    }

    /// Forgets what was read of its end: that lies on another disk.
    pub(super) fn forget_end(&mut self) {
        self.tail.clear();
    }

    /// Whether it has nothing but zeros between the `margin` bytes at both of its ends, as far as a look
    /// at the edges and at many places between tells: reading all of a disk takes hours.
    pub(super) fn is_blank(&self, margin: u64) -> io::Result<bool> {
        let Some(rest) = self.size.checked_sub(2 * margin) else {
            return Ok(true);
        };
        let (begin, end) = (BEGINNING.min(rest), TAIL.min(rest));
        let stride = rest / (SAMPLES + 1) / SAMPLE * SAMPLE;
        let samples = (1..=SAMPLES)
            .map(|index| (index * stride, SAMPLE))
            .filter(|_| stride > 0);
        let places = [(0, begin), (rest - end, end)];
        for (at, length) in places.into_iter().chain(samples) {
            let data = self.bytes(margin + at, length)?;
            if data.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A device of `size` bytes that has nothing but these writes: offset and bytes.
#[cfg(test)]
pub(super) fn device(size: u64, writes: &[(u64, &[u8])]) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(size).unwrap();
    for (offset, data) in writes {
        file.write_all_at(data, *offset).unwrap();
    }
    file
}
