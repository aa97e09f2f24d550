//! The partition table: what it says of a disk, and how it is written so that a power cut at any
//! moment leaves either the old one or the new one.
//!
//! UEFI specification 2.10, section 5.3: a table lies at both ends of a disk, and one whose
//! checksums are wrong gives way to the other.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

use gpt::disk::LogicalBlockSize;
use gpt::mbr::{PartRecord, ProtectiveMBR};
use gpt::partition::{Partition, file_read_partitions};
use gpt::partition_types::LINUX_FS;
use gpt::{GptConfig, GptDisk};

use super::device::{ALIGNMENT, Device};
use super::layout::{Layout, MIB, Place, UNFINISHED};
use super::sparse::Sparse;
use crate::guard;

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
            first_is_whole: true,
        })
    }

    /// The table that is on `device`: the first one, or the second where that is damaged. `None` if
    /// there is neither.
    pub(super) fn read(device: &Device) -> io::Result<Option<Self>> {
        let mut image = Sparse::new(device.size());
        for (offset, length) in edges(device.size()) {
            let mut edge = vec![0; length];
            device.read_at(offset, &mut edge)?;
            image.seek(SeekFrom::Start(offset))?;
            image.write_all(&edge)?;
        }
        if !guard::table_is_sane(&mut image, block_size(device)?) {
            return Ok(None);
        }
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
        Ok(disk.ok().map(|disk| Self {
            first_is_whole: first_is_whole && disk.primary_header().is_ok(),
            is_new: false,
            disk,
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

    /// Whether something else was put on the disk since, and this table is what that left over.
    pub(super) fn is_left_over(&self) -> bool {
        let has_others = || {
            self.boot_record()
                .is_some_and(|it| it.iter().any(|entry| entry.lb_size > 0))
        };
        !self.is_protected() && (!self.first_is_whole || has_others())
    }

    /// Writes the protective MBR if there is none; what else is in that block stays.
    fn protect(&mut self) -> io::Result<()> {
        if self.is_protected() {
            return Ok(());
        }
        let image = self.disk.device_ref();
        let blocks = image.size() / self.disk.logical_block_size().as_u64() - 1;
        ProtectiveMBR::with_lb_size(u32::try_from(blocks).unwrap_or(u32::MAX))
            .update_conservative(self.disk.device_mut())
            .map_err(io::Error::other)?;
        Ok(())
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

    /// Makes it say `partitions`, each under its own number.
    pub(super) fn set(&mut self, partitions: Partitions) -> io::Result<()> {
        self.protect()?;
        self.disk
            .update_partitions(partitions)
            .map_err(io::Error::other)?;
        self.disk.write_inplace().map_err(io::Error::other)?;
        self.write_lists()
    }

    /// Writes both lists again: the crate writes one entry behind the other, so that what lies behind
    /// a gap gets another number.
    fn write_lists(&mut self) -> io::Result<()> {
        let lost = || io::Error::other("a table has no header");
        let mut first = self.disk.primary_header().map_err(|_| lost())?.clone();
        let mut second = self.disk.backup_header().map_err(|_| lost())?.clone();
        let block = *self.disk.logical_block_size();
        let partitions = self.disk.partitions().clone();
        let image = self.disk.device_mut();
        for header in [&first, &second] {
            let (start, count) = (header.part_start, u64::from(header.num_parts));
            Partition::write_zero_entries_to_device(image, 0, count, start, block, ENTRY)?;
            for (number, entry) in &partitions {
                if *number == 0 || *number > header.num_parts {
                    let message = format!("there is no room for partition {number} in the table");
                    return Err(io::Error::other(message));
                }
                entry.write_to_device(image, u64::from(number - 1), start, block, ENTRY)?;
            }
        }
        second
            .write_backup(image, block)
            .map_err(io::Error::other)?;
        first
            .write_primary(image, block)
            .map_err(io::Error::other)?;
        Ok(())
    }

    /// Writes it, in steps of which each is on the disk before the next one begins: the second table,
    /// the first list, then what makes that list valid. So whoever reads the disk in between finds the
    /// old table valid, or the new one. Where the first table is damaged, the second one is all there
    /// is, and comes last. What a new table leaves empty around it is emptied when it is valid, so that
    /// nothing of the old partitions is touched while they are still to be found.
    pub(super) fn write_to(&mut self, device: &Device) -> io::Result<()> {
        for step in self.steps(device)? {
            for range in step {
                device.write_at(range.0, &bytes(self.disk.device_ref(), range)?)?;
            }
            device.flush()?;
        }
        self.first_is_whole = true;
        Ok(())
    }

    /// The steps of writing it: offsets and lengths.
    fn steps(&self, device: &Device) -> io::Result<Vec<Vec<(u64, usize)>>> {
        let no_header = |_| io::Error::other("a table has no header");
        let first = self.disk.primary_header().map_err(no_header)?;
        let second = self.disk.backup_header().map_err(no_header)?;
        let block = device.block_size();
        let list = first.part_start * block;
        let list_bytes = u64::from(first.num_parts) * u64::from(ENTRY);
        let list_end = list + list_bytes.next_multiple_of(block);
        let copy = second.part_start * block;
        let range = |from: u64, to: u64| {
            let length = usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?;
            Ok::<_, io::Error>((from, length))
        };
        let second = vec![range(copy, device.size() / block * block)?];
        // The protective MBR and the header are the first two blocks.
        let (first, header) = (vec![range(list, list_end)?], vec![range(0, 2 * block)?]);
        let mut steps = if self.first_is_whole {
            vec![second, first, header]
        } else {
            vec![first, header, second]
        };
        if self.is_new {
            let [start, end] = edges(device.size());
            steps.push(vec![range(list_end, start.1 as u64)?, range(end.0, copy)?]);
        }
        Ok(steps)
    }

    /// The first byte that `device` has otherwise.
    pub(super) fn differs_from(&self, device: &Device) -> io::Result<Option<u64>> {
        self.disk.device_ref().differs_from(device, 0, &mut |_| {})
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

/// The table's entry for `place`.
pub(super) fn entry(place: &Place, block_size: u64) -> Partition {
    Partition {
        part_type_guid: place.kind(),
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
    UNFINISHED.clone_into(&mut entry.name);
    entry
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::super::request::Settings;
    use super::*;
    use crate::hardware::{Bus, Disk, Volume};

    const SIZE: u64 = 2048 * MIB;

    /// A disk in a file, and the layout that a new installation has on it.
    struct Bench {
        _root: tempfile::TempDir,
        device: Device,
        layout: Layout,
    }

    impl Bench {
        fn new(block_size: u64) -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("dev")).unwrap();
            let file = File::create(root.path().join("dev/sda")).unwrap();
            file.set_len(SIZE).unwrap();
            let disk = Disk {
                name: "sda".to_owned(),
                model: String::new(),
                serial: None,
                wwn: None,
                bus: Bus::Other,
                size: SIZE,
                block_size,
                removable: false,
                read_only: false,
                sequence: 0,
                volume: Volume::Other,
                contents: None,
            };
            let device = Device::open(root.path(), &disk).unwrap();
            let layout = Layout::new(device.size(), &Settings::default(), "seed").unwrap();
            Self {
                _root: root,
                device,
                layout,
            }
        }

        fn partitions(&self) -> Partitions {
            let places = self.layout.places.iter();
            places
                .map(|it| (it.number, entry(it, self.device.block_size())))
                .collect()
        }

        fn install(&self, partitions: Partitions) -> Table {
            let mut table = Table::empty(&self.device, &self.layout).unwrap();
            table.set(partitions).unwrap();
            table.write_to(&self.device).unwrap();
            table
        }

        fn read(&self) -> Table {
            Table::read(&self.device).unwrap().unwrap()
        }
    }

    #[test]
    fn a_first_table_whose_list_is_torn_gives_way_to_the_second() {
        for block_size in [512, 4096] {
            let bench = Bench::new(block_size);
            bench.install(bench.partitions());
            bench.device.write_at(2 * block_size + 56, b"torn").unwrap();
            assert_eq!(bench.read().partitions(), &bench.partitions());
            assert!(!bench.read().is_doubled());
            let mut file = File::open(bench.device.path()).unwrap();
            let block = super::block_size(&bench.device).unwrap();
            let seen = guard::partitions(&mut file, block);
            assert_eq!(seen, Some(bench.partitions()));
            bench.device.write_at(SIZE - block_size, b"gone").unwrap();
            assert!(Table::read(&bench.device).unwrap().is_none());
            assert_eq!(guard::partitions(&mut file, block), None);
        }
    }

    #[test]
    fn partitions_behind_a_gap_keep_their_numbers() {
        for block_size in [512, 4096] {
            let bench = Bench::new(block_size);
            let mut partitions = bench.partitions();
            for number in [5, 128] {
                let mut foreign = partitions[&2].clone();
                foreign.part_guid = uuid::Uuid::from_u128(number.into());
                foreign.flags = 1 << 60;
                partitions.insert(number, foreign);
            }
            bench.install(partitions.clone());
            let mut again = bench.read();
            assert!(again.is_doubled());
            assert_eq!(again.partitions(), &partitions);
            again.set(partitions.clone()).unwrap();
            again.write_to(&bench.device).unwrap();
            assert_eq!(bench.read().partitions(), &partitions);
            // The second table says the same.
            bench.device.write_at(block_size, b"gone").unwrap();
            assert_eq!(bench.read().partitions(), &partitions);
            let beyond = Partitions::from([(129, partitions[&2].clone())]);
            assert!(bench.read().set(beyond).is_err());
        }
    }

    /// Does what a power cut leaves of writing `table`: all of the first steps, and of the next one
    /// the first half, the second one, or nothing.
    fn cut(device: &Device, table: &Table, whole: usize, half: Option<usize>) {
        for (index, step) in table.steps(device).unwrap().into_iter().enumerate() {
            for (offset, length) in step {
                let data = bytes(table.disk.device_ref(), (offset, length)).unwrap();
                for (part, data) in data.chunks(length.div_ceil(2)).enumerate() {
                    if index < whole || (index == whole && half == Some(part)) {
                        let at = offset + (part * length.div_ceil(2)) as u64;
                        device.write_at(at, data).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn a_power_cut_leaves_the_old_table_or_the_new_one_also_the_second_time() {
        let bench = Bench::new(512);
        let old = bench.partitions();
        let renamed = |name: &str| {
            let mut partitions = bench.partitions();
            for entry in partitions.values_mut() {
                name.clone_into(&mut entry.name);
            }
            partitions
        };
        let cuts = || (0..3).flat_map(|whole| [None, Some(0), Some(1)].map(|half| (whole, half)));
        for first in cuts() {
            for second in cuts() {
                bench.install(old.clone());
                let mut said = vec![old.clone()];
                for ((whole, half), name) in [(first, "one"), (second, "two")] {
                    let mut table = bench.read();
                    said.push(renamed(name));
                    table.set(renamed(name)).unwrap();
                    cut(&bench.device, &table, whole, half);
                    let found = Table::read(&bench.device).unwrap();
                    let found = found.map(|it| it.partitions().clone());
                    assert!(
                        found.is_some_and(|it| said.contains(&it)),
                        "{first:?} {second:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_lies_around_a_table_is_emptied_last_and_only_for_a_new_one() {
        let bench = Bench::new(512);
        let places = [100 * 512, SIZE - MIB / 2];
        for place in places {
            bench.device.write_at(place, &[7; 512]).unwrap();
        }
        let kept = || {
            let mut data = [0; 512];
            places.map(|place| {
                bench.device.read_at(place, &mut data).unwrap();
                data == [7; 512]
            })
        };
        let mut table = Table::empty(&bench.device, &bench.layout).unwrap();
        table.set(bench.partitions()).unwrap();
        cut(&bench.device, &table, 3, None);
        assert_eq!(bench.read().partitions(), &bench.partitions());
        assert_eq!(kept(), [true; 2]);
        let mut again = bench.read();
        again.set(bench.partitions()).unwrap();
        again.write_to(&bench.device).unwrap();
        assert_eq!(kept(), [true; 2]);
        table.write_to(&bench.device).unwrap();
        assert_eq!(kept(), [false; 2]);
    }

    #[test]
    fn a_partition_that_reaches_into_others_is_not_alone() {
        let bench = Bench::new(512);
        let last = SIZE / 512 - 1;
        let rows = [
            (2048, 4095, true),
            (34, 34, true),
            (33, 4095, false),
            (4095, 2048, false),
            (2048, bench.partitions()[&2].first_lba, false),
            (bench.partitions()[&2].last_lba, last - 33, false),
            (bench.partitions()[&2].last_lba + 1, last - 33, true),
            (bench.partitions()[&2].last_lba + 1, last - 32, false),
            (1 << 55, (1 << 55) + 9, false),
            (2048, u64::MAX, false),
        ];
        for (first, end, expected) in rows {
            let mut partitions = bench.partitions();
            let mut one = partitions[&1].clone();
            (one.first_lba, one.last_lba) = (first, end);
            partitions.insert(1, one);
            bench.install(partitions);
            assert_eq!(bench.read().is_alone(1), expected, "{first} {end}");
        }
        assert!(!bench.read().is_alone(9));
    }
}
