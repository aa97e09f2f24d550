//! Which disk an answer file is about, and why there may be none.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use installer::answers::{Answers, choose, parse};
use installer::hardware::{Bus, Contents, Disk, Volume};
use support::{installation, machine_with_disks, other_system, set_earlier};

/// The disks of the fake machine, of which two have serial numbers.
fn disks() -> Vec<Disk> {
    let (_, hardware) = machine_with_disks();
    let mut disks = hardware.disks;
    disks[0].serial = Some("S6Z2NJ0W123456".to_owned());
    disks[0].wwn = Some("eui.0025385b21404321".to_owned());
    disks[1].serial = Some("2CG0A1B2".to_owned());
    disks[2].serial = None;
    // What is on a disk is another matter.
    for disk in &mut disks {
        disk.contents = Some(Contents::default());
    }
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
        ("largest = true", "sda"),
        ("largest = true\nmax_size = \"5 TB\"", "nvme0n1"),
        ("smallest = true\nremovable = false", "nvme0n1"),
        ("bus = \"nvme\"\nempty = true", "nvme0n1"),
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

/// What comes of a rule on a machine with these disks, all of which can be used.
fn among(disks: &[Disk], rule_of_disk: &str) -> Result<String, String> {
    let answers = rule(&format!("{rule_of_disk}\nerase_any_matching = true"));
    match choose(&answers, disks, &|_| None) {
        Ok(disk) => Ok(disk.name.clone()),
        Err(refusal) => Err(refusal.to_string()),
    }
}

#[test]
fn rules_that_compare_disks_or_look_into_them_still_mean_one() {
    let mut disks = disks();
    disks.truncate(2);
    let [nvme, sata] = &mut disks[..] else {
        unreachable!("two are left");
    };
    sata.size = nvme.size;
    for (key, words) in [
        ("largest", "the largest size"),
        ("smallest", "the smallest size"),
    ] {
        let said = among(&disks, &format!("{key} = true")).unwrap_err();
        assert!(
            said.starts_with(&format!("2 disks fit the answer file ({words}), ")),
            "{said}"
        );
    }
    let empty = "empty = true";
    assert!(
        among(&disks, empty)
            .unwrap_err()
            .starts_with("2 disks fit the answer file (nothing on it)")
    );
    disks[0].contents = Some(other_system());
    assert_eq!(among(&disks, empty).as_deref(), Ok("sda"));
    // An installation that was cut off before it had data is begun again by the same file.
    disks[1].contents = Some(installation());
    assert!(
        among(&disks, empty)
            .unwrap_err()
            .starts_with("No disk fits")
    );
    set_earlier(&mut disks[1], true, false);
    disks[1].contents.as_mut().unwrap().parts.clear();
    assert_eq!(among(&disks, empty).as_deref(), Ok("sda"));
    // What is on a disk that does not answer nobody knows: it may be the empty one.
    disks[0].contents = None;
    disks[0].volume = Volume::Silent;
    let said = among(&disks, empty).unwrap_err();
    assert!(said.starts_with("2 disks fit"), "{said}");
    assert_eq!(said.matches("does not answer)").count(), 1, "{said}");
}

/// A SATA disk of 9 GiB with nothing on it, an `NVMe` disk of 20 GiB with data, and the boot stick.
#[test]
fn a_rule_that_is_wider_than_somebody_thought() {
    let mut disks = disks();
    disks.truncate(3);
    let [nvme, sata, stick] = &mut disks[..] else {
        unreachable!("three are left");
    };
    sata.size = 9 << 30;
    nvme.size = 20 << 30;
    nvme.contents = Some(other_system());
    stick.size = 30 << 30;
    let all = "nvme0n1 (NVMe, 21.5 GB, Samsung SSD 990 PRO 2TB, serial number S6Z2NJ0W123456); \
               sda (SATA, 9.7 GB, WDC WD181KFGX-68, serial number 2CG0A1B2); \
               sdb (USB, 32.2 GB, SanDisk Ultra USB 3.0, no serial number)";
    let window = "min_size = \"8 GB\"\nmax_size = \"10 GB\"";
    let rows = [
        (
            "min_size = \"8 GB\"",
            Err(format!(
                "3 disks fit the answer file (at least 8.0 GB), and it must be one: {all}."
            )),
        ),
        (
            "model = \"*\"",
            Err(format!(
                "3 disks fit the answer file (model \"*\"), and it must be one: {all}."
            )),
        ),
        ("bus = \"SATA\"", Ok("sda")),
        ("bus = \"USB\"", Err("boot medium".to_owned())),
        ("bus = \"SAS\"", Err(format!("There is {all}."))),
        (window, Ok("sda")),
    ];
    let boot_medium = |disk: &Disk| (disk.name == "sdb").then(|| "boot medium".to_owned());
    let choose_by = |disks: &[Disk], keys: &str| {
        let answers = rule(&format!("{keys}\nerase_any_matching = true"));
        let found = choose(&answers, disks, &boot_medium);
        found
            .map(|disk| disk.name.clone())
            .map_err(|it| it.to_string())
    };
    for (keys, expected) in rows {
        match (choose_by(&disks, keys), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{keys}"),
            (Err(said), Err(words)) => assert!(said.contains(&words), "{keys}: {said}"),
            (found, _) => panic!("{keys}: {found:?}"),
        }
    }
    disks[2].size = 9 << 30;
    assert!(
        choose_by(&disks, window)
            .unwrap_err()
            .starts_with("2 disks fit")
    );
}

#[test]
fn a_file_for_empty_disks_that_was_followed_leads_to_what_it_installed() {
    let installed = |disks: &[Disk], keys: &str| {
        let answers = rule(&format!("{keys}\nerase_any_matching = true"));
        let refusal = choose(&answers, disks, &|_| None).unwrap_err();
        refusal.installed.map(|disk| disk.name)
    };
    let mut disks = disks();
    disks.truncate(2);
    disks[0].contents = Some(other_system());
    disks[1].contents = Some(installation());
    assert_eq!(installed(&disks, "empty = true").as_deref(), Some("sda"));
    assert_eq!(installed(&disks, "empty = true\nbus = \"NVMe\""), None);
    assert_eq!(installed(&disks, "bus = \"SAS\""), None);
    set_earlier(&mut disks[1], true, true);
    assert_eq!(installed(&disks, "empty = true"), None, "it does not start");
    disks = [installation(), installation()]
        .map(Some)
        .into_iter()
        .zip(disks)
        .map(|(contents, disk)| Disk { contents, ..disk })
        .collect();
    assert_eq!(installed(&disks, "empty = true"), None, "which one?");
}

#[test]
fn a_disk_can_be_taken_away_by_its_bus_or_its_medium() {
    let mut disks = disks();
    disks.truncate(3);
    assert_eq!(among(&disks, "removable = true").as_deref(), Ok("sdb"));
    disks.remove(0);
    assert_eq!(among(&disks, "removable = false").as_deref(), Ok("sda"));
    disks[0].removable = true;
    assert!(
        among(&disks, "removable = true")
            .unwrap_err()
            .starts_with("2 disks fit")
    );
    disks[0].bus = Bus::Sd;
    disks[0].removable = false;
    assert!(
        among(&disks, "removable = false")
            .unwrap_err()
            .starts_with("No disk fits")
    );
}

#[test]
fn a_hypervisors_scsi_disk_is_one_whatever_brings_it() {
    let disk = |name: &str, bus| Disk {
        name: name.to_owned(),
        bus,
        ..disks()[0].clone()
    };
    let rows = [
        ("sda", Bus::Virtio, true),
        ("vda", Bus::Virtio, false),
        ("sda", Bus::HyperV, true),
        ("sda", Bus::Vmware, true),
        ("sda", Bus::Sata, false),
        ("sda", Bus::Usb, false),
        ("sda", Bus::Scsi, true),
    ];
    for (name, bus, fits) in rows {
        assert_eq!(
            among(&[disk(name, bus)], "bus = \"SCSI\"").is_ok(),
            fits,
            "{name} {bus}"
        );
        let own = format!("bus = \"{bus}\"");
        assert!(among(&[disk(name, bus)], &own).is_ok());
    }
}

#[test]
fn what_is_on_a_disk_is_erased_only_if_the_file_says_so() {
    const REPLACE: &str = "replace_installation = true";
    const FOREIGN: &str = "erase_foreign_data = true";
    let with = |contents: Option<Contents>| {
        let mut disk = disks()[0].clone();
        disk.contents = contents;
        disk
    };
    let mut cut_off = with(Some(installation()));
    set_earlier(&mut cut_off, true, true);
    let mut with_more = installation();
    with_more.parts.push(other_system().parts[2].clone());
    let rows = [
        (with(Some(Contents::default())), "", None),
        (
            with(Some(other_system())),
            REPLACE,
            Some(
                "nvme0n1 holds data of others: EFI (FAT32) (EFI System Partition), ext4 (boot), LVM member. If",
            ),
        ),
        (with(Some(other_system())), FOREIGN, None),
        (
            with(Some(installation())),
            FOREIGN,
            Some(
                "nvme0n1 holds Example 0.1.0 already, with data. If all of that may be erased, add replace_installation = true to [disk] in the answer file.",
            ),
        ),
        (with(Some(installation())), REPLACE, None),
        (
            cut_off,
            FOREIGN,
            Some("nvme0n1 holds an unfinished installation of Example already"),
        ),
        (
            with(Some(with_more.clone())),
            REPLACE,
            Some("nvme0n1 holds data of others: LVM member. If"),
        ),
        (
            with(Some(with_more)),
            "replace_installation = true\nerase_foreign_data = true",
            None,
        ),
        (
            with(None),
            REPLACE,
            Some("What is on nvme0n1 cannot be told, so it is taken for data. If"),
        ),
        (with(None), FOREIGN, None),
    ];
    for (disk, keys, expected) in rows {
        let by_serial = "bus = \"NVMe\"\nerase = \"S6Z2NJ0W123456\"";
        for erase in [by_serial, "bus = \"NVMe\"\nerase_any_matching = true"] {
            let answers = rule(&format!("{erase}\n{keys}"));
            let disks = [disk.clone()];
            let found = choose(&answers, &disks, &|_| None).map(|_| ());
            match (found, expected) {
                (Ok(()), None) => {}
                (Err(refusal), Some(words)) => {
                    assert!(refusal.to_string().starts_with(words), "{refusal}");
                    let starts = words.contains("0.1.0 already");
                    assert_eq!(refusal.installed.is_some(), starts, "{refusal}");
                }
                (found, _) => panic!("{keys} on {:?}: {found:?}", disk.contents),
            }
        }
    }
    // Tasks that erase nothing need no consent.
    let keep = parse("version = 1\ntask = \"keep-data\"\n[disk]\nbus = \"NVMe\"\n").unwrap();
    assert!(choose(&keep, &[with(Some(installation()))], &|_| None).is_ok());
}

#[test]
fn what_tells_two_disks_apart_is_shown_and_named() {
    let twins = |change: &dyn Fn(&mut Disk)| {
        let mut first = disks().remove(0);
        first.place = "pci0000:00/0000:03:00.0/nvme/namespace 1".to_owned();
        let mut second = first.clone();
        second.name = "nvme0n2".to_owned();
        second.wwn = Some("eui.0025385b21404322".to_owned());
        second.place = "pci0000:00/0000:03:00.0/nvme/namespace 2".to_owned();
        change(&mut first);
        change(&mut second);
        let disks = [first, second];
        choose(
            &rule("bus = \"nvme\"\nerase_any_matching = true"),
            &disks,
            &|_| None,
        )
        .unwrap_err()
    };
    let refusal = twins(&|_| {});
    for disk in [
        "nvme0n1 (NVMe, 2.0 TB, Samsung SSD 990 PRO 2TB, serial number S6Z2NJ0W123456, WWN \
         eui.0025385b21404321, at pci0000:00/0000:03:00.0/nvme/namespace 1)",
        "nvme0n2 (NVMe, 2.0 TB, Samsung SSD 990 PRO 2TB, serial number S6Z2NJ0W123456, WWN \
         eui.0025385b21404322, at pci0000:00/0000:03:00.0/nvme/namespace 2)",
    ] {
        assert!(refusal.message.contains(disk), "{}", refusal.message);
    }
    assert!(refusal.hint.ends_with("such as wwn."), "{}", refusal.hint);
    let nameless = twins(&|disk| disk.wwn = None);
    assert!(
        nameless.message.contains("namespace 2"),
        "{}",
        nameless.message
    );
    assert_eq!(
        nameless.hint,
        "They differ in nothing that a rule can name. Leave one of them attached, or install without an \
         answer file."
    );
}
