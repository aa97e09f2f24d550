//! Every disk that Linux sees, from `/sys/block`. No device is opened here.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::bus::{self, Bus};
use super::contents::Contents;
use super::serial;
use super::text::attribute;

/// Size that the kernel reports for an optical drive whose disc it could not read, in sectors.
const UNKNOWN_OPTICAL_SIZE: u64 = 0x001f_ffff;
/// How often, and how far apart, a disk that failed is looked for.
const LOOKS: u32 = 30;
const LOOK: Duration = Duration::from_millis(100);

/// A disk, as sysfs describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Kernel name, such as `nvme0n1`.
    pub name: String,
    /// Maker and model, as far as known.
    pub model: String,
    /// Serial number, as its maker gave it.
    pub serial: Option<String>,
    /// World wide name (`eui.…`, `naa.…`), which no other disk has.
    pub wwn: Option<String>,
    /// How it is attached.
    pub bus: Bus,
    /// Where it is attached, as [`bus::place`] says it.
    pub place: String,
    /// Major and minor number of its device node; none of a file that stands for a disk.
    pub device: Option<(u32, u32)>,
    /// Bytes; 0 if there is no medium in it.
    pub size: u64,
    /// Bytes in a logical block.
    pub block_size: u64,
    /// The medium can be taken out.
    pub removable: bool,
    /// The kernel refuses to write to it.
    pub read_only: bool,
    /// Counts each insertion of a medium, so that another one is not taken for this one.
    pub sequence: u64,
    /// What it holds, as far as that tells the boot medium.
    pub volume: Volume,
    /// What is on it, once somebody has looked.
    pub contents: Option<Contents>,
}

/// What a disk holds, as far as that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Volume {
    /// Nobody has looked yet.
    Unread,
    /// It was asked, and did not answer in a long time.
    Silent,
    /// It cannot be read; an optical drive or a card reader then has no medium.
    Unreadable,
    /// Something else than an ISO 9660 file system.
    Other,
    /// An ISO 9660 file system with this volume identifier.
    Iso(String),
}

/// What tells a disk, with the medium in it, from any other.
pub type DiskKey = (String, u64, u64);

impl Disk {
    /// What tells this disk, with the medium in it, from any other.
    pub fn key(&self) -> DiskKey {
        (self.name.clone(), self.sequence, self.size)
    }

    /// Version of the installation on it, if there is one that says it.
    pub fn version(&self) -> Option<&str> {
        self.contents.as_ref()?.earlier.as_ref()?.version.as_deref()
    }

    /// Whether this is a drive that turned out to have no medium in it.
    pub fn is_empty(&self) -> bool {
        self.size == 0 || (self.is_optical() && self.volume == Volume::Unreadable)
    }

    /// Whether this is an optical drive.
    pub fn is_optical(&self) -> bool {
        self.name.starts_with("sr")
    }

    /// Whether this is the same device as `other`, even if it was taken out and put in again
    /// between two looks. One without a serial number and a world wide name must not have been.
    pub fn is_same_device(&self, other: &Self) -> bool {
        let marks = |disk: &Self| (disk.serial.clone(), disk.wwn.clone());
        let is_marked = marks(self) != (None, None);
        let is_twin = self.model == other.model && self.size == other.size;
        self.key() == other.key() || (is_marked && is_twin && marks(self) == marks(other))
    }

    /// Whether the kernel counts another medium under this name by now.
    pub fn is_another_now(&self, root: &Path) -> bool {
        let file = root.join("sys/block").join(&self.name).join("diskseq");
        let now = attribute(&file).and_then(|text| text.parse::<u64>().ok());
        now.is_some_and(|sequence| sequence != self.sequence)
    }

    /// Whether the kernel does not know this disk any more.
    fn is_gone(&self, root: &Path) -> bool {
        let is_there = root.join("sys/block").join(&self.name).exists();
        self.device.is_some() && (!is_there || self.is_another_now(root))
    }

    /// Whether what was done to this disk failed because it is gone: requests fail a moment before
    /// the kernel forgets a disk that was taken out.
    pub fn turns_out_gone(&self, root: &Path) -> bool {
        (0..LOOKS).any(|look| {
            if look > 0 && self.device.is_some() {
                thread::sleep(LOOK);
            }
            self.is_gone(root)
        })
    }

    /// Whether `other` is another path to this disk, as storage networks have them. Cheap devices share
    /// names that should be theirs alone, so everything has to be equal, and nothing but what may have
    /// several paths is looked at.
    pub fn is_another_path_to(&self, other: &Self) -> bool {
        let identity = |disk: &Self| (disk.wwn.clone(), disk.serial.clone(), disk.size);
        matches!(
            self.bus,
            Bus::Sas | Bus::FibreChannel | Bus::Iscsi | Bus::Scsi
        ) && self.name != other.name
            && self.wwn.is_some()
            && self.serial.is_some()
            && identity(self) == identity(other)
    }

    /// The serial number of a disk that has none without being asked for it, which lasts as long as the disk
    /// likes: so it is no part of a scan.
    pub fn ask_serial(&self, root: &Path) -> Option<String> {
        let folder = root.join("sys/block").join(&self.name);
        is_asked(&self.name)
            .then(|| serial::serial(&folder))
            .flatten()
    }

    /// Reads the disk called `name`; `None` if it is not one to show.
    fn read(root: &Path, name: &str) -> Option<Self> {
        let folder = root.join("sys/block").join(name);
        let text = |file: &str| attribute(&folder.join(file));
        let number = |file: &str| text(file).and_then(|text| text.parse::<u64>().ok());
        // Virtual block devices (loop, ram, zram, dm, md, nbd) have no device behind them.
        let virtual_device = !folder.join("device").exists();
        // Hidden: one path of a multipath NVMe disk.
        if virtual_device || number("hidden") == Some(1) || is_no_disk(name) {
            return None;
        }
        let target = std::fs::read_link(&folder).unwrap_or_default();
        let vendor = text("device/vendor").filter(|vendor| !vendor.starts_with("0x"));
        let bus = Bus::of(
            name,
            &target.to_string_lossy(),
            vendor.as_deref(),
            text("device/type").as_deref(),
        );
        let optical = name.starts_with("sr");
        let sectors = number("size")
            .filter(|sectors| !optical || *sectors != UNKNOWN_OPTICAL_SIZE)
            .unwrap_or(0);
        Some(Self {
            name: name.to_owned(),
            model: model(
                text("device/model").or_else(|| text("device/name")),
                vendor,
                bus,
            ),
            serial: (!is_asked(name)).then(|| serial::serial(&folder)).flatten(),
            wwn: text("wwid").or_else(|| text("device/wwid")),
            bus,
            place: bus::place(name, &target.to_string_lossy()),
            device: text("dev").and_then(|text| numbers(&text)),
            // sysfs counts in 512 bytes, whatever the logical block size is.
            size: sectors.saturating_mul(512),
            block_size: number("queue/logical_block_size").unwrap_or(512),
            removable: number("removable") == Some(1),
            read_only: number("ro") == Some(1),
            sequence: number("diskseq").unwrap_or(0),
            volume: Volume::Unread,
            contents: None,
        })
    }
}

/// Whether a disk is asked for its serial number each time that sysfs is: virtio-blk
/// (`drivers/block/virtio_blk.c`, `serial_show`).
fn is_asked(name: &str) -> bool {
    name.starts_with("vd")
}

/// Major and minor number, as sysfs writes them: `8:16`.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether a block device with a device behind it is still not a disk: a floppy drive, raw flash,
/// or one of the small areas of an eMMC chip.
fn is_no_disk(name: &str) -> bool {
    let area_of_chip = |name: &str| {
        ["boot", "rpmb", "gp"]
            .iter()
            .any(|area| name.contains(area))
    };
    name.starts_with("fd")
        || name.starts_with("mtdblock")
        || (name.starts_with("mmcblk") && area_of_chip(name))
}

/// Maker and model in one, without saying the maker twice.
fn model(model: Option<String>, vendor: Option<String>, bus: Bus) -> String {
    match (vendor, model) {
        // The SCSI layer calls the maker of every SATA disk "ATA".
        (Some(vendor), Some(model)) if vendor != "ATA" && !model.starts_with(&vendor) => {
            format!("{vendor} {model}")
        }
        (_, Some(model)) => model,
        (Some(vendor), None) if vendor != "ATA" => vendor,
        _ => match bus {
            Bus::Other => "unknown model".to_owned(),
            bus => format!("{bus} disk"),
        },
    }
}

/// Lists the disks in `/sys/block` below `root`, `nvme2n1` before `nvme10n1`.
pub(super) fn scan(root: &Path) -> Vec<Disk> {
    let mut disks: Vec<Disk> = std::fs::read_dir(root.join("sys/block"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Disk::read(root, &name))
        .collect();
    disks.sort_by_cached_key(|disk| natural(&disk.name));
    disks
}

/// Splits a name so that its parts compare in the order in which people count.
pub(crate) fn natural(name: &str) -> Vec<(usize, String)> {
    let mut parts: Vec<(usize, String)> = Vec::new();
    let mut in_number = false;
    for c in name.chars() {
        match parts.last_mut() {
            Some((length, part)) if c.is_ascii_digit() == in_number => {
                part.push(c);
                *length = if in_number { part.len() } else { 0 };
            }
            _ => parts.push((usize::from(c.is_ascii_digit()), c.to_string())),
        }
        in_number = c.is_ascii_digit();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_count() {
        let mut names = ["sdaa", "nvme10n1", "sdb", "nvme2n1", "sr0"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["nvme2n1", "nvme10n1", "sdaa", "sdb", "sr0"]);
    }

    /// A machine with one disk, as far as this module reads it.
    fn machine(sequence: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("dev", "8:16"),
            ("diskseq", sequence),
            ("size", "4096"),
            ("device/model", "Disk"),
        ];
        for (name, text) in files {
            let path = root.path().join("sys/block/sdb").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_disk_is_gone_when_its_name_is_nobodys_or_anothers() {
        let root = machine("7");
        let [disk] = scan(root.path()).try_into().unwrap();
        assert_eq!(disk.device, Some((8, 16)));
        assert!(!disk.turns_out_gone(root.path()));
        assert!(disk.turns_out_gone(machine("8").path()));
        std::fs::remove_dir_all(root.path().join("sys/block/sdb")).unwrap();
        assert!(disk.turns_out_gone(root.path()));
        let file = Disk {
            device: None,
            ..disk
        };
        assert!(
            !file.turns_out_gone(root.path()),
            "the kernel never knew it"
        );
    }

    #[test]
    fn a_disk_that_was_put_in_again_is_known_by_its_marks() {
        let [plain] = scan(machine("7").path()).try_into().unwrap();
        let again = Disk {
            name: "sdc".to_owned(),
            sequence: 8,
            ..plain.clone()
        };
        assert!(plain.is_same_device(&plain));
        assert!(!plain.is_same_device(&again));
        let marked = |disk: &Disk, wwn: &str| Disk {
            wwn: Some(wwn.to_owned()),
            ..disk.clone()
        };
        assert!(marked(&plain, "eui.1").is_same_device(&marked(&again, "eui.1")));
        assert!(!marked(&plain, "eui.1").is_same_device(&marked(&again, "eui.2")));
    }

    #[test]
    fn a_scan_asks_no_disk_for_its_serial_number() {
        for (name, scanned, asked) in [("sdb", Some("S1"), None), ("vdb", None, Some("S1"))] {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("sys/block").join(name);
            std::fs::create_dir_all(folder.join("device")).unwrap();
            std::fs::write(folder.join("serial"), "S1\n").unwrap();
            let [disk] = scan(root.path()).try_into().unwrap();
            assert_eq!(disk.serial.as_deref(), scanned, "{name}");
            assert_eq!(disk.ask_serial(root.path()).as_deref(), asked, "{name}");
        }
    }

    #[test]
    fn the_maker_is_said_once() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            model(some("DVD-ROM"), some("QEMU"), Bus::Sata),
            "QEMU DVD-ROM"
        );
        assert_eq!(
            model(some("QEMU HARDDISK"), some("ATA"), Bus::Sata),
            "QEMU HARDDISK"
        );
        assert_eq!(
            model(some("QEMU HARDDISK"), some("QEMU"), Bus::Usb),
            "QEMU HARDDISK"
        );
        assert_eq!(model(None, None, Bus::Virtio), "virtio disk");
        assert_eq!(model(None, some("ATA"), Bus::Other), "unknown model");
    }
}
