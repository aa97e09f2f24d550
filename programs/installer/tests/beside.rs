//! What a disk has for a set of partitions beside what is on it, told from images made here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Write};
use std::os::unix::fs::FileExt;

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{BIOS, EFI, LINUX_FS, Type};
use installer::hardware::{Contents, Firmware, Hardware, Room};
use support::states::sets::carried;
use support::{FakeMachine, machine_with_disks};
use uuid::Uuid;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 600 * MIB;

/// Name, type, first MiB and MiB of each partition.
type Partitions<'a> = &'a [(&'a str, Type, u64, u64)];

/// Offset and bytes.
type Writes<'a> = &'a [(u64, &'a [u8])];

/// The disk `sda` of a machine.
struct Image {
    machine: FakeMachine,
    file: File,
    block: u64,
}

impl Image {
    fn new(partitions: Partitions<'_>) -> Self {
        Self::with_blocks(512, partitions)
    }

    fn with_blocks(block: u64, partitions: Partitions<'_>) -> Self {
        let machine = FakeMachine::new();
        let path = machine.root().join("dev/sda");
        let mut file = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        file.set_len(SIZE).unwrap();
        let size = if block == 4096 {
            LogicalBlockSize::Lb4096
        } else {
            LogicalBlockSize::Lb512
        };
        let blocks = u32::try_from(SIZE / block - 1).unwrap();
        ProtectiveMBR::with_lb_size(blocks)
            .overwrite_lba0(&mut file)
            .unwrap();
        let config = GptConfig::new().writable(true).logical_block_size(size);
        let mut table = config
            .create_from_device(file.try_clone().unwrap(), Some(Uuid::from_u128(1)))
            .unwrap();
        let entries: BTreeMap<u32, Partition> = (1..)
            .zip(partitions)
            .map(|(number, (name, kind, start, length))| {
                let entry = Partition {
                    part_type_guid: kind.clone(),
                    part_guid: Uuid::from_u128(u128::from(number)),
                    first_lba: start * MIB / block,
                    last_lba: (start + length) * MIB / block - 1,
                    flags: 0,
                    name: (*name).to_owned(),
                };
                (number, entry)
            })
            .collect();
        table.update_partitions(entries).unwrap();
        table.write_inplace().unwrap();
        Self {
            machine,
            file,
            block,
        }
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, at).unwrap();
    }

    /// A FAT volume of 20 MiB at `at`, with these files.
    fn put_fat(&self, at: u64, files: &[&str]) {
        let mut image = Cursor::new(vec![0; 20 << 20]);
        let label = FormatVolumeOptions::new().volume_label(*b"EFI        ");
        fatfs::format_volume(&mut image, label).unwrap();
        {
            let volume = FileSystem::new(&mut image, FsOptions::new()).unwrap();
            for path in files {
                for (at, _) in path.match_indices('/') {
                    volume.root_dir().create_dir(&path[..at]).unwrap();
                }
                let mut file = volume.root_dir().create_file(path).unwrap();
                file.write_all(b"program").unwrap();
            }
        }
        self.put(at, image.get_ref());
    }

    /// An ext4 file system's superblock with this label.
    fn put_ext4(&self, at: u64, label: &str) {
        self.put(at + 1024 + 0x38, &[0x53, 0xef]);
        self.put(at + 1024 + 0x60, &[0x40, 0, 0, 0]);
        self.put(at + 1024 + 0x78, label.as_bytes());
    }

    fn contents(&self) -> Contents {
        let mut disk = machine_with_disks().1.disks[1].clone();
        (disk.size, disk.block_size) = (SIZE, self.block);
        let path = self.machine.root().join("dev/sda");
        disk.read_contents(&path).unwrap()
    }

    /// A machine with this disk as its second one, and with a set of partitions to install.
    fn hardware(&self) -> Hardware {
        let mut hardware = machine_with_disks().1;
        hardware.set = Some(carried([1, 32, 20, 60, 21]));
        let disk = &mut hardware.disks[1];
        (disk.size, disk.block_size) = (SIZE, self.block);
        disk.contents = Some(self.contents());
        hardware
    }

    /// Start and end in MiB of the rows of free space, and why one cannot be chosen.
    fn rows(&self, change: impl Fn(&mut Hardware)) -> Vec<(u64, u64, Option<String>)> {
        let mut hardware = self.hardware();
        change(&mut hardware);
        let rows = hardware.free_space(&hardware.disks[1]).into_iter();
        rows.map(|it| (it.room.start / MIB, it.room.end / MIB, it.obstacle))
            .collect()
    }
}

const OTHER: [(&str, Type, u64, u64); 3] = [
    ("ESP", EFI, 1, 40),
    ("root", LINUX_FS, 100, 50),
    ("home", LINUX_FS, 550, 20),
];

#[test]
fn free_space_is_told_largest_first() {
    for block in [512, 4096] {
        let free = Image::with_blocks(block, &OTHER).contents().beside.free;
        let mib = |start: u64, end: u64| Room {
            start: start * MIB,
            end: end * MIB,
        };
        let expected = [mib(150, 550), mib(41, 100), mib(570, 599)];
        assert_eq!(free.unwrap(), expected, "{block}");
    }
}

#[test]
fn rows_are_those_that_the_set_fits() {
    let image = Image::new(&OTHER);
    assert_eq!(image.rows(|_| {}), [(150, 550, None)]);
    assert_eq!(image.rows(|it| it.set = None), []);
    let more = |count| Image::new(&OTHER[..count]).rows(|_| {});
    assert_eq!(more(2), [(150, 599, None)]);
    assert_eq!(more(1), [(41, 599, None)]);
    assert_eq!(more(0), [], "there is nothing beside which it would be");
    let full = [("a", EFI, 1, 500), ("b", LINUX_FS, 602 - 101, 97)];
    let said = "too small, it has 1.0 MB and 107.0 MB are needed";
    assert_eq!(
        Image::new(&full).rows(|_| {}),
        [(598, 599, Some(said.to_owned()))]
    );
    let none = [("a", EFI, 1, 598)];
    let said = "too small, it has 0 bytes and 107.0 MB are needed";
    assert_eq!(
        Image::new(&none).rows(|_| {}),
        [(0, 0, Some(said.to_owned()))]
    );
}

#[test]
fn what_was_not_finished_is_free() {
    let cut_off = [
        ("ESP", EFI, 1, 40),
        ("EXAMPLE_UNFINISHED", LINUX_FS, 41, 10),
        ("EXAMPLE_UNFINISHED", EFI, 51, 500),
    ];
    let image = Image::new(&cut_off);
    // What a BIOS starts may be there already.
    image.put(3, b"GRUB");
    let bios = |hardware: &mut Hardware| hardware.machine.firmware = Firmware::Bios;
    assert_eq!(image.rows(bios), [(41, 599, None)]);
    assert_eq!(image.rows(|_| {}), [(41, 599, None)]);
    assert_eq!(image.contents().beside.esp.unwrap().number, 1);
}

#[test]
fn nothing_is_installed_twice_on_a_disk() {
    let image = Image::new(&OTHER);
    let installed =
        |hardware: &mut Hardware| support::set_earlier(&mut hardware.disks[1], false, true);
    let said = "Store System is on it".to_owned();
    assert_eq!(image.rows(installed), [(150, 550, Some(said))]);
}

#[test]
fn a_table_that_is_not_whole_or_no_gpt_has_no_free_space() {
    let damaged = "partition table damaged, or not at the disk's end";
    let mbr = "no GPT, its partition table is MBR";
    let both = "no GPT, its partition table is MBR and GPT";
    let rows: [(Writes<'_>, &str); 3] = [
        (&[(450, &[0x83])], both),
        (&[(450, &[0x83]), (512, &[0]), (SIZE - 512, &[0])], mbr),
        (&[(510, &[0])], damaged),
    ];
    for (writes, expected) in rows {
        let image = Image::new(&OTHER);
        for (at, bytes) in writes {
            image.put(*at, bytes);
        }
        let found = image.rows(|_| {});
        assert_eq!(found, [(0, 0, Some(expected.to_owned()))], "{writes:?}");
    }
}

#[test]
fn one_of_two_tables_is_enough_where_the_other_is_damaged() {
    for at in [512, SIZE - 512] {
        let image = Image::new(&OTHER);
        image.put(at, &[0]);
        assert_eq!(image.rows(|_| {}), [(150, 550, None)], "{at}");
    }
}

#[test]
fn under_bios_the_first_sector_has_to_be_free() {
    let bios = |hardware: &mut Hardware| hardware.machine.firmware = Firmware::Bios;
    let image = Image::new(&OTHER);
    assert_eq!(image.rows(bios), [(150, 550, None)]);
    image.put(3, b"GRUB");
    let said = "boot code of others, which BIOS starts";
    assert_eq!(image.rows(bios), [(150, 550, Some(said.to_owned()))]);
    assert_eq!(image.rows(|_| {}), [(150, 550, None)]);
    let image = Image::new(&[OTHER[0].clone(), ("grub", BIOS, 50, 1)]);
    let said = "BIOS boot partition, number 2 is another system's";
    assert_eq!(image.rows(bios), [(51, 599, Some(said.to_owned()))]);
    assert_eq!(image.rows(|_| {}), [(51, 599, None)]);
}

#[test]
fn who_starts_otherwise_than_this_computer_is_told() {
    let image = Image::new(&OTHER);
    let mismatch = |firmware| {
        let mut hardware = image.hardware();
        hardware.machine.firmware = firmware;
        hardware.mismatch(&hardware.disks[1])
    };
    let uefi = image.hardware().machine.firmware;
    assert_eq!(mismatch(Firmware::Bios), None);
    image.put(3, b"GRUB");
    assert_eq!(mismatch(Firmware::Bios), None);
    assert_eq!(
        mismatch(uefi).unwrap(),
        "This computer was started by UEFI, and the system on this disk starts by BIOS: the firmware starts \
         only the one or the other, as it is set."
    );
    let files = [
        "EFI/debian/shimx64.efi",
        "EFI/Other/readme.txt",
        "EFI/Example/grubx64.efi",
        "EFI/systemd/systemd-bootx64.EFI",
    ];
    image.put_fat(MIB, &files);
    assert_eq!(mismatch(uefi), None);
    assert_eq!(
        mismatch(Firmware::Bios).unwrap(),
        "This computer was started by BIOS, and debian, systemd on this disk starts by UEFI: the firmware \
         starts only the one or the other, as it is set."
    );
}

#[test]
fn labels_that_stay_on_the_machine_are_told() {
    let partitions = [
        ("ESP", EFI, 1, 40),
        ("ROOT", LINUX_FS, 100, 50),
        ("EXAMPLE_UNFINISHED", LINUX_FS, 150, 50),
        ("mine", LINUX_FS, 200, 50),
    ];
    let image = Image::new(&partitions);
    image.put_fat(MIB, &[]);
    image.put_ext4(150 * MIB, "STORE_BOOT");
    image.put_ext4(200 * MIB, "STORE_ROOT");
    let hardware = image.hardware();
    let labels = &hardware.disks[1].contents.as_ref().unwrap().beside.labels;
    let expected = [(1, "EFI"), (3, "STORE_BOOT"), (4, "STORE_ROOT")];
    let expected = expected.map(|(number, label)| (Some(number), label.to_owned()));
    assert_eq!(*labels, expected);
    let taken = |index: usize, whole| {
        let taken = hardware.taken_labels(&hardware.disks[index], whole);
        let texts = taken
            .into_iter()
            .map(|(label, place)| format!("{label}: {place}"));
        texts.collect::<Vec<_>>()
    };
    let root = "STORE_ROOT: partition 4 of sda";
    assert_eq!(taken(1, false), [root]);
    assert_eq!(taken(1, true), [""; 0]);
    assert_eq!(taken(0, true), ["STORE_BOOT: partition 3 of sda", root]);
}
