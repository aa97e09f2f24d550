//! How a disk is attached, told from where sysfs places it in the device tree.

use std::fmt;

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Bus {
    Nvme,
    Sata,
    Usb,
    Virtio,
    Sas,
    Mmc,
    Sd,
    HyperV,
    Xen,
    Vmware,
    FibreChannel,
    Iscsi,
    Scsi,
    Other,
}

impl Bus {
    /// Tells the bus of the disk called `name` from the target of its link in `/sys/block`, such
    /// as `../devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda`.
    ///
    /// `vendor` and `kind` are the attributes `device/vendor` and `device/type`, if there are.
    pub fn of(name: &str, target: &str, vendor: Option<&str>, kind: Option<&str>) -> Self {
        let parts = || target.split('/');
        let numbered =
            |prefix: &str| parts().any(|part| part.strip_prefix(prefix).is_some_and(is_number));
        let has = |prefix: &str| parts().any(|part| part.starts_with(prefix));
        // From the most telling part to the least: a USB stick is also a SCSI disk.
        if numbered("usb") {
            Self::Usb
        } else if name.starts_with("nvme") {
            Self::Nvme
        } else if name.starts_with("mmcblk") {
            if kind == Some("MMC") {
                Self::Mmc
            } else {
                Self::Sd
            }
        } else if numbered("ata") {
            Self::Sata
        } else if numbered("virtio") {
            Self::Virtio
        } else if has("VMBUS:") || has("vmbus_") {
            Self::HyperV
        } else if name.starts_with("xvd") || has("vbd-") {
            Self::Xen
        } else if vendor.is_some_and(|vendor| vendor.starts_with("VMware")) {
            Self::Vmware
        } else if has("end_device-") {
            Self::Sas
        } else if has("rport-") {
            Self::FibreChannel
        } else if numbered("session") {
            Self::Iscsi
        } else if has("target") {
            Self::Scsi
        } else {
            Self::Other
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Bus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Nvme => "NVMe",
            Self::Sata => "SATA",
            Self::Usb => "USB",
            Self::Virtio => "virtio",
            Self::Sas => "SAS",
            Self::Mmc => "MMC",
            Self::Sd => "SD",
            Self::HyperV => "Hyper-V",
            Self::Xen => "Xen",
            Self::Vmware => "VMware",
            Self::FibreChannel => "FC",
            Self::Iscsi => "iSCSI",
            Self::Scsi => "SCSI",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buses_are_told_from_real_device_paths() {
        let rows = [
            (
                "nvme0n1",
                "../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1",
                "NVMe",
            ),
            (
                "nvme0n1",
                "../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
                "NVMe",
            ),
            (
                "sda",
                "../devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda",
                "SATA",
            ),
            (
                "sr0",
                "../devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sr0",
                "SATA",
            ),
            (
                "sdb",
                "../devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb",
                "USB",
            ),
            (
                "vda",
                "../devices/pci0000:00/0000:00:04.0/virtio1/block/vda",
                "virtio",
            ),
            (
                "sda",
                "../devices/pci0000:00/0000:00:05.0/virtio2/host7/target7:0:0/7:0:0:1/block/sda",
                "virtio",
            ),
            (
                "sda",
                "../devices/pci0000:00/0000:00:01.0/0000:01:00.0/host0/port-0:0/end_device-0:0/target0:0:0/0:0:0:0/block/sda",
                "SAS",
            ),
            (
                "sda",
                "../devices/LNXSYSTM:00/LNXSYBUS:00/PNP0A03:00/device:07/VMBUS:01/00000000-0000/host0/target0:0:0/0:0:0:0/block/sda",
                "Hyper-V",
            ),
            ("xvda", "../devices/vbd-51712/block/xvda", "Xen"),
            (
                "sda",
                "../devices/pci0000:00/0000:00:10.0/host3/rport-3:0-1/target3:0:0/3:0:0:0/block/sda",
                "FC",
            ),
            (
                "sda",
                "../devices/platform/host2/session1/target2:0:0/2:0:0:1/block/sda",
                "iSCSI",
            ),
            (
                "sda",
                "../devices/pci0000:00/0000:00:10.0/host2/target2:0:0/2:0:0:0/block/sda",
                "SCSI",
            ),
            (
                "pmem0",
                "../devices/LNXSYSTM:00/ndbus0/region0/namespace0.0/block/pmem0",
                "other",
            ),
        ];
        for (name, target, expected) in rows {
            assert_eq!(
                Bus::of(name, target, None, None).to_string(),
                expected,
                "{target}"
            );
        }
    }

    #[test]
    fn vendor_and_card_type_decide_where_the_path_does_not() {
        let scsi = "../devices/pci0000:00/0000:03:00.0/host0/target0:0:0/0:0:0:0/block/sda";
        assert_eq!(Bus::of("sda", scsi, Some("VMware"), None), Bus::Vmware);
        let card = "../devices/pci0000:00/0000:00:1c.0/mmc_host/mmc0/mmc0:0001/block/mmcblk0";
        assert_eq!(Bus::of("mmcblk0", card, None, Some("MMC")), Bus::Mmc);
        assert_eq!(Bus::of("mmcblk0", card, None, Some("SD")), Bus::Sd);
    }
}
