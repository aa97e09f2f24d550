use std::io::{Cursor, Write};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use uuid::Uuid;

use super::super::layout::MIB;
use super::super::test_disk;
use super::*;

/// A disk with a partition that another system starts from, from its second MiB on.
struct Machine {
    _root: tempfile::TempDir,
    device: Rc<Device>,
    place: Place,
}

const OTHERS: [(&str, &[u8]); 2] = [
    ("EFI/Vendor/systemd-boot with a long name.efi", &[5; 70_000]),
    ("loader/loader.conf", b"timeout 3\n"),
];

impl Machine {
    /// `size` bytes in sectors of `sector`, with these files beside those of the others.
    fn new((size, sector): (u64, u16), files: &[(&str, &[u8])]) -> Self {
        let mut image = Cursor::new(vec![0; usize::try_from(size).unwrap()]);
        let cluster = u32::from(sector) * if size < 20 << 20 { 2 } else { 1 };
        let options = FormatVolumeOptions::new()
            .bytes_per_sector(sector)
            .bytes_per_cluster(cluster);
        fatfs::format_volume(&mut image, options).unwrap();
        {
            let volume = FileSystem::new(&mut image, FsOptions::new()).unwrap();
            let root = volume.root_dir();
            for (path, content) in OTHERS.iter().chain(files) {
                let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
                for folder in folders {
                    root.create_dir(folder).unwrap();
                }
                root.create_file(path).unwrap().write_all(content).unwrap();
            }
        }
        let root = tempfile::tempdir().unwrap();
        let disk = test_disk::disk(root.path(), size + 2 * MIB, u64::from(sector));
        let device = Rc::new(Device::open(root.path(), &disk).unwrap());
        device.write_at(MIB, image.get_ref()).unwrap();
        device.write_at(size + MIB, &vec![9; 1 << 20]).unwrap();
        Self {
            _root: root,
            device,
            place: Place {
                number: 3,
                name: "ESP".to_owned(),
                guid: Uuid::from_u128(3),
                start: MIB,
                size,
            },
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let size = usize::try_from(self.device.size()).unwrap();
        self.device.read_back(0, size).unwrap()
    }

    fn put(&self, files: &[(&str, &[u8])], is_ours: bool) -> Result<usize, String> {
        let files: Vec<_> = files
            .iter()
            .map(|(path, content)| ((*path).to_owned(), content.to_vec()))
            .collect();
        let wanted = Wanted {
            folder: "own",
            files: &files,
            is_ours,
        };
        let before = self.bytes();
        let judged = judge(&self.device, &self.place, wanted, "sda");
        assert!(self.bytes() == before, "who only judges writes nothing");
        let put = put(&self.device, &self.place, wanted, "sda");
        let message = |it: &Problem| it.message.clone();
        assert_eq!(
            judged.as_ref().err().map(message),
            put.as_ref().err().map(message)
        );
        if put.is_err() || put.as_ref().is_ok_and(|it| *it == 0) {
            assert!(self.bytes() == before, "nothing was to be done");
        }
        put.map_err(|it| it.message)
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        system::read_file(&self.device, &self.place, path).ok()
    }

    /// All files, as another program sees them.
    fn files(&self) -> Vec<String> {
        fn walk(folder: &fatfs::Dir<'_, Cursor<Vec<u8>>>, path: &str, found: &mut Vec<String>) {
            for entry in folder.iter().map(Result::unwrap) {
                let name = entry.file_name();
                if entry.is_dir() && !name.starts_with('.') {
                    walk(&entry.to_dir(), &format!("{path}{name}/"), found);
                } else if entry.is_file() {
                    found.push(format!("{path}{name}"));
                }
            }
        }
        let range = 1 << 20..usize::try_from(MIB + self.place.size).unwrap();
        let image = Cursor::new(self.bytes()[range].to_vec());
        let volume = FileSystem::new(image, FsOptions::new()).unwrap();
        let mut found = Vec::new();
        walk(&volume.root_dir(), "", &mut found);
        found
    }
}

const OWN: [(&str, &[u8]); 3] = [
    ("EFI/own/grubx64.efi", &[1; 200_000]),
    ("EFI/own/grub.cfg", b"configfile"),
    (FALLBACK, &[1; 200_000]),
];
/// FAT12, FAT16, FAT32, and sectors of 4096 bytes.
const SHAPES: [(u64, u16); 4] = [
    (4 << 20, 512),
    (16 << 20, 512),
    (34 << 20, 512),
    (16 << 20, 4096),
];

#[test]
fn our_folder_comes_beside_others_and_a_second_time_nothing_is_written() {
    for shape in SHAPES {
        let machine = Machine::new(shape, &[]);
        assert_eq!(machine.put(&OWN, false), Ok(1), "{shape:?}");
        for (path, content) in OWN.iter().chain(&OTHERS) {
            assert!(machine.read(path).unwrap() == *content, "{path}");
        }
        assert_eq!(machine.files().len(), 5);
        assert_eq!(machine.put(&OWN, false), Ok(0));
        assert_eq!(machine.put(&OWN, true), Ok(0));
        let bytes = machine.bytes();
        let around = |bytes: &[u8]| {
            let end = bytes.len() - (1 << 20);
            [bytes[..1 << 20].to_vec(), bytes[end..].to_vec()].concat()
        };
        assert!(around(&bytes) == [vec![0; 1 << 20], vec![9; 1 << 20]].concat());
    }
}

#[test]
fn what_others_start_by_itself_stays_theirs() {
    let theirs: [(&str, &[u8]); 1] = [("EFI/Boot/bootx64.efi", b"theirs")];
    let machine = Machine::new(SHAPES[1], &theirs);
    assert_eq!(machine.put(&OWN, false), Ok(1));
    assert_eq!(machine.read(FALLBACK).unwrap(), b"theirs");
    assert_eq!(machine.put(&OWN, true), Ok(0));
}

#[test]
fn a_folder_with_our_name_is_changed_only_if_it_is_ours() {
    let older: [(&str, &[u8]); 2] = [
        ("EFI/OWN/GRUBX64.EFI", &[2; 100]),
        ("EFI/OWN/older file.efi", &[3; 9_000]),
    ];
    let said = "The EFI system partition of sda (partition 3) has a folder EFI/own already, with other \
                files than this medium's.";
    for there in [&older[..1], &older[1..], &older[..]] {
        let machine = Machine::new(SHAPES[1], there);
        assert_eq!(machine.put(&OWN, false).unwrap_err(), said);
        assert!(machine.put(&OWN, true).unwrap() > 1);
        assert_eq!(machine.files().len(), 5, "{:?}", machine.files());
        for (path, content) in OWN.iter().chain(&OTHERS) {
            assert!(machine.read(path).unwrap() == *content, "{path}");
        }
        assert_eq!(machine.put(&OWN, true), Ok(0));
    }
}

#[test]
fn what_has_no_room_is_refused_with_the_sizes() {
    let filler = vec![0; 3_850_000];
    let machine = Machine::new(SHAPES[0], &[("EFI/Vendor/initrd.img", &filler)]);
    assert_eq!(
        machine.put(&OWN, false).unwrap_err(),
        "The EFI system partition of sda (partition 3) is too small: it has 239.6 kB free, and 406.5 kB are \
         needed."
    );
}

#[test]
fn what_is_damaged_or_something_else_is_refused() {
    let machine = Machine::new(SHAPES[1], &[]);
    let what = "The EFI system partition of sda (partition 3)";
    let outside: [(&str, &[u8]); 1] = [("EFI/other/x", b"")];
    assert_eq!(
        machine.put(&outside, true).unwrap_err(),
        format!("{what}: EFI/other/x of this medium lies outside of EFI/own/.")
    );
    let boot = machine.bytes()[1 << 20..][..512].to_vec();
    let table = MIB + 512 * u64::from(u16::from_le_bytes([boot[14], boot[15]]));
    machine.device.write_at(table + 7000, &[9]).unwrap();
    assert_eq!(
        machine.put(&OWN, true).unwrap_err(),
        format!(
            "{what}: its file system is damaged, its two tables differ: let a computer repair it."
        )
    );
    machine.device.write_at(MIB, &[0; 512]).unwrap();
    assert_eq!(
        machine.put(&OWN, true).unwrap_err(),
        format!("{what} holds no FAT file system.")
    );
}
