//! Where the partitions of a disk lie, read from its device past the kernel, which knows none of
//! a table in blocks of another size. Knows nothing of what is in them.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use uuid::Uuid;

use super::mbr::{self, Entry};
use crate::partition_table;
use crate::slice::Slice;

/// Type of an EFI system partition: UEFI specification 2.10, table 5.7.
const EFI_SYSTEM: Uuid = Uuid::from_u128(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b);

/// The most bytes that are read of one: a table, or a root directory and its chain of clusters, are far
/// smaller.
const ALLOWANCE: u64 = 16 << 20;

/// The bytes of a device that a partition takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Number of the partition; `None` for the whole device.
    pub number: Option<u32>,
    /// Whether the table calls it an EFI system partition.
    pub is_esp: bool,
    /// Where it begins.
    pub start: u64,
    /// How many there are.
    pub length: u64,
}

impl Extent {
    /// These bytes of `device`, of which no more may be read than anybody needs.
    pub fn of(self, device: &File) -> io::Result<Slice> {
        Ok(Slice::new(
            device.try_clone()?,
            self.start,
            self.length,
            ALLOWANCE,
        ))
    }
}

/// Opens the device (or file) at `path` for reading only, without making an optical drive close
/// its tray.
pub fn open(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
}

/// The whole device, and its partitions: those of a GPT, else the primary ones of an MBR.
/// `block_size` is the device's; a table in blocks of 512 bytes is found on any, since an image of
/// a disk keeps them when it is copied to a medium with larger ones.
pub fn extents(device: &File, size: u64, block_size: u64) -> io::Result<Vec<Extent>> {
    let whole = whole(size);
    let partitions = partitions(device, whole, block_size)?;
    Ok([whole]
        .into_iter()
        .chain(partitions.unwrap_or_default())
        .collect())
}

/// What may be written to: the partitions, or the whole device where no table says that there are any.
/// A volume that filled the device before it was partitioned has left its first sector there.
pub fn in_use(device: &File, size: u64, block_size: u64) -> io::Result<Vec<Extent>> {
    let whole = whole(size);
    let partitions = partitions(device, whole, block_size)?;
    Ok(partitions.unwrap_or_else(|| vec![whole]))
}

/// All of a device of so many bytes.
pub fn whole(size: u64) -> Extent {
    Extent {
        number: None,
        is_esp: false,
        start: 0,
        length: size,
    }
}

/// The partitions of the first table that is there; `None` if there is none.
fn partitions(device: &File, whole: Extent, block_size: u64) -> io::Result<Option<Vec<Extent>>> {
    let mut is_gpt = false;
    for size in [block_size, 512] {
        let partitions = gpt_partitions(device, whole, size);
        if partitions.is_some() {
            return Ok(partitions);
        }
        let mut start = [0; 8];
        let read = device.read_exact_at(&mut start, size);
        is_gpt |= read.is_ok() && start == *b"EFI PART";
    }
    let found = mbr_partitions(device, whole, block_size)?;
    Ok(found.or_else(|| is_gpt.then(Vec::new)))
}

/// The partitions of a GPT in blocks of `size`, as either of its tables has them.
fn gpt_partitions(device: &File, whole: Extent, size: u64) -> Option<Vec<Extent>> {
    let table = partition_table::table(&mut whole.of(device).ok()?, size)?;
    let extents = table.partitions.iter().filter_map(|(number, entry)| {
        let (start, length) = entry.extent(size)?;
        let extent = Extent {
            number: Some(*number),
            is_esp: entry.kind == EFI_SYSTEM,
            start,
            length,
        };
        Some(extent).filter(|it| lies_within(*it, whole))
    });
    Some(extents.collect())
}

/// The primary partitions of an MBR; `None` if it has none. What lies there in the boot sector of a volume
/// that fills a disk has other marks than a table.
fn mbr_partitions(
    device: &File,
    whole: Extent,
    block_size: u64,
) -> io::Result<Option<Vec<Extent>>> {
    let is_used = |(kind, _, blocks): &Entry| *kind != 0 && *blocks > 0;
    let entries = mbr::record(device, 0)?.filter(|it| it.iter().any(is_used));
    Ok(entries.map(|entries| {
        let used = (1..).zip(entries).filter(|(_, it)| is_used(it));
        let extents = used.map(|(number, (kind, start, blocks))| Extent {
            number: Some(number),
            is_esp: kind == 0xef,
            start: start.saturating_mul(block_size),
            length: blocks.saturating_mul(block_size),
        });
        extents.filter(|it| lies_within(*it, whole)).collect()
    }))
}

fn lies_within(extent: Extent, whole: Extent) -> bool {
    let end = extent.start.checked_add(extent.length);
    end.is_some_and(|end| end <= whole.length)
}
