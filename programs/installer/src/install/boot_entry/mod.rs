//! The firmware's boot entry for what is installed: one, first in the order or, beside other systems, last, and
//! nobody else's touched.
//! Written through efivarfs, which inittab mounts; each variable is read and written by one call.
//!
//! UEFI specification 2.10, section 3.3 (`Boot####`, `BootOrder`); Linux,
//! Documentation/filesystems/efivarfs.rst: the first four bytes of a file are the attributes.

use common::product::product;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::load_option::LoadOption;

#[cfg(test)]
mod tests;

/// `EFI_GLOBAL_VARIABLE`.
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Non-volatile, for boot services and at run time.
const ATTRIBUTES: [u8; 4] = [7, 0, 0, 0];
/// What comes of it when the firmware does not start the entry first.
const UNSURE: &str = "It starts this disk by itself only if no other system comes first; else choose \
                      the disk in its menu.";

/// What the firmware did not do for a boot entry, and why. The disk may start all the same.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It does not tell which entries it has.
    Unreadable(io::Error),
    /// It did not take the entry.
    Entry(io::Error),
    /// It took the entry of this name, and did not put it first.
    Order(String, io::Error),
    /// It took the entry of this name, and did not put it behind the others.
    Last(String, io::Error),
    /// It did all that, and kept an older entry of this name.
    Spare(String, io::Error),
}

impl fmt::Display for Refusal {
    /// What happened, and its consequence.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consequence = match self {
            Self::Unreadable(error) => {
                write!(
                    formatter,
                    "The firmware's boot entries cannot be read, and none was made ({error})."
                )?;
                UNSURE
            }
            Self::Entry(error) => {
                write!(
                    formatter,
                    "The firmware did not take the boot entry ({error})."
                )?;
                UNSURE
            }
            Self::Last(name, error) => {
                write!(
                    formatter,
                    "The firmware took the boot entry {name} but did not put it behind the others \
                     ({error})."
                )?;
                "To start it, choose it in the firmware's menu."
            }
            Self::Order(name, error) => {
                write!(
                    formatter,
                    "The firmware took the boot entry {name} but did not put it first ({error})."
                )?;
                UNSURE
            }
            Self::Spare(name, error) => {
                write!(
                    formatter,
                    "The firmware kept {name}, an older boot entry of this disk ({error})."
                )?;
                "It starts the new one, but its menu may show both."
            }
        };
        write!(formatter, " {consequence}")
    }
}

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
    pub(super) fn install(&self, option: &LoadOption) -> Result<String, Refusal> {
        let (name, spare) = self.enter(option, |order, number| {
            let others = order.into_iter().filter(|it| *it != number);
            [number].into_iter().chain(others).collect()
        })?;
        self.remove(spare)?;
        Ok(name)
    }

    /// The same beside other systems: theirs are tried in their order as before, and `option` behind them,
    /// or where it is already.
    pub(super) fn append(&self, option: &LoadOption) -> Result<String, Refusal> {
        let entered = self.enter(option, |mut order, number| {
            if !order.contains(&number) {
                order.push(number);
            }
            order
        });
        let (name, spare) = entered.map_err(|refusal| match refusal {
            Refusal::Order(name, error) => Refusal::Last(name, error),
            other => other,
        })?;
        self.remove(spare)?;
        Ok(name)
    }

    /// Writes the entry of `option`, and the order that `place` makes of the present one without the spare
    /// ones. Returns the entry's name, and these.
    fn enter(
        &self,
        option: &LoadOption,
        place: impl Fn(Vec<u16>, u16) -> Vec<u16>,
    ) -> Result<(String, Vec<u16>), Refusal> {
        let entries = self.entries().map_err(Refusal::Unreadable)?;
        let order = self.order().map_err(Refusal::Unreadable)?;
        let mut ours = entries
            .iter()
            .filter(|(_, found)| is_same(found.as_ref(), option));
        let number = match ours.next() {
            Some((number, _)) => *number,
            None => (0..=u16::MAX)
                .find(|number| !entries.contains_key(number))
                .ok_or_else(|| Refusal::Entry(ErrorKind::StorageFull.into()))?,
        };
        let name = boot(number);
        let spare: Vec<u16> = ours.map(|(number, _)| *number).collect();
        self.write(&name, &option.to_bytes())
            .map_err(Refusal::Entry)?;
        let kept = order.into_iter().filter(|it| !spare.contains(it)).collect();
        let order = place(kept, number).into_iter().flat_map(u16::to_le_bytes);
        let order: Vec<u8> = order.collect();
        match self.write("BootOrder", &order) {
            Err(error) => Err(Refusal::Order(name, error)),
            Ok(()) => Ok((name, spare)),
        }
    }

    fn remove(&self, spare: Vec<u16>) -> Result<(), Refusal> {
        for spare in spare.into_iter().map(boot) {
            if let Err(error) = std::fs::remove_file(self.path(&spare)) {
                return Err(Refusal::Spare(spare, error));
            }
        }
        Ok(())
    }

    /// Has the firmware start the entry of this name next, once (UEFI 2.10, 3.1.2: `BootNext`).
    pub(super) fn start_next(&self, name: &str) -> io::Result<()> {
        let digits = name.strip_prefix("Boot").unwrap_or_default();
        let number = u16::from_str_radix(digits, 16).map_err(io::Error::other)?;
        self.write("BootNext", &number.to_le_bytes())
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
        let ours = format!("\\{}\\", product().systems().replace('/', "\\"));
        let start = found.file.get(..ours.len()).unwrap_or_default();
        found.guid == option.guid && start.eq_ignore_ascii_case(&ours)
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
