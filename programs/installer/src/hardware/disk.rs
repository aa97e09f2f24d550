//! Every disk that Linux sees. No device is opened here.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::disks::{Bus, Device, Marks, ask_serial};

use super::contents::Contents;
use super::text::attribute;

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
    /// Where it is attached: the path of buses and ports to it, the same at each start.
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
    /// This system was started from it, as firmware and contents say.
    pub is_medium: bool,
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

    /// What tells this disk from others.
    pub fn marks(&self) -> Marks<'_> {
        Marks {
            name: &self.name,
            sequence: self.sequence,
            bus: self.bus,
            place: &self.place,
            model: &self.model,
            serial: self.serial.as_deref(),
            wwn: self.wwn.as_deref(),
            size: self.size,
            removable: self.removable,
        }
    }

    /// Whether this is the disk that was `before`, even if it was taken out and put in again since.
    pub fn is_same_device(&self, before: &Self) -> bool {
        self.marks().are_of_the_same(&before.marks())
    }

    /// Whether this may be `other`: nothing that they say of themselves tells them apart.
    pub fn looks_like(&self, other: &Self) -> bool {
        self.marks().look_like(&other.marks())
    }

    /// Whether `other` is another path to this disk, as storage networks have them.
    pub fn is_another_path_to(&self, other: &Self) -> bool {
        self.marks().are_another_path_to(&other.marks())
    }

    /// Looks at what is on it, where `path` leads to its device node.
    pub fn read_contents(&self, path: &Path) -> io::Result<Contents> {
        Contents::read(path, self.size, self.block_size)
    }

    /// The serial number of a disk that has none without being asked for it, which lasts as long as the disk
    /// likes: so it is no part of a scan.
    pub fn ask_serial(&self, root: &Path) -> Option<String> {
        ask_serial(root, &self.name)
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
}

impl From<Device> for Disk {
    /// A disk that nobody has looked at yet.
    fn from(device: Device) -> Self {
        Self {
            name: device.name,
            model: device.model,
            serial: device.serial,
            wwn: device.wwn,
            bus: device.bus,
            place: device.place,
            device: device.numbers,
            size: device.size,
            block_size: device.block_size,
            removable: device.removable,
            read_only: device.read_only,
            sequence: device.sequence,
            volume: Volume::Unread,
            contents: None,
            is_medium: false,
        }
    }
}

/// Lists the disks in `/sys/block` below `root`, `nvme2n1` before `nvme10n1`.
pub(super) fn scan(root: &Path) -> Vec<Disk> {
    let devices = common::disks::names(root).into_iter();
    let devices = devices.filter_map(|name| Device::read(root, &name));
    devices.map(Disk::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
