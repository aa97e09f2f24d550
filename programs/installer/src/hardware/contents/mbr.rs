//! Partitions of a master boot record, with the logical ones in an extended partition.
//!
//! UEFI specification 2.10, section 5.2.1, for the record; logical partitions are a chain of
//! further records, as `fdisk(8)` and Linux (`block/partitions/msdos.c`) have them.

use std::fs::File;
use std::io;

use common::volumes::mbr::record;

use super::Range;

/// How many logical partitions are followed.
const MOST_LOGICAL: u32 = 64;

/// What a partition is for that only holds others.
pub(super) const EXTENDED: &str = "extended";
/// What a partition is for that stands for those of a GPT: only where that is not to be found.
pub(super) const PROTECTIVE: &str = "GPT (damaged)";

/// The partitions of the record at the start of `device`, which may be none at all; `None` if there is
/// no record.
pub(super) fn read(device: &File, block_size: u64) -> io::Result<Option<Vec<Range>>> {
    let Some(entries) = record(device, 0)? else {
        return Ok(None);
    };
    let mut ranges = Vec::new();
    for (number, &(kind, start, blocks)) in (1..).zip(&entries) {
        if blocks == 0 || kind == 0 {
            continue;
        }
        ranges.push(range(number, kind, start, blocks, block_size));
        if is_extended(kind) {
            ranges.extend(logical(device, start, block_size));
        }
    }
    Ok(Some(ranges))
}

/// The logical partitions in the extended one that begins at block `base`.
fn logical(device: &File, base: u64, block_size: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut seen = vec![base];
    for number in 5..5 + MOST_LOGICAL {
        let at = seen.last().copied().unwrap_or(base);
        let Ok(Some(entries)) = record(device, at * block_size) else {
            break;
        };
        let (kind, start, blocks) = entries[0];
        if kind != 0 && blocks > 0 {
            ranges.push(range(number, kind, at + start, blocks, block_size));
        }
        let (next, offset, _) = entries[1];
        if !is_extended(next) || seen.contains(&(base + offset)) {
            break;
        }
        seen.push(base + offset);
    }
    ranges
}

fn range(number: u32, kind: u8, start: u64, blocks: u64, block_size: u64) -> Range {
    Range {
        number,
        start: start * block_size,
        size: blocks * block_size,
        name: String::new(),
        purpose: purpose(kind),
    }
}

fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0f | 0x85)
}

fn purpose(kind: u8) -> &'static str {
    match kind {
        0x05 | 0x0f | 0x85 => EXTENDED,
        0x07 => "Windows data",
        0x27 => "Windows recovery",
        0x42 => "Windows dynamic",
        0x01 | 0x04 | 0x06 | 0x0b | 0x0c | 0x0e => "FAT",
        0x82 => "swap",
        0x83 => "Linux data",
        0x8e => "LVM member",
        0xa5 | 0xa6 | 0xa9 => "BSD",
        0xaf => "Apple data",
        0xbf => "Solaris",
        0xee => PROTECTIVE,
        0xef => "EFI",
        0xfb => "VMware data",
        0xfc => "VMware swap",
        0xfd => "RAID member",
        _ => "unknown",
    }
}
