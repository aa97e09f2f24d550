//! Machines that some states are on.

use truthdb_installer::hardware::{Hardware, Volume};

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
