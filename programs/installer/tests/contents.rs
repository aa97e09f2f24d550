//! What is on disks, told from images made here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use gpt::partition::Partition;
use gpt::partition_types::{EFI, LINUX_FS, Type};
use installer::hardware::{Bus, Contents, Disk, Earlier, Volume};
use uuid::Uuid;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 64 * MIB;

struct Image {
    _folder: tempfile::TempDir,
    path: PathBuf,
    block_size: u64,
}

impl Image {
    fn new(block_size: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        File::create(&path).unwrap().set_len(SIZE).unwrap();
        Self {
            _folder: folder,
            path,
            block_size,
        }
    }

    fn write(&self, offset: u64, data: &[u8]) {
        let file = File::options().write(true).open(&self.path).unwrap();
        file.write_all_at(data, offset).unwrap();
    }

    /// Writes a GPT: name, type, first MiB and length in MiB of each partition.
    fn gpt(&self, partitions: &[(&str, Type, u64, u64)]) {
        let file = File::options()
            .read(true)
            .write(true)
            .open(&self.path)
            .unwrap();
        let size = if self.block_size == 4096 {
            LogicalBlockSize::Lb4096
        } else {
            LogicalBlockSize::Lb512
        };
        let mut table = GptConfig::new()
            .writable(true)
            .logical_block_size(size)
            .create_from_device(file, Some(Uuid::from_u128(1)))
            .unwrap();
        let blocks = MIB / self.block_size;
        let entries: BTreeMap<u32, Partition> = (1..)
            .zip(partitions)
            .map(|(number, (name, kind, start, length))| {
                let entry = Partition {
                    part_type_guid: kind.clone(),
                    part_guid: Uuid::from_u128(u128::from(number)),
                    first_lba: start * blocks,
                    last_lba: (start + length) * blocks - 1,
                    flags: 0,
                    name: (*name).to_owned(),
                };
                (number, entry)
            })
            .collect();
        table.update_partitions(entries).unwrap();
        table.write_inplace().unwrap();
    }

    fn read(&self) -> Contents {
        self.read_as(SIZE).unwrap()
    }

    /// What is on it if the disk says that it has `size` bytes.
    fn read_as(&self, size: u64) -> std::io::Result<Contents> {
        let disk = Disk {
            name: "sda".to_owned(),
            model: String::new(),
            serial: None,
            wwn: None,
            bus: Bus::Sata,
            place: String::new(),
            device: None,
            size,
            block_size: self.block_size,
            removable: false,
            read_only: false,
            sequence: 0,
            volume: Volume::Other,
            contents: None,
            is_medium: false,
        };
        disk.read_contents(&self.path)
    }

    fn lines(&self) -> Vec<String> {
        let parts = self.read().parts.into_iter();
        parts
            .map(|it| {
                format!(
                    "{:?} {} {:?} {}",
                    it.number,
                    it.size / MIB,
                    it.label,
                    it.kind
                )
            })
            .collect()
    }
}

/// An entry of a master boot record.
fn entry(kind: u8, start: u32, blocks: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, kind, 0, 0, 0];
    bytes.extend(start.to_le_bytes());
    bytes.extend(blocks.to_le_bytes());
    bytes
}

const UNKNOWN: &str = "None 64 \"\" data that is not recognised";
const EXT4: [(u64, &[u8]); 2] = [
    (1024 + 0x38, &[0x53, 0xef]),
    (1024 + 0x60, &[0x40, 0, 0, 0]),
];

#[test]
fn an_empty_disk_has_nothing() {
    assert_eq!(Image::new(512).read(), Contents::default());
}

#[test]
fn a_disk_with_anything_unknown_is_not_called_empty() {
    let last = SIZE - 1;
    for offset in [0, 600, 300_000, 3 * MIB, last - 700_000, last - 512, last] {
        let image = Image::new(512);
        image.write(offset, &[1]);
        assert_eq!(image.read().table, None);
        assert_eq!(image.lines(), [UNKNOWN], "{offset}");
    }
    // Whatever fills most of a disk, wherever it begins.
    let image = Image::new(512);
    image.write(20 * MIB, &vec![1; 2 << 20]);
    assert_eq!(image.lines(), [UNKNOWN]);
}

#[test]
fn a_table_without_partitions_does_not_hide_what_is_left_of_them() {
    let gpt = Image::new(512);
    gpt.gpt(&[]);
    let mbr = Image::new(512);
    mbr.write(440, b"disk");
    mbr.write(510, &[0x55, 0xaa]);
    for (image, table) in [(gpt, "GPT"), (mbr, "MBR")] {
        assert_eq!(image.read().table, Some(table));
        assert_eq!(image.lines().len(), 0, "{table}");
        image.write(3 * MIB, b"a database");
        assert_eq!(image.read().table, Some(table));
        assert_eq!(image.lines(), [UNKNOWN]);
    }
}

#[test]
fn boot_code_is_no_table() {
    let image = Image::new(512);
    image.write(446, &[entry(0x83, 1, 9), entry(0x83, 10, 9)].concat());
    image.write(446, &[0x33]);
    image.write(510, &[0x55, 0xaa]);
    assert_eq!(image.read().table, None);
    assert_eq!(image.lines(), [UNKNOWN]);
    image.write(446, &[0]);
    assert_eq!(image.read().table, Some("MBR"));
    // NTFS has its boot code there.
    image.write(3, b"NTFS    ");
    assert_eq!(image.read().table, None);
    assert_eq!(image.lines(), ["None 64 \"\" NTFS"]);
}

#[test]
fn the_half_of_a_mirror_is_told_beside_the_partitions_of_the_mirror() {
    const INTEL: &[u8] = b"Intel Raid ISM Cfg Sig. 1.0.00";
    let expected = [
        "None 64 \"\" RAID member (Intel)",
        "Some(1) 8 \"boot\" EFI",
        "Some(2) 50 \"root\" Linux data",
    ];
    let image = Image::new(512);
    image.gpt(&[("boot", EFI, 1, 8), ("root", LINUX_FS, 9, 50)]);
    image.write(SIZE - 1024, INTEL);
    assert_eq!(image.lines(), expected);
    // What is striped over two disks reaches beyond each of them.
    let image = Image::new(512);
    image.write(446, &entry(0x07, 2048, 0x0010_0000));
    image.write(510, &[0x55, 0xaa]);
    image.write(SIZE - 1024, INTEL);
    let expected = [
        "None 64 \"\" RAID member (Intel)",
        "Some(1) 512 \"\" Windows data",
    ];
    assert_eq!(image.lines(), expected);
}

#[test]
fn what_lies_in_a_partition_is_not_taken_for_what_fills_the_disk() {
    let image = Image::new(512);
    image.gpt(&[("first", LINUX_FS, 1, 8)]);
    image.write(446, &entry(0x83, 64, 131_008));
    image.write(510, &[0x55, 0xaa]);
    image.write(512, &[0; 92]);
    image.write(SIZE - 512, &[0; 92]);
    // btrfs would have its mark there, and Intel's RAID.
    image.write(65_600, b"_BHRfS_M");
    image.write(SIZE - 1024, b"Intel Raid ISM Cfg Sig. ");
    assert_eq!(image.read().table, Some("MBR"));
    assert_eq!(image.lines(), ["Some(1) 63 \"\" RAID member (Intel)"],);
}

#[test]
fn a_table_that_was_written_for_another_block_size_is_told() {
    for (written, read, name) in [
        (4096, 512, "GPT for blocks of 4096"),
        (512, 4096, "GPT for blocks of 512"),
    ] {
        let mut image = Image::new(written);
        image.gpt(&[("EFI", EFI, 1, 8), ("EXAMPLE_DATA", LINUX_FS, 9, 20)]);
        for (offset, data) in EXT4 {
            image.write(9 * MIB + offset, data);
        }
        image.block_size = read;
        let found = image.read();
        assert_eq!((found.table, found.earlier), (Some(name), None));
        let expected = ["Some(1) 8 \"EFI\" EFI", "Some(2) 20 \"EXAMPLE_DATA\" ext4"];
        assert_eq!(image.lines(), expected);
    }
}

#[test]
fn a_table_that_was_put_over_another_one_does_not_hide_it() {
    let image = Image::new(512);
    image.gpt(&[("old", LINUX_FS, 20, 8)]);
    image.write(446, &entry(0x83, 2048, 2048));
    image.write(510, &[0x55, 0xaa]);
    image.write(512, &[0; 92]);
    assert_eq!(image.read().table, Some("MBR and GPT"));
    let expected = ["Some(1) 1 \"\" Linux data", "Some(1) 8 \"old\" Linux data"];
    assert_eq!(image.lines(), expected);
}

#[test]
fn a_disk_of_which_one_end_cannot_be_read_still_has_its_table() {
    let image = Image::new(512);
    assert!(image.read_as(SIZE + MIB).is_err());
    image.gpt(&[("EFI", EFI, 1, 8), ("EXAMPLE_DATA", LINUX_FS, 9, 20)]);
    let found = image.read_as(SIZE + MIB).unwrap();
    assert_eq!((found.table, found.parts.len()), (Some("GPT"), 2));
    assert!(found.earlier.is_some());
}

#[test]
fn a_disk_that_cannot_be_read_and_whose_table_is_empty_is_not_called_blank() {
    let gpt = Image::new(512);
    gpt.gpt(&[]);
    // Boot code ends so, too: of a table as of a FAT file system whose other sectors cannot be read.
    let boot_sector = Image::new(512);
    boot_sector.write(510, &[0x55, 0xaa]);
    for image in [gpt, boot_sector] {
        assert!(image.read_as(SIZE + MIB).is_err());
    }
}

#[test]
fn partitions_beyond_the_end_are_told_by_the_table_alone() {
    let image = Image::new(512);
    let entries = [entry(0x83, 0x0100_0000, 2048), entry(0xfb, 2048, 4096)];
    image.write(446, &entries.concat());
    image.write(510, &[0x55, 0xaa]);
    let expected = ["Some(2) 2 \"\" VMware data", "Some(1) 1 \"\" Linux data"];
    assert_eq!(image.lines(), expected);
}

#[test]
fn a_partition_has_the_name_in_the_table_and_that_of_its_file_system() {
    let image = Image::new(512);
    image.gpt(&[
        ("Basic data partition", LINUX_FS, 1, 8),
        ("backup", LINUX_FS, 9, 8),
        ("", LINUX_FS, 17, 8),
    ]);
    for (start, label) in [(1, b"BOOKS\0\0"), (9, b"backup\0"), (17, b"films\0\0")] {
        for (offset, data) in EXT4 {
            image.write(start * MIB + offset, data);
        }
        image.write(start * MIB + 1024 + 0x78, label);
    }
    let expected = [
        "Some(1) 8 \"Basic data partition, BOOKS\" ext4",
        "Some(2) 8 \"backup\" ext4",
        "Some(3) 8 \"films\" ext4",
    ];
    assert_eq!(image.lines(), expected);
}

#[test]
fn a_file_system_without_a_table_fills_the_disk() {
    let image = Image::new(512);
    for (offset, data) in EXT4 {
        image.write(offset, data);
    }
    image.write(510, &[0x55, 0xaa]);
    assert_eq!(image.read().table, None);
    assert_eq!(image.lines(), ["None 64 \"\" ext4"]);
}

#[test]
fn partitions_of_a_gpt_are_told_also_by_the_second_table_alone() {
    for block_size in [512, 4096] {
        let image = Image::new(block_size);
        image.gpt(&[
            ("boot", EFI, 1, 8),
            ("", LINUX_FS, 9, 20),
            ("raw", LINUX_FS, 30, 4),
        ]);
        image.write(MIB + 82, b"FAT32   ");
        for (offset, data) in EXT4 {
            image.write(9 * MIB + offset, data);
        }
        let expected = [
            "Some(1) 8 \"boot\" EFI (FAT32)",
            "Some(2) 20 \"\" ext4",
            "Some(3) 4 \"raw\" Linux data",
        ];
        assert_eq!(image.lines(), expected);
        assert_eq!(image.read().earlier, None);
        image.write(block_size, &[0; 92]);
        assert_eq!(image.lines(), expected, "blocks of {block_size}");
    }
}

#[test]
fn partitions_of_an_mbr_are_told_with_logical_ones_and_a_chain_that_bites_its_tail_ends() {
    let image = Image::new(512);
    image.write(
        446,
        &[entry(0x83, 2048, 2048), entry(0x05, 8192, 8192)].concat(),
    );
    image.write(510, &[0x55, 0xaa]);
    let extended = 8192 * 512;
    image.write(
        extended + 446,
        &[entry(0x8e, 2048, 2048), entry(0x05, 4096, 4096)].concat(),
    );
    image.write(extended + 510, &[0x55, 0xaa]);
    let second = extended + 4096 * 512;
    image.write(
        second + 446,
        &[entry(0x82, 2048, 2048), entry(0, 0, 0)].concat(),
    );
    image.write(second + 510, &[0x55, 0xaa]);
    let expected = [
        "Some(1) 1 \"\" Linux data",
        "Some(2) 4 \"\" extended",
        "Some(5) 1 \"\" LVM member",
        "Some(6) 1 \"\" swap",
    ];
    assert_eq!(image.lines(), expected);
    assert_eq!(image.read().table, Some("MBR"));
    // The second record now leads to itself.
    image.write(second + 446 + 16, &entry(0x05, 4096, 4096));
    assert_eq!(image.lines(), expected);
}

#[test]
fn an_earlier_installation_is_told_with_its_version() {
    let image = Image::new(512);
    let names = |first, second| image.gpt(&[(first, EFI, 1, 40), (second, LINUX_FS, 41, 10)]);
    names("EFI", "EXAMPLE_DATA");
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(&image.path)
        .unwrap();
    let mut volume = vec![0; usize::try_from(40 * MIB).unwrap()];
    let mut cursor = std::io::Cursor::new(&mut volume);
    fatfs::format_volume(&mut cursor, fatfs::FormatVolumeOptions::new()).unwrap();
    {
        let volume = fatfs::FileSystem::new(&mut cursor, fatfs::FsOptions::new()).unwrap();
        let root = volume.root_dir();
        let folder = root
            .create_dir("EFI")
            .unwrap()
            .create_dir("Example")
            .unwrap();
        for name in ["example-1.10.0.efi", "example-1.2.3.efi", "other.efi"] {
            folder.create_file(name).unwrap();
        }
    }
    file.seek(SeekFrom::Start(MIB)).unwrap();
    file.write_all(&volume).unwrap();
    drop(file);
    let version = Some("1.10.0".to_owned());
    let rows = [
        ("EFI", "EXAMPLE_DATA", Some((false, true))),
        ("EXAMPLE_UNFINISHED", "EXAMPLE_DATA", Some((true, true))),
        (
            "EXAMPLE_UNFINISHED",
            "EXAMPLE_UNFINISHED",
            Some((true, false)),
        ),
        ("EFI", "root", None),
        ("EFI system", "EXAMPLE_DATA", None),
    ];
    let earlier = |(unfinished, has_data)| Earlier {
        version: version.clone(),
        unfinished,
        has_data,
        ..Earlier::default()
    };
    for (first, second, expected) in rows {
        names(first, second);
        assert_eq!(
            image.read().earlier,
            expected.map(earlier),
            "{first} {second}"
        );
    }
    // A table that another one was put over is not in effect.
    names("EFI", "EXAMPLE_DATA");
    assert_eq!(image.read().earlier, Some(earlier((false, true))));
    image.write(446, &entry(0x83, 2048, 2048));
    image.write(510, &[0x55, 0xaa]);
    assert_eq!(image.read().table, Some("MBR and GPT"));
    assert_eq!(image.read().earlier, None);
}

#[test]
fn no_damage_makes_it_fail_or_hang() {
    let image = Image::new(512);
    image.gpt(&[("EFI", EFI, 1, 8), ("EXAMPLE_DATA", LINUX_FS, 9, 20)]);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..300 {
        // xorshift64: Marsaglia, "Xorshift RNGs", 2003
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let offset = state % (34 * 512);
        image.write(offset, &state.to_le_bytes()[4..5]);
        assert!(image.read().parts.len() <= 129);
    }
}
