use std::collections::BTreeMap;
use std::path::Path;

use common::partition_table::Table;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::{GptConfig, partition_types};

use super::*;

/// An image with the partitions of an installation, that was written to a disk of `size` bytes.
pub(in crate::first) fn image(path: &Path, size: u64, block: u64) -> File {
    let length = 8 * MIB;
    let mut file = File::create_new(path).unwrap();
    file.set_len(length).unwrap();
    let blocks = u32::try_from(length / block - 1).unwrap();
    ProtectiveMBR::with_lb_size(blocks)
        .overwrite_lba0(&mut file)
        .unwrap();
    let (file_system, logical) = (partition_types::LINUX_FS, logical(block));
    let config = GptConfig::new().writable(true).logical_block_size(logical);
    let mut disk = config.create(path).unwrap();
    let part = |kind, name: &str, from: u64, to: u64, guid: u128| Partition {
        part_type_guid: kind,
        part_guid: Uuid::from_u128(guid),
        first_lba: from * MIB / block,
        last_lba: to * MIB / block - 1,
        flags: 0,
        name: name.to_owned(),
    };
    let parts = BTreeMap::from([
        (1, part(partition_types::EFI, "EFI", 1, 3, 1)),
        (2, part(file_system, "EXAMPLE_DATA", 3, 7, 2)),
    ]);
    disk.update_partitions(parts).unwrap();
    disk.write().unwrap();
    File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap()
        .set_len(size)
        .unwrap();
    File::options().read(true).write(true).open(path).unwrap()
}

fn logical(block: u64) -> LogicalBlockSize {
    match block {
        4096 => LogicalBlockSize::Lb4096,
        _ => LogicalBlockSize::Lb512,
    }
}

fn numbers() -> impl FnMut() -> io::Result<Uuid> {
    let mut number = 100;
    move || {
        number += 1;
        Ok(Uuid::from_u128(number))
    }
}

fn planned(file: &File, block: u64) -> io::Result<Growth> {
    let size = file.metadata().unwrap().len();
    plan(file, (size, block), 2, &[2], &mut numbers())
}

/// The tables at both ends, as far as they are whole.
fn both(file: &File, block: u64) -> [Option<Table>; 2] {
    let size = file.metadata().unwrap().len();
    [block, size - block].map(|at| {
        let raw = raw_at(&mut &*file, at, block).unwrap();
        raw.map(|it| it.table())
    })
}

fn write(file: &File, growth: &Growth) {
    for (at, bytes) in growth.steps.iter().flatten() {
        file.write_all_at(bytes, *at).unwrap();
    }
}

#[test]
fn the_last_partition_grows_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size, block, end) in [
        ("a", 64 * MIB, 512, 63 * MIB),
        ("b", 64 * MIB + 512, 512, 63 * MIB),
        ("c", 64 * MIB - 4096, 4096, 62 * MIB),
        ("same", 8 * MIB, 512, 7 * MIB),
    ] {
        let path = folder.path().join(name);
        let file = image(&path, size, block);
        let old = both(&file, block)[0].clone().unwrap();
        let growth = planned(&file, block).unwrap();
        assert_eq!(
            (growth.start, growth.before, growth.after),
            (3 * MIB, 4 * MIB, end - 3 * MIB),
            "{name}"
        );
        write(&file, &growth);
        let [first, second] = both(&file, block);
        assert_eq!(first, second, "{name}");
        let mut table = first.unwrap();
        let data = table.partitions.get_mut(&2).unwrap();
        assert_eq!(data.last, end / block - 1);
        assert_ne!((table.guid, data.guid), (old.guid, old.partitions[&2].guid));
        (table.guid, data.guid) = (old.guid, old.partitions[&2].guid);
        data.last = old.partitions[&2].last;
        assert_eq!(table, old, "{name}");
        // What another reader says, which looks at the master boot record, too.
        let config = GptConfig::new().logical_block_size(logical(block));
        let disk = config.open(&path).unwrap();
        let header = disk.primary_header().unwrap();
        assert_eq!(
            (header.part_start, header.backup_lba),
            (2, size / block - 1)
        );
        assert_eq!(
            disk.backup_header().unwrap().crc32_parts,
            header.crc32_parts
        );
        assert!(end / block <= header.last_usable + 1);
        let record = ProtectiveMBR::from_disk(&mut &file, logical(block)).unwrap();
        let span = record.partition(0).unwrap().lb_size;
        assert_eq!(u64::from(span), size / block - 1);
        // Once more: it is as large as can be.
        let again = planned(&file, block).unwrap();
        assert_eq!(again.before, again.after);
    }
}

/// A power cut leaves what was written so far, in sectors of 512 bytes.
#[test]
fn a_power_cut_at_any_moment_leaves_a_disk_that_starts_and_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let file = image(&path, 16 * MIB, 512);
    let old = both(&file, 512)[0].clone().unwrap();
    let growth = planned(&file, 512).unwrap();
    let (mut before, mut after) = (0, 0);
    for (at, bytes) in growth.steps.iter().flatten() {
        for (sector, part) in bytes.chunks(512).enumerate() {
            file.write_all_at(part, at + sector as u64 * 512).unwrap();
            // Linux goes by the first table alone.
            let table = both(&file, 512)[0].clone().unwrap();
            if table == old {
                before += 1;
            } else {
                assert_eq!(table.partitions[&1], old.partitions[&1]);
                assert_eq!(table.partitions[&2].last, 15 * 2048 - 1);
                after += 1;
            }
            let cut = folder.path().join("cut");
            std::fs::copy(&path, &cut).unwrap();
            let cut = File::options().read(true).write(true).open(cut).unwrap();
            write(&cut, &planned(&cut, 512).unwrap());
            let [first, second] = both(&cut, 512);
            assert_eq!(first, second);
            assert_eq!(first.unwrap().partitions[&2].last, 15 * 2048 - 1);
        }
    }
    assert!(before > 60 && after > 30, "{before} {after}");
}

/// A name, the partition that is to grow, what is done to the disk, and what is said.
type Row = (&'static str, u32, fn(&File), &'static str);

#[test]
fn a_table_that_may_not_be_written_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let rows: [Row; 4] = [
        ("missing", 3, |_| {}, "it has no partition 3"),
        ("behind", 1, |_| {}, "something lies behind partition 1"),
        (
            "damaged",
            2,
            |file| file.write_all_at(b"x", 1024).unwrap(),
            "its first partition table is damaged",
        ),
        (
            "smaller",
            2,
            |file| file.set_len(6 * MIB).unwrap(),
            "its table says that it is larger than it is",
        ),
    ];
    for (name, number, spoil, expected) in rows {
        let file = image(&folder.path().join(name), 64 * MIB, 512);
        spoil(&file);
        let size = file.metadata().unwrap().len();
        let found = plan(&file, (size, 512), number, &[], &mut numbers());
        assert_eq!(found.unwrap_err().to_string(), expected);
    }
}
