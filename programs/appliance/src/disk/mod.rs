//! Finds partitions by their names in the GPT, and tells which disk the firmware started this
//! system from. Reads only what the kernel shows, and partition tables.

mod choose;

use common::product::product;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

pub use choose::{Choice, choose};
use common::disks::{BootPartition, Device};
use common::text::natural;

use crate::text::attribute;

/// Name of the first data partition; the others have a number behind it.
pub fn first_label() -> &'static str {
    &product().disk.data
}

/// The most data partitions that a disk has.
pub const MOST: u32 = 8;

/// A disk with something of an installation on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Kernel name, such as `nvme0n1`.
    pub name: String,
    /// Its data partitions: number among them, from 1, and kernel name.
    pub data: Vec<(u32, String)>,
    /// Whether an installation on it was cut off.
    pub unfinished: bool,
    /// Whether its first partition is the one that the firmware started this system from.
    pub booted: bool,
    /// What the kernel says of it; `None` of one that is not a device of its own.
    pub device: Option<Device>,
}

/// Lists the disks below `root` that have something of an installation on them, by name. One to which
/// there are several paths is there once, under the name of the first path that works.
pub fn list(root: &Path, boot: Option<BootPartition>) -> Vec<Disk> {
    let mut disks = BTreeMap::<String, Disk>::new();
    let Ok(entries) = std::fs::read_dir(root.join("sys/class/block")) else {
        return Vec::new();
    };
    for entry in entries.flatten() {
        let Some((label, disk)) = partition(&entry.path()) else {
            continue;
        };
        let (number, is_unfinished) = (number(&label), label == product().disk.unfinished);
        if number.is_none() && !is_unfinished {
            continue;
        }
        let disk = disks.entry(disk.clone()).or_insert_with(|| Disk {
            booted: boot.is_some_and(|boot| is_booted(root, &disk, boot)),
            device: Device::read(root, &disk),
            name: disk,
            ..Disk::default()
        });
        disk.unfinished |= is_unfinished;
        if let Some(number) = number {
            let device = entry.file_name().to_string_lossy().into_owned();
            disk.data.push((number, device));
        }
    }
    let sorted = |mut disk: Disk| {
        disk.data.sort();
        disk
    };
    let mut disks: Vec<Disk> = disks.into_values().map(sorted).collect();
    disks.sort_by_cached_key(|disk| natural(&disk.name));
    without_other_paths(disks)
}

/// Whether the first partition of the disk called `name` below `root` is that which was booted. A disk
/// that cannot be read is not the one.
fn is_booted(root: &Path, name: &str, boot: BootPartition) -> bool {
    let number = || -> io::Result<_> {
        let device = File::open(root.join("dev").join(name))?;
        boot.number_on(&device, block_size(root, name).unwrap_or(512))
    };
    number().is_ok_and(|it| it == Some(1))
}

/// Leaves out each disk that is but another path to one before it.
fn without_other_paths(disks: Vec<Disk>) -> Vec<Disk> {
    let mut kept = Vec::<Disk>::new();
    for disk in disks {
        let is_same = |other: &&mut Disk| match (&other.device, &disk.device) {
            (Some(other), Some(device)) => device.marks().are_another_path_to(&other.marks()),
            _ => false,
        };
        match kept.iter_mut().find(is_same) {
            Some(first) => first.booted |= disk.booted,
            None => kept.push(disk),
        }
    }
    kept
}

/// The name in the GPT of the partition at `path` in sysfs, and the kernel name of its disk.
fn partition(path: &Path) -> Option<(String, String)> {
    let uevent = std::fs::read_to_string(path.join("uevent")).ok()?;
    let label = uevent.lines().find_map(|it| it.strip_prefix("PARTNAME="))?;
    // The folder of a partition lies in the folder of its disk.
    let folder = path.canonicalize().ok()?;
    let disk = folder.parent()?.file_name()?.to_str()?;
    Some((label.to_owned(), disk.to_owned()))
}

/// Which data partition has this name: 1 to [`MOST`].
pub fn number(label: &str) -> Option<u32> {
    match label.strip_prefix(first_label())? {
        "" => Some(1),
        digits => (2..=MOST).find(|it| it.to_string() == digits),
    }
}

/// The name of data partition `number`, from 1.
pub fn label(number: u32) -> String {
    match number {
        1 => first_label().to_owned(),
        more => format!("{}{more}", first_label()),
    }
}

/// How many bytes a block of the disk called `name` has, as it counts them.
fn block_size(root: &Path, name: &str) -> Option<u64> {
    let path = format!("sys/class/block/{name}/queue/logical_block_size");
    attribute(&root.join(path))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_numbers_are_the_same_thing() {
        for at in 1..=MOST {
            assert_eq!(number(&label(at)), Some(at));
        }
        let others = [
            "",
            "EXAMPLE",
            "EXAMPLE_DATA0",
            "EXAMPLE_DATA1",
            "EXAMPLE_DATA9",
            "EXAMPLE_DATA02",
            "EXAMPLE_DATA10",
            "example_data",
            "EXAMPLE_DATA ",
        ];
        for other in others {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
