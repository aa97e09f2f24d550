//! Files in the root of a UDF volume on one plain partition, such as Azure's discs: ECMA-167, 3rd edition, and OSTA's
//! UDF 1.02, section 2.1.1, for names.
//!
//! What lies there is a stranger's: every read is bounded, and no extent leads to another list of extents.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::extent::Extent;
use crate::slice::Slice;

/// Bytes of a sector, and of a block of the file system (UDF 1.02, section 2.2.4).
const SECTOR: u64 = 2048;
/// Part 3, 8.4.2.1: the sector that everything else is found by.
const ANCHOR: u64 = 256;
/// The most descriptors of a volume, and bytes of a root directory, that are looked at.
const MOST_DESCRIPTORS: u64 = 64;
const MOST_OF_DIRECTORY: u64 = 256 << 10;
/// Kinds of descriptors: part 3, 7.2.1, and part 4, 7.2.1.
const ANCHOR_POINTER: u16 = 2;
const PARTITION: u16 = 5;
const LOGICAL_VOLUME: u16 = 6;
const TERMINATOR: u16 = 8;
const FILE_SET: u16 = 256;
const IDENTIFIER: u16 = 257;
const FILE_ENTRY: u16 = 261;
const EXTENDED_FILE_ENTRY: u16 = 266;
/// Part 4, 14.4.3: what an identifier is about that is no file: a folder, a deleted one, the folder above.
const NO_FILE: u8 = 0b1110;
/// Part 4, 14.6.8: what the extents of a file are, in the first bits of its flags.
const SHORT: u16 = 0;
const LONG: u16 = 1;
const WITHIN: u16 = 3;

/// A volume.
#[derive(Debug)]
pub struct Disc {
    device: Slice,
    /// Where the partition begins, in bytes.
    start: u64,
    /// The names in its root, and the blocks with their entries.
    files: Vec<(String, u32)>,
}

/// The UDF volume in `extent` of `device`; `None` if there is none that can be read here.
pub fn open(device: &File, extent: Extent) -> io::Result<Option<Disc>> {
    let mut device = extent.of(device)?;
    let Some(anchor) = descriptor(&mut device, ANCHOR * SECTOR, &[ANCHOR_POINTER])? else {
        return Ok(None);
    };
    let (length, first) = (long(&anchor, 16), long(&anchor, 20));
    let (mut partition, mut file_set) = (None, None);
    for number in 0..(u64::from(length) / SECTOR).min(MOST_DESCRIPTORS) {
        let at = (u64::from(first) + number) * SECTOR;
        let Some(found) = descriptor(&mut device, at, &[PARTITION, LOGICAL_VOLUME, TERMINATOR])?
        else {
            continue;
        };
        match word(&found, 0) {
            // Part 3, 10.5 and 10.6; of several only the first may be meant.
            PARTITION if partition.is_none() => partition = Some(long(&found, 188)),
            LOGICAL_VOLUME if u64::from(long(&found, 212)) == SECTOR => {
                file_set = Some(long(&found, 252));
            }
            TERMINATOR => break,
            _ => {}
        }
    }
    let (Some(partition), Some(file_set)) = (partition, file_set) else {
        return Ok(None);
    };
    let mut disc = Disc {
        device,
        start: u64::from(partition) * SECTOR,
        files: Vec::new(),
    };
    let Some(file_set) = disc.block(file_set, &[FILE_SET])? else {
        return Ok(None);
    };
    // Part 4, 14.1: where the root's entry is.
    let root = disc.contents(long(&file_set, 404), MOST_OF_DIRECTORY)?;
    disc.files = identifiers(&root);
    Ok(Some(disc))
}

impl Disc {
    /// At most `most` and one bytes of the file called `name` in the root, whose capitals do not count; `None` if
    /// there is none.
    pub fn file(&mut self, name: &str, most: usize) -> io::Result<Option<Vec<u8>>> {
        let mut files = self.files.iter();
        let found = files.find(|(it, _)| it.eq_ignore_ascii_case(name));
        let Some((_, entry)) = found else {
            return Ok(None);
        };
        self.contents(*entry, most as u64 + 1).map(Some)
    }

    /// The descriptor in a block of the partition, if it is of one of these `kinds`.
    fn block(&mut self, block: u32, kinds: &[u16]) -> io::Result<Option<Vec<u8>>> {
        let at = self.start + u64::from(block) * SECTOR;
        descriptor(&mut self.device, at, kinds)
    }

    /// What the file or folder holds whose entry is in a block, of which `most` bytes: part 4, 14.9 and 14.17.
    fn contents(&mut self, block: u32, most: u64) -> io::Result<Vec<u8>> {
        let entry = self.block(block, &[FILE_ENTRY, EXTENDED_FILE_ENTRY])?;
        let entry = entry.ok_or_else(damaged)?;
        let lengths = if word(&entry, 0) == FILE_ENTRY {
            168
        } else {
            208
        };
        let (before, listed) = (long(&entry, lengths), long(&entry, lengths + 4));
        let first = (lengths + 8).saturating_add(before as usize);
        let listed = entry.get(first..first.saturating_add(listed as usize));
        let listed = listed.ok_or_else(damaged)?;
        let size = u64::from(long(&entry, 56)) | u64::from(long(&entry, 60)) << 32;
        let size = size.min(most);
        let kind = word(&entry, 34) & 0b111;
        if kind == WITHIN {
            let length = usize::try_from(size).map_err(io::Error::other)?;
            return listed.get(..length).map(<[u8]>::to_vec).ok_or_else(damaged);
        }
        let width = match kind {
            SHORT => 8,
            LONG => 16,
            _ => return Err(damaged()),
        };
        let mut found = Vec::new();
        for extent in listed.chunks_exact(width) {
            let left = size - found.len() as u64;
            // Part 4, 14.14.1.1: the two highest bits are set of what was not recorded, or is a list.
            let length = long(extent, 0);
            if left == 0 || length == 0 || length >> 30 != 0 {
                break;
            }
            let at = self.start + u64::from(long(extent, 4)) * SECTOR;
            let part = bytes(&mut self.device, at, left.min(length.into()))?;
            found.extend(part.ok_or_else(damaged)?);
        }
        if (found.len() as u64) < size {
            return Err(damaged());
        }
        Ok(found)
    }
}

/// The files that a directory has, with the blocks of their entries: part 4, 14.4.
fn identifiers(mut directory: &[u8]) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    while directory.len() >= 38 && is_whole(directory, &[IDENTIFIER]) {
        let (name, other) = (usize::from(directory[19]), usize::from(word(directory, 36)));
        let range = 38 + other..38 + other + name;
        let Some(text) = directory.get(range.clone()) else {
            break;
        };
        if directory[18] & NO_FILE == 0 {
            found.push((characters(text), long(directory, 24)));
        }
        let end = range.end.next_multiple_of(4);
        directory = directory.get(end..).unwrap_or_default();
    }
    found
}

/// Compressed Unicode: UDF 1.02, section 2.1.1.
fn characters(text: &[u8]) -> String {
    match text.split_first() {
        Some((8, bytes)) => bytes.iter().copied().map(char::from).collect(),
        Some((16, bytes)) => {
            let units = bytes.as_chunks().0.iter().map(|it| u16::from_be_bytes(*it));
            String::from_utf16_lossy(&units.collect::<Vec<_>>())
        }
        _ => String::new(),
    }
}

/// The descriptor in the sector at the byte `at`, if it is whole and of one of these `kinds`.
fn descriptor(device: &mut Slice, at: u64, kinds: &[u16]) -> io::Result<Option<Vec<u8>>> {
    let found = bytes(device, at, SECTOR)?;
    Ok(found.filter(|it| is_whole(it, kinds)))
}

/// Part 3, 7.2: a tag has a kind, and a checksum of all its bytes but itself.
fn is_whole(bytes: &[u8], kinds: &[u16]) -> bool {
    const TAG: Range<usize> = 0..16;
    const SUM: usize = 4;
    let sum = bytes[TAG]
        .iter()
        .fold(0_u8, |sum, it| sum.wrapping_add(*it));
    kinds.contains(&word(bytes, 0)) && sum.wrapping_sub(bytes[SUM]) == bytes[SUM]
}

/// So many bytes from `at` on; `None` where the volume ends before.
fn bytes(device: &mut Slice, at: u64, length: u64) -> io::Result<Option<Vec<u8>>> {
    let mut found = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    device.seek(SeekFrom::Start(at))?;
    match device.read_exact(&mut found) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        other => other.map(|()| Some(found)),
    }
}

fn damaged() -> io::Error {
    io::Error::other("its UDF file system is damaged")
}

fn word(bytes: &[u8], at: usize) -> u16 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |it| u16::from_le_bytes(*it))
}

fn long(bytes: &[u8], at: usize) -> u32 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |it| u32::from_le_bytes(*it))
}

#[cfg(test)]
mod tests;
