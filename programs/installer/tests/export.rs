//! What an export writes, and where: to a stick that somebody plugged in, and nowhere else.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use installer::install::{Account, export_logs};
use support::{FakeDisk, FakeMachine, MEDIUM, NVME, USB};

/// Bytes of a stick.
const SIZE: u64 = 4 << 20;
/// A second stick.
const OTHER: FakeDisk<'_> = (
    "sdd",
    "pci0000:00/0000:00:14.0/usb2/2-2/2-2:1.0/host8/target8:0:0/8:0:0:0/block/sdd",
    USB.2,
);

fn device(machine: &FakeMachine, name: &str) -> PathBuf {
    machine.root().join("dev").join(name)
}

/// Plugs in `disk`, which holds an empty FAT file system of `size` bytes.
fn plug_fat(machine: &FakeMachine, disk: FakeDisk<'_>, size: u64) {
    machine.plug(disk);
    let mut options = File::options();
    let options = options.read(true).write(true).create_new(true);
    let mut stick = options.open(device(machine, disk.0)).unwrap();
    stick.set_len(size).unwrap();
    fatfs::format_volume(&mut stick, FormatVolumeOptions::new()).unwrap();
}

/// The files in the root of a stick: path and content.
fn files(machine: &FakeMachine, name: &str) -> Vec<(String, String)> {
    let mut options = File::options();
    let stick = options.read(true).write(true).open(device(machine, name));
    let volume = FileSystem::new(stick.unwrap(), FsOptions::new()).unwrap();
    let mut found = Vec::new();
    for folder in volume.root_dir().iter().map(Result::unwrap) {
        let inside = folder.to_dir().iter().map(Result::unwrap);
        for file in inside.filter(fatfs::DirEntry::is_file) {
            let mut text = String::new();
            file.to_file().read_to_string(&mut text).unwrap();
            found.push((format!("{}/{}", folder.file_name(), file.file_name()), text));
        }
    }
    found
}

fn export(machine: &FakeMachine) -> Result<String, String> {
    let log = ["first".to_owned(), "second".to_owned()];
    let accounts = [("{1}\n", "{\"stage\":1}\n"), ("{2}\n", "")].map(|(receipt, log)| Account {
        receipt: receipt.to_owned(),
        log: log.to_owned(),
    });
    let exported = export_logs(machine.root(), &log, &accounts, None);
    exported.map_err(|problem| problem.message)
}

#[test]
fn logs_and_receipts_are_written_into_a_folder_of_their_own_each_time() {
    let machine = FakeMachine::new();
    machine.write("dev/kmsg", "6,1,0,-;Linux version 6\n");
    plug_fat(&machine, USB, SIZE);
    for number in 1..=2 {
        let said = format!("The logs are on sdb, in example-logs-{number}.");
        assert_eq!(export(&machine), Ok(said));
    }
    let expected = |number| {
        [
            ("installer.log", "first\nsecond\n"),
            ("kernel.log", "6,1,0,-;Linux version 6\n"),
            ("install-receipt-1.json", "{1}\n"),
            ("install-log-1.jsonl", "{\"stage\":1}\n"),
            ("install-receipt-2.json", "{2}\n"),
        ]
        .map(|(name, text)| (format!("example-logs-{number}/{name}"), text.to_owned()))
    };
    assert_eq!(files(&machine, "sdb"), [expected(1), expected(2)].concat());
}

#[test]
fn neither_the_boot_medium_nor_a_fixed_disk_nor_the_target_is_written_to() {
    let machine = FakeMachine::new();
    let none = || Err("There is no stick to export the logs to.".to_owned());
    plug_fat(&machine, NVME, SIZE);
    assert_eq!(export(&machine), none());
    plug_fat(&machine, USB, SIZE);
    let mut stick = File::options();
    let mut stick = stick.write(true).open(device(&machine, "sdb")).unwrap();
    // The hybrid ISO begins with an ISO 9660 file system, and holds a FAT one.
    let mut descriptor = b"\x01CD001\x01".to_vec();
    descriptor.resize(40, 0);
    descriptor.extend(format!("{MEDIUM:<32}").bytes());
    stick.seek(SeekFrom::Start(16 * 2048)).unwrap();
    stick.write_all(&descriptor).unwrap();
    let before = fs::read(device(&machine, "nvme0n1")).unwrap();
    assert_eq!(export(&machine), none());
    assert!(files(&machine, "nvme0n1").is_empty());
    assert!(fs::read(device(&machine, "nvme0n1")).unwrap() == before);
    plug_fat(&machine, OTHER, SIZE);
    let said = "The logs are on sdd, in example-logs-1.".to_owned();
    assert_eq!(export(&machine), Ok(said));
    let hardware = machine.scan(&[]);
    let target = hardware.disks.iter().find(|disk| disk.name == "sdd");
    let refused = export_logs(machine.root(), &[], &[], target).unwrap_err();
    assert_eq!(Err(refused.message), none());
}

#[test]
fn a_stick_that_does_not_take_the_logs_is_named_once() {
    let machine = FakeMachine::new();
    machine.plug(USB);
    machine.write("dev/sdb", &"x".repeat(8192));
    let said = "No stick took the logs (sdb has no FAT file system).";
    assert_eq!(export(&machine), Err(said.to_owned()));
    // The next one is tried.
    plug_fat(&machine, OTHER, SIZE);
    assert!(export(&machine).unwrap().starts_with("The logs are on sdd"));
}

/// A stick that was one volume, and was partitioned later, still has the volume's first sector.
#[test]
fn a_volume_that_was_there_before_the_partitions_is_not_written_to() {
    let entry = |mark: u8, kind: u8, start: u32, length: u32| {
        let mut entry = vec![mark, 0, 0, 0, kind, 0, 0, 0];
        entry.extend(start.to_le_bytes());
        entry.extend(length.to_le_bytes());
        entry
    };
    let rows = [
        ("a partition", 446, entry(0, 0x0c, 2048, 4096), false),
        (
            "one that can be started from",
            478,
            entry(0x80, 7, 2048, 4096),
            false,
        ),
        (
            "one beyond the end",
            446,
            entry(0, 0x0c, 2048, 1 << 30),
            false,
        ),
        ("a table of a GPT", 512, b"EFI PART".to_vec(), false),
        (
            "a boot program's text",
            446,
            b"Press any key to start again".to_vec(),
            true,
        ),
        ("an entry that is empty", 446, entry(0, 0, 0, 0), true),
    ];
    for (what, at, bytes, is_taken) in rows {
        let machine = FakeMachine::new();
        plug_fat(&machine, USB, SIZE);
        let path = device(&machine, "sdb");
        let mut stick = File::options().write(true).open(&path).unwrap();
        stick.seek(SeekFrom::Start(at)).unwrap();
        stick.write_all(&bytes).unwrap();
        let before = fs::read(&path).unwrap();
        let exported = export(&machine);
        assert_eq!(exported.is_ok(), is_taken, "{what}: {exported:?}");
        assert_eq!(fs::read(&path).unwrap() == before, !is_taken, "{what}");
    }
}

#[test]
fn logs_are_written_into_a_partition() {
    const START: u64 = 1 << 20;
    let machine = FakeMachine::new();
    machine.plug(USB);
    let mut table = vec![0; 512];
    table[446 + 4] = 0x0c;
    table[446 + 8..446 + 12].copy_from_slice(&2048_u32.to_le_bytes());
    table[446 + 12..446 + 16].copy_from_slice(&8192_u32.to_le_bytes());
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut volume = std::io::Cursor::new(vec![0; 4 << 20]);
    fatfs::format_volume(&mut volume, FormatVolumeOptions::new()).unwrap();
    let mut bytes = table;
    bytes.resize(usize::try_from(START).unwrap(), 0);
    bytes.extend(volume.get_ref());
    fs::write(device(&machine, "sdb"), &bytes).unwrap();
    let said = "The logs are on sdb, in example-logs-1.".to_owned();
    assert_eq!(export(&machine), Ok(said));
    let after = fs::read(device(&machine, "sdb")).unwrap();
    let start = usize::try_from(START).unwrap();
    assert!(after[..start] == bytes[..start]);
}
