//! Where a disk ended before it grew: an image that was made larger, a volume that was extended. The second
//! partition table still lies there, and it is all that is left where the first one is damaged.

use common::product::product;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

use fatfs::{FileSystem, FsOptions};
use serde::Deserialize;

use crate::untrusted;
use common::slice::Slice;

const MIB: u64 = 1 << 20;
/// Where the partition lies that firmware reads, and the first one of data: see `install::layout`.
const SYSTEM: (u64, u64) = (MIB, 512 * MIB);
const DATA: u64 = SYSTEM.0 + SYSTEM.1;
/// How many data partitions follow each other at most.
const MOST_DATA: usize = 8;
/// How much is read for the receipt.
const MOST_READ: u64 = 16 * MIB;
const MOST_OF_RECEIPT: u64 = 64 << 10;
/// How far behind the last partition the second table is looked for.
const BEHIND: u64 = 4 * MIB;

#[derive(Deserialize)]
struct Receipt {
    disk: Disk,
}

#[derive(Deserialize)]
struct Disk {
    bytes: u64,
}

/// The part of `device`, of `size` bytes in blocks of `block`, that was all of it when a second
/// partition table was written, if one lies inside of it: where the receipt says that the disk ended, or behind
/// the data. No more than some MiB are read.
pub(crate) fn former(device: &File, size: u64, block: u64) -> Option<Slice> {
    let by_receipt = receipt(device).map(|it| it.disk.bytes);
    let ends_there = |end: &u64| *end < size && is_header(device, *end, block);
    let end = by_receipt
        .filter(ends_there)
        .or_else(|| behind_the_data(device, block).filter(ends_there))?;
    Some(Slice::new(device.try_clone().ok()?, 0, end, MOST_READ))
}

fn receipt(device: &File) -> Option<Receipt> {
    let (start, size) = SYSTEM;
    let mut slice = Slice::new(device.try_clone().ok()?, start, size, MOST_READ);
    if !untrusted::holds_fat(&mut slice, size) {
        return None;
    }
    let volume = FileSystem::new(slice, FsOptions::new()).ok()?;
    let file = volume.root_dir().open_file(&product().receipt()).ok()?;
    let mut text = Vec::new();
    file.take(MOST_OF_RECEIPT).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Where the first header behind the data partitions ends, which follow each other.
fn behind_the_data(device: &File, block: u64) -> Option<u64> {
    let mut end = DATA;
    for _ in 0..MOST_DATA {
        match ext4_size(device, end) {
            Some(size) => end = end.checked_add(size)?,
            None => break,
        }
    }
    let first = end.next_multiple_of(block);
    let places = (first..first.checked_add(BEHIND)?).step_by(usize::try_from(block).ok()?);
    let mut ends = places.map(|at| at + block);
    ends.find(|end| is_header(device, *end, block))
}

/// Bytes of the ext4 file system that begins at `start`.
fn ext4_size(device: &File, start: u64) -> Option<u64> {
    let mut superblock = [0; 1024];
    device.read_exact_at(&mut superblock, start + 1024).ok()?;
    if !untrusted::is_ext4(&superblock, u64::MAX) {
        return None;
    }
    let number = |at: usize| {
        superblock[at..]
            .first_chunk()
            .map(|it| u32::from_le_bytes(*it))
    };
    let blocks = u64::from(number(4)?) | u64::from(number(0x150)?) << 32;
    blocks.checked_mul(1024 << number(0x18)?)
}

/// Whether the block that ends at `end` is a header that says that it lies there.
fn is_header(device: &File, end: u64, block: u64) -> bool {
    let mut header = [0; 32];
    let at = end.checked_sub(block).filter(|at| at % block == 0);
    at.is_some_and(|at| {
        device.read_exact_at(&mut header, at).is_ok()
            && header.starts_with(b"EFI PART")
            && header[24..] == (at / block).to_le_bytes()
    })
}
