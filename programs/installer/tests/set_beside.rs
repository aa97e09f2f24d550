//! A set of partitions in free space, beside another system whose bytes stay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/set/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{EFI, LINUX_FS, Type};
use installer::install::{self, Stage, Target, Task};
use uuid::Uuid;

use support::{MIB, Machine};

/// The other system's partitions, the free space between them, and the whole disk.
const ESP: (u64, u64) = (MIB, 65 * MIB);
const FREE: (u64, u64) = (70 * MIB, 100 * MIB);
const OTHER: (u64, u64) = (100 * MIB, 110 * MIB);
const SIZE: u64 = 120 * MIB;
const SPACE: Target = Target::FreeSpace {
    start: FREE.0,
    end: FREE.1,
};

/// A disk with an EFI system partition and a partition of another system, which is called `name`.
fn beside(is_uefi: bool, name: &str) -> Machine {
    let machine = Machine::new(512, is_uefi);
    let path = machine.disk_path();
    let mut disk = File::options().read(true).write(true).open(path).unwrap();
    disk.set_len(0).unwrap();
    disk.set_len(SIZE).unwrap();
    let blocks = u32::try_from(SIZE / 512 - 1).unwrap();
    ProtectiveMBR::with_lb_size(blocks)
        .overwrite_lba0(&mut disk)
        .unwrap();
    let config = gpt::GptConfig::new().writable(true);
    let config = config.logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config
        .create_from_device(disk.try_clone().unwrap(), Some(Uuid::from_u128(9)))
        .unwrap();
    let partition = |kind: Type, guid: u128, (start, end): (u64, u64), name: &str| Partition {
        part_type_guid: kind,
        part_guid: Uuid::from_u128(guid),
        first_lba: start / 512,
        last_lba: end / 512 - 1,
        flags: 0,
        name: name.to_owned(),
    };
    let partitions = BTreeMap::from([
        (1, partition(EFI, 1, ESP, "EFI")),
        (2, partition(LINUX_FS, 2, OTHER, name)),
    ]);
    table.update_partitions(partitions).unwrap();
    table.write().unwrap();
    let mut image = std::io::Cursor::new(vec![0; usize::try_from(ESP.1 - ESP.0).unwrap()]);
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat16);
    fatfs::format_volume(&mut image, options).unwrap();
    {
        let volume = FileSystem::new(&mut image, FsOptions::new()).unwrap();
        let root = volume.root_dir();
        let folder = root.create_dir("EFI").unwrap();
        let other = folder.create_dir("other").unwrap();
        other
            .create_file("loader.efi")
            .unwrap()
            .write_all(&vec![7; 70_000])
            .unwrap();
    }
    disk.seek(SeekFrom::Start(ESP.0)).unwrap();
    disk.write_all(image.get_ref()).unwrap();
    disk.seek(SeekFrom::Start(OTHER.0)).unwrap();
    disk.write_all(&vec![0x0b; 10 << 20]).unwrap();
    machine
}

/// A file of the other system's EFI system partition.
fn file(machine: &Machine, path: &str) -> Option<Vec<u8>> {
    let part = machine.read(ESP.0, usize::try_from(ESP.1 - ESP.0).unwrap());
    let volume = FileSystem::new(std::io::Cursor::new(part), FsOptions::new()).unwrap();
    let mut content = Vec::new();
    let mut file = volume.root_dir().open_file(path).ok()?;
    file.read_to_end(&mut content).unwrap();
    Some(content)
}

#[test]
fn what_lies_beside_stays_and_a_second_run_writes_nothing() {
    for is_uefi in [true, false] {
        let machine = beside(is_uefi, "other");
        let other = machine.digest(OTHER.0, OTHER.1);
        let report = machine.run_at(Task::Install, SPACE).unwrap();
        assert_eq!(
            report.layout,
            [
                "3  T_BIOS            1.0 MB  boot code for BIOS",
                "4  T_BOOT            4.2 MB  kernels and menus",
                "5  T_ROOT            4.2 MB  Toy 1.0",
                "6  T_DATA           22.0 MB  new, for data",
            ]
        );
        assert_eq!(machine.wrong(), Vec::<String>::new());
        assert_eq!(machine.digest(OTHER.0, OTHER.1), other);
        assert_eq!(
            file(&machine, "EFI/other/loader.efi"),
            Some(vec![7; 70_000])
        );
        assert_eq!(
            file(&machine, "EFI/Example/grubx64.efi"),
            Some(vec![0xef; 9000])
        );
        assert!(file(&machine, "EFI/Example/install-log.jsonl").is_some());
        // UEFI starts another system here: the first sector is not ours.
        let code = machine.read(0, 440);
        assert_eq!(code == [0; 440], is_uefi);
        let before = machine.digest(0, SIZE);
        machine.is_called_otherwise();
        let again = machine.run_at(Task::Install, SPACE).unwrap();
        assert!(
            again.notes[0].ends_with("nothing was written."),
            "{:?}",
            again.notes
        );
        assert_eq!(machine.digest(0, SIZE), before);
        // Made again, nothing but what was damaged changes.
        machine.overwrite(FREE.0 + MIB, &[0; 4096]);
        machine.run(Task::RepairBoot).unwrap();
        assert_eq!(machine.wrong(), Vec::<String>::new());
        assert_eq!(machine.digest(OTHER.0, OTHER.1), other);
    }
}

#[test]
fn what_may_not_be_is_refused_before_anything_is_written() {
    let small = Target::FreeSpace {
        start: FREE.0,
        end: FREE.0 + 12 * MIB,
    };
    let taken = Target::FreeSpace {
        start: FREE.0,
        end: FREE.1 + MIB,
    };
    let rows: [(bool, Target, &[u8], &str, &str); 4] = [
        (
            true,
            small,
            &[],
            "other",
            "The free space has 12 MiB; Toy needs 13 MiB.",
        ),
        (
            true,
            taken,
            &[],
            "other",
            "The space that was chosen on sda is not free any more: partition 2 lies in it.",
        ),
        (
            false,
            SPACE,
            &[0xeb; 440],
            "other",
            "This computer was started by BIOS, and sda has boot code of another system, which stays.",
        ),
        (
            true,
            SPACE,
            &[],
            "T_ROOT",
            "Partition 2 of sda is called T_ROOT, too: what is installed would not know which one is its own.",
        ),
    ];
    for (is_uefi, target, code, name, said) in rows {
        let machine = beside(is_uefi, name);
        machine.overwrite(0, code);
        let before = machine.digest(0, SIZE);
        let failure = machine.run_at(Task::Install, target).unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.stage),
            (said, Stage::Prepare)
        );
        assert_eq!(machine.digest(0, SIZE), before);
    }
}

#[test]
fn after_a_power_cut_the_space_is_used_again_and_the_other_system_is_whole() {
    let machine = beside(true, "other");
    let other = machine.digest(OTHER.0, OTHER.1);
    let request = machine.request(Task::Install, SPACE);
    for index in [1, 6, 20] {
        let mut count = 0;
        let cut = catch_unwind(AssertUnwindSafe(|| {
            install::run(machine.path(), &request, &mut |_| {
                if count == index {
                    std::panic::panic_any("the power is cut");
                }
                count += 1;
            })
        }));
        assert!(cut.is_err());
        assert_ne!(machine.wrong(), Vec::<String>::new());
        assert_eq!(machine.digest(OTHER.0, OTHER.1), other);
        assert_eq!(
            file(&machine, "EFI/other/loader.efi"),
            Some(vec![7; 70_000])
        );
    }
    machine.run_at(Task::Install, SPACE).unwrap();
    assert_eq!(machine.wrong(), Vec::<String>::new());
    assert_eq!(machine.digest(OTHER.0, OTHER.1), other);
}
