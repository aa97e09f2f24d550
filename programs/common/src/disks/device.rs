//! A disk as sysfs describes it. No device is opened here.

use std::path::Path;

use super::bus::Bus;
use super::marks::Marks;
use super::place::place;
use super::serial::serial;
use crate::text::{attribute, natural};

/// Size that the kernel reports for an optical drive whose disc it could not read, in sectors.
const UNKNOWN_OPTICAL_SIZE: u64 = 0x001f_ffff;

/// A disk, as sysfs describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Kernel name, such as `nvme0n1`.
    pub name: String,
    /// Maker and model, as far as known.
    pub model: String,
    /// Serial number, as its maker gave it, as far as the disk need not be asked: see [`ask_serial`].
    pub serial: Option<String>,
    /// World wide name (`eui.…`, `naa.…`), which no other disk should have.
    pub wwn: Option<String>,
    /// How it is attached.
    pub bus: Bus,
    /// Where it is attached: the path of buses and ports to it, the same at each start.
    pub place: String,
    /// Major and minor number of its device node.
    pub numbers: Option<(u32, u32)>,
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
}

impl Device {
    /// Reads the disk called `name` below `root`; `None` if it is not a disk that a person sees as one:
    /// virtual, a floppy, raw flash, an area of an eMMC chip, a single path of a disk that has several.
    pub fn read(root: &Path, name: &str) -> Option<Self> {
        let folder = root.join("sys/block").join(name);
        let text = |file: &str| attribute(&folder.join(file));
        let number = |file: &str| text(file).and_then(|text| text.parse::<u64>().ok());
        // Virtual block devices (loop, ram, zram, dm, md, nbd) have no device behind them.
        let is_virtual = !folder.join("device").exists();
        // Hidden: one path of a multipath NVMe disk.
        if is_virtual || number("hidden") == Some(1) || is_no_disk(name) {
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
        let sectors = number("size")
            .filter(|sectors| !name.starts_with("sr") || *sectors != UNKNOWN_OPTICAL_SIZE)
            .unwrap_or(0);
        Some(Self {
            name: name.to_owned(),
            model: model(
                text("device/model").or_else(|| text("device/name")),
                vendor,
                bus,
            ),
            serial: (!is_asked(name)).then(|| serial(&folder)).flatten(),
            wwn: text("wwid").or_else(|| text("device/wwid")),
            bus,
            place: place(name, &folder, text("nsid").as_deref()),
            numbers: text("dev").and_then(|text| numbers(&text)),
            // sysfs counts in 512 bytes, whatever the logical block size is.
            size: sectors.saturating_mul(512),
            block_size: number("queue/logical_block_size").unwrap_or(512),
            removable: number("removable") == Some(1),
            read_only: number("ro") == Some(1),
            sequence: number("diskseq").unwrap_or(0),
        })
    }

    /// What tells it from other disks.
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
}

/// The serial number of the disk called `name` below `root`, if that is one that has none without being
/// asked for it, which lasts as long as the disk likes.
pub fn ask_serial(root: &Path, name: &str) -> Option<String> {
    let folder = root.join("sys/block").join(name);
    is_asked(name).then(|| serial(&folder)).flatten()
}

/// Whether a disk is asked for its serial number each time that sysfs is: virtio-blk
/// (`drivers/block/virtio_blk.c`, `serial_show`).
fn is_asked(name: &str) -> bool {
    name.starts_with("vd")
}

/// The names in `/sys/block` below `root`, `nvme2n1` before `nvme10n1`.
pub fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root.join("sys/block"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_by_cached_key(|name| natural(name));
    names
}

/// Major and minor number, as sysfs writes them: `8:16`.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether a block device with a device behind it is still not a disk: a floppy drive, raw flash,
/// or one of the small areas of an eMMC chip.
fn is_no_disk(name: &str) -> bool {
    let is_area_of_chip = ["boot", "rpmb", "gp"]
        .iter()
        .any(|area| name.contains(area));
    name.starts_with("fd")
        || name.starts_with("mtdblock")
        || (name.starts_with("mmcblk") && is_area_of_chip)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_sort_as_people_count() {
        let mut names = ["sdaa", "nvme10n1", "sdb", "nvme2n1", "sr0"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["nvme2n1", "nvme10n1", "sdaa", "sdb", "sr0"]);
    }

    #[test]
    fn the_maker_is_said_once() {
        let some = |text: &str| Some(text.to_owned());
        let rows = [
            (some("DVD-ROM"), some("QEMU"), Bus::Sata, "QEMU DVD-ROM"),
            (
                some("QEMU HARDDISK"),
                some("ATA"),
                Bus::Sata,
                "QEMU HARDDISK",
            ),
            (
                some("QEMU HARDDISK"),
                some("QEMU"),
                Bus::Usb,
                "QEMU HARDDISK",
            ),
            (None, None, Bus::Virtio, "virtio disk"),
            (None, some("ATA"), Bus::Other, "unknown model"),
        ];
        for (made, maker, bus, expected) in rows {
            assert_eq!(model(made, maker, bus), expected);
        }
    }

    /// A disk at `target` below `/sys/devices`, with these files in its folder.
    fn plug(root: &Path, name: &str, target: &str, files: &[(&str, &str)]) {
        let folder = root.join("sys/devices").join(target);
        fs::create_dir_all(folder.join("device")).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), format!("{text}\n")).unwrap();
        }
        fs::create_dir_all(root.join("sys/block")).unwrap();
        let link = root.join("sys/block").join(name);
        symlink(format!("../devices/{target}"), link).unwrap();
    }

    #[test]
    fn a_place_is_the_same_whatever_was_found_first() {
        let nvme = "pci0000:00/0000:00:1d.0/0000:03:00.0/nvme";
        let rows = [
            (
                "vdb",
                "pci0000:00/0000:00:04.0/virtio1/block/vdb",
                "pci0000:00/0000:00:04.0",
            ),
            (
                "sda",
                "pci0000:00/0000:00:05.0/virtio2/host7/target7:0:0/7:0:0:1/block/sda",
                "pci0000:00/0000:00:05.0/0:0:1",
            ),
            (
                "sdb",
                "pci0000:00/0000:00:1f.2/ata2/host1/target1:0:0/1:0:0:0/block/sdb",
                "pci0000:00/0000:00:1f.2/ata2/0:0:0",
            ),
            (
                "sdc",
                "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdc",
                "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/0:0:0",
            ),
            ("nvme0n1", &format!("{nvme}/nvme0/nvme0n1"), nvme),
            ("xvda", "vbd-51712/block/xvda", "vbd-51712"),
        ];
        let root = tempfile::tempdir().unwrap();
        for (name, target, expected) in rows {
            plug(root.path(), name, target, &[]);
            let device = Device::read(root.path(), name).unwrap();
            assert_eq!(device.place, expected, "{target}");
        }
    }

    #[test]
    fn namespaces_of_one_controller_have_places_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        for (name, number) in [("nvme0n1", "1"), ("nvme0n2", "7")] {
            let target = format!("pci0000:00/0000:03:00.0/nvme/nvme0/{name}");
            plug(root.path(), name, &target, &[("nsid", number)]);
        }
        let places = names(root.path())
            .into_iter()
            .filter_map(|name| Some(Device::read(root.path(), &name)?.place));
        let expected = ["1", "7"].map(|it| format!("pci0000:00/0000:03:00.0/nvme/namespace {it}"));
        assert_eq!(places.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_nvme_disk_with_two_paths_is_one_disk_at_its_first_controller() {
        let root = tempfile::tempdir().unwrap();
        let devices = root.path().join("sys/devices");
        let head = "virtual/nvme-subsystem/nvme-subsys3/nvme3n1";
        plug(
            root.path(),
            "nvme3n1",
            head,
            &[("nsid", "1"), ("size", "8")],
        );
        for (number, port) in [(4, "0000:05:00.0"), (3, "0000:06:00.0")] {
            let controller = format!("pci0000:00/{port}/nvme/nvme{number}");
            let name = format!("nvme3c{number}n1");
            plug(
                root.path(),
                &name,
                &format!("{controller}/{name}"),
                &[("hidden", "1")],
            );
            let link = devices.join(format!("virtual/nvme-subsystem/nvme-subsys3/nvme{number}"));
            symlink(format!("../../../{controller}"), link).unwrap();
        }
        let names = names(root.path());
        let found: Vec<_> = names
            .iter()
            .filter_map(|it| Device::read(root.path(), it))
            .collect();
        let [device] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!((device.bus, device.size), (Bus::Nvme, 4096));
        assert_eq!(device.place, "pci0000:00/0000:05:00.0/nvme/namespace 1");
    }
}
