//! A folder: its records, and where they lie.

use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;

use super::record::{DELETED, LAST, MOST_FOLDER, RECORD};
use super::shape::{Root, Shape};

/// A folder of a volume.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    /// Its records, and what is behind them.
    pub(super) bytes: Vec<u8>,
    /// Its clusters, none if it lies at a fixed place.
    pub(super) chain: Vec<u32>,
    /// What the folders in it say of where it begins: 0 of the root, whatever its first cluster is.
    pub(super) first: u32,
}

impl Folder {
    /// How many records it has before its end.
    pub(super) fn used(&self) -> usize {
        let records = self.bytes.chunks_exact(RECORD);
        records.take_while(|it| it[0] != LAST).count()
    }

    /// Where it has room for `count` records, and how many bytes it has to be longer for that. Fails with
    /// `StorageFull` if it cannot be longer.
    pub(super) fn room(&self, count: usize) -> io::Result<(usize, usize)> {
        let used = self.used();
        let is_free = |at: usize| at >= used || self.bytes[at * RECORD] == DELETED;
        let mut run = 0;
        for at in 0..self.bytes.len() / RECORD {
            run = if is_free(at) { run + 1 } else { 0 };
            if run == count {
                return Ok(((at + 1 - count) * RECORD, 0));
            }
        }
        if self.chain.is_empty() || self.bytes.len() >= MOST_FOLDER {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok((self.bytes.len() - run * RECORD, (count - run) * RECORD))
    }

    /// Puts `records` at `place`; returns what of the folder is to be written for that.
    pub(super) fn put(&mut self, place: usize, records: &[u8]) -> Range<usize> {
        let last = self.used() * RECORD;
        let end = place + records.len();
        self.bytes[place..end].copy_from_slice(records);
        // What lies behind the end of the folder does not come into view.
        let next = self.bytes.get_mut(end..end + RECORD);
        let end = match next.filter(|it| last < end && it[0] != LAST) {
            Some(record) => {
                record.fill(0);
                end + RECORD
            }
            None => end,
        };
        place..end
    }

    /// Writes that part of it.
    pub(super) fn write(
        &self,
        disk: &mut (impl Write + Seek),
        shape: &Shape,
        range: &Range<usize>,
    ) -> io::Result<()> {
        let size = shape.cluster;
        let pieces = match shape.root {
            Root::Fixed(at, size) if self.chain.is_empty() => vec![(at, 0, size)],
            _ => (self.chain.iter().enumerate())
                .map(|(index, cluster)| (shape.at(*cluster), index * size, (index + 1) * size))
                .collect(),
        };
        for (at, start, end) in pieces {
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                disk.seek(SeekFrom::Start(at + (from - start) as u64))?;
                disk.write_all(&self.bytes[from..to])?;
            }
        }
        Ok(())
    }
}
