//! What is to be written into clusters that nobody has yet.

use std::borrow::Cow;
use std::io::{self, ErrorKind};

use super::damaged;
use super::folder::Folder;
use super::record::{self, Facts, Record, Short, records};
use super::space::Space;
use super::stamp::Stamp;

/// What is added.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    /// A folder, with what is in it.
    Folder(Vec<(String, Node<'a>)>),
    /// A file's content.
    File(&'a [u8]),
}

/// The folders of these paths, with the files in them, both in the order in which they come first.
pub(crate) fn tree<'a>(files: &[(&str, &'a [u8])]) -> Vec<(String, Node<'a>)> {
    let mut nodes: Vec<(String, Node<'a>)> = Vec::new();
    for (path, content) in files {
        match path.split_once('/') {
            None => nodes.push(((*path).to_owned(), Node::File(content))),
            Some((folder, _)) if nodes.iter().any(|(name, _)| name == folder) => {}
            Some((folder, _)) => {
                let inner = files.iter().filter_map(|(path, content)| {
                    let path = path.strip_prefix(folder)?.strip_prefix('/')?;
                    Some((path, *content))
                });
                let inner: Vec<_> = inner.collect();
                nodes.push((folder.to_owned(), Node::Folder(tree(&inner))));
            }
        }
    }
    nodes
}

/// New clusters, and what they hold.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) parts: Vec<(u32, Cow<'a, [u8]>)>,
    pub(super) chains: Vec<Vec<u32>>,
    /// The last cluster of a folder that gets longer, and the one that is to follow it.
    pub(super) join: Option<(u32, u32)>,
    /// The last cluster that was taken.
    last: u32,
}

impl<'a> Draft<'a> {
    /// The next free clusters for so many bytes, and the bytes for them.
    fn take(&mut self, space: &Space, bytes: Cow<'a, [u8]>) -> io::Result<Vec<u32>> {
        let size = space.cluster();
        let count = bytes.len().div_ceil(size);
        let taken: Vec<u32> = space.free(self.last).take(count).collect();
        if taken.len() < count {
            return Err(ErrorKind::StorageFull.into());
        }
        self.last = taken.last().copied().unwrap_or(self.last);
        match bytes {
            Cow::Borrowed(bytes) => {
                let parts = bytes.chunks(size).map(Cow::Borrowed);
                self.parts.extend(taken.iter().copied().zip(parts));
            }
            Cow::Owned(bytes) => {
                let parts = bytes.chunks(size).map(|it| Cow::Owned(it.to_vec()));
                self.parts.extend(taken.iter().copied().zip(parts));
            }
        }
        Ok(taken)
    }

    /// A file's content; returns what its record has, with 0 for the first cluster of none.
    pub(super) fn file(
        &mut self,
        space: &Space,
        content: &'a [u8],
        stamp: Stamp,
    ) -> io::Result<Facts> {
        let chain = self.take(space, Cow::Borrowed(content))?;
        let first = chain.first().copied().unwrap_or(0);
        self.chains.push(chain);
        Ok(Facts {
            is_folder: false,
            first,
            size: u32::try_from(content.len()).map_err(|_| ErrorKind::FileTooLarge)?,
            stamp,
        })
    }

    /// Room for `nodes` in `folder`, which gets longer if it must, and them; returns where their records are
    /// to be in it, and these.
    pub(super) fn add(
        &mut self,
        space: &Space,
        folder: &mut Folder,
        nodes: &'a [(String, Node<'a>)],
        stamp: Stamp,
    ) -> io::Result<(usize, Vec<u8>)> {
        let taken = records(&folder.bytes);
        let taken: Vec<Short> = taken.iter().map(|it: &Record| it.short).collect();
        let names = named(nodes, taken)?;
        let (place, longer) = folder.room(count(&names))?;
        if longer > 0 {
            let empty = vec![0; longer.next_multiple_of(space.cluster())];
            folder.bytes.extend(&empty);
            let new = self.take(space, Cow::Owned(empty))?;
            self.join = folder.chain.last().copied().zip(new.first().copied());
            folder.chain.extend(&new);
            self.chains.push(new);
        }
        let records = self.place(space, &names, folder.first, stamp)?;
        Ok((place, records))
    }

    /// Places what is called so in the folder that begins with cluster `parent`, 0 if that is the root,
    /// and returns their records there.
    fn place(
        &mut self,
        space: &Space,
        nodes: &[(&str, Short, &'a Node<'a>)],
        parent: u32,
        stamp: Stamp,
    ) -> io::Result<Vec<u8>> {
        let mut found = Vec::new();
        for (name, short, node) in nodes {
            let facts = match node {
                Node::File(content) => self.file(space, content, stamp)?,
                Node::Folder(inner) => self.folder(space, inner, parent, stamp)?,
            };
            found.extend(record::write(name, short, facts));
        }
        Ok(found)
    }

    fn folder(
        &mut self,
        space: &Space,
        inner: &'a [(String, Node<'a>)],
        parent: u32,
        stamp: Stamp,
    ) -> io::Result<Facts> {
        let names = named(inner, Vec::new())?;
        let bytes = (2 + count(&names)) * record::RECORD;
        let empty = vec![0; bytes.next_multiple_of(space.cluster())];
        let begin = self.parts.len();
        let chain = self.take(space, Cow::Owned(empty))?;
        let first = chain[0];
        let mut bytes = record::begin(first, parent, stamp);
        bytes.extend(self.place(space, &names, first, stamp)?);
        bytes.resize(chain.len() * space.cluster(), 0);
        let parts = bytes.chunks(space.cluster());
        for ((_, empty), part) in self.parts[begin..].iter_mut().zip(parts) {
            *empty = Cow::Owned(part.to_vec());
        }
        self.chains.push(chain);
        Ok(Facts {
            is_folder: true,
            first,
            size: 0,
            stamp,
        })
    }
}

/// How many records a folder needs for these.
fn count(names: &[(&str, Short, &Node<'_>)]) -> usize {
    let counts = names
        .iter()
        .map(|(name, short, _)| record::count(name, short));
    counts.sum()
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
