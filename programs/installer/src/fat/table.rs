//! The table that says which cluster follows which: §4.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::shape::{Kind, Shape};

/// Bytes that are written of a table at once, if anything in them changed: the smallest sector.
const UNIT: usize = 512;
/// Bytes that are compared at once.
const CHUNK: usize = 64 << 10;
/// Whatever a table of FAT32 has in the upper four bits is no part of the number, and stays.
const NUMBER: u32 = 0x0fff_ffff;

/// A table in memory, of which what changed is written to every copy.
#[derive(Debug)]
pub(super) struct Table {
    kind: Kind,
    clusters: u32,
    bytes: Vec<u8>,
    changed: BTreeSet<usize>,
}

impl Table {
    /// Reads one of the tables.
    pub(super) fn read(
        disk: &mut (impl Read + Seek),
        shape: &Shape,
        copy: usize,
    ) -> io::Result<Self> {
        let mut bytes = vec![0; shape.table];
        disk.seek(SeekFrom::Start(shape.tables[copy]))?;
        disk.read_exact(&mut bytes)?;
        Ok(Self {
            kind: shape.kind,
            clusters: shape.clusters,
            bytes,
            changed: BTreeSet::new(),
        })
    }

    /// Whether another one of the tables has the same bytes.
    pub(super) fn is_like(
        &self,
        disk: &mut (impl Read + Seek),
        shape: &Shape,
        copy: usize,
    ) -> io::Result<bool> {
        disk.seek(SeekFrom::Start(shape.tables[copy]))?;
        for part in self.bytes.chunks(CHUNK) {
            let mut other = vec![0; part.len()];
            disk.read_exact(&mut other)?;
            if part != other {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Has what is unlike in `other` written the next time.
    pub(super) fn mark_unlike(&mut self, other: &Self) {
        let units = self.bytes.chunks(UNIT).zip(other.bytes.chunks(UNIT));
        let unlike = (0..).zip(units).filter(|(_, (one, other))| one != other);
        self.changed.extend(unlike.map(|(unit, _)| unit));
    }

    /// Writes what changed to every table.
    pub(super) fn write(
        &mut self,
        disk: &mut (impl Write + Seek),
        shape: &Shape,
    ) -> io::Result<()> {
        for table in &shape.tables {
            for unit in &self.changed {
                let end = self.bytes.len().min((unit + 1) * UNIT);
                disk.seek(SeekFrom::Start(table + (unit * UNIT) as u64))?;
                disk.write_all(&self.bytes[unit * UNIT..end])?;
            }
        }
        self.changed.clear();
        Ok(())
    }

    fn place(&self, cluster: u32) -> usize {
        let cluster = cluster as usize;
        match self.kind {
            Kind::Fat12 => cluster * 3 / 2,
            Kind::Fat16 => cluster * 2,
            Kind::Fat32 => cluster * 4,
        }
    }

    /// What the table has for `cluster`, which must be one of the volume's: 0 if it is free.
    pub(super) fn get(&self, cluster: u32) -> u32 {
        let at = self.place(cluster);
        let byte = |index: usize| u32::from(self.bytes[at + index]);
        match (self.kind, cluster % 2) {
            (Kind::Fat12, 0) => byte(0) | (byte(1) & 15) << 8,
            (Kind::Fat12, _) => byte(0) >> 4 | byte(1) << 4,
            (Kind::Fat16, _) => byte(0) | byte(1) << 8,
            (Kind::Fat32, _) => (byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24) & NUMBER,
        }
    }

    /// Makes the table say `next` for `cluster`.
    pub(super) fn set(&mut self, cluster: u32, next: u32) {
        let at = self.place(cluster);
        let [low, middle, high, highest] = next.to_le_bytes();
        let bytes = &mut self.bytes;
        let length = match (self.kind, cluster % 2) {
            (Kind::Fat12, 0) => {
                bytes[at] = low;
                bytes[at + 1] = bytes[at + 1] & 0xf0 | middle & 15;
                2
            }
            (Kind::Fat12, _) => {
                bytes[at] = bytes[at] & 15 | low << 4;
                bytes[at + 1] = low >> 4 | middle << 4;
                2
            }
            (Kind::Fat16, _) => {
                bytes[at..at + 2].copy_from_slice(&[low, middle]);
                2
            }
            (Kind::Fat32, _) => {
                let kept = bytes[at + 3] & 0xf0;
                bytes[at..at + 4].copy_from_slice(&[low, middle, high, kept | highest & 15]);
                4
            }
        };
        self.changed.extend([at / UNIT, (at + length - 1) / UNIT]);
    }

    /// Whether `number` is that of a cluster of this volume.
    pub(super) fn has(&self, number: u32) -> bool {
        (2..self.clusters + 2).contains(&number)
    }

    /// What the last cluster of a chain has.
    pub(super) fn end(&self) -> u32 {
        match self.kind {
            Kind::Fat12 => 0xfff,
            Kind::Fat16 => 0xffff,
            Kind::Fat32 => NUMBER,
        }
    }

    /// Whether `number` ends a chain.
    pub(super) fn is_end(&self, number: u32) -> bool {
        number >= self.end() - 7
    }

    /// The clusters behind `last` that are free.
    pub(super) fn free(&self, last: u32) -> impl Iterator<Item = u32> + '_ {
        (last.max(1) + 1..self.clusters + 2).filter(|cluster| self.get(*cluster) == 0)
    }

    /// Whether `cluster` is marked as one that cannot be used.
    pub(super) fn is_bad(&self, cluster: u32) -> bool {
        self.get(cluster) == self.end() - 8
    }

    /// Which bit says that everything that was begun is finished (§4, `ClnShutBitMask`); FAT12 has none.
    fn finished(&self) -> Option<u32> {
        match self.kind {
            Kind::Fat12 => None,
            Kind::Fat16 => Some(0x8000),
            Kind::Fat32 => Some(0x0800_0000),
        }
    }

    /// Whether the table says so; never on FAT12.
    pub(super) fn is_finished(&self) -> bool {
        self.finished().is_some_and(|bit| self.get(1) & bit != 0)
    }

    /// Makes the table say whether everything that was begun is finished, and returns what it said.
    pub(super) fn mark_finished(&mut self, finished: bool) -> bool {
        let Some(bit) = self.finished() else {
            return true;
        };
        let before = self.get(1);
        self.set(
            1,
            if finished {
                before | bit
            } else {
                before & !bit
            },
        );
        before & bit != 0
    }

    /// Whether anything is to be written.
    pub(super) fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }
}
