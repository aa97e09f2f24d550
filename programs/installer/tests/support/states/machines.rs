//! Machines that some states are on.

use installer::hardware::{Firmware, FirmwareKeys, Hardware, SecureBoot, Standing, Volume};

use super::super::{FakeMachine, MEDIUM, VIRTIO, set_earlier};
use super::hardware;

/// A machine that lacks almost everything, and a problem with looking at it again.
pub fn poor_machine() -> Hardware {
    let machine = FakeMachine::new();
    machine.plug(VIRTIO);
    machine.remove("sys/firmware");
    machine.write("proc/cpuinfo", "processor : 0\n");
    machine.write("proc/meminfo", "MemTotal: 495616 kB\n");
    machine.scan(&[("vda", Volume::Iso(MEDIUM.to_owned()))])
}

pub fn many_disks() -> Hardware {
    let mut hardware = hardware();
    let mut disk = hardware.disks[1].clone();
    for letter in 'd'..='o' {
        disk.name = format!("sd{letter}");
        hardware.disks.push(disk.clone());
    }
    hardware
}

/// The second disk is too small, and its maker has much to say.
pub fn small_disk() -> Hardware {
    let mut hardware = hardware();
    hardware.disks[1].size = 7_999_999_488;
    hardware.disks[1].model = String::from("ACME Industrial Solid State Module 7 mSATA");
    hardware
}

pub fn unfinished(has_data: bool) -> Hardware {
    let mut hardware = hardware();
    set_earlier(&mut hardware.disks[1], true, has_data);
    hardware
}

/// A machine on which not everything has answered yet.
pub fn busy(mut hardware: Hardware) -> Hardware {
    hardware.pending = vec!["NVMe controller nvme1".to_owned()];
    hardware.disks[1].volume = Volume::Unread;
    hardware
}

pub fn lacking_memory() -> Hardware {
    let mut hardware = hardware();
    hardware.machine.memory = 512 << 20;
    hardware
}

/// Nine disks and a computer whose makers use all the room that they have for words. On the first is
/// an installation.
pub fn talkative() -> Hardware {
    let words = |start: &str, length: usize| {
        let words = "some words of a maker who likes to talk about what was made ".repeat(9);
        format!("{start} {}", &words[..length])
    };
    let mut hardware = hardware();
    hardware.machine.model = Some(words("Machine", 160));
    hardware.machine.processor = words("Processor", 110);
    hardware.machine.firmware_version = Some(words("Firmware", 150));
    hardware.disks.truncate(2);
    hardware.disks.reverse();
    let disk = &mut hardware.disks[0];
    "nvme10n10".clone_into(&mut disk.name);
    disk.model = words("Model", 200);
    disk.serial = Some("0123456789".repeat(24) + "WXYZ");
    disk.wwn = Some(format!("t10.{}", "ATA-and-more-".repeat(12)));
    let contents = disk.contents.as_mut().unwrap();
    let mut part = contents.parts[1].clone();
    part.label = format!("{}, sixteen-letters-", &words("a name in a table", 60));
    for number in 3..40 {
        part.number = Some(number);
        contents.parts.push(part.clone());
    }
    for letter in 'd'..='j' {
        let mut disk = hardware.disks[0].clone();
        disk.name = format!("sd{letter}");
        disk.serial = Some(format!("{}{letter}", "9876543210".repeat(24)));
        disk.wwn = None;
        hardware.disks.push(disk);
    }
    hardware
}

/// The same, and it lacks all that is needed.
pub fn talkative_and_poor() -> Hardware {
    let talkative = talkative();
    let mut hardware = poor_machine();
    hardware.machine.model = talkative.machine.model;
    hardware.machine.processor = talkative.machine.processor;
    hardware.machine.firmware_version = talkative.machine.firmware_version;
    hardware.boot_volume = Some("A_VOLUME_ID_OF_ITS_FULL_LENGTH_X".to_owned());
    hardware
}

/// Its firmware is in setup mode, the medium carries keys, and there may be a maker's.
pub fn in_setup_mode(standing: Standing, has_others: bool) -> Hardware {
    let mut hardware = hardware();
    hardware.machine.firmware = Firmware::Uefi {
        bits: Some(64),
        secure_boot: SecureBoot::Setup,
    };
    hardware.machine.tpm = Some(2);
    hardware.keys = Some(FirmwareKeys {
        owner: "5d1c0e6b9a4f7382".to_owned(),
        standing,
        has_others,
    });
    hardware
}

/// The installation is newer than the medium.
pub fn newer() -> Hardware {
    let mut hardware = hardware();
    let contents = hardware.disks[1].contents.as_mut().unwrap();
    contents.earlier.as_mut().unwrap().version = Some("0.2.0".to_owned());
    hardware
}
