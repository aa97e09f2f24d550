//! Whether Linux still looks for disks, from sysfs below a root.
//!
//! Before init starts, Linux waits for everything that it probes at the start (`kernel_init` in
//! init/main.c calls `async_synchronize_full`): adapters in PCI slots, SATA ports, the first scan of
//! SCSI hosts. What may come later comes by work queues, and shows here:
//!
//! | what | how it shows |
//! | --- | --- |
//! | a SCSI disk that spins up, of whatever transport | a SCSI device with a disk's driver, without `block` |
//! | a USB stick or USB disk that is not scanned yet | a mass storage interface whose driver made no SCSI device |
//! | an NVMe controller that gets ready, or is reset | its `state` |
//! | a disk whose size cannot be read | no bytes, in a drive that has no removable medium |
//! | anything else that comes, goes or changes | the number of the kernel's last event (uevent) |

use std::fs;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::text::attribute;

/// SCSI peripheral device types of what becomes a block device (SPC-5, 6.7.2): disks, optical drives,
/// optical memory, simplified disks.
const SCSI_TYPES: [&str; 4] = ["0", "5", "7", "14"];
/// USB class of mass storage.
const MASS_STORAGE: &str = "08";
/// What the state of an `NVMe` controller is called before its disks can be known.
const NVME_NOT_READY: [&str; 3] = ["new", "resetting", "connecting"];

/// What Linux has found that may still become a disk, in words for people, sorted; `disks` are those
/// that there are.
pub(super) fn pending(root: &Path, disks: &[Disk]) -> Vec<String> {
    let sys = root.join("sys");
    let scsi = entries(&sys.join("bus/scsi/devices")).filter_map(|(name, path)| {
        let kind = attribute(&path.join("type"))?;
        // No driver takes the disks that a RAID controller hides behind its volumes.
        let has_driver = path.join("driver").exists();
        let is_disk = SCSI_TYPES.contains(&&*kind);
        let is_waiting = is_disk && has_driver && !path.join("block").exists();
        is_waiting.then(|| format!("SCSI device {name}"))
    });
    let usb = entries(&sys.join("bus/usb/devices")).filter_map(|(name, path)| {
        let class = attribute(&path.join("bInterfaceClass"))?;
        let is_waiting =
            class == MASS_STORAGE && path.join("driver").exists() && !has_scsi_device(&path);
        is_waiting.then(|| format!("USB device {name}"))
    });
    let nvme = entries(&sys.join("class/nvme")).filter_map(|(name, path)| {
        let state = attribute(&path.join("state"))?;
        let is_waiting = NVME_NOT_READY.contains(&&*state);
        is_waiting.then(|| format!("NVMe controller {name}"))
    });
    let without_size = disks
        .iter()
        .filter(|disk| disk.size == 0 && !disk.removable && !disk.is_optical())
        .map(|disk| format!("{} without a size", disk.name));
    let mut found: Vec<String> = scsi.chain(usb).chain(nvme).chain(without_size).collect();
    found.sort();
    found
}

/// The number of the last event that the kernel told of a device.
pub(super) fn events(root: &Path) -> u64 {
    let number = attribute(&root.join("sys/kernel/uevent_seqnum"));
    number.and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// Whether the driver of a USB interface has found what is behind it: `host6/target6:0:0/6:0:0:0`.
fn has_scsi_device(interface: &Path) -> bool {
    let below = |path: &Path, prefix: &'static str| {
        let entries = entries(path);
        entries.filter_map(move |(name, path)| name.starts_with(prefix).then_some(path))
    };
    below(interface, "host")
        .flat_map(|host| below(&host, "target"))
        .any(|target| entries(&target).any(|(name, _)| name.contains(':')))
}

/// The files and folders in `folder`; none if it is not there.
fn entries(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> + use<> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    found.filter_map(|it| Some((it.file_name().into_string().ok()?, it.path())))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Files<'a> = &'a [(&'a str, &'a str)];

    /// A machine with these files below `sys`; a name that ends in a slash is a folder.
    fn machine(files: Files<'_>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join("sys").join(name);
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
        }
        root
    }

    #[test]
    fn what_may_become_a_disk_is_told_until_it_is_one() {
        const USB: &str = "bus/usb/devices/2-1:1.0";
        const SCSI: &str = "bus/scsi/devices/0:0:1:0";
        let rows: [(Files<'_>, &[&str]); 10] = [
            (&[], &[]),
            (
                &[
                    (&*format!("{SCSI}/type"), "0\n"),
                    (&*format!("{SCSI}/driver/"), ""),
                ],
                &["SCSI device 0:0:1:0"],
            ),
            (&[(&*format!("{SCSI}/type"), "0\n")], &[]),
            (
                &[
                    (&*format!("{SCSI}/type"), "0\n"),
                    (&*format!("{SCSI}/driver/"), ""),
                    (&*format!("{SCSI}/block/sda/"), ""),
                    ("bus/scsi/devices/host0/", ""),
                    // An enclosure never becomes a disk.
                    ("bus/scsi/devices/0:0:9:0/type", "13\n"),
                    ("bus/scsi/devices/0:0:9:0/driver/", ""),
                ],
                &[],
            ),
            (
                &[
                    (&*format!("{USB}/bInterfaceClass"), "08\n"),
                    (&*format!("{USB}/driver/"), ""),
                ],
                &["USB device 2-1:1.0"],
            ),
            // Without a driver nothing comes of it, nor of a keyboard.
            (&[(&*format!("{USB}/bInterfaceClass"), "08\n")], &[]),
            (
                &[
                    (&*format!("{USB}/bInterfaceClass"), "03\n"),
                    (&*format!("{USB}/driver/"), ""),
                ],
                &[],
            ),
            (
                &[
                    (&*format!("{USB}/bInterfaceClass"), "08\n"),
                    (&*format!("{USB}/driver/"), ""),
                    (&*format!("{USB}/host6/target6:0:0/6:0:0:0/"), ""),
                ],
                &[],
            ),
            (&[("class/nvme/nvme0/state", "live\n")], &[]),
            (
                &[
                    ("class/nvme/nvme1/state", "resetting\n"),
                    ("class/nvme/nvme0/state", "connecting\n"),
                ],
                &["NVMe controller nvme0", "NVMe controller nvme1"],
            ),
        ];
        for (files, expected) in rows {
            assert_eq!(pending(machine(files).path(), &[]), expected, "{files:?}");
        }
    }

    #[test]
    fn a_fixed_disk_without_a_size_did_not_answer() {
        let files = |removable| {
            [
                ("block/sdb/size", "0\n"),
                ("block/sdb/device/model", "Disk\n"),
                ("block/sdb/removable", removable),
            ]
        };
        for (removable, expected) in [("0\n", vec!["sdb without a size"]), ("1\n", vec![])] {
            let root = machine(&files(removable));
            let disks = super::super::disk::scan(root.path());
            assert_eq!(pending(root.path(), &disks), expected);
        }
    }

    #[test]
    fn the_kernel_counts_its_events() {
        assert_eq!(events(machine(&[]).path()), 0);
        let root = machine(&[("kernel/uevent_seqnum", "1234\n")]);
        assert_eq!(events(root.path()), 1234);
    }
}
