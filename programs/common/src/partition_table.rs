//! GUID partition tables, read from a disk that may be anybody's: UEFI specification 2.10, section 5.3.
//!
//! A table lies at both ends of a disk. Each is taken if its checksums are right; what it says of its own
//! size is believed within bounds.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use uuid::Uuid;

/// What a header begins with.
const SIGNATURE: &[u8] = b"EFI PART";
/// Bytes of a header.
pub const HEADER: usize = 92;
/// Where it has its own checksum.
pub const CHECKSUM: std::ops::Range<usize> = 16..20;
/// The most bytes of a list of entries, and what a usual entry has.
const MOST: u64 = 1 << 20;
const ENTRY: u64 = 128;

/// What a table says of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// What it is for.
    pub kind: Uuid,
    /// What tells it from all others.
    pub guid: Uuid,
    /// Its first block.
    pub first: u64,
    /// Its last block, which belongs to it.
    pub last: u64,
    /// Its attributes.
    pub flags: u64,
    /// Its name.
    pub name: String,
}

impl Partition {
    /// Where it begins and how long it is, in bytes, on a disk with blocks of `block`; `None` if no disk
    /// has room for that.
    pub fn extent(&self, block: u64) -> Option<(u64, u64)> {
        let blocks = self.last.checked_add(1)?.checked_sub(self.first)?;
        let (start, length) = (self.first.checked_mul(block)?, blocks.checked_mul(block)?);
        start.checked_add(length).map(|_| (start, length))
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What tells it from all others.
    pub guid: Uuid,
    /// Its partitions by number, from 1 on.
    pub partitions: BTreeMap<u32, Partition>,
}

/// The table on `device`, in blocks of `block` bytes: the first one, or the second where that is damaged.
/// `None` if neither is whole and legible.
pub fn table(device: &mut (impl Read + Seek), block: u64) -> Option<Table> {
    let size = device.seek(SeekFrom::End(0)).ok()?;
    let mut places = places(size, block);
    places.find_map(|at| table_at(device, at, block).ok().flatten())
}

/// Those of the two tables that are whole, the first one first. Fails where the disk does.
pub(crate) fn tables(device: &mut (impl Read + Seek), block: u64) -> io::Result<Vec<Table>> {
    let size = device.seek(SeekFrom::End(0))?;
    let found = places(size, block).map(|at| table_at(device, at, block));
    found.filter_map(Result::transpose).collect()
}

/// Where headers lie.
fn places(size: u64, block: u64) -> impl Iterator<Item = u64> {
    let blocks = size / block;
    let both = (blocks > 2).then(|| [block, (blocks - 1) * block]);
    both.into_iter().flatten()
}

/// A table as it lies on a disk: header and list of entries, whose checksums are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// [`HEADER`] bytes.
    pub header: Vec<u8>,
    /// All entries, also those that are empty.
    pub list: Vec<u8>,
    /// Bytes of an entry.
    pub entry: usize,
}

impl Raw {
    /// What it says.
    pub fn table(&self) -> Table {
        Table {
            guid: guid(&self.header, 56),
            partitions: (1..)
                .zip(self.list.chunks_exact(self.entry))
                .filter(|(_, it)| it.iter().any(|byte| *byte != 0))
                .map(|(number, it)| (number, partition(it)))
                .collect(),
        }
    }
}

/// The table whose header lies at `at`; `None` if there is none, or it is damaged.
fn table_at(device: &mut (impl Read + Seek), at: u64, block: u64) -> io::Result<Option<Table>> {
    Ok(raw_at(device, at, block)?.map(|it| it.table()))
}

/// The table whose header lies at the byte `at` of `device`, in blocks of `block` bytes; `None` if there is
/// none, or it is damaged.
pub fn raw_at(device: &mut (impl Read + Seek), at: u64, block: u64) -> io::Result<Option<Raw>> {
    let Some(header) = bytes(device, at, HEADER)? else {
        return Ok(None);
    };
    let (start, count, entry) = (
        number(&header, 72, 8),
        number(&header, 80, 4),
        number(&header, 84, 4),
    );
    let is_usual = header.starts_with(SIGNATURE)
        && number(&header, 12, 4) == HEADER as u64
        && number(&header, 24, 8) == at / block
        && number(&header, CHECKSUM.start, 4) == checksum_of_header(&header)
        && entry >= ENTRY
        && entry % ENTRY == 0;
    let length = count.checked_mul(entry).filter(|it| *it <= MOST);
    let (Some(length), Some(start), true) = (length, start.checked_mul(block), is_usual) else {
        return Ok(None);
    };
    let (Ok(length), Ok(entry)) = (usize::try_from(length), usize::try_from(entry)) else {
        return Ok(None);
    };
    let list = bytes(device, start, length)?;
    let list = list.filter(|it| number(&header, 88, 4) == u64::from(checksum(it)));
    Ok(list.map(|list| Raw {
        header,
        list,
        entry,
    }))
}

fn partition(entry: &[u8]) -> Partition {
    let name = entry[56..128].as_chunks().0.iter();
    let name: Vec<u16> = name
        .map(|it| u16::from_le_bytes(*it))
        .take_while(|it| *it != 0)
        .collect();
    Partition {
        kind: guid(entry, 0),
        guid: guid(entry, 16),
        first: number(entry, 32, 8),
        last: number(entry, 40, 8),
        flags: number(entry, 48, 8),
        name: String::from_utf16_lossy(&name),
    }
}

/// So many bytes from `at` on; `None` where the disk ends before.
fn bytes(device: &mut (impl Read + Seek), at: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
    let mut found = vec![0; length];
    device.seek(SeekFrom::Start(at))?;
    match device.read_exact(&mut found) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        other => other.map(|()| Some(found)),
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes[at..at + length].iter().rev();
    bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn guid(bytes: &[u8], at: usize) -> Uuid {
    let bytes = bytes[at..].first_chunk().copied();
    Uuid::from_bytes_le(bytes.unwrap_or_default())
}

/// The checksum of a header, which is made while there are zeros in its place.
pub fn checksum_of_header(header: &[u8]) -> u64 {
    let mut header = header.to_vec();
    header[CHECKSUM].fill(0);
    u64::from(checksum(&header))
}

/// CRC-32, as tables have it (section 4.2.1).
pub fn checksum(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    let add = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), step);
    !bytes.iter().fold(!0, add)
}
