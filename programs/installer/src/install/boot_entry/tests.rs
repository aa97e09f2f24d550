//! A firmware's variables in a folder.

use std::fs;

use super::*;

fn option(guid: u128, file: &str) -> LoadOption {
    LoadOption {
        description: "Example 1.0".to_owned(),
        partition: 1,
        start: 2048,
        blocks: 1 << 20,
        guid: Uuid::from_u128(guid),
        file: file.to_owned(),
    }
}

struct Firmware {
    _root: tempfile::TempDir,
    variables: Variables,
}

fn firmware(entries: &[(u16, LoadOption)], order: &[u16]) -> Firmware {
    let root = tempfile::tempdir().unwrap();
    let variables = Variables::of(root.path());
    fs::create_dir_all(&variables.folder).unwrap();
    for (number, option) in entries {
        variables.write(&boot(*number), &option.to_bytes()).unwrap();
    }
    let order: Vec<u8> = order.iter().flat_map(|it| it.to_le_bytes()).collect();
    variables.write("BootOrder", &order).unwrap();
    Firmware {
        _root: root,
        variables,
    }
}

#[test]
fn the_new_entry_is_first_and_all_others_stay() {
    let other = option(7, "\\EFI\\OTHER\\grub.efi");
    let elsewhere = option(8, "\\EFI\\Example\\example-1.0.efi");
    let machine = firmware(&[(0, other.clone()), (2, elsewhere.clone())], &[2, 0]);
    let new = option(1, "\\EFI\\Example\\example-1.0.efi");
    assert_eq!(machine.variables.install(&new).unwrap(), "Boot0001");
    assert_eq!(machine.variables.order().unwrap(), [1, 2, 0]);
    let entries = machine.variables.entries().unwrap();
    assert_eq!(entries[&0], Some(other));
    assert_eq!(entries[&2], Some(elsewhere));
    let found = |file: &str| machine.variables.find(new.guid, file).unwrap();
    assert_eq!(found(&new.file), Some(("Boot0001".to_owned(), true)));
    assert_eq!(found(r"\other"), None);
}

#[test]
fn a_second_install_makes_no_duplicate_and_removes_old_ones() {
    let old = option(1, "\\efi\\example\\example-0.9.efi");
    let machine = firmware(
        &[(3, old.clone()), (5, old), (4, option(9, "\\x"))],
        &[5, 4, 3],
    );
    let new = option(1, "\\EFI\\Example\\example-1.0.efi");
    for _ in 0..2 {
        assert_eq!(machine.variables.install(&new).unwrap(), "Boot0003");
        assert_eq!(machine.variables.order().unwrap(), [3, 4]);
        let numbers: Vec<u16> = machine.variables.entries().unwrap().into_keys().collect();
        assert_eq!(numbers, [3, 4]);
    }
}

#[test]
fn beside_others_the_new_entry_is_last_and_a_second_time_nothing_changes() {
    let (one, two) = (option(7, "\\EFI\\a\\a.efi"), option(1, "\\EFI\\b\\b.efi"));
    let machine = firmware(&[(0, one.clone()), (2, two.clone())], &[2, 0]);
    let new = option(1, "\\EFI\\Example\\grubx64.efi");
    for _ in 0..2 {
        assert_eq!(machine.variables.append(&new).unwrap(), "Boot0001");
        assert_eq!(machine.variables.order().unwrap(), [2, 0, 1]);
        let entries = machine.variables.entries().unwrap();
        let expected = [(0, one.clone()), (1, new.clone()), (2, two.clone())];
        assert_eq!(
            entries,
            expected.map(|(it, option)| (it, Some(option))).into()
        );
    }
    // Whoever put it first wants it there.
    machine
        .variables
        .write("BootOrder", &[1, 0, 2, 0, 0, 0])
        .unwrap();
    machine.variables.append(&new).unwrap();
    assert_eq!(machine.variables.order().unwrap(), [1, 2, 0]);
    machine.variables.start_next("Boot0001").unwrap();
    assert_eq!(machine.variables.read("BootNext").unwrap(), [1, 0]);
}

#[test]
fn a_spare_entry_is_removed_beside_others_too() {
    let older = option(1, "\\efi\\example\\older.efi");
    let other = option(9, "\\x");
    let machine = firmware(&[(3, older.clone()), (5, older), (4, other)], &[5, 4, 3]);
    let new = option(1, "\\EFI\\Example\\grubx64.efi");
    assert_eq!(machine.variables.append(&new).unwrap(), "Boot0003");
    assert_eq!(machine.variables.order().unwrap(), [4, 3]);
    let numbers: Vec<u16> = machine.variables.entries().unwrap().into_keys().collect();
    assert_eq!(numbers, [3, 4]);
}

#[test]
fn an_order_that_cannot_be_read_is_not_overwritten() {
    let machine = firmware(&[(0, option(7, "\\x"))], &[0]);
    let path = machine.variables.path("BootOrder");
    fs::write(&path, [7, 0]).unwrap();
    let new = option(1, "\\EFI\\Example\\example-1.0.efi");
    assert!(machine.variables.install(&new).is_err());
    assert_eq!(fs::read(&path).unwrap(), [7, 0]);
    fs::write(&path, []).unwrap();
    machine.variables.install(&new).unwrap();
    assert_eq!(machine.variables.order().unwrap(), [1]);
}

#[test]
fn without_efivarfs_the_reason_is_told() {
    let root = tempfile::tempdir().unwrap();
    let refusal = Variables::of(root.path())
        .install(&option(1, "\\x"))
        .unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Unreadable(it) if it.kind() == ErrorKind::NotFound),
        "{refusal}"
    );
}

#[test]
fn an_order_that_cannot_be_written_is_not_told_as_an_entry_that_was_not_taken() {
    let machine = firmware(&[], &[]);
    let path = machine.variables.path("BootOrder");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere/at/all", &path).unwrap();
    let new = option(1, "\\EFI\\Example\\example-1.0.efi");
    let refusal = machine.variables.install(&new).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Order(name, _) if name == "Boot0000"),
        "{refusal}"
    );
    assert_eq!(machine.variables.entries().unwrap()[&0], Some(new));
}

#[test]
fn every_refusal_says_what_happened_and_what_comes_of_it() {
    let full = || io::Error::from(ErrorKind::StorageFull);
    let rows = [
        (
            Refusal::Unreadable(full()),
            "The firmware's boot entries cannot be read, and none was made (no storage space). \
             It starts this disk by itself only if no other system comes first; else choose the \
             disk in its menu.",
        ),
        (
            Refusal::Entry(full()),
            "The firmware did not take the boot entry (no storage space). It starts this disk by \
             itself only if no other system comes first; else choose the disk in its menu.",
        ),
        (
            Refusal::Order("Boot0003".to_owned(), full()),
            "The firmware took the boot entry Boot0003 but did not put it first (no storage \
             space). It starts this disk by itself only if no other system comes first; else \
             choose the disk in its menu.",
        ),
        (
            Refusal::Last("Boot0003".to_owned(), full()),
            "The firmware took the boot entry Boot0003 but did not put it behind the others (no \
             storage space). To start it, choose it in the firmware's menu.",
        ),
        (
            Refusal::Spare("Boot0005".to_owned(), full()),
            "The firmware kept Boot0005, an older boot entry of this disk (no storage space). It \
             starts the new one, but its menu may show both.",
        ),
    ];
    for (refusal, expected) in rows {
        assert_eq!(refusal.to_string(), expected);
    }
}

#[test]
fn only_names_of_boot_entries_have_numbers() {
    assert_eq!(number_of(&format!("Boot00aF-{GLOBAL}")), Some(0xaf));
    for name in ["BootOrder", "BootNext", "Boot12", "Boot+001"] {
        assert_eq!(number_of(&format!("{name}-{GLOBAL}")), None, "{name}");
    }
    assert_eq!(
        number_of("Boot0000-00000000-0000-0000-0000-000000000000"),
        None
    );
}
