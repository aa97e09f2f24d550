//! Files at their paths: which are there, what is missing, what is otherwise, and how that is changed.
//!
//! A file that is changed lies in new clusters before its record points to them, and only then are its
//! former ones free: whenever that is cut off, it is the one or the other.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::check::{first_of, read_folder};
use super::draft::{Node, tree};
use super::folder::Folder;
use super::record::{self, DELETED, RECORD, Record, records};
use super::stamp::Stamp;
use super::volume::Volume;

/// Something that is to be changed on a volume, and that is not as it is wanted yet.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    /// These are not in the folder at this path.
    Add(String, Vec<(String, Node<'a>)>),
    /// The file at this path has another content.
    Replace(String, &'a [u8]),
    /// The file at this path is there.
    Remove(String),
}

impl<T: Read + Write + Seek> Volume<T> {
    /// What is in the folder at `path`, whose parts are parted by `/`, and of which of it is a folder;
    /// `None` if it is not there. The root's path is empty.
    pub(crate) fn names(&mut self, path: &str) -> io::Result<Option<Vec<(String, bool)>>> {
        let folder = self.folder(path)?;
        let names = |it: Folder| {
            let records = records(&it.bytes).into_iter();
            records.map(|it| (it.name, it.is_folder)).collect()
        };
        Ok(folder.map(names))
    }

    /// What is to be done so that `files`, each a path and its content, are on the volume: first what is
    /// missing, folder by folder, then what has another content.
    pub(crate) fn missing<'a>(
        &mut self,
        files: &[(&str, &'a [u8])],
    ) -> io::Result<Vec<Change<'a>>> {
        self.missing_in("", files)
    }

    fn missing_in<'a>(
        &mut self,
        path: &str,
        files: &[(&str, &'a [u8])],
    ) -> io::Result<Vec<Change<'a>>> {
        let below = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        };
        let (mut absent, mut changes) = (Vec::new(), Vec::new());
        let mut seen: Vec<&str> = Vec::new();
        for (rest, content) in files {
            let name = rest.split('/').next().unwrap_or_default();
            let is_file = name == *rest;
            match self.find(&below(name))? {
                None => absent.push((*rest, *content)),
                Some((_, record)) if record.is_folder == is_file => {
                    let what = if is_file { "a folder" } else { "a file" };
                    return Err(is_other(&below(name), what));
                }
                Some((_, record)) if is_file => {
                    let is_as_long = record.size as usize == content.len();
                    if !is_as_long || self.content(&record)? != *content {
                        changes.push(Change::Replace(below(name), content));
                    }
                }
                Some(_) if seen.contains(&name) => {}
                Some(_) => {
                    seen.push(name);
                    let inner = files.iter().filter_map(|(path, content)| {
                        let path = path.strip_prefix(name)?.strip_prefix('/')?;
                        Some((path, *content))
                    });
                    let inner: Vec<_> = inner.collect();
                    changes.extend(self.missing_in(&below(name), &inner)?);
                }
            }
        }
        if !absent.is_empty() {
            changes.insert(0, Change::Add(path.to_owned(), tree(&absent)));
        }
        Ok(changes)
    }

    /// How many bytes these changes take before anything is given back, a cluster for each folder that may
    /// get longer included.
    pub(crate) fn needs(&self, changes: &[Change<'_>]) -> u64 {
        fn of(nodes: &[(String, Node<'_>)], cluster: usize) -> usize {
            let each = nodes.iter().map(|(_, node)| match node {
                Node::File(content) => content.len().div_ceil(cluster),
                // Two records of its own, and at most 21 of each name.
                Node::Folder(inner) => {
                    let records = 2 + 21 * inner.len();
                    (records * RECORD).div_ceil(cluster) + of(inner, cluster)
                }
            });
            each.sum()
        }
        let cluster = self.space.cluster();
        let each = changes.iter().map(|it| match it {
            Change::Add(_, nodes) => 1 + of(nodes, cluster),
            Change::Replace(_, content) => content.len().div_ceil(cluster),
            Change::Remove(_) => 0,
        });
        each.sum::<usize>() as u64 * cluster as u64
    }

    /// How many bytes there are for that.
    pub(crate) fn has_free(&self) -> u64 {
        self.space.free_count() as u64 * self.space.cluster() as u64
    }

    /// Carries out a change that [`Volume::missing`] told, or a removal.
    pub(crate) fn change(&mut self, change: &Change<'_>, stamp: Stamp) -> io::Result<()> {
        match change {
            Change::Add(path, nodes) => {
                let folder = self.folder(path)?.ok_or_else(|| is_gone(path))?;
                self.add_to(&folder, nodes, stamp)
            }
            Change::Replace(path, content) => self.replace(path, content, stamp),
            Change::Remove(path) => self.remove(path),
        }
    }

    /// Takes back what was left over by whoever was cut off while he changed something, as far as it is
    /// known: writes tables that differ, and says that all is finished if nothing is lost. Writes nothing
    /// where nothing was begun.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        if self.space.is_whole() && !self.space.table.is_finished() {
            self.count_free()?;
            self.space.table.mark_finished(true);
        }
        if self.space.table.is_changed() {
            self.space.write(&mut self.disk)?;
        }
        Ok(())
    }

    fn replace(&mut self, path: &str, content: &[u8], stamp: Stamp) -> io::Result<()> {
        let (mut folder, before) = self.find(path)?.ok_or_else(|| is_gone(path))?;
        let (draft, facts) = self.draft(|space, draft| draft.file(space, content, stamp))?;
        let place = before.place.end - RECORD..before.place.end;
        record::point(&mut folder.bytes[place.clone()], facts);
        let gone = self.space.chain(first_of(&self.space.shape, &before));
        self.commit(folder, &draft, &place, &gone)
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        let (mut folder, record) = self.find(path)?.ok_or_else(|| is_gone(path))?;
        if record.is_folder {
            return Err(is_other(path, "a folder"));
        }
        for at in record.place.clone().step_by(RECORD) {
            folder.bytes[at] = DELETED;
        }
        let gone = self.space.chain(first_of(&self.space.shape, &record));
        let (draft, ()) = self.draft(|_, _| Ok(()))?;
        self.commit(folder, &draft, &record.place, &gone)
    }

    /// The folder at `path`.
    fn folder(&mut self, path: &str) -> io::Result<Option<Folder>> {
        if path.is_empty() {
            return Ok(Some(self.root.clone()));
        }
        let Some((_, record)) = self.find(path)? else {
            return Ok(None);
        };
        if !record.is_folder {
            return Err(is_other(path, "a file"));
        }
        let first = first_of(&self.space.shape, &record);
        let chain = self.space.chain(first);
        let bytes = read_folder(&mut self.disk, &self.space.shape, &chain)?;
        Ok(Some(Folder {
            bytes,
            chain,
            first,
        }))
    }

    /// What is at `path`, and the folder that it is in.
    fn find(&mut self, path: &str) -> io::Result<Option<(Folder, Record)>> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(folder) = self.folder(parent)? else {
            return Ok(None);
        };
        let mut found = records(&folder.bytes).into_iter();
        let found = found.find(|it| it.is_called(name));
        Ok(found.map(|record| (folder, record)))
    }

    fn content(&mut self, record: &Record) -> io::Result<Vec<u8>> {
        let size = usize::try_from(record.size).map_err(io::Error::other)?;
        let mut content = vec![0; size];
        let chain = self.space.chain(first_of(&self.space.shape, record));
        let parts = content.chunks_mut(self.space.cluster());
        for (cluster, part) in chain.into_iter().zip(parts) {
            self.disk
                .seek(SeekFrom::Start(self.space.shape.at(cluster)))?;
            self.disk.read_exact(part)?;
        }
        Ok(content)
    }
}

fn is_gone(path: &str) -> io::Error {
    io::Error::other(format!("{path} is not there any more"))
}

fn is_other(path: &str, what: &str) -> io::Error {
    io::Error::other(format!("{path} is {what} there"))
}
