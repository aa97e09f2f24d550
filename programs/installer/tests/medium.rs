//! What this system was started from, told by firmware and by contents.
#![allow(clippy::unwrap_used)]

#[path = "answers/images.rs"]
#[allow(dead_code)]
mod images;

mod support;

use std::fs;
use std::io::{Cursor, Write};
use std::thread;
use std::time::{Duration, Instant};

use fatfs::{FatType, FileSystem, FsOptions};
use gpt::disk::LogicalBlockSize;
use gpt::partition_types;
use installer::hardware::{Hardware, Volume};
use installer::prober::Prober;
use rustix::pipe::pipe;
use support::{FakeMachine, NVME, USB};

const OS_RELEASE: &str = "NAME=\"Example\"\nID=example-installer\nVERSION_ID=0.1.0\n";
const KERNEL: &str = "6.12.48-installer";

/// A program with these sections.
fn program(sections: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[60] = 128;
    bytes[128..132].copy_from_slice(b"PE\0\0");
    bytes[134] = u8::try_from(sections.len()).unwrap();
    bytes[148] = 16;
    for (index, (name, text)) in sections.iter().enumerate() {
        let at = 128 + 24 + 16 + 40 * index;
        let start = bytes.len();
        let number = |it: usize| u32::try_from(it).unwrap().to_le_bytes();
        bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
        bytes[at + 8..at + 12].copy_from_slice(&number(text.len()));
        bytes[at + 16..at + 20].copy_from_slice(&number(512));
        bytes[at + 20..at + 24].copy_from_slice(&number(start));
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(start + 512, 0);
    }
    bytes
}

/// A FAT volume as of a stick that the files of the medium were copied to.
fn stick(os_release: &str, kernel: &str) -> Vec<u8> {
    let uki = program(&[(".text", ""), (".osrel", os_release), (".uname", kernel)]);
    stick_with(&[("bootx64.efi", &uki)])
}

/// A FAT volume with these programs where firmware looks.
fn stick_with(programs: &[(&str, &[u8])]) -> Vec<u8> {
    let volume = images::fat(images::MIB, FatType::Fat12, "STICK", &[]);
    let mut image = Cursor::new(volume);
    let system = FileSystem::new(&mut image, FsOptions::new()).unwrap();
    let top = system.root_dir();
    let folder = top.create_dir("efi").unwrap().create_dir("boot").unwrap();
    for (name, content) in programs {
        let mut file = folder.create_file(name).unwrap();
        file.write_all(content).unwrap();
    }
    drop((folder, top));
    drop(system);
    image.into_inner()
}

/// The same of a medium that begins with shim.
fn behind_shim(os_release: &str) -> Vec<u8> {
    let uki = program(&[(".text", ""), (".osrel", os_release), (".uname", KERNEL)]);
    stick_with(&[
        ("bootx64.efi", &program(&[(".text", ""), (".sbat", "shim")])),
        ("grubx64.efi", &uki),
    ])
}

/// What the program knows of a machine with these bytes on its stick, once it has looked.
fn probed(machine: &FakeMachine, content: &[u8]) -> Hardware {
    machine.plug(NVME);
    machine.plug(USB);
    let folder =
        "sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
    let image = [content, &vec![0; images::MIB]].concat();
    machine.write(&format!("{folder}/size"), &(image.len() / 512).to_string());
    machine.write("proc/sys/kernel/osrelease", &format!("{KERNEL}\n"));
    fs::write(machine.root().join("dev/sdb"), image).unwrap();
    fs::write(machine.root().join("dev/nvme0n1"), [0; 512]).unwrap();
    let (_wake, waker) = pipe().unwrap();
    let mut prober = Prober::new(machine.root(), waker);
    loop {
        let mut hardware = Hardware::scan(machine.root()).unwrap();
        prober.fill(&mut hardware, Instant::now());
        if hardware.disks.iter().all(|it| it.volume != Volume::Unread) {
            return hardware;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_stick_that_files_were_copied_to_is_known_by_its_program() {
    let good = stick(OS_RELEASE, KERNEL);
    let in_gpt = images::with_gpt(LogicalBlockSize::Lb512, &[(partition_types::BASIC, &good)]);
    let rows = [
        ("whole stick", good.clone(), true),
        ("in an MBR", images::with_mbr(512, 0x0c, &good), true),
        ("in a GPT", in_gpt, true),
        ("another version", stick("ID=other\n", KERNEL), false),
        (
            "another kernel",
            stick(OS_RELEASE, "6.12.48-runtime"),
            false,
        ),
        ("behind shim", behind_shim(OS_RELEASE), true),
        (
            "another version behind shim",
            behind_shim("ID=other\n"),
            false,
        ),
        ("nothing", vec![0; 512], false),
    ];
    for (what, content, expected) in rows {
        let machine = FakeMachine::new();
        let hardware = probed(&machine, &content);
        let disk = &hardware.disks[1];
        assert_eq!(hardware.is_boot_medium(disk), expected, "{what}");
        let obstacle = hardware.obstacle(disk);
        assert_eq!(
            obstacle.as_deref() == Some("boot medium"),
            expected,
            "{what}"
        );
        assert!(!hardware.may_be_boot_medium(&hardware.disks[0]), "{what}");
    }
}

#[test]
fn a_stick_with_the_medium_as_a_file_is_known_by_its_uuid() {
    let uuid = uuid::Uuid::from_u128(0x0fc6_3daf_8483_4772_8e79_3d69_d847_7de4);
    let mut ext4 = vec![0; images::MIB];
    ext4[1080..1082].copy_from_slice(&[0x53, 0xef]);
    ext4[1128..1144].copy_from_slice(uuid.as_bytes());
    let mut fat = images::fat(images::MIB, FatType::Fat12, "STICK", &[]);
    fat[39..43].copy_from_slice(&0xfa57_0001_u32.to_le_bytes());
    let in_gpt = images::with_gpt(LogicalBlockSize::Lb512, &[(partition_types::BASIC, &ext4)]);
    let uuid = uuid.hyphenated().to_string();
    let rows = [
        ("FAT", fat.clone(), "FA57-0001", true),
        (
            "FAT in an MBR",
            images::with_mbr(512, 0x0c, &fat),
            "FA57-0001",
            true,
        ),
        ("another FAT", fat.clone(), "FA57-0002", false),
        ("ext4", ext4, &*uuid, true),
        ("ext4 in a GPT", in_gpt, &*uuid, true),
        ("nothing is said", fat, "", false),
    ];
    for (what, content, said, expected) in rows {
        let machine = FakeMachine::new();
        let words =
            format!("quiet fromiso=/dev/disk/by-uuid/{said}/a.iso iso-scan/filename=/a.iso\n");
        machine.write("proc/cmdline", &words);
        let hardware = probed(&machine, &content);
        let [other, stick] = &hardware.disks[..] else {
            unreachable!("two disks were plugged in");
        };
        assert_eq!(hardware.is_boot_medium(stick), expected, "{what}");
        let obstacle = hardware.obstacle(stick);
        let is_refused = obstacle.as_deref() == Some("boot medium");
        assert_eq!(is_refused, expected, "{what}");
        assert!(!hardware.may_be_boot_medium(other), "{what}");
    }
}

#[test]
fn the_firmware_s_word_counts_whatever_lies_there() {
    let content = images::with_gpt(
        LogicalBlockSize::Lb512,
        &[(partition_types::EFI, &vec![0; images::MIB])],
    );
    let config = gpt::GptConfig::new().logical_block_size(LogicalBlockSize::Lb512);
    let table = config
        .open_from_device(Cursor::new(content.clone()))
        .unwrap();
    let guid = table.partitions()[&1].part_guid.hyphenated().to_string();
    for (said, expected) in [(guid, true), (uuid::Uuid::from_u128(7).to_string(), false)] {
        let machine = FakeMachine::new();
        let mut variable = vec![6, 0, 0, 0];
        variable.extend(said.encode_utf16().flat_map(u16::to_le_bytes));
        let folder = machine.root().join("sys/firmware/efi/efivars");
        fs::create_dir_all(&folder).unwrap();
        let name = "LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
        fs::write(folder.join(name), variable).unwrap();
        let hardware = probed(&machine, &content);
        assert_eq!(hardware.is_boot_medium(&hardware.disks[1]), expected);
    }
}

#[test]
fn a_name_alone_makes_no_medium_where_another_disk_is_known_to_be_it() {
    let machine = FakeMachine::new();
    let mut hardware = probed(&machine, &stick(OS_RELEASE, KERNEL));
    hardware.disks[0].volume = Volume::Iso(support::MEDIUM.to_owned());
    let [named, known] = &hardware.disks[..] else {
        unreachable!("two disks were plugged in");
    };
    assert!(hardware.is_boot_medium(known) && !hardware.is_boot_medium(named));
    // Nothing is written to either.
    assert_eq!(hardware.obstacle(named).as_deref(), Some("boot medium"));
    // Where nothing else is known, the name is all there is.
    let mut unknown = hardware.clone();
    unknown.disks[1].is_medium = false;
    assert!(unknown.is_boot_medium(&unknown.disks[0]));
}
