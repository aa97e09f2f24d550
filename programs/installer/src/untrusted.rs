//! Whether what lies on somebody's disk may be given to the `gpt` and `fatfs` crates, which believe
//! what a header says of its own size: the program must not end because of a disk.
//!
//! UEFI specification 2.10, table 5.5 (GPT header).

use std::io::{Read, Seek, SeekFrom};

use common::volumes::fat::is_fat;
use gpt::disk::LogicalBlockSize;

/// What a header begins with.
const SIGNATURE: [u8; 8] = *b"EFI PART";
/// The most partitions that a table is believed to have room for.
const MOST_PARTITIONS: u32 = 1024;
/// Bytes of an entry; more are allowed by the specification and made by nobody.
const ENTRY: u32 = 128;

/// Whether the headers at both ends of `device`, as far as they are there, are of a usual shape.
pub(crate) fn table_is_sane(device: &mut (impl Read + Seek), block: LogicalBlockSize) -> bool {
    let block = u64::from(block);
    let Ok(size) = device.seek(SeekFrom::End(0)) else {
        return false;
    };
    let blocks = size / block;
    blocks > 2
        && [1, blocks - 1]
            .iter()
            .all(|at| header_is_sane(device, at * block, size, block))
}

fn header_is_sane(device: &mut (impl Read + Seek), at: u64, size: u64, block: u64) -> bool {
    let mut header = [0; 92];
    if device.seek(SeekFrom::Start(at)).is_err() || device.read_exact(&mut header).is_err() {
        return false;
    }
    if header[..8] != SIGNATURE {
        return true;
    }
    let number = |at: usize| {
        header[at..]
            .first_chunk()
            .map_or(0, |it| u32::from_le_bytes(*it))
    };
    let long = |at: usize| {
        header[at..]
            .first_chunk()
            .map_or(0, |it| u64::from_le_bytes(*it))
    };
    let start = long(72);
    // A header that says that it lies elsewhere would be written there.
    long(24) == at / block
        && number(84) == ENTRY
        && number(80) <= MOST_PARTITIONS
        && start.checked_mul(block).is_some_and(|start| start < size)
}

/// Whether the `size` bytes of `device` from its start on are a FAT volume that may be read.
pub(crate) fn holds_fat(device: &mut (impl Read + Seek), size: u64) -> bool {
    let mut sector = [0; 512];
    let read = device
        .rewind()
        .and_then(|()| device.read_exact(&mut sector));
    read.is_ok() && is_fat(&sector, size) && device.rewind().is_ok()
}

/// Whether a superblock, the second KiB of a partition of `length` bytes, is of a shape that `mke2fs`
/// makes (Linux, Documentation/filesystems/ext4, `super_block`). The `ext4-view` crate takes as much
/// memory as it says that there are blocks and groups, and looks at its checksum only if it says that
/// it has one.
pub(crate) fn is_ext4(superblock: &[u8; 1024], length: u64) -> bool {
    let long = |at: usize| {
        superblock[at..]
            .first_chunk()
            .map_or(0, |it| u64::from(u32::from_le_bytes(*it)))
    };
    let (blocks, log_size, group) = (long(4) | long(0x150) << 32, long(0x18), long(0x20));
    superblock[0x38..0x3a] == [0x53, 0xef]
        && log_size <= 6
        && blocks <= length >> (10 + log_size)
        && group == 8 << (10 + log_size)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn disk(number: u32, entry: u32, start: u64) -> Cursor<Vec<u8>> {
        let mut disk = vec![0; 64 * 512];
        for at in [512, 63 * 512] {
            disk[at..at + 8].copy_from_slice(&SIGNATURE);
            disk[at + 24..at + 32].copy_from_slice(&(at as u64 / 512).to_le_bytes());
            disk[at + 72..at + 80].copy_from_slice(&start.to_le_bytes());
            disk[at + 80..at + 84].copy_from_slice(&number.to_le_bytes());
            disk[at + 84..at + 88].copy_from_slice(&entry.to_le_bytes());
        }
        Cursor::new(disk)
    }

    #[test]
    fn a_header_that_asks_for_much_is_not_believed() {
        let sane = |mut disk: Cursor<Vec<u8>>| table_is_sane(&mut disk, LogicalBlockSize::Lb512);
        assert!(sane(disk(128, 128, 2)));
        assert!(sane(Cursor::new(vec![0; 64 * 512])), "no header");
        assert!(!sane(disk(u32::MAX, 128, 2)));
        assert!(!sane(disk(128, 0, 2)));
        assert!(!sane(disk(128, u32::MAX, 2)));
        assert!(!sane(disk(128, 128, u64::MAX)));
        assert!(!sane(disk(128, 128, 64)));
        assert!(!sane(Cursor::new(vec![0; 512])), "too small");
        let mut elsewhere = disk(128, 128, 2);
        elsewhere.get_mut()[512 + 24] = 9;
        assert!(!sane(elsewhere));
        let mut second = disk(128, 128, 2);
        second.get_mut()[63 * 512 + 84] = 1;
        assert!(!sane(second));
    }

    #[test]
    fn a_superblock_that_asks_for_much_is_not_believed() {
        let sane = |writes: &[(usize, &[u8])]| {
            let mut block = [0; 1024];
            let usual: [(usize, &[u8]); 4] = [
                (4, &[0, 0, 4, 0]),
                (0x18, &[2]),
                (0x20, &[0, 0x80, 0, 0]),
                (0x38, &[0x53, 0xef]),
            ];
            for (at, bytes) in usual.iter().chain(writes) {
                block[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            is_ext4(&block, 1 << 30)
        };
        assert!(sane(&[]));
        assert!(!sane(&[(4, &[1, 0, 4, 0])]), "beyond the partition");
        assert!(!sane(&[(0x150, &[1])]), "far beyond the partition");
        assert!(!sane(&[(0x18, &[21])]), "blocks of 2 GiB");
        assert!(!sane(&[(0x20, &[1, 0, 0, 0])]), "a group a block");
        assert!(!sane(&[(0x38, &[0, 0])]), "no ext4");
    }
}
