//! Whose the clusters of a volume are.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::check::check;
use super::damaged;
use super::draft::Draft;
use super::folder::Folder;
use super::shape::Shape;
use super::table::Table;

/// The table of a volume, and what nobody has although the table says that somebody does.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) shape: Shape,
    pub(super) table: Table,
    /// Clusters that no file has, and that are not free either: somebody was cut off while writing.
    lost: BTreeSet<u32>,
    /// Some of these were looked at, and hold something else than what is to be written there.
    keeps_lost: bool,
}

impl Space {
    /// Looks through a volume; returns its root folder, too. Fails with what is wrong.
    ///
    /// Tables that differ are damage, unless the volume says that something was begun and not finished, or
    /// cannot say it: then every one of them must be right for all files that there are, and the first one
    /// holds.
    pub(super) fn of(disk: &mut (impl Read + Seek), shape: Shape) -> io::Result<(Self, Folder)> {
        let mut table = Table::read(disk, &shape, 0)?;
        let (root, taken) = check(disk, &shape, &table)?;
        for copy in 1..shape.tables.len() {
            if table.is_like(disk, &shape, copy)? {
                continue;
            }
            let other = Table::read(disk, &shape, copy)?;
            let was_cut_off = !table.is_finished() || !other.is_finished();
            if !was_cut_off || check(disk, &shape, &other).is_err() {
                return Err(damaged("its two tables differ"));
            }
            table.mark_unlike(&other);
        }
        let clusters = 2..shape.clusters + 2;
        let is_lost = |it: &u32| !taken[*it as usize] && table.get(*it) != 0 && !table.is_bad(*it);
        let lost = clusters.filter(is_lost).collect();
        let space = Self {
            shape,
            table,
            lost,
            keeps_lost: false,
        };
        Ok((space, root))
    }

    /// Bytes of a cluster.
    pub(super) fn cluster(&self) -> usize {
        self.shape.cluster
    }

    /// The clusters behind `last` that may be written to.
    pub(super) fn free(&self, last: u32) -> impl Iterator<Item = u32> + '_ {
        let all = last.max(1) + 1..self.shape.clusters + 2;
        all.filter(|it| self.table.get(*it) == 0 || self.lost.contains(it))
    }

    /// How many of these there are.
    pub(super) fn free_count(&self) -> usize {
        self.free(0).count()
    }

    /// Whether everything that the table has is somebody's.
    pub(super) fn is_whole(&self) -> bool {
        self.lost.is_empty() && !self.keeps_lost
    }

    /// Whether all lost clusters that `draft` takes hold just what it writes there: then they are what was
    /// written when it was cut off. The others stay what they are, and are not taken again.
    pub(super) fn accepts(
        &mut self,
        disk: &mut (impl Read + Seek),
        draft: &Draft<'_>,
    ) -> io::Result<bool> {
        let mut is_accepted = true;
        for (cluster, part) in &draft.parts {
            if !self.lost.contains(cluster) {
                continue;
            }
            let mut found = vec![0; part.len()];
            disk.seek(SeekFrom::Start(self.shape.at(*cluster)))?;
            disk.read_exact(&mut found)?;
            if found != **part {
                self.lost.remove(cluster);
                self.keeps_lost = true;
                is_accepted = false;
            }
        }
        Ok(is_accepted)
    }

    /// Makes the table say which clusters of `draft` follow each other. Nobody has them yet.
    pub(super) fn link(&mut self, draft: &Draft<'_>) {
        for chain in &draft.chains {
            for (index, cluster) in chain.iter().enumerate() {
                self.lost.remove(cluster);
                let next = chain.get(index + 1).copied();
                self.table.set(*cluster, next.unwrap_or(self.table.end()));
            }
        }
    }

    /// The clusters of the chain that begins with `first`, which was looked through.
    pub(super) fn chain(&self, first: u32) -> Vec<u32> {
        let next = |it: &u32| Some(self.table.get(*it)).filter(|it| self.table.has(*it));
        let first = Some(first).filter(|it| self.table.has(*it));
        std::iter::successors(first, next).collect()
    }

    /// Writes what changed in the table to every copy.
    pub(super) fn write(&mut self, disk: &mut (impl Write + Seek)) -> io::Result<()> {
        self.table.write(disk, &self.shape)?;
        disk.flush()
    }
}
