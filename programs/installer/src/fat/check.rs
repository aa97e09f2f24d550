//! Whether a volume is as it should be, as far as writing to it depends on that: whose the clusters
//! are. What is free must be nobody's, or somebody's file would be overwritten.

use std::io::{self, Read, Seek, SeekFrom};

use super::damaged;
use super::folder::Folder;
use super::record::{MOST_FOLDER, Record, records};
use super::shape::{Kind, Root, Shape};
use super::table::Table;

/// Follows every chain of the volume. Fails with what is wrong; returns the root folder, and which
/// clusters are somebody's. Every cluster is looked at once, whatever leads to it.
pub(super) fn check(
    disk: &mut (impl Read + Seek),
    shape: &Shape,
    table: &Table,
) -> io::Result<(Folder, Vec<bool>)> {
    let mut taken = vec![false; shape.clusters as usize + 2];
    let root = match shape.root {
        Root::Fixed(at, size) => {
            let mut bytes = vec![0; size];
            disk.seek(SeekFrom::Start(at))?;
            disk.read_exact(&mut bytes)?;
            Folder {
                bytes,
                chain: Vec::new(),
                first: 0,
            }
        }
        Root::Chain(first) => {
            let chain = follow(table, first, &mut taken)?;
            Folder {
                bytes: read_folder(disk, shape, &chain)?,
                chain,
                first: 0,
            }
        }
    };
    let mut pending = records(&root.bytes);
    while let Some(record) = pending.pop() {
        let first = first_of(shape, &record);
        if first == 0 && record.size == 0 && !record.is_folder {
            continue;
        }
        let chain = follow(table, first, &mut taken)?;
        if record.is_folder {
            pending.extend(records(&read_folder(disk, shape, &chain)?));
        } else if (chain.len() * shape.cluster) < record.size as usize {
            return Err(damaged("a file has fewer clusters than bytes"));
        }
    }
    Ok((root, taken))
}

/// The first cluster of a file or a folder; 0 of one that has none. FAT12 and FAT16 have other things in
/// the upper half.
pub(super) fn first_of(shape: &Shape, record: &Record) -> u32 {
    match shape.kind {
        Kind::Fat32 => record.first,
        _ => record.first & 0xffff,
    }
}

/// The clusters of the chain that begins with `first`, each of which is now taken.
fn follow(table: &Table, first: u32, taken: &mut [bool]) -> io::Result<Vec<u32>> {
    let (mut chain, mut cluster) = (Vec::new(), first);
    loop {
        if !table.has(cluster) {
            return Err(damaged("a chain of clusters leads out of it"));
        }
        if std::mem::replace(&mut taken[cluster as usize], true) {
            return Err(damaged("two files share a cluster"));
        }
        chain.push(cluster);
        cluster = table.get(cluster);
        if table.is_end(cluster) {
            return Ok(chain);
        }
    }
}

/// What is in the folder that fills these clusters.
pub(super) fn read_folder(
    disk: &mut (impl Read + Seek),
    shape: &Shape,
    chain: &[u32],
) -> io::Result<Vec<u8>> {
    let length = chain.len().saturating_mul(shape.cluster);
    if length > MOST_FOLDER.max(shape.cluster) {
        return Err(damaged("a folder is longer than any can be"));
    }
    let mut bytes = vec![0; length];
    for (cluster, part) in chain.iter().zip(bytes.chunks_exact_mut(shape.cluster)) {
        disk.seek(SeekFrom::Start(shape.at(*cluster)))?;
        disk.read_exact(part)?;
    }
    Ok(bytes)
}
