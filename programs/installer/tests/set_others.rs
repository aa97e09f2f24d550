//! A set of partitions in the free space of a disk that another system is on: all of that stays, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/set/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use gpt::GptConfig;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{EFI, LINUX_FS, Type};
use installer::hardware::{Contents, Room};
use installer::install::{self, Failure, Report, Stage, Target, Task};
use uuid::Uuid;

use support::{MIB, Machine, sha256};

/// Where the other system's root lies, and what is behind it.
const ROOT: (u64, u64) = (40 * MIB, 60 * MIB);
const FREE: (u64, u64) = (60 * MIB, 95 * MIB);
const SIZE: u64 = 96 * MIB;
/// What the other system starts from.
const OTHERS: [(&str, &[u8]); 4] = [
    ("EFI/systemd/systemd-bootx64.efi", &[1; 90_000]),
    ("EFI/BOOT/BOOTX64.EFI", &[1; 90_000]),
    ("EFI/Vendor/a rather long name.efi", &[2; 5_000]),
    ("loader/loader.conf", b"timeout 3\n"),
];
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// What ends a run in the middle.
const CUT: &str = "the power is cut";

/// A machine whose disk another system is on; its EFI system partition has so many MiB, and `more` files.
fn machine(is_uefi: bool, esp: u64, more: &[(&str, &[u8])]) -> Machine {
    let machine = Machine::new(512, is_uefi);
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(machine.disk_path())
        .unwrap();
    file.set_len(0).unwrap();
    file.set_len(SIZE).unwrap();
    let blocks = u32::try_from(SIZE / 512 - 1).unwrap();
    ProtectiveMBR::with_lb_size(blocks)
        .overwrite_lba0(&mut file)
        .unwrap();
    let mut table = GptConfig::new()
        .writable(true)
        .create_from_device(file, Some(Uuid::from_u128(1)))
        .unwrap();
    let entry = |number: u128, kind: Type, (start, end): (u64, u64), name: &str| Partition {
        part_type_guid: kind,
        part_guid: Uuid::from_u128(number),
        first_lba: start / 512,
        last_lba: end / 512 - 1,
        flags: 1 << 60,
        name: name.to_owned(),
    };
    let entries = BTreeMap::from([
        (1, entry(21, EFI, (MIB, (1 + esp) * MIB), "ESP")),
        (4, entry(24, LINUX_FS, ROOT, "other root")),
    ]);
    table.update_partitions(entries).unwrap();
    table.write_inplace().unwrap();
    leave_a_gap(&machine);
    let mut image = Cursor::new(vec![0; usize::try_from(esp * MIB).unwrap()]);
    fatfs::format_volume(&mut image, FormatVolumeOptions::new()).unwrap();
    {
        let volume = FileSystem::new(&mut image, FsOptions::new()).unwrap();
        for (path, content) in OTHERS.iter().chain(more) {
            for (at, _) in path.match_indices('/') {
                volume.root_dir().create_dir(&path[..at]).unwrap();
            }
            volume
                .root_dir()
                .create_file(path)
                .unwrap()
                .write_all(content)
                .unwrap();
        }
    }
    machine.overwrite(MIB, image.get_ref());
    let root: Vec<u8> = (0..ROOT.1 - ROOT.0).map(|it| (it % 251) as u8).collect();
    machine.overwrite(ROOT.0, &root);
    if is_uefi {
        variable(&machine, "Boot0000", Some(b"the other system"));
        variable(&machine, "BootOrder", Some(&[0, 0]));
    }
    machine
}

/// Makes the second partition of the table the fourth, as who deletes some leaves them: that crate would not.
fn leave_a_gap(machine: &Machine) {
    let blocks = SIZE / 512;
    for (header, list) in [(1, 2), (blocks - 1, blocks - 33)] {
        let mut bytes = machine.read(list * 512, 32 * 512);
        bytes.copy_within(128..256, 3 * 128);
        bytes[128..256].fill(0);
        machine.overwrite(list * 512, &bytes);
        let mut head = machine.read(header * 512, 92);
        head[88..92].copy_from_slice(&crc32(&bytes).to_le_bytes());
        head[16..20].fill(0);
        let sum = crc32(&head);
        head[16..20].copy_from_slice(&sum.to_le_bytes());
        machine.overwrite(header * 512, &head);
    }
}

/// UEFI specification 2.10, section 5.3.2: the checksum of ISO 3309.
fn crc32(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 * (sum & 1))
        })
    });
    !sum
}

/// A variable of the firmware, which is set first if there is a value.
fn variable(machine: &Machine, name: &str, value: Option<&[u8]>) -> Option<Vec<u8>> {
    let path = machine.variables().join(format!("{name}-{GLOBAL}"));
    if let Some(value) = value {
        fs::write(&path, [&[7, 0, 0, 0], value].concat()).unwrap();
    }
    Some(fs::read(path).ok()?[4..].to_vec())
}

fn contents(machine: &Machine) -> Contents {
    let disk = machine.disk();
    disk.read_contents(&machine.disk_path()).unwrap()
}

fn free(machine: &Machine) -> Vec<Room> {
    contents(machine).beside.free.unwrap()
}

const TARGET: Target = Target::FreeSpace {
    start: FREE.0,
    end: FREE.1,
};

fn install(machine: &Machine) -> Result<Report, Failure> {
    machine.run_at(Task::Install, TARGET)
}

/// A file in the partition that both start from.
fn file(machine: &Machine, path: &str) -> Option<Vec<u8>> {
    let image = Cursor::new(machine.read(MIB, usize::try_from(ROOT.0 - MIB).unwrap()));
    let volume = FileSystem::new(image, FsOptions::new()).unwrap();
    let mut content = Vec::new();
    let root = volume.root_dir();
    root.open_file(path)
        .ok()?
        .read_to_end(&mut content)
        .unwrap();
    Some(content)
}

/// The entries of the table, by number.
fn entries(machine: &Machine) -> BTreeMap<u32, Partition> {
    let table = GptConfig::new().open(machine.disk_path()).unwrap();
    table.partitions().clone()
}

/// Everything of the other system that could differ, by what it is.
fn others(machine: &Machine) -> BTreeMap<String, String> {
    let mut found = BTreeMap::from([("root".to_owned(), machine.digest(ROOT.0, ROOT.1))]);
    for (path, _) in OTHERS {
        let content = file(machine, path).unwrap_or_default();
        found.insert(path.to_owned(), sha256(&content));
    }
    for number in [1, 4] {
        let entry = entries(machine).remove(&number);
        found.insert(format!("partition {number}"), format!("{entry:?}"));
    }
    let entry = variable(machine, "Boot0000", None);
    found.insert("boot entry".to_owned(), format!("{entry:?}"));
    found
}

#[test]
fn another_system_stays_byte_for_byte_and_a_second_run_writes_nothing() {
    for is_uefi in [true, false] {
        let machine = machine(is_uefi, 39, &[]);
        let before = others(&machine);
        let room = Room {
            start: FREE.0,
            end: FREE.1,
        };
        assert_eq!(free(&machine)[0], room);
        let report = install(&machine).unwrap();
        assert_eq!(report.warnings, Vec::<String>::new());
        assert_eq!(others(&machine), before);
        assert_eq!(
            file(&machine, "EFI/Example/grubx64.efi").unwrap(),
            [0xef; 9000]
        );
        let names: Vec<String> = entries(&machine).into_values().map(|it| it.name).collect();
        assert_eq!(
            names,
            ["ESP", "T_BIOS", "T_BOOT", "other root", "T_ROOT", "T_DATA"]
        );
        let has_code = machine.read(0, 440).iter().any(|it| *it != 0);
        assert_eq!(has_code, !is_uefi);
        if is_uefi {
            assert_eq!(variable(&machine, "BootOrder", None).unwrap(), [0, 0, 1, 0]);
            assert_eq!(variable(&machine, "BootNext", None).unwrap(), [1, 0]);
        }
        let earlier = contents(&machine).earlier.unwrap();
        assert_eq!(earlier.version.as_deref(), Some("1.0"));
        assert!(!earlier.unfinished);
        let all = machine.digest(0, SIZE);
        let again = install(&machine).unwrap();
        assert!(
            again.notes[0].ends_with("nothing was written."),
            "{:?}",
            again.notes
        );
        assert_eq!(machine.digest(0, SIZE), all);
        assert_eq!(machine.wrong(), Vec::<String>::new());
    }
}

#[test]
fn what_was_installed_and_used_since_is_never_overwritten() {
    let machine = machine(false, 39, &[]);
    install(&machine).unwrap();
    let data = entries(&machine)
        .into_values()
        .find(|it| it.name == "T_DATA")
        .unwrap();
    machine.overwrite(data.first_lba * 512 + MIB, b"what somebody wrote");
    let before = machine.digest(0, SIZE);
    let failure = install(&machine).unwrap_err();
    assert_eq!(failure.stage, Stage::Prepare);
    assert_eq!(
        failure.message,
        "Toy is installed there, and what it has on sda is not what this medium writes: it stays."
    );
    assert_eq!(machine.digest(0, SIZE), before);
}

/// The power is cut between the two tables, or within one of them.
#[test]
fn a_table_that_is_only_half_written_is_finished_by_the_next_run() {
    let machine = machine(true, 39, &[]);
    let before = others(&machine);
    let tables = |machine: &Machine| {
        let second = machine.read(SIZE - 33 * 512, 33 * 512);
        (machine.read(512, 33 * 512), second)
    };
    let (_, old) = tables(&machine);
    let mut begun = None;
    let request = machine.request(Task::Install, TARGET);
    install::run(machine.path(), &request, &mut |it| {
        if it.stage == Stage::System && begun.is_none() {
            begun = Some(tables(&machine));
        }
    })
    .unwrap();
    let (first, second) = begun.unwrap();
    let (finished, _) = tables(&machine);
    // The list without its header, which has the checksum.
    let torn = [&old[..32 * 512 - 512], &second[32 * 512 - 512..]].concat();
    let rows = [
        (&first, &old),
        (&first, &torn),
        (&finished, &second),
        (&finished, &torn),
    ];
    for (index, (first, second)) in rows.into_iter().enumerate() {
        machine.overwrite(512, first);
        machine.overwrite(SIZE - 33 * 512, second);
        // What is finished in the one table that is whole is finished.
        let is_free = free(&machine).first().is_some_and(|it| it.start == FREE.0);
        assert_eq!(is_free, index < 3, "{index}");
        install(&machine).unwrap();
        assert_eq!(others(&machine), before, "{index}");
        assert_eq!(machine.wrong(), Vec::<String>::new(), "{index}");
    }
}

#[test]
fn what_is_installed_beside_another_system_is_started_once_although_its_entry_is_lost() {
    let machine = machine(true, 39, &[]);
    install(&machine).unwrap();
    let start = || install::start_installed(machine.path(), &machine.disk()).unwrap();
    for is_lost in [false, true] {
        let lost: &[&str] = if is_lost {
            &["BootNext", "Boot0001"]
        } else {
            &["BootNext"]
        };
        for name in lost {
            fs::remove_file(machine.variables().join(format!("{name}-{GLOBAL}"))).unwrap();
        }
        assert!(start().ends_with(" is started from sda."));
        assert_eq!(variable(&machine, "BootOrder", None).unwrap(), [0, 0, 1, 0]);
        assert_eq!(variable(&machine, "BootNext", None).unwrap(), [1, 0]);
        assert!(variable(&machine, "Boot0001", None).is_some());
    }
}

#[test]
fn what_has_no_room_or_is_damaged_is_refused_before_anything_is_written() {
    let filler = vec![4; 835_000];
    let small = machine(true, 1, &[("EFI/Vendor/initrd", &filler)]);
    let damaged = machine(true, 39, &[]);
    let reserved = damaged.read(MIB + 14, 2);
    let table = 512 * u64::from(u16::from_le_bytes([reserved[0], reserved[1]]));
    damaged.overwrite(MIB + table + 4000, &[3; 64]);
    let rows = [
        (
            small,
            "The EFI system partition of sda (partition 1) is too small: it has ",
        ),
        (
            damaged,
            "The EFI system partition of sda (partition 1): its file system is damaged, ",
        ),
    ];
    for (machine, said) in rows {
        let before = machine.digest(0, SIZE);
        let failure = install(&machine).unwrap_err();
        assert_eq!(failure.stage, Stage::Prepare);
        assert!(failure.message.starts_with(said), "{failure}");
        assert_eq!(machine.digest(0, SIZE), before);
    }
}

#[test]
fn whenever_the_power_is_cut_the_other_system_is_whole_and_the_next_run_ends_with_the_same_bytes() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |it| {
        if it.payload().downcast_ref::<&str>() != Some(&CUT) {
            hook(it);
        }
    }));
    let machine = machine(true, 39, &[]);
    let before = others(&machine);
    let pristine = machine.read(0, usize::try_from(SIZE).unwrap());
    let mut moments = Vec::new();
    let request = machine.request(Task::Install, TARGET);
    install::run(machine.path(), &request, &mut |it| moments.push(it.stage)).unwrap();
    // The receipt in the partition between these tells how long it took.
    let parts = || (machine.digest(0, MIB), machine.digest(ROOT.0, SIZE));
    let whole = parts();
    for (index, stage) in moments.iter().enumerate() {
        let is_first = index == 0 || moments[index - 1] != *stage;
        if !is_first && index % 9 != 0 {
            continue;
        }
        machine.overwrite(0, &pristine);
        let mut count = 0;
        let cut = catch_unwind(AssertUnwindSafe(|| {
            let request = machine.request(Task::Install, TARGET);
            install::run(machine.path(), &request, &mut |_| {
                if count == index {
                    std::panic::panic_any(CUT);
                }
                count += 1;
            })
        }));
        assert!(cut.is_err());
        assert_eq!(others(&machine), before, "{index}: {stage:?}");
        // What was begun is free still, and told.
        assert_eq!(free(&machine)[0].start, FREE.0, "{index}: {stage:?}");
        install(&machine).unwrap();
        assert_eq!(others(&machine), before, "{index}: {stage:?}");
        assert_eq!(parts(), whole, "{index}: {stage:?}");
    }
}
