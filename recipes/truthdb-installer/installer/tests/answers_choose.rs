//! Which disk an answer file is about, and why there may be none.
#![allow(clippy::unwrap_used)]

mod common;

use common::machine_with_disks;
use truthdb_installer::answers::{Answers, choose, parse};
use truthdb_installer::hardware::{Bus, Disk};

/// The disks of the fake machine, of which two have serial numbers.
fn disks() -> Vec<Disk> {
    let (_, hardware) = machine_with_disks();
    let mut disks = hardware.disks;
    disks[0].serial = Some("S6Z2NJ0W123456".to_owned());
    disks[0].wwn = Some("eui.0025385b21404321".to_owned());
    disks[1].serial = Some("2CG0A1B2".to_owned());
    disks[2].serial = None;
    disks
}

fn rule(disk: &str) -> Answers {
    let text = format!("version = 1\ntask = \"install\"\n[disk]\n{disk}\n");
    parse(&text).unwrap()
}

/// What comes of a rule where the machine started from sdb.
fn chosen(disk: &str) -> Result<String, String> {
    let refuse = |disk: &Disk| match &*disk.name {
        "sdb" => Some("boot medium".to_owned()),
        _ => None,
    };
    let disks = disks();
    match choose(&rule(disk), &disks, &refuse) {
        Ok(disk) => Ok(disk.name.clone()),
        Err(refusal) => Err(format!("{} | {}", refusal.message, refusal.hint)),
    }
}

#[test]
fn the_one_disk_that_fits_is_chosen() {
    let rows = [
        ("serial = \"s6z2nj0w123456\"", "nvme0n1"),
        ("wwn = \"EUI.0025385B21404321\"", "nvme0n1"),
        ("model = \"samsung*2TB\"", "nvme0n1"),
        ("bus = \"nvme\"", "nvme0n1"),
        // The optical drive at the same bus is no disk.
        ("bus = \"sata\"", "sda"),
        ("min_size = \"10 TB\"", "sda"),
        ("min_size = \"1 TB\"\nmax_size = \"5 TB\"", "nvme0n1"),
        ("model = \"*\"\nserial = \"2CG0A1B2\"", "sda"),
    ];
    for (disk, name) in rows {
        let any = format!("{disk}\nerase_any_matching = true");
        assert_eq!(chosen(&any).as_deref(), Ok(name), "{disk}");
    }
    let erase = "bus = \"nvme\"\nerase = \"s6z2nj0w123456\"";
    assert_eq!(chosen(erase).as_deref(), Ok("nvme0n1"));
}

#[test]
fn anything_ambiguous_is_refused() {
    let nvme = "nvme0n1 (NVMe, 2.0 TB, Samsung SSD 990 PRO 2TB, serial number S6Z2NJ0W123456)";
    let sata = "sda (SATA, 18.0 TB, WDC WD181KFGX-68, serial number 2CG0A1B2)";
    let usb = "sdb (USB, 30.8 GB, SanDisk Ultra USB 3.0, no serial number)";
    let rows = [
        (
            "serial = \"NOBODY\"\nerase_any_matching = true",
            format!(
                "No disk fits the answer file (serial number \"NOBODY\"). There is {nvme}; {sata}; \
                 {usb}. | Correct [disk] in the answer file, or attach the disk. A disk without a \
                 serial number can be named by wwn, model, bus or size."
            ),
        ),
        (
            "bus = \"virtio\"\nmin_size = \"1 TB\"\nerase_any_matching = true",
            format!(
                "No disk fits the answer file (bus virtio, at least 1.0 TB). There is {nvme}; \
                 {sata}; {usb}. | Correct [disk] in the answer file, or attach the disk."
            ),
        ),
        (
            "min_size = \"1 TB\"\nerase_any_matching = true",
            format!(
                "2 disks fit the answer file (at least 1.0 TB), and it must be one: {nvme}; \
                 {sata}. | Add to [disk] in the answer file what only one of them has, such as \
                 serial."
            ),
        ),
        (
            "bus = \"NVMe\"\nerase = \"2CG0A1B2\"",
            format!(
                "{nvme} fits the answer file, which allows to erase the disk with serial number \
                 \"2CG0A1B2\" only. | Correct erase in the answer file, or attach the right disk."
            ),
        ),
        (
            "bus = \"USB\"\nerase = \"2CG0A1B2\"",
            format!(
                "{usb} fits the answer file, which allows to erase the disk with serial number \
                 \"2CG0A1B2\" only. | A disk without a serial number needs \
                 erase_any_matching = true."
            ),
        ),
        (
            "bus = \"USB\"\nerase_any_matching = true",
            format!(
                "{usb} is the disk that the answer file asks for, but it cannot be used: boot \
                 medium. | Change that, or name another disk in the answer file."
            ),
        ),
    ];
    for (disk, expected) in rows {
        assert_eq!(chosen(disk), Err(expected));
    }
}

#[test]
fn a_machine_without_disks_or_with_very_many() {
    let answers = rule("bus = \"SCSI\"\nerase_any_matching = true");
    let refusal = choose(&answers, &[], &|_| None).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "No disk fits the answer file (bus SCSI), because there is no disk. Attach the disk, or \
         look whether the firmware sees it."
    );
    let many = std::iter::repeat_n(disks(), 20)
        .flatten()
        .collect::<Vec<Disk>>();
    let refusal = choose(&answers, &many, &|_| None).unwrap_err();
    assert!(refusal.message.ends_with("; 52 more."), "{refusal}");
}

#[test]
fn two_paths_to_one_disk_are_one_disk_but_two_disks_that_share_a_name_are_not() {
    let path = |name: &str, bus: Bus| Disk {
        name: name.to_owned(),
        bus,
        wwn: Some("naa.600508b1001c4d2f".to_owned()),
        ..disks()[0].clone()
    };
    let answers = rule("wwn = \"naa.600508b1001c4d2f\"\nerase_any_matching = true");
    let passive = |disk: &Disk| (disk.name == "sdx").then(|| "cannot be read".to_owned());
    let paths = ["sdx", "sdy", "sdz"].map(|name| path(name, Bus::FibreChannel));
    let chosen = choose(&answers, &paths, &passive).unwrap();
    assert_eq!(chosen.name, "sdy");
    let refused = choose(&answers, &paths[..1], &passive).unwrap_err();
    assert!(refused.message.ends_with("cannot be used: cannot be read."));
    let clones = ["sdx", "sdy"].map(|name| path(name, Bus::Usb));
    let refused = choose(&answers, &clones, &|_| None).unwrap_err();
    assert!(refused.message.starts_with("2 disks fit"), "{refused}");
}
