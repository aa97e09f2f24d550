//! The firmware's boot entry for the appliance: one, first in the order, and nobody else's touched.
//! Written through efivarfs, which inittab mounts; each variable is read and written by one call.
//!
//! UEFI specification 2.10, section 3.3 (`Boot####`, `BootOrder`); Linux,
//! Documentation/filesystems/efivarfs.rst: the first four bytes of a file are the attributes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::load_option::LoadOption;

/// `EFI_GLOBAL_VARIABLE`.
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Non-volatile, for boot services and at run time.
const ATTRIBUTES: [u8; 4] = [7, 0, 0, 0];
/// What the files of our entries begin with.
const OURS: &str = "\\EFI\\TruthDB\\";

/// The firmware's variables, in efivarfs.
#[derive(Debug)]
pub(super) struct Variables {
    folder: PathBuf,
}

impl Variables {
    /// Those of the machine below `root`.
    pub(super) fn of(root: &Path) -> Self {
        Self {
            folder: root.join("sys/firmware/efi/efivars"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-{GLOBAL}"))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let content = std::fs::read(self.path(name))?;
        // What efivarfs shows for a variable that the firmware refused to make.
        if content.is_empty() {
            return Err(ErrorKind::NotFound.into());
        }
        content
            .get(4..)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| ErrorKind::InvalidData.into())
    }

    /// Writes a variable that is not so already: flash wears out.
    fn write(&self, name: &str, value: &[u8]) -> io::Result<()> {
        if self.read(name).is_ok_and(|old| old == value) {
            return Ok(());
        }
        let path = self.path(name);
        let content = [&ATTRIBUTES, value].concat();
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        // One call is one change of the variable; a part of it would be another value.
        let written = file.write(&content)?;
        if written != content.len() {
            return Err(ErrorKind::WriteZero.into());
        }
        drop(file);
        if self.read(name)? == value {
            Ok(())
        } else {
            Err(io::Error::other(
                "the firmware kept another value than it was given",
            ))
        }
    }

    /// All entries that start a file on a partition, by number.
    fn entries(&self) -> io::Result<BTreeMap<u16, Option<LoadOption>>> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let Some(number) = name.to_str().and_then(number_of) else {
                continue;
            };
            let option = self
                .read(&boot(number))
                .ok()
                .and_then(|it| LoadOption::parse(&it));
            found.insert(number, option);
        }
        Ok(found)
    }

    /// The numbers of the entries that are tried; none if there is no such variable. Whoever writes
    /// it must have read it: others' entries are lost to the firmware when they are not in it.
    fn order(&self) -> io::Result<Vec<u16>> {
        let value = match self.read("BootOrder") {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let numbers = value.chunks_exact(2);
        Ok(numbers
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect())
    }

    /// Makes `option` the first entry of the order, under the number of an entry of ours for the
    /// same partition if there is one. Further ones for that partition are removed, all others stay
    /// as and where they are. Returns the entry's name.
    pub(super) fn install(&self, option: &LoadOption) -> io::Result<String> {
        let entries = self.entries()?;
        let mut ours = entries
            .iter()
            .filter(|(_, found)| is_same(found.as_ref(), option));
        let number = match ours.next() {
            Some((number, _)) => *number,
            None => (0..=u16::MAX)
                .find(|number| !entries.contains_key(number))
                .ok_or_else(|| io::Error::from(ErrorKind::StorageFull))?,
        };
        let spare: Vec<u16> = ours.map(|(number, _)| *number).collect();
        let order = self.order()?;
        self.write(&boot(number), &option.to_bytes())?;
        let others = order
            .into_iter()
            .filter(|it| *it != number && !spare.contains(it));
        let order: Vec<u8> = [number]
            .into_iter()
            .chain(others)
            .flat_map(u16::to_le_bytes)
            .collect();
        self.write("BootOrder", &order)?;
        for number in spare {
            std::fs::remove_file(self.path(&boot(number)))?;
        }
        Ok(boot(number))
    }

    /// The name of the entry that starts this file of this partition, whatever it is called, and
    /// whether it is the first one of the order.
    pub(super) fn find(&self, guid: Uuid, file: &str) -> io::Result<Option<(String, bool)>> {
        let entries = self.entries()?;
        let starts = |option: &LoadOption| option.guid == guid && option.file == file;
        let found = entries
            .iter()
            .find(|(_, found)| found.as_ref().is_some_and(starts));
        let first = self.order()?.first().copied();
        Ok(found.map(|(number, _)| (boot(*number), first == Some(*number))))
    }
}

/// Whether an entry is one of ours for the same partition, of whatever version.
fn is_same(found: Option<&LoadOption>, option: &LoadOption) -> bool {
    found.is_some_and(|found| {
        let start = found.file.get(..OURS.len()).unwrap_or_default();
        found.guid == option.guid && start.eq_ignore_ascii_case(OURS)
    })
}

fn boot(number: u16) -> String {
    format!("Boot{number:04X}")
}

/// The number in the name of a `Boot####` variable's file.
fn number_of(name: &str) -> Option<u16> {
    let digits = name
        .strip_prefix("Boot")?
        .strip_suffix(GLOBAL)?
        .strip_suffix('-')?;
    let is_number = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_number.then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn option(guid: u128, file: &str) -> LoadOption {
        LoadOption {
            description: "TruthDB 1.0".to_owned(),
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
        let elsewhere = option(8, "\\EFI\\TruthDB\\truthdb-1.0.efi");
        let machine = firmware(&[(0, other.clone()), (2, elsewhere.clone())], &[2, 0]);
        let new = option(1, "\\EFI\\TruthDB\\truthdb-1.0.efi");
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
        let old = option(1, "\\efi\\truthdb\\truthdb-0.9.efi");
        let machine = firmware(
            &[(3, old.clone()), (5, old), (4, option(9, "\\x"))],
            &[5, 4, 3],
        );
        let new = option(1, "\\EFI\\TruthDB\\truthdb-1.0.efi");
        for _ in 0..2 {
            assert_eq!(machine.variables.install(&new).unwrap(), "Boot0003");
            assert_eq!(machine.variables.order().unwrap(), [3, 4]);
            let numbers: Vec<u16> = machine.variables.entries().unwrap().into_keys().collect();
            assert_eq!(numbers, [3, 4]);
        }
    }

    #[test]
    fn an_order_that_cannot_be_read_is_not_overwritten() {
        let machine = firmware(&[(0, option(7, "\\x"))], &[0]);
        let path = machine.variables.path("BootOrder");
        fs::write(&path, [7, 0]).unwrap();
        let new = option(1, "\\EFI\\TruthDB\\truthdb-1.0.efi");
        assert!(machine.variables.install(&new).is_err());
        assert_eq!(fs::read(&path).unwrap(), [7, 0]);
        fs::write(&path, []).unwrap();
        machine.variables.install(&new).unwrap();
        assert_eq!(machine.variables.order().unwrap(), [1]);
    }

    #[test]
    fn without_efivarfs_the_reason_is_told() {
        let root = tempfile::tempdir().unwrap();
        let error = Variables::of(root.path())
            .install(&option(1, "\\x"))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
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
}
