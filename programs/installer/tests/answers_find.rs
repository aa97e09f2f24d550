//! Where an answer file is looked for: the SMBIOS table, FAT volumes called `EXAMPLE_CFG`, the
//! medium that the machine was started from. Disks are images made here.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "answers/images.rs"]
mod images;
mod support;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fatfs::FatType;
use gpt::disk::LogicalBlockSize;
use gpt::partition_types;
use images::{MIB, TEXT, as_medium, config, fat, with_gpt, with_mbr, with_named};
use installer::answers::{self, Found, LARGEST, Refusal, Sought};
use installer::hardware::{Bus, Contents, Hardware, Part, Volume};
use support::{FakeMachine, MEDIUM};

/// A machine with these disks.
fn machine(disks: &[(&str, &str, &[u8])]) -> FakeMachine {
    let machine = FakeMachine::new();
    for (name, block_size, content) in disks {
        let sectors = (content.len() / 512).to_string();
        let device = format!("pci0000:00/0000:00:14.0/usb2/2-1/{name}");
        let attributes = [
            ("size", &*sectors),
            ("queue/logical_block_size", *block_size),
            ("diskseq", "1"),
        ];
        machine.plug((name, &device, &attributes));
        fs::write(machine.root().join("dev").join(name), content).unwrap();
    }
    machine
}

/// Puts an SMBIOS table with these OEM strings into a machine.
fn add_strings(machine: &FakeMachine, strings: &[&[u8]]) {
    let count = u8::try_from(strings.len()).unwrap();
    let mut table = vec![11, 5, 0, 0, count];
    for string in strings {
        table.extend_from_slice(string);
        table.push(0);
    }
    table.extend_from_slice(&[0, 127, 4, 1, 0, 0, 0]);
    let folder = machine.root().join("sys/firmware/dmi/tables");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("DMI"), table).unwrap();
}

/// The answer file that is followed, if there is one.
fn find(root: &Path, hardware: &Hardware) -> Result<Option<Found>, Refusal> {
    answers::find(root, hardware).map(|it| match it {
        Sought::File(found) => Some(found),
        Sought::Nothing | Sought::Almost(_) => None,
    })
}

fn search(machine: &FakeMachine, medium: Option<&str>) -> Result<Option<Found>, Refusal> {
    let iso = Volume::Iso(MEDIUM.to_owned());
    let volumes: Vec<(&str, Volume)> = medium.into_iter().map(|name| (name, iso.clone())).collect();
    find(machine.root(), &machine.scan(&volumes))
}

/// Where the file was found on a machine with one disk; checks that it is the right one.
fn source(name: &str, block_size: &str, content: &[u8], medium: bool) -> Option<String> {
    let machine = machine(&[(name, block_size, content)]);
    let found = search(&machine, medium.then_some(name)).unwrap();
    let after = fs::read(machine.root().join("dev").join(name)).unwrap();
    assert!(content == after, "the disk was written to");
    found.map(|found| {
        assert_eq!(found.bytes, TEXT.as_bytes());
        found.source
    })
}

#[test]
fn a_machine_with_no_answer_file() {
    assert_eq!(search(&FakeMachine::new(), None), Ok(None));
    let empty = vec![0; MIB];
    assert_eq!(source("sda", "512", &empty, false), None);
    assert_eq!(source("sda", "512", &empty, true), None);
}

#[test]
fn a_labelled_volume_is_found_wherever_it_lies() {
    let config = config();
    let large = fat(
        40 * MIB,
        FatType::Fat32,
        "EXAMPLE_CFG",
        &[("INSTALL.TOML", TEXT.as_bytes())],
    );
    let other = fat(MIB, FatType::Fat12, "DATA", &[("install.toml", b"no")]);
    let fat_type = partition_types::BASIC;
    let gpt = |block, content: &[u8]| {
        with_gpt(
            block,
            &[(fat_type.clone(), &other), (fat_type.clone(), content)],
        )
    };
    let (small_blocks, large_blocks) = (LogicalBlockSize::Lb512, LogicalBlockSize::Lb4096);
    let rows = [
        ("sda", "512", config.clone(), "sda"),
        ("sda", "512", large, "sda"),
        ("sr0", "2048", config.clone(), "sr0"),
        ("sda", "512", gpt(small_blocks, &config), "sda2"),
        ("nvme0n1", "4096", gpt(large_blocks, &config), "nvme0n1p2"),
        // Copied from a disk with smaller blocks.
        ("nvme0n1", "4096", gpt(small_blocks, &config), "nvme0n1p2"),
        ("mmcblk0", "512", with_mbr(512, 0x0c, &config), "mmcblk0p2"),
        ("sda", "4096", with_mbr(4096, 0x0c, &config), "sda2"),
    ];
    for (name, block_size, content, place) in rows {
        assert_eq!(
            source(name, block_size, &content, false),
            Some(format!("/install.toml on {place} (EXAMPLE_CFG)"))
        );
    }
}

#[test]
fn a_label_in_the_boot_sector_alone_counts_where_the_root_has_none() {
    let mut config = config();
    let in_root = config
        .windows(12)
        .rposition(|it| it == b"EXAMPLE_CFG\x08")
        .unwrap();
    config[in_root] = 0xe5; // deleted
    assert!(source("sda", "512", &config, false).is_some());
    let mut renamed = fat(
        MIB,
        FatType::Fat12,
        "EXAMPLE_CFG",
        &[("install.toml", TEXT.as_bytes())],
    );
    renamed[in_root..in_root + 11].copy_from_slice(b"OTHER      ");
    assert_eq!(source("sda", "512", &renamed, false), None);
}

#[test]
fn the_boot_mediums_own_efi_system_partition_counts() {
    let esp = fat(
        MIB,
        FatType::Fat12,
        "EFI",
        &[("install.toml", TEXT.as_bytes())],
    );
    let image = as_medium(with_gpt(
        LogicalBlockSize::Lb512,
        &[
            (partition_types::BASIC, &[0; 4096]),
            (partition_types::EFI, &esp),
        ],
    ));
    let found = |name: &str| Some(format!("/install.toml on {name} (boot medium)"));
    assert_eq!(source("sdb", "512", &image, true), found("sdb2"));
    assert_eq!(source("sr0", "2048", &image, true), found("sr0p2"));
    assert_eq!(source("nvme0n1", "4096", &image, true), found("nvme0n1p2"));
    // Another disk's is another system's.
    assert_eq!(source("sdb", "512", &image, false), None);
    let mbr = as_medium(with_mbr(512, 0xef, &esp));
    assert_eq!(source("sdb", "512", &mbr, true), found("sdb2"));
    let data = as_medium(with_gpt(
        LogicalBlockSize::Lb512,
        &[(partition_types::BASIC, &esp)],
    ));
    assert_eq!(source("sdb", "512", &data, true), None);
    let labelled = with_gpt(
        LogicalBlockSize::Lb512,
        &[(partition_types::EFI, &config())],
    );
    assert_eq!(
        source("sdb", "512", &as_medium(labelled), true).as_deref(),
        Some("/install.toml on sdb1 (EXAMPLE_CFG)")
    );
}

#[test]
fn the_firmware_hands_over_text_or_base64() {
    let rows: [(&[u8], &str); 3] = [
        (
            b"example.install.toml=version = 1\n",
            "SMBIOS OEM string example.install.toml",
        ),
        (
            b"example.install.toml.base64=dmVyc2lvbiA9IDEK",
            "SMBIOS OEM string example.install.toml.base64",
        ),
        (
            b"example.install.toml.base64=dmVyc2lv\nbiA9IDEK\n",
            "SMBIOS OEM string example.install.toml.base64",
        ),
    ];
    for (string, source) in rows {
        let machine = FakeMachine::new();
        add_strings(&machine, &[b"vendor=x", string]);
        let found = search(&machine, None).unwrap().unwrap();
        assert_eq!((&*found.source, &*found.bytes), (source, TEXT.as_bytes()));
    }
    let machine = FakeMachine::new();
    add_strings(
        &machine,
        &[b"example.install=x", b"xexample.install.toml=y"],
    );
    assert_eq!(search(&machine, None), Ok(None));
}

fn refusal(machine: &FakeMachine) -> String {
    search(machine, None).unwrap_err().to_string()
}

#[test]
fn what_is_no_base64_is_refused() {
    let strings: [&[u8]; 2] = [
        b"example.install.toml.base64=dmVyc2lvbiA9IDE",
        b"example.install.toml.base64=\xff",
    ];
    for string in strings {
        let machine = FakeMachine::new();
        add_strings(&machine, &[string]);
        assert_eq!(
            refusal(&machine),
            "The answer file is not base64: SMBIOS OEM string example.install.toml.base64. Make it \
             with: base64 -w0 install.toml"
        );
    }
}

#[test]
fn of_a_file_that_is_too_large_just_enough_is_read_to_tell() {
    for (length, expected) in [(LARGEST, LARGEST), (3 * LARGEST, LARGEST + 1)] {
        let content = vec![b'#'; length];
        let files = [("install.toml", &content[..])];
        let volume = fat(MIB, FatType::Fat12, "EXAMPLE_CFG", &files);
        let machine = machine(&[("sda", "512", &volume)]);
        let found = search(&machine, None).unwrap().unwrap();
        assert_eq!(found.bytes.len(), expected);
    }
}

/// What people make of a label and a name.
#[test]
fn a_volume_that_is_almost_right_is_followed_or_told() {
    type Row<'a> = (&'a str, &'a [(&'a str, &'a [u8])], Option<&'a str>);
    let (right, text) = (("install.toml", TEXT.as_bytes()), TEXT.as_bytes());
    let rows: [Row<'_>; 5] = [
        (
            "example_cfg",
            &[right],
            Some("/install.toml on sda (EXAMPLE_CFG)"),
        ),
        (
            "Example_Cfg",
            &[("INSTALL.TOML", text)],
            Some("/install.toml on sda (EXAMPLE_CFG)"),
        ),
        (
            "EXAMPLE_CFG",
            &[("Install.toml.txt", text)],
            Some("/install.toml.txt on sda (EXAMPLE_CFG)"),
        ),
        (
            "EXAMPLE_CFG",
            &[("install.toml.txt", b"an older one"), right],
            Some("/install.toml on sda (EXAMPLE_CFG)"),
        ),
        ("EXAMPLE_CF", &[right], None),
    ];
    for (label, files, expected) in rows {
        let volume = fat(MIB, FatType::Fat12, label, files);
        let found = source("sda", "512", &volume, false);
        assert_eq!(found.as_deref(), expected, "{label} {files:?}");
    }
    let machine = machine(&[("sda", "512", &vec![0; MIB])]);
    let mut hardware = machine.scan(&[]);
    let mut of_kind = |number, kind: &str, label: &str| {
        let part = Part {
            number,
            size: 1,
            label: label.to_owned(),
            kind: kind.to_owned(),
        };
        hardware.disks[0].contents = Some(Contents {
            parts: vec![part],
            ..Contents::default()
        });
        find(machine.root(), &hardware)
    };
    for (number, kind, label, name) in [
        (
            Some(1),
            "exFAT",
            "Basic data partition, example_cfg",
            "sda1",
        ),
        (None, "ext4", "EXAMPLE_CFG", "sda"),
    ] {
        assert_eq!(
            of_kind(number, kind, label).unwrap_err().to_string(),
            format!(
                "EXAMPLE_CFG on {name} is not FAT but {kind}. Format it as FAT32 with this label, and put \
                 install.toml on it."
            )
        );
    }
    assert_eq!(of_kind(Some(1), "exFAT", "PHOTOS"), Ok(None));
}

#[test]
fn a_volume_with_another_label_is_told_and_never_followed() {
    let files: &[(&str, &[u8])] = &[("Install.toml.txt", TEXT.as_bytes())];
    let volume = |label, files| fat(MIB, FatType::Fat12, label, files);
    let partition = |name, content: &[u8]| {
        let partitions: [(_, &[u8]); 1] = [(partition_types::BASIC, content)];
        with_named(name, LogicalBlockSize::Lb512, &partitions)
    };
    let label_it = " To have it followed, label the file system EXAMPLE_CFG.";
    let rows = [
        (
            volume("DATA", files),
            "/install.toml.txt on sda is not followed: its file system has the label DATA.",
        ),
        (
            partition("x", &volume("", files)),
            "/install.toml.txt on sda1 is not followed: its file system has no label.",
        ),
        (
            partition("example_cfg", &volume("DATA", files)),
            "/install.toml.txt on sda1 is not followed: EXAMPLE_CFG is only the name of the partition; \
             its file system has the label DATA.",
        ),
        (
            partition("EXAMPLE_CFG", &volume("", &[])),
            "sda1 is not searched for an answer file: EXAMPLE_CFG is only the name of the partition; \
             its file system has no label.",
        ),
    ];
    let sought = |machine: &FakeMachine| {
        let mut hardware = machine.scan(&[]);
        for disk in &mut hardware.disks {
            let device = machine.root().join("dev").join(&disk.name);
            disk.contents = Some(disk.read_contents(&device).unwrap());
        }
        answers::find(machine.root(), &hardware)
    };
    for (content, expected) in rows {
        let machine = machine(&[("sda", "512", &content)]);
        let Ok(Sought::Almost(why)) = sought(&machine) else {
            panic!("nothing is said, instead of: {expected}");
        };
        assert_eq!(why.to_string(), format!("{expected}{label_it}"));
        // One that is right is enough.
        add_strings(&machine, &[b"example.install.toml=version = 1\n"]);
        assert!(matches!(sought(&machine), Ok(Sought::File(_))));
    }
    let other = partition("x", &volume("DATA", &[]));
    let machine = machine(&[("sda", "512", &other)]);
    assert_eq!(sought(&machine), Ok(Sought::Nothing));
}

#[test]
fn a_volume_that_was_prepared_in_vain_is_told() {
    let misnamed = fat(
        MIB,
        FatType::Fat12,
        "EXAMPLE_CFG",
        &[("answers.toml", TEXT.as_bytes())],
    );
    let machine = machine(&[("sda", "512", &misnamed)]);
    assert_eq!(
        refusal(&machine),
        "EXAMPLE_CFG on sda has no /install.toml. Put the answer file there, under just this name, or \
         take EXAMPLE_CFG away."
    );
    let mut hardware = machine.scan(&[]);
    hardware.disks[0].volume = Volume::Iso("EXAMPLE_CFG".to_owned());
    assert_eq!(
        find(machine.root(), &hardware).unwrap_err().to_string(),
        "EXAMPLE_CFG on sda is an ISO 9660 file system. Put install.toml on a FAT file system with \
         this label."
    );
    // Another one that is right is enough.
    add_strings(&machine, &[b"example.install.toml=version = 1\n"]);
    assert!(search(&machine, None).unwrap().is_some());
}

#[test]
fn more_than_one_is_refused() {
    let config = config();
    let machine = machine(&[("sda", "512", &config), ("sdb", "512", &config)]);
    add_strings(&machine, &[b"example.install.toml=x"]);
    assert_eq!(
        refusal(&machine),
        "There are 3 answer files, and none says that it counts: SMBIOS OEM string \
         example.install.toml; /install.toml on sda (EXAMPLE_CFG); /install.toml on sdb \
         (EXAMPLE_CFG). Leave one of them, and restart this computer."
    );
}

/// What becomes of the node of a disk, and what is known of it then.
type Spoil = (fn(&Path), Volume);

const SPOILS: [Spoil; 4] = [
    (|node| fs::remove_file(node).unwrap(), Volume::Other),
    // Whatever is read of it is an error.
    (
        |node| {
            fs::remove_file(node).unwrap();
            fs::create_dir(node).unwrap();
        },
        Volume::Other,
    ),
    (|_| {}, Volume::Unreadable),
    (|_| {}, Volume::Silent),
];

/// Another file may be on what could not be searched.
#[test]
fn where_a_disk_cannot_be_searched_no_file_counts_that_came_after_the_start() {
    let esp = fat(
        MIB,
        FatType::Fat12,
        "EFI",
        &[("install.toml", TEXT.as_bytes())],
    );
    let small = LogicalBlockSize::Lb512;
    let medium = as_medium(with_gpt(small, &[(partition_types::EFI, &esp)]));
    let nothing = vec![0; MIB];
    // Where the file is, how the disk is attached that cannot be searched, and what it says.
    let rows = [
        (
            "stick",
            Bus::Usb,
            Some("Take it away or mend it, and press R."),
        ),
        (
            "stick",
            Bus::Sata,
            Some("Take it out or mend it, or put the file on the boot medium itself."),
        ),
        (
            "medium",
            Bus::Usb,
            Some("Take it away or mend it, and press R."),
        ),
        ("medium", Bus::Sata, None),
        (
            "firmware",
            Bus::Sd,
            Some("Take it away or mend it, and press R."),
        ),
        ("firmware", Bus::Nvme, None),
    ];
    for (place, bus, hint) in rows {
        for (spoil, volume) in &SPOILS {
            let other = match place {
                "stick" => &config(),
                "medium" => &medium,
                _ => &nothing,
            };
            let machine = machine(&[("sda", "512", &nothing), ("sdb", "512", other)]);
            if place == "firmware" {
                add_strings(&machine, &[b"example.install.toml=version = 1\n"]);
            }
            let is_medium = ("sdb", Volume::Iso(MEDIUM.to_owned()));
            let volumes = [is_medium].into_iter().filter(|_| place == "medium");
            let mut hardware = machine.scan(&volumes.collect::<Vec<_>>());
            // The kernel need not be waited for to tell whether it is gone.
            (hardware.disks[0].bus, hardware.disks[0].device) = (bus, None);
            let whole = find(machine.root(), &hardware);
            assert!(whole.is_ok_and(|it| it.is_some()), "{place}");
            spoil(&machine.root().join("dev/sda"));
            hardware.disks[0].volume = volume.clone();
            let found = find(machine.root(), &hardware);
            let said = found.as_ref().err().map(|it| it.hint.as_str());
            assert_eq!(said, hint, "{place} {bus} {volume:?}");
            assert_eq!(found.is_ok_and(|it| it.is_some()), hint.is_none());
        }
    }
    let machine = machine(&[("sda", "512", &nothing)]);
    SPOILS[1].0(&machine.root().join("dev/sda"));
    assert_eq!(search(&machine, None), Ok(None), "there is none to follow");
}

#[test]
fn a_damaged_volume_has_been_searched() {
    let long = vec![b'#'; 40_000];
    let files = [("install.toml", &long[..])];
    let mut damaged = fat(MIB, FatType::Fat12, "EXAMPLE_CFG", &files);
    // Nothing follows the file's first cluster.
    damaged[512 + 3] = 0xff;
    damaged[512 + 4] |= 0x0f;
    let machine = machine(&[("sda", "512", &damaged), ("sdb", "512", &config())]);
    let found = search(&machine, None).unwrap().unwrap();
    assert_eq!(found.source, "/install.toml on sdb (EXAMPLE_CFG)");
}

/// Flips bits of the structures that are read first; whatever comes of it, it ends.
#[test]
fn damaged_tables_and_boot_sectors_are_survived() {
    let config = config();
    let good = with_gpt(
        LogicalBlockSize::Lb512,
        &[(partition_types::BASIC, &config)],
    );
    let machine = machine(&[("sda", "512", &good)]);
    let device = machine.root().join("dev/sda");
    let device = fs::File::options().write(true).open(device).unwrap();
    let hardware = machine.scan(&[]);
    let mut seed: u32 = 0x1234_5678;
    let mut found = 0;
    for round in 0..600 {
        let mut flipped = Vec::new();
        for _ in 0..=round % 3 {
            // xorshift32.
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let number = usize::try_from(seed).unwrap();
            let (start, length) = [(446, 66), (512, 92), (1024, 128), (MIB, 62)][number % 4];
            let at = start + number / 4 % length;
            let byte = good[at] ^ 1 << (number >> 29);
            device.write_all_at(&[byte], at as u64).unwrap();
            flipped.push(at);
        }
        found += usize::from(find(machine.root(), &hardware).is_ok_and(|it| it.is_some()));
        for at in flipped {
            device.write_all_at(&good[at..=at], at as u64).unwrap();
        }
    }
    assert!((1..600).contains(&found), "{found}");
}
