//! A partition table whose last partition grows to the end of the disk: UEFI specification 2.10, section 5.3.
//!
//! An image is smaller than the disk that it was written to, and every disk that it was written to has the
//! same GUIDs. So the table is written anew, in an order in which there is a whole first table at any moment:
//! Linux looks at no other one. What makes a table valid is its header, a block that a disk writes whole or
//! not at all; before one is written, all that it refers to is on the disk already.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use common::partition_table::{CHECKSUM, HEADER, Raw, checksum, checksum_of_header, raw_at};
use uuid::Uuid;

const MIB: u64 = 1 << 20;
/// Where a header has numbers of 64 bits: its own block, that of the other one, the last block that a
/// partition may have, and where the list begins (table 5.5).
const OWN: usize = 24;
const OTHER: usize = 32;
const FIRST_USABLE: usize = 40;
const LAST_USABLE: usize = 48;
const GUID: usize = 56;
const LIST: usize = 72;
const LIST_CHECKSUM: usize = 88;
/// The same of an entry: what tells the partition from all others, and its last block (table 5.6).
const UNIQUE: usize = 16;
const LAST: usize = 40;
/// The first list's usual block.
const USUAL: u64 = 2;
/// The entries of a protective MBR, their size, where one has its kind and its blocks (section 5.2.3).
const RECORD: std::ops::Range<usize> = 446..510;
const RECORD_ENTRY: usize = 16;
const KIND: usize = 4;
const BLOCKS: usize = 12;
const PROTECTIVE: u8 = 0xee;

/// Bytes that are written at an offset.
pub(super) type Write = (u64, Vec<u8>);

/// How a table becomes another one.
#[derive(Debug)]
pub(super) struct Growth {
    /// What is written; each step is on the disk before the next one begins.
    pub(super) steps: Vec<Vec<Write>>,
    /// Where the partition begins, in bytes.
    pub(super) start: u64,
    /// How long it was.
    pub(super) before: u64,
    /// How long it will be.
    pub(super) after: u64,
}

/// Plans how partition `number` of `device` grows to the last whole MiB before the disk's end, of which the last
/// MiB is the second table's, as the installer lays out disks. The disk has `size` bytes in blocks of `block`;
/// it and the partitions in `renewed` get GUIDs that `fresh` makes.
///
/// Fails with the reason where the table is not one that may be written: damaged, or with something behind that
/// partition.
pub(super) fn plan(
    device: &File,
    (size, block): (u64, u64),
    number: u32,
    renewed: &[u32],
    fresh: &mut dyn FnMut() -> io::Result<Uuid>,
) -> io::Result<Growth> {
    let mut raw = raw_at(&mut &*device, block, block)?
        .ok_or_else(|| io::Error::other("its first partition table is damaged"))?;
    let table = raw.table();
    let Some(partition) = table.partitions.get(&number) else {
        return Err(io::Error::other(format!("it has no partition {number}")));
    };
    let mut others = table.partitions.values();
    if others.any(|it| it.first > partition.last) {
        return Err(io::Error::other(format!(
            "something lies behind partition {number}"
        )));
    }
    let blocks = size / block;
    let list = (raw.list.len() as u64).div_ceil(block);
    let places = Places {
        block,
        second: blocks.saturating_sub(1),
        second_list: blocks.saturating_sub(1 + list),
        spare: USUAL + list,
    };
    let end = (size.saturating_sub(MIB) / MIB * MIB / block).saturating_sub(1);
    let new_end = end.max(partition.last);
    if new_end >= places.second_list {
        return Err(io::Error::other(
            "its table says that it is larger than it is",
        ));
    }
    let mut firsts = table.partitions.values().map(|it| it.first);
    if firsts.any(|it| it < places.spare + list) {
        return Err(io::Error::other(
            "there is no room for another table before its first partition",
        ));
    }
    let length = |last: u64| (last + 1).saturating_sub(partition.first) * block;
    let (start, before, after) = (
        partition.first * block,
        length(partition.last),
        length(new_end),
    );
    // The image's second table lies within the partition from now on. Nothing of its file system does yet; should
    // both tables be damaged one day, nobody is to find that one.
    let former = long(&raw.header, OTHER);
    let is_inside = former < places.second_list && former.saturating_sub(list) > partition.last;
    let former = is_inside.then_some((former - list, list + 1));
    put(&mut raw, number, LAST, &new_end.to_le_bytes());
    for number in renewed {
        put(&mut raw, *number, UNIQUE, &fresh()?.to_bytes_le());
    }
    raw.header[GUID..GUID + 16].copy_from_slice(&fresh()?.to_bytes_le());
    let mut steps = places.steps(&raw);
    let mut rest: Vec<Write> = [Some((places.spare, list)), former]
        .into_iter()
        .flatten()
        .map(|(at, count)| (at * block, zeros(count * block)))
        .collect();
    rest.extend(protective(device, blocks)?.map(|record| (0, record)));
    steps.push(rest);
    Ok(Growth {
        steps,
        start,
        before,
        after,
    })
}

/// Where tables lie, in blocks of so many bytes.
struct Places {
    block: u64,
    second: u64,
    second_list: u64,
    /// Room for another first list, behind the usual one.
    spare: u64,
}

impl Places {
    /// How `raw` is written to both ends.
    fn steps(&self, raw: &Raw) -> Vec<Vec<Write>> {
        let list = |at: u64| (at * self.block, padded(&raw.list, self.block));
        let first = |at: u64| (self.block, self.header(raw, [1, self.second], at));
        let second = self.header(raw, [self.second, 1], self.second_list);
        let mut steps = vec![vec![
            list(self.second_list),
            (self.second * self.block, second),
        ]];
        // The list that holds now is not written over: the header leads to another copy first.
        if long(&raw.header, LIST) == USUAL {
            steps.extend([vec![list(self.spare)], vec![first(self.spare)]]);
        }
        steps.extend([vec![list(USUAL)], vec![first(USUAL)]]);
        steps
    }

    /// A header like that of `raw`, in its own block and with the other's, whose list begins at `at`. Fills a block.
    fn header(&self, raw: &Raw, [own, other]: [u64; 2], at: u64) -> Vec<u8> {
        let list = (raw.list.len() as u64).div_ceil(self.block);
        // Partitions lie between the lists (table 5.5).
        let lowest = if own == 1 { at + list } else { USUAL + list };
        let usable = long(&raw.header, FIRST_USABLE).max(lowest);
        let mut header = raw.header.clone();
        for (place, number) in [
            (OWN, own),
            (OTHER, other),
            (FIRST_USABLE, usable),
            (LAST_USABLE, self.second_list - 1),
            (LIST, at),
        ] {
            header[place..place + 8].copy_from_slice(&number.to_le_bytes());
        }
        header[LIST_CHECKSUM..HEADER].copy_from_slice(&checksum(&raw.list).to_le_bytes());
        let sum = checksum_of_header(&header).to_le_bytes();
        header[CHECKSUM].copy_from_slice(&sum[..4]);
        padded(&header, self.block)
    }
}

/// The master boot record, whose protective entry spans the disk; `None` if it has no such entry.
fn protective(device: &File, blocks: u64) -> io::Result<Option<Vec<u8>>> {
    let mut record = vec![0; 512];
    device.read_exact_at(&mut record, 0)?;
    let mut entries = record[RECORD].chunks_exact_mut(RECORD_ENTRY);
    let Some(entry) = entries.find(|it| it[KIND] == PROTECTIVE) else {
        return Ok(None);
    };
    let span = u32::try_from(blocks - 1).unwrap_or(u32::MAX);
    entry[BLOCKS..].copy_from_slice(&span.to_le_bytes());
    Ok(Some(record))
}

/// Puts `value` at an offset of the entry of partition `number`.
fn put(raw: &mut Raw, number: u32, at: usize, value: &[u8]) {
    let entries = raw.list.chunks_exact_mut(raw.entry);
    if let Some((_, entry)) = (1..).zip(entries).find(|(it, _)| *it == number) {
        entry[at..at + value.len()].copy_from_slice(value);
    }
}

fn padded(bytes: &[u8], block: u64) -> Vec<u8> {
    let length = (bytes.len() as u64).next_multiple_of(block);
    let mut bytes = bytes.to_vec();
    bytes.resize(usize::try_from(length).unwrap_or(bytes.len()), 0);
    bytes
}

fn zeros(length: u64) -> Vec<u8> {
    vec![0; usize::try_from(length).unwrap_or_default()]
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |it| u64::from_le_bytes(*it))
}

#[cfg(test)]
pub(super) mod tests;
