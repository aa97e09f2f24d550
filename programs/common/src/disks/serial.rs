//! A disk's serial number, wherever its bus keeps it in sysfs.

use std::path::Path;

use crate::text::{attribute, clean};

/// The serial number of the disk whose folder in `/sys/block` is `folder`, if it has one.
pub(crate) fn serial(folder: &Path) -> Option<String> {
    let text = |name: &str| attribute(&folder.join(name));
    // virtio-blk; NVMe and MMC; SCSI, SATA and SAS; and at last the USB device that a stick is.
    text("serial")
        .or_else(|| text("device/serial"))
        .or_else(|| unit_serial_number(&std::fs::read(folder.join("device/vpd_pg80")).ok()?))
        .or_else(|| of_usb_device(folder))
}

/// The unit serial number page of a SCSI device, as the kernel passes it on: SPC-5, 7.7.20.
fn unit_serial_number(page: &[u8]) -> Option<String> {
    let (&[_, code, high, low], rest) = page.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let number = rest.get(..length.min(rest.len()))?;
    let number = clean(&String::from_utf8_lossy(number));
    // Some devices have a page of blanks.
    (code == 0x80 && !number.is_empty()).then_some(number)
}

/// The serial number of the USB device above a disk: the first one on the way to the host
/// controller that has `idVendor`, and so is a USB device.
fn of_usb_device(folder: &Path) -> Option<String> {
    let disk = std::fs::canonicalize(folder).ok()?;
    let device = disk
        .ancestors()
        .find(|path| path.join("idVendor").exists())?;
    attribute(&device.join("serial"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_bus_has_its_own_place() {
        let page = [&[0, 0x80, 0, 8][..], b"  WD-123"].concat();
        let rows: [(&str, &[u8], &str); 4] = [
            ("serial", b"virtio-1\n", "virtio-1"),
            ("device/serial", b"S4EWNX0N  \n", "S4EWNX0N"),
            ("device/vpd_pg80", &page, "WD-123"),
            ("../../serial", b"0123ABCD\n", "0123ABCD"),
        ];
        for (place, content, expected) in rows {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("usb1/host0/block");
            fs::create_dir_all(folder.join("device")).unwrap();
            fs::write(root.path().join("usb1/idVendor"), "abcd\n").unwrap();
            fs::write(folder.join(place), content).unwrap();
            assert_eq!(serial(&folder).as_deref(), Some(expected), "{place}");
        }
    }

    #[test]
    fn pages_that_are_cut_off_or_of_another_kind_are_none() {
        assert_eq!(unit_serial_number(&[]), None);
        assert_eq!(unit_serial_number(b"\0\x80\0\x02  "), None);
        assert_eq!(unit_serial_number(&[0, 0x83, 0, 1, b'x']), None);
        assert_eq!(
            unit_serial_number(&[0, 0x80, 0, 9, b'x']),
            Some("x".to_owned())
        );
    }
}
