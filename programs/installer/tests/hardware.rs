//! Whole machines, as fake trees.
#![allow(clippy::unwrap_used)]

mod support;

use installer::hardware::{Hardware, Volume, read_volume};
use support::{FakeMachine, MEDIUM, NVME, OPTICAL, USB, VIRTIO, machine_with_disks};

#[test]
fn every_disk_is_described() {
    let (_, hardware) = machine_with_disks();
    let found: Vec<String> = hardware
        .disks
        .iter()
        .map(|disk| {
            let flag = |set: bool, name: &'static str| if set { name } else { "" };
            format!(
                "{}|{}|{}|{}|{}|{}{}{}",
                disk.name,
                disk.model,
                disk.bus,
                disk.size,
                disk.block_size,
                flag(disk.removable, "removable "),
                flag(disk.is_empty(), "empty "),
                flag(hardware.is_boot_medium(disk), "boot"),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "nvme0n1|Samsung SSD 990 PRO 2TB|NVMe|2000398934016|512|",
            "sda|WDC WD181KFGX-68|SATA|18000207937536|4096|",
            "sdb|SanDisk Ultra USB 3.0|USB|30752000000|512|removable boot",
            "sdc|Generic STORAGE DEVICE|USB|0|512|removable empty ",
            "sr0|QEMU DVD-ROM|SATA|6000640|2048|removable empty ",
        ]
    );
}

#[test]
fn what_is_no_disk_is_left_out() {
    let machine = FakeMachine::new();
    machine.plug(VIRTIO);
    for (name, device) in [
        (
            "mmcblk0boot0",
            "mmc_host/mmc0/mmc0:0001/block/mmcblk0/mmcblk0boot0",
        ),
        (
            "mmcblk0rpmb",
            "mmc_host/mmc0/mmc0:0001/block/mmcblk0/mmcblk0rpmb",
        ),
        ("fd0", "platform/floppy.0/block/fd0"),
        ("mtdblock0", "platform/flash/mtd0/mtdblock0"),
    ] {
        machine.plug((name, device, &[("size", "8192")]));
    }
    machine.plug((
        "nvme0c0n1",
        "nvme0c0n1",
        &[("size", "8192"), ("hidden", "1")],
    ));
    for name in ["loop0", "ram0", "zram0", "dm-0", "md127", "nbd0"] {
        machine.write(&format!("sys/block/{name}/size"), "8192\n");
    }
    let names: Vec<String> = machine
        .scan(&[])
        .disks
        .into_iter()
        .map(|disk| disk.name)
        .collect();
    assert_eq!(names, ["vda"]);
}

#[test]
fn a_virtio_disk_without_model_and_a_card_are_named_after_their_bus() {
    let machine = FakeMachine::new();
    machine.plug(VIRTIO);
    let card = &[
        ("device/name", "SC64G"),
        ("device/type", "SD"),
        ("size", "8192"),
    ];
    machine.plug(("mmcblk0", "mmc_host/mmc0/mmc0:aaaa/block/mmcblk0", card));
    let models: Vec<String> = machine
        .scan(&[])
        .disks
        .into_iter()
        .map(|disk| disk.model)
        .collect();
    assert_eq!(models, ["SC64G", "virtio disk"]);
}

#[test]
fn an_optical_drive_that_was_not_read_has_no_size() {
    let machine = FakeMachine::new();
    let (name, device, _) = OPTICAL;
    machine.plug((name, device, &[("size", "2097151")]));
    assert_eq!(machine.scan(&[]).disks[0].size, 0);
}

#[test]
fn the_boot_medium_is_the_one_with_the_wanted_volume() {
    let machine = FakeMachine::new();
    machine.plug(NVME);
    machine.plug(USB);
    machine.write_iso("sdb", MEDIUM);
    machine.write_iso("nvme0n1", "SOMETHING_ELSE");
    let mut hardware = Hardware::scan(machine.root()).unwrap();
    assert!(
        hardware
            .disks
            .iter()
            .all(|disk| disk.volume == Volume::Unread)
    );
    for disk in &mut hardware.disks {
        disk.volume = read_volume(&machine.root().join("dev").join(&disk.name));
    }
    let found: Vec<bool> = hardware
        .disks
        .iter()
        .map(|disk| hardware.is_boot_medium(disk))
        .collect();
    assert_eq!(found, [false, true]);
}

#[test]
fn what_is_missing_is_named_in_a_sentence() {
    let rows = [
        (
            "etc/os-release",
            "/etc/os-release cannot be read: it does not exist. So the version is unknown.",
        ),
        (
            "proc/cpuinfo",
            "/proc/cpuinfo cannot be read: it does not exist.",
        ),
        (
            "proc/meminfo",
            "/proc/meminfo cannot be read: it does not exist.",
        ),
        (
            "sys",
            "/sys is not mounted, so the disks of this computer cannot be listed.",
        ),
    ];
    for (path, message) in rows {
        let machine = FakeMachine::new();
        machine.remove(path);
        assert_eq!(Hardware::scan(machine.root()).unwrap_err().message, message);
    }
}

#[test]
fn a_machine_without_disks_is_no_problem() {
    let machine = FakeMachine::new();
    machine.remove("sys/block");
    machine.remove("proc/cmdline");
    let hardware = Hardware::scan(machine.root()).unwrap();
    assert!(hardware.disks.is_empty());
    assert_eq!(hardware.boot_volume, None);
}

#[test]
fn a_second_path_to_a_disk_cannot_be_chosen_while_the_first_one_works() {
    let machine = FakeMachine::new();
    let attributes: &[(&str, &str)] = &[
        ("device/vendor", "NETAPP  "),
        ("device/model", "LUN C-Mode"),
        ("device/wwid", "naa.600a0980383034"),
        ("serial", "80304C"),
        ("size", "35156656128"),
        ("diskseq", "1"),
    ];
    for (name, host) in [("sda", 1), ("sdb", 2), ("sdc", 3)] {
        let device =
            format!("pci0000:00/host{host}/rport-{host}:0-1/target{host}:0:0/block/{name}");
        machine.plug((name, &device, attributes));
    }
    machine.write(
        "sys/devices/pci0000:00/host3/rport-3:0-1/target3:0:0/block/sdc/serial",
        "80304D",
    );
    let mut hardware = machine.scan(&[]);
    let obstacles = |hardware: &Hardware| -> Vec<Option<String>> {
        let disks = hardware.disks.iter();
        disks.map(|disk| hardware.obstacle(disk)).collect()
    };
    let same = |name: &str| Some(format!("same as {name}"));
    assert_eq!(obstacles(&hardware), [None, same("sda"), None]);
    hardware.disks[0].volume = Volume::Unreadable;
    let expected = [Some("cannot be read".to_owned()), None, None];
    assert_eq!(obstacles(&hardware), expected);
}
