//! Tables in files that stand for disks.

use super::super::layout::MIB;
use super::super::request::Settings;
use super::super::test_disk;
use super::*;
use crate::hardware::Disk;

const SIZE: u64 = 2048 * MIB;

/// A disk in a file, and the layout that a new installation has on it.
struct Bench {
    root: tempfile::TempDir,
    disk: Disk,
    device: Device,
    layout: Layout,
}

impl Bench {
    fn new(block_size: u64) -> Self {
        let root = tempfile::tempdir().unwrap();
        let disk = test_disk::disk(root.path(), SIZE, block_size);
        let device = Device::open(root.path(), &disk).unwrap();
        let layout = Layout::new(device.size(), &Settings::default(), "seed").unwrap();
        Self {
            root,
            disk,
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
        let mut file = bench.device.handle().unwrap();
        let seen = partition_table::table(&mut file, block_size).unwrap();
        assert_eq!(editable(&seen), bench.partitions());
        bench.device.write_at(SIZE - block_size, b"gone").unwrap();
        assert!(Table::read(&bench.device).unwrap().is_none());
        assert_eq!(partition_table::table(&mut file, block_size), None);
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
fn a_new_table_over_half_an_old_one_leaves_one_of_them() {
    let cuts = (0..4).flat_map(|whole| [None, Some(0), Some(1)].map(|half| (whole, half)));
    for (whole, half) in cuts {
        for block_size in [512, 4096] {
            for damaged in [block_size, 2 * block_size + 56, SIZE - block_size] {
                let bench = Bench::new(block_size);
                let old = bench.partitions();
                bench.install(old.clone());
                bench.device.write_at(damaged, b"torn").unwrap();
                let mut new = old.clone();
                new.remove(&2);
                let mut table = Table::empty(&bench.device, &bench.layout).unwrap();
                table.set(new.clone()).unwrap();
                cut(&bench.device, &table, whole, half);
                let found = Table::read(&bench.device).unwrap();
                let found = found.map(|it| it.partitions().clone());
                assert!(
                    found.is_some_and(|it| [&old, &new].contains(&&it)),
                    "{block_size} {damaged} {whole} {half:?}"
                );
            }
        }
    }
}

/// Linux and most firmware believe a table only behind a protective MBR: before another one is
/// written over the first blocks, the disk is one that is told to be unfinished.
#[test]
fn a_disk_with_a_boot_record_only_gets_the_second_table_first() {
    let mut record = [0; 512];
    record[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 16, 0]);
    record[510..].copy_from_slice(&[0x55, 0xaa]);
    for left_over in [false, true] {
        let bench = Bench::new(512);
        if left_over {
            bench.install(bench.partitions());
            bench.device.write_at(512, &[0; 512]).unwrap();
        }
        bench.device.write_at(0, &record).unwrap();
        let mut table = Table::empty(&bench.device, &bench.layout).unwrap();
        let mut new = bench.partitions();
        new.remove(&2);
        table.set(new.clone()).unwrap();
        cut(&bench.device, &table, 1, None);
        assert_eq!(bench.read().partitions(), &new);
        assert_eq!(bench.device.read_back(0, 512).unwrap(), record);
    }
}

/// A disk that was formatted anew with blocks of another size, or copied from one that has them.
#[test]
fn tables_in_blocks_of_another_size_are_gone_when_the_new_one_is_there() {
    for (old, new) in [(512, 4096), (4096, 512)] {
        let bench = Bench::new(old);
        bench.install(bench.partitions());
        let disk = Disk {
            block_size: new,
            ..bench.disk.clone()
        };
        let device = Device::open(bench.root.path(), &disk).unwrap();
        let mut table = Table::empty(&device, &bench.layout).unwrap();
        let places = bench.layout.places.iter();
        let partitions: Partitions = places.map(|it| (it.number, entry(it, new))).collect();
        table.set(partitions.clone()).unwrap();
        table.write_to(&device).unwrap();
        let found = Table::read(&device).unwrap().unwrap();
        assert_eq!(found.partitions(), &partitions);
        assert!(Table::read(&bench.device).unwrap().is_none());
    }
}

#[test]
fn what_lies_around_a_table_is_emptied_last_and_only_for_a_new_one() {
    let bench = Bench::new(512);
    let places = [100 * 512, SIZE - MIB / 2];
    for place in places {
        bench.device.write_at(place, &[7; 512]).unwrap();
    }
    let kept = || places.map(|place| bench.device.read_back(place, 512).unwrap() == [7; 512]);
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
