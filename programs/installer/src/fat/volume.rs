//! A volume, and what is added to it.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

use super::check::{RootFolder, check};
use super::damaged;
use super::record::{self, DELETED, Facts, LAST, MOST_FOLDER, RECORD, Record, Short, records};
use super::shape::{Root, Shape};
use super::stamp::Stamp;
use super::table::Table;
use crate::untrusted;

/// What is added.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    /// A folder, with what is in it.
    Folder(Vec<(String, Node<'a>)>),
    /// A file's content.
    File(&'a [u8]),
}

/// A FAT volume on which everything is as it should be.
#[derive(Debug)]
pub(crate) struct Volume<T> {
    disk: T,
    shape: Shape,
    table: Table,
    root: Vec<u8>,
    chain: Vec<u32>,
}

/// What is written into clusters that nobody has yet.
#[derive(Debug, Default)]
struct Draft<'a> {
    writes: Vec<(u64, &'a [u8])>,
    folders: Vec<(Vec<u32>, Vec<u8>)>,
    /// The last cluster that was taken.
    last: u32,
}

impl<T: Read + Write + Seek> Volume<T> {
    /// Looks through the volume that fills the `size` bytes of `disk`; `None` if there is none. Fails
    /// with a sentence if it is damaged, and writes nothing.
    pub(crate) fn open(mut disk: T, size: u64) -> io::Result<Option<Self>> {
        if !untrusted::holds_fat(&mut disk, size) {
            return Ok(None);
        }
        let mut boot = [0; 512];
        disk.read_exact(&mut boot)?;
        let shape = Shape::of(&boot)?;
        let table = Table::read(&mut disk, &shape)?;
        let RootFolder { bytes, chain } = check(&mut disk, &shape, &table)?;
        Ok(Some(Self {
            disk,
            shape,
            table,
            root: bytes,
            chain,
        }))
    }

    /// Whether the root folder has something called `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        let name = name.to_uppercase();
        records(&self.root).iter().any(|it| it.name == name)
    }

    /// Gives the volume's label, if it has one in its root folder, a date.
    pub(crate) fn date_label(&mut self, stamp: Stamp) -> io::Result<()> {
        const LABEL: u8 = 8;
        let mut records = self.root.chunks_exact_mut(RECORD);
        if let Some(label) = records.find(|it| it[0] != LAST && it[11] == LABEL) {
            label[22..24].copy_from_slice(&stamp.time.to_le_bytes());
            label[24..26].copy_from_slice(&stamp.date.to_le_bytes());
        }
        self.write_root(0..self.root.len())
    }

    /// Adds `nodes`, whose names are of ASCII and not in the root folder yet. Fails with `StorageFull`
    /// before anything is written if there is no room for them.
    pub(crate) fn add(&mut self, nodes: &[(String, Node<'_>)], stamp: Stamp) -> io::Result<()> {
        let mut draft = Draft::default();
        let taken = records(&self.root);
        let taken: Vec<Short> = taken.iter().map(|it: &Record| it.short).collect();
        let names = named(nodes, taken)?;
        let count = names
            .iter()
            .map(|(name, short, _)| record::count(name, short));
        let last = used(&self.root) * RECORD;
        let place = self.room(count.sum(), &mut draft)?;
        let new = self.place(&names, 0, stamp, &mut draft)?;
        let was_finished = self.table.mark_finished(false);
        self.table.write(&mut self.disk, &self.shape)?;
        self.disk.flush()?;
        self.fill(&draft)?;
        self.disk.flush()?;
        self.link(&draft);
        self.table.write(&mut self.disk, &self.shape)?;
        self.disk.flush()?;
        let end = place + new.len();
        self.root[place..end].copy_from_slice(&new);
        // What lies behind the end of the folder does not come into view.
        let next = self.root.get_mut(end..end + RECORD);
        let end = match next.filter(|it| last < end && it[0] != LAST) {
            Some(record) => {
                record.fill(0);
                end + RECORD
            }
            None => end,
        };
        self.write_root(place..end)?;
        self.disk.flush()?;
        self.count_free()?;
        self.table.mark_finished(was_finished);
        self.table.write(&mut self.disk, &self.shape)?;
        self.disk.flush()
    }

    /// Where the root folder has room for `count` records; it is made longer where it can be.
    fn room(&mut self, count: usize, draft: &mut Draft<'_>) -> io::Result<usize> {
        let used = used(&self.root);
        let is_free = |at: usize| at >= used || self.root[at * RECORD] == DELETED;
        let mut run = 0;
        for at in 0..self.root.len() / RECORD {
            run = if is_free(at) { run + 1 } else { 0 };
            if run == count {
                return Ok((at + 1 - count) * RECORD);
            }
        }
        let start = self.root.len() - run * RECORD;
        if matches!(self.shape.root, Root::Fixed(..)) || self.root.len() >= MOST_FOLDER {
            return Err(ErrorKind::StorageFull.into());
        }
        for cluster in draft.take(&self.table, (count - run) * RECORD, self.shape.cluster)? {
            let empty = vec![0; self.shape.cluster];
            self.root.extend(&empty);
            self.chain.push(cluster);
            draft.folders.push((vec![cluster], empty));
        }
        Ok(start)
    }

    /// Places what is called so in the folder that begins with cluster `parent`, 0 if that is the root,
    /// and returns their records there.
    fn place<'a>(
        &self,
        nodes: &[(&str, Short, &'a Node<'a>)],
        parent: u32,
        stamp: Stamp,
        draft: &mut Draft<'a>,
    ) -> io::Result<Vec<u8>> {
        let size = self.shape.cluster;
        let mut found = Vec::new();
        for (name, short, node) in nodes {
            let (first, length) = match node {
                Node::File(content) => {
                    let chain = draft.take(&self.table, content.len(), size)?;
                    for (cluster, part) in chain.iter().zip(content.chunks(size)) {
                        draft.writes.push((self.shape.at(*cluster), part));
                    }
                    let first = chain.first().copied().unwrap_or(0);
                    draft.folders.push((chain, Vec::new()));
                    (first, content.len())
                }
                Node::Folder(inner) => {
                    let names = named(inner, Vec::new())?;
                    let count = names
                        .iter()
                        .map(|(name, short, _)| record::count(name, short));
                    let bytes = (2 + count.sum::<usize>()) * RECORD;
                    let chain = draft.take(&self.table, bytes, size)?;
                    let first = chain[0];
                    let mut bytes = record::begin(first, parent, stamp);
                    bytes.extend(self.place(&names, first, stamp, draft)?);
                    bytes.resize(chain.len() * size, 0);
                    draft.folders.push((chain, bytes));
                    (first, 0)
                }
            };
            let facts = Facts {
                is_folder: matches!(node, Node::Folder(_)),
                first,
                size: u32::try_from(length).map_err(|_| ErrorKind::FileTooLarge)?,
                stamp,
            };
            found.extend(record::write(name, short, facts));
        }
        Ok(found)
    }

    fn fill(&mut self, draft: &Draft<'_>) -> io::Result<()> {
        let size = self.shape.cluster;
        let folders = draft.folders.iter().flat_map(|(chain, bytes)| {
            let parts = chain.iter().zip(bytes.chunks(size));
            parts.map(|(cluster, part)| (self.shape.at(*cluster), part))
        });
        for (at, part) in draft.writes.iter().copied().chain(folders) {
            self.disk.seek(SeekFrom::Start(at))?;
            self.disk.write_all(part)?;
        }
        Ok(())
    }

    /// Makes the table say whose the new clusters are. That the root became longer is said, too.
    fn link(&mut self, draft: &Draft<'_>) {
        let chains = draft.folders.iter().map(|(chain, _)| chain);
        for chain in chains.chain([&self.chain]) {
            for (index, cluster) in chain.iter().enumerate() {
                let next = chain.get(index + 1).copied();
                let is_last = next.is_none() && self.table.is_end(self.table.get(*cluster));
                if !is_last && next != Some(self.table.get(*cluster)) {
                    self.table.set(*cluster, next.unwrap_or(self.table.end()));
                }
            }
        }
    }

    fn write_root(&mut self, range: std::ops::Range<usize>) -> io::Result<()> {
        let part = |start: usize, end: usize| {
            let (from, to) = (range.start.max(start), range.end.min(end));
            (from < to).then_some((from, to))
        };
        let size = self.shape.cluster;
        let pieces = match self.shape.root {
            Root::Fixed(at, size) => vec![(at, 0, size)],
            Root::Chain(_) => (self.chain.iter().enumerate())
                .map(|(index, cluster)| (self.shape.at(*cluster), index * size, (index + 1) * size))
                .collect(),
        };
        for (at, start, end) in pieces {
            if let Some((from, to)) = part(start, end) {
                self.disk
                    .seek(SeekFrom::Start(at + (from - start) as u64))?;
                self.disk.write_all(&self.root[from..to])?;
            }
        }
        Ok(())
    }

    /// Writes down how many clusters are free, where FAT32 has it (§5, "FS Information Sector").
    fn count_free(&mut self) -> io::Result<()> {
        let Some(at) = self.shape.info else {
            return Ok(());
        };
        let mut info = [0; 512];
        self.disk.seek(SeekFrom::Start(at))?;
        self.disk.read_exact(&mut info)?;
        if info.starts_with(b"RRaA") && info[484..488] == *b"rrAa" {
            let free = u32::try_from(self.table.free(0).count()).map_err(io::Error::other)?;
            let next = self.table.free(0).next().unwrap_or(u32::MAX);
            info[488..492].copy_from_slice(&free.to_le_bytes());
            info[492..496].copy_from_slice(&next.to_le_bytes());
            self.disk.seek(SeekFrom::Start(at))?;
            self.disk.write_all(&info)?;
        }
        Ok(())
    }
}

impl Draft<'_> {
    /// The next free clusters, of `size` bytes each, for so many bytes.
    fn take(&mut self, table: &Table, bytes: usize, size: usize) -> io::Result<Vec<u32>> {
        let count = bytes.div_ceil(size);
        let taken: Vec<u32> = table.free(self.last).take(count).collect();
        if taken.len() < count {
            return Err(ErrorKind::StorageFull.into());
        }
        self.last = taken.last().copied().unwrap_or(self.last);
        Ok(taken)
    }
}

/// How many records a folder has before its end.
fn used(folder: &[u8]) -> usize {
    let records = folder.chunks_exact(RECORD);
    records.take_while(|it| it[0] != LAST).count()
}

/// Gives everything a short name that is not taken.
fn named<'a>(
    nodes: &'a [(String, Node<'a>)],
    mut taken: Vec<Short>,
) -> io::Result<Vec<(&'a str, Short, &'a Node<'a>)>> {
    let mut named = Vec::new();
    for (name, node) in nodes {
        let short = record::short_name(name, &taken);
        let short = short.ok_or_else(|| damaged("it has no short name left"))?;
        taken.push(short);
        named.push((name.as_str(), short, node));
    }
    Ok(named)
}
