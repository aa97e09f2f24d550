//! The partition table: what it says of a disk, and what of it is whole.
//!
//! UEFI specification 2.10, section 5.3: a table lies at both ends of a disk, and one whose
//! checksums are wrong gives way to the other.

use common::product::product;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

use common::partition_table;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::{PartRecord, ProtectiveMBR, read_bootcode, write_bootcode};
use gpt::partition::{Partition, file_read_partitions};
use gpt::partition_types::{LINUX_FS, Type};
use gpt::{GptConfig, GptDisk};

use super::device::{ALIGNMENT, Device};
use super::layout::{Layout, MIB, Place, is_ours};
use super::sparse::Sparse;
use crate::{grown, untrusted};

#[cfg(test)]
mod tests;
mod write;

/// Bytes of a header.
const HEADER: usize = 92;
/// Bytes of an entry of a list.
const ENTRY: u32 = 128;
/// Type of the entry of a protective MBR.
const PROTECTIVE: u8 = 0xee;

/// Partitions by number.
pub(super) type Partitions = BTreeMap<u32, Partition>;

/// A partition table, drawn in memory.
#[derive(Debug)]
pub(super) struct Table {
    disk: GptDisk<Sparse>,
    /// It was not on the disk before.
    is_new: bool,
    /// The first of the two on the disk is valid, or may be.
    first_is_whole: bool,
}

impl Table {
    /// An empty table for `device`, with nothing else in its first and last MiB.
    pub(super) fn empty(device: &Device, layout: &Layout) -> io::Result<Self> {
        // Without its protective MBR the second table is none that anybody believes.
        let before = Self::read(device)?;
        let first_is_whole = before.is_none_or(|it| it.first_is_whole || !it.is_protected());
        let mut image = Sparse::new(device.size());
        for (offset, length) in edges(device.size()) {
            image.seek(SeekFrom::Start(offset))?;
            image.write_all(&vec![0; length])?;
        }
        let blocks = u32::try_from(device.size() / device.block_size() - 1).unwrap_or(u32::MAX);
        ProtectiveMBR::with_lb_size(blocks)
            .overwrite_lba0(&mut image)
            .map_err(io::Error::other)?;
        let config = config(device)?;
        let disk = config
            .create_from_device(image, Some(layout.guid))
            .map_err(io::Error::other)?;
        Ok(Self {
            disk,
            is_new: true,
            first_is_whole,
        })
    }

    /// The table that is on `device`, past the page cache: the first one, or the second where that is damaged. `None` if
    /// there is neither.
    pub(super) fn read(device: &Device) -> io::Result<Option<Self>> {
        let mut image = Sparse::new(device.size());
        for (offset, length) in edges(device.size()) {
            image.seek(SeekFrom::Start(offset))?;
            image.write_all(&device.read_back(offset, length)?)?;
        }
        if !untrusted::table_is_sane(&mut image, block_size(device)?) {
            return Self::of_smaller(device, image);
        }
        let untouched = image.clone();
        let config = config(device)?;
        let mut first_is_whole = true;
        let disk = config.clone().open_from_device(image.clone()).or_else(|_| {
            first_is_whole = false;
            // The crate looks at the second table only if the first one's header is damaged, and not
            // if its list is; a power cut between the two leaves just that.
            image.seek(SeekFrom::Start(device.block_size()))?;
            image.write_all(&[0; HEADER])?;
            config.open_from_device(image)
        });
        let Ok(disk) = disk else {
            return Self::of_smaller(device, untouched);
        };
        Ok(Some(Self {
            first_is_whole: first_is_whole && disk.primary_header().is_ok(),
            is_new: false,
            disk,
        }))
    }

    /// The table at the end that `device` had before it grew, drawn anew in `image`: it holds for the
    /// whole disk once it is written.
    fn of_smaller(device: &Device, mut image: Sparse) -> io::Result<Option<Self>> {
        let (file, config) = (device.handle()?, config(device)?);
        let block = device.block_size();
        let former = grown::former(&file, device.size(), block);
        let Some(table) = former.and_then(|mut it| partition_table::table(&mut it, block)) else {
            return Ok(None);
        };
        image.rewind()?;
        let mut disk = config
            .create_from_device(image, Some(table.guid))
            .map_err(io::Error::other)?;
        disk.update_partitions(editable(&table))
            .map_err(io::Error::other)?;
        Ok(Some(Self {
            disk,
            is_new: false,
            first_is_whole: false,
        }))
    }

    /// What tells it from all others.
    pub(super) fn guid(&self) -> uuid::Uuid {
        *self.disk.guid()
    }

    /// What it says.
    pub(super) fn partitions(&self) -> &Partitions {
        self.disk.partitions()
    }

    /// Where it has our partitions: those with names that we give.
    pub(super) fn layout(&self) -> Layout {
        let block_size = self.disk.logical_block_size().as_u64();
        let ours = self.partitions().iter().filter(|(_, it)| is_ours(&it.name));
        let places = ours.map(|(number, entry)| place(*number, entry, block_size));
        Layout {
            guid: self.guid(),
            places: places.collect(),
        }
    }

    /// The partitions that firmware starts from, whoever they are of.
    pub(super) fn efi_places(&self) -> Vec<Place> {
        let block_size = self.disk.logical_block_size().as_u64();
        let partitions = self.partitions().iter();
        let efi =
            partitions.filter(|(_, it)| it.part_type_guid.guid == gpt::partition_types::EFI.guid);
        efi.map(|(number, entry)| place(*number, entry, block_size))
            .collect()
    }

    /// Whether the tables at both ends are whole, lists and all, and say the same.
    pub(super) fn is_doubled(&self) -> bool {
        let (Ok(one), Ok(other)) = (self.disk.primary_header(), self.disk.backup_header()) else {
            return false;
        };
        let mut image = self.disk.device_ref().clone();
        let list = file_read_partitions(&mut image, other, *self.disk.logical_block_size());
        one.crc32_parts == other.crc32_parts && list.is_ok_and(|it| it == *self.partitions())
    }

    /// The master boot record, if the first block holds one.
    fn boot_record(&self) -> Option<[PartRecord; 4]> {
        let block = *self.disk.logical_block_size();
        let first = bytes(self.disk.device_ref(), (0, block.as_usize())).ok()?;
        let record = ProtectiveMBR::from_bytes(&first, block).ok()?;
        let entry = |index| record.partition(index);
        Some([entry(0)?, entry(1)?, entry(2)?, entry(3)?])
    }

    /// Whether the protective MBR is there, without which neither firmware nor Linux believes the
    /// tables (UEFI specification 2.10, section 5.2.3).
    pub(super) fn is_protected(&self) -> bool {
        self.boot_record()
            .is_some_and(|it| it.iter().any(|entry| entry.os_type == PROTECTIVE))
    }

    /// The code in the first block, which a BIOS starts.
    pub(super) fn boot_code(&self) -> io::Result<[u8; 440]> {
        read_bootcode(&mut self.disk.device_ref().clone())
    }

    /// Makes `code` what a BIOS starts.
    pub(super) fn set_boot_code(&mut self, code: &[u8; 440]) -> io::Result<()> {
        write_bootcode(self.disk.device_mut(), code)
    }

    /// Whether something else was put on the disk since, and this table is what that left over.
    pub(super) fn is_left_over(&self) -> bool {
        let has_others = || {
            self.boot_record()
                .is_some_and(|it| it.iter().any(|entry| entry.lb_size > 0))
        };
        !self.is_protected() && (!self.first_is_whole || has_others())
    }

    /// Whether a partition lies where partitions may, and no other one reaches into it.
    pub(super) fn is_alone(&self, number: u32) -> bool {
        let (partitions, header) = (self.partitions(), self.disk.header());
        let Some(one) = partitions.get(&number) else {
            return false;
        };
        let blocks = self.disk.device_ref().size() / self.disk.logical_block_size().as_u64();
        let list = u64::from(header.num_parts) * u64::from(ENTRY);
        let list = list.div_ceil(self.disk.logical_block_size().as_u64());
        let others = partitions.iter().filter(|(it, _)| **it != number);
        one.first_lba <= one.last_lba
            && one.first_lba >= 2 + list
            && one.last_lba < blocks.saturating_sub(1 + list)
            && others
                .filter(|(_, it)| it.is_used())
                .all(|(_, it)| it.last_lba < one.first_lba || it.first_lba > one.last_lba)
    }

    /// The first byte that `device` has otherwise.
    pub(super) fn differs_from(&self, device: &Device) -> io::Result<Option<u64>> {
        self.disk.device_ref().differs_from(device, 0, &mut |_| {})
    }
}

/// Where a partition lies.
fn place(number: u32, entry: &Partition, block_size: u64) -> Place {
    Place {
        number,
        name: entry.name.clone(),
        guid: entry.part_guid,
        start: entry.first_lba.saturating_mul(block_size),
        size: (entry.last_lba.saturating_add(1))
            .saturating_sub(entry.first_lba)
            .saturating_mul(block_size),
    }
}

/// Offset and length of the first and the last MiB, which hold the two tables; the last one begins
/// where a block of memory does.
fn edges(size: u64) -> [(u64, usize); 2] {
    let end = size.saturating_sub(MIB) / ALIGNMENT as u64 * ALIGNMENT as u64;
    let length = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
    [(0, length(MIB.min(size))), (end, length(size - end))]
}

fn block_size(device: &Device) -> io::Result<LogicalBlockSize> {
    match device.block_size() {
        512 => Ok(LogicalBlockSize::Lb512),
        4096 => Ok(LogicalBlockSize::Lb4096),
        other => {
            let message = format!("blocks of {other} bytes");
            Err(io::Error::new(ErrorKind::Unsupported, message))
        }
    }
}

fn config(device: &Device) -> io::Result<GptConfig> {
    Ok(GptConfig::new()
        .writable(true)
        .logical_block_size(block_size(device)?))
}

fn bytes(image: &Sparse, (offset, length): (u64, usize)) -> io::Result<Vec<u8>> {
    let mut image = image.clone();
    let mut data = vec![0; length];
    image.seek(SeekFrom::Start(offset))?;
    image.read_exact(&mut data)?;
    Ok(data)
}

/// The partitions of a table that was read, as they are edited.
fn editable(table: &partition_table::Table) -> Partitions {
    let partitions = table.partitions.iter().map(|(number, it)| {
        let entry = Partition {
            part_type_guid: it.kind.into(),
            part_guid: it.guid,
            first_lba: it.first,
            last_lba: it.last,
            flags: it.flags,
            name: it.name.clone(),
        };
        (*number, entry)
    });
    partitions.collect()
}

/// The table's entry for `place`.
pub(super) fn entry(place: &Place, block_size: u64) -> Partition {
    custom(place, place.kind(), block_size)
}

/// The table's entry for `place`, which is of this type.
pub(super) fn custom(place: &Place, kind: impl Into<Type>, block_size: u64) -> Partition {
    Partition {
        part_type_guid: kind.into(),
        part_guid: place.guid,
        first_lba: place.start / block_size,
        last_lba: (place.start + place.size) / block_size - 1,
        flags: 0,
        name: place.name.clone(),
    }
}

/// The same entry while somebody works on the partition: no firmware takes it for its own, and
/// whoever looks sees that it is not finished.
pub(super) fn unfinished(mut entry: Partition) -> Partition {
    entry.part_type_guid = LINUX_FS;
    product().disk.unfinished.clone_into(&mut entry.name);
    entry
}
