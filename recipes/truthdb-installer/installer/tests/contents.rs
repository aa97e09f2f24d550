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
use truthdb_installer::hardware::{Bus, Contents, Disk, Earlier, Volume};
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
        let disk = Disk {
            name: "sda".to_owned(),
            model: String::new(),
            serial: None,
            wwn: None,
            bus: Bus::Sata,
            place: String::new(),
            device: None,
            size: SIZE,
            block_size: self.block_size,
            removable: false,
            read_only: false,
            sequence: 0,
            volume: Volume::Other,
            contents: None,
        };
        Contents::read(&self.path, &disk).unwrap()
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

const EXT4: [(u64, &[u8]); 2] = [
    (1024 + 0x38, &[0x53, 0xef]),
    (1024 + 0x60, &[0x40, 0, 0, 0]),
];

#[test]
fn an_empty_disk_has_nothing() {
    assert_eq!(Image::new(512).read(), Contents::default());
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
    let entry = |kind: u8, start: u32, blocks: u32| {
        let mut bytes = vec![0, 0, 0, 0, kind, 0, 0, 0];
        bytes.extend(start.to_le_bytes());
        bytes.extend(blocks.to_le_bytes());
        bytes
    };
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
    assert!(image.lines().len() < 80);
}

#[test]
fn an_earlier_installation_is_told_with_its_version() {
    let image = Image::new(512);
    let names = |first, second| image.gpt(&[(first, EFI, 1, 40), (second, LINUX_FS, 41, 10)]);
    names("EFI", "TRUTHDB_DATA");
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
            .create_dir("TruthDB")
            .unwrap();
        for name in ["truthdb-0.9.0.efi", "truthdb-1.2.3.efi", "other.efi"] {
            folder.create_file(name).unwrap();
        }
    }
    file.seek(SeekFrom::Start(MIB)).unwrap();
    file.write_all(&volume).unwrap();
    drop(file);
    let version = Some("1.2.3".to_owned());
    let rows = [
        ("EFI", "TRUTHDB_DATA", Some((false, true))),
        ("TRUTHDB_UNFINISHED", "TRUTHDB_DATA", Some((true, true))),
        (
            "TRUTHDB_UNFINISHED",
            "TRUTHDB_UNFINISHED",
            Some((true, false)),
        ),
        ("EFI", "root", None),
        ("EFI system", "TRUTHDB_DATA", None),
    ];
    for (first, second, expected) in rows {
        names(first, second);
        let expected = expected.map(|(unfinished, has_data)| Earlier {
            version: version.clone(),
            unfinished,
            has_data,
        });
        assert_eq!(image.read().earlier, expected, "{first} {second}");
    }
}

#[test]
fn no_damage_makes_it_fail_or_hang() {
    let image = Image::new(512);
    image.gpt(&[("EFI", EFI, 1, 8), ("TRUTHDB_DATA", LINUX_FS, 9, 20)]);
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
