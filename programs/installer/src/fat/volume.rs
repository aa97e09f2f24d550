//! A volume, and what is changed on it: one step at a time, each of which is there or is not.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::draft::{Draft, Node};
use super::folder::Folder;
use super::record::{LAST, RECORD, records};
use super::shape::Shape;
use super::space::Space;
use super::stamp::Stamp;
use crate::untrusted;

/// A FAT volume on which everything is as it should be.
#[derive(Debug)]
pub(crate) struct Volume<T> {
    pub(super) disk: T,
    pub(super) space: Space,
    pub(super) root: Folder,
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
        let (space, root) = Space::of(&mut disk, Shape::of(&boot)?)?;
        Ok(Some(Self { disk, space, root }))
    }

    /// Whether the root folder has something called `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        records(&self.root.bytes)
            .iter()
            .any(|it| it.is_called(name))
    }

    /// Gives the volume's label, if it has one in its root folder, a date.
    pub(crate) fn date_label(&mut self, stamp: Stamp) -> io::Result<()> {
        const LABEL: u8 = 8;
        let mut records = self.root.bytes.chunks_exact_mut(RECORD);
        if let Some(label) = records.find(|it| it[0] != LAST && it[11] == LABEL) {
            label[22..24].copy_from_slice(&stamp.time.to_le_bytes());
            label[24..26].copy_from_slice(&stamp.date.to_le_bytes());
        }
        let all = 0..self.root.bytes.len();
        self.root.write(&mut self.disk, &self.space.shape, &all)
    }

    /// Adds `nodes`, whose names are of ASCII and not in the root folder yet. Fails with `StorageFull`
    /// before anything is written if there is no room for them.
    pub(crate) fn add(&mut self, nodes: &[(String, Node<'_>)], stamp: Stamp) -> io::Result<()> {
        self.add_to(&self.root.clone(), nodes, stamp)
    }

    /// The same in any folder.
    pub(super) fn add_to(
        &mut self,
        folder: &Folder,
        nodes: &[(String, Node<'_>)],
        stamp: Stamp,
    ) -> io::Result<()> {
        let (draft, (mut folder, place, records)) = self.draft(|space, draft| {
            let mut folder = folder.clone();
            let (place, records) = draft.add(space, &mut folder, nodes, stamp)?;
            Ok((folder, place, records))
        })?;
        let range = folder.put(place, &records);
        self.commit(folder, &draft, &range, &[])
    }

    /// Drafts what `make` does, until it takes nothing that is another's.
    pub(super) fn draft<'a, R>(
        &mut self,
        make: impl Fn(&Space, &mut Draft<'a>) -> io::Result<R>,
    ) -> io::Result<(Draft<'a>, R)> {
        loop {
            let mut draft = Draft::default();
            let outcome = make(&self.space, &mut draft)?;
            if self.space.accepts(&mut self.disk, &draft)? {
                return Ok((draft, outcome));
            }
        }
    }

    /// Carries out `draft`, which `folder` shows by what is in that part of it; then the clusters that are
    /// `gone` are nobody's any more.
    pub(super) fn commit(
        &mut self,
        folder: Folder,
        draft: &Draft<'_>,
        shown: &Range<usize>,
        gone: &[u32],
    ) -> io::Result<()> {
        let was_finished = self.space.table.mark_finished(false);
        self.space.write(&mut self.disk)?;
        for (cluster, part) in &draft.parts {
            self.disk
                .seek(SeekFrom::Start(self.space.shape.at(*cluster)))?;
            self.disk.write_all(part)?;
        }
        self.disk.flush()?;
        self.space.link(draft);
        self.space.write(&mut self.disk)?;
        // A folder gets longer only when what it gets is whole.
        if let Some((last, next)) = draft.join {
            self.space.table.set(last, next);
            self.space.write(&mut self.disk)?;
        }
        folder.write(&mut self.disk, &self.space.shape, shown)?;
        self.disk.flush()?;
        if folder.first == 0 {
            self.root = folder;
        }
        for cluster in gone {
            self.space.table.set(*cluster, 0);
        }
        self.space.write(&mut self.disk)?;
        self.count_free()?;
        self.space.table.mark_finished(was_finished);
        self.space.write(&mut self.disk)
    }

    /// Writes down how many clusters are free, where FAT32 has it (§5, "FS Information Sector").
    pub(super) fn count_free(&mut self) -> io::Result<()> {
        let Some(at) = self.space.shape.info else {
            return Ok(());
        };
        let mut info = [0; 512];
        self.disk.seek(SeekFrom::Start(at))?;
        self.disk.read_exact(&mut info)?;
        if info.starts_with(b"RRaA") && info[484..488] == *b"rrAa" {
            let table = &self.space.table;
            let free = u32::try_from(table.free(0).count()).map_err(io::Error::other)?;
            let next = table.free(0).next().unwrap_or(u32::MAX);
            info[488..492].copy_from_slice(&free.to_le_bytes());
            info[492..496].copy_from_slice(&next.to_le_bytes());
            self.disk.seek(SeekFrom::Start(at))?;
            self.disk.write_all(&info)?;
        }
        self.disk.flush()
    }
}
