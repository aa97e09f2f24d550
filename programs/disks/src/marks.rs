//! When two disks are one: what a disk says of itself, and where it is attached.
//!
//! Cheap devices share what should be theirs alone: USB bridges of one make have one serial number,
//! and copies of a virtual disk have everything in common.

use crate::bus::Bus;

/// What tells a disk from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks<'a> {
    /// Kernel name, such as `nvme0n1`.
    pub name: &'a str,
    /// Counts each insertion of a medium.
    pub sequence: u64,
    /// How it is attached.
    pub bus: Bus,
    /// Where it is attached; may be empty.
    pub place: &'a str,
    /// Maker and model.
    pub model: &'a str,
    /// Serial number.
    pub serial: Option<&'a str>,
    /// World wide name.
    pub wwn: Option<&'a str>,
    /// Bytes.
    pub size: u64,
}

impl Marks<'_> {
    /// Whether nothing that these disks say of themselves tells them apart.
    pub fn look_like(&self, other: &Self) -> bool {
        let said = |it: &Self| (it.model.to_owned(), it.size);
        said(self) == said(other) && (self.serial, self.wwn) == (other.serial, other.wwn)
    }

    /// Whether this is the disk that was `before`, even if it was taken out and put in again since.
    /// One that was out has to have its world wide name, or its serial number and its place; one with
    /// neither must not have been out.
    pub fn are_of_the_same(&self, before: &Self) -> bool {
        let never_out = |it: &Self| (it.name.to_owned(), it.sequence, it.size);
        let is_back = !self.place.is_empty() && self.place == before.place && self.serial.is_some();
        never_out(self) == never_out(before)
            || (self.look_like(before) && (self.has_registered_name() || is_back))
    }

    /// Whether this is another path to the disk `other`, as storage networks and disks with two ports
    /// have them. Everything has to be equal, and nothing but what may have several paths is looked at.
    pub fn are_another_path_to(&self, other: &Self) -> bool {
        self.name != other.name
            && self.may_have_paths()
            && other.may_have_paths()
            && self.has_registered_name()
            && self.serial.is_some()
            && self.look_like(other)
    }

    fn may_have_paths(&self) -> bool {
        match self.bus {
            Bus::Sas | Bus::FibreChannel | Bus::Iscsi | Bus::Scsi | Bus::Nvme => true,
            // A SCSI disk behind a hypervisor's adapter.
            Bus::Virtio | Bus::Vmware | Bus::HyperV => self.name.starts_with("sd"),
            Bus::Sata | Bus::Usb | Bus::Mmc | Bus::Sd | Bus::Xen | Bus::Other => false,
        }
    }

    /// Whether its world wide name is from a registry that gives each one once (IEEE, RFC 9562), not
    /// one that Linux puts together from model and serial number (`t10.…`, `nvme.…`), nor an empty one.
    fn has_registered_name(&self) -> bool {
        let registries = ["eui.", "naa.", "uuid."];
        let name = self.wwn.unwrap_or_default();
        let number = registries.iter().find_map(|it| name.strip_prefix(it));
        number.is_some_and(|it| it.bytes().any(|digit| !b"0fF-".contains(&digit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LUN: Marks<'_> = Marks {
        name: "sda",
        sequence: 1,
        bus: Bus::FibreChannel,
        place: "pci0000:00/rport-1:0-1/0:0:0",
        model: "NETAPP LUN C-Mode",
        serial: Some("80304C"),
        wwn: Some("naa.600a0980383034"),
        size: 1 << 40,
    };
    const STICK: Marks<'_> = Marks {
        bus: Bus::Usb,
        place: "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/0:0:0",
        serial: Some("0123456789ABCDE"),
        wwn: None,
        ..LUN
    };

    fn another<'a>(disk: &Marks<'a>) -> Marks<'a> {
        Marks {
            name: "sdb",
            sequence: 2,
            place: "elsewhere",
            ..*disk
        }
    }

    #[test]
    fn two_paths_to_a_disk_have_everything_in_common_but_name_and_place() {
        let second = another(&LUN);
        assert!(second.are_another_path_to(&LUN) && LUN.are_another_path_to(&second));
        let wwns = [
            None,
            Some("t10.ATA QEMU HARDDISK TEST0001"),
            Some("nvme.1b36-5445-51454d55-00000001"),
            Some("naa.0000000000000000"),
            Some("eui.ffffffffffffffff"),
        ];
        for wwn in wwns {
            let first = Marks { wwn, ..LUN };
            let same = Marks { wwn, ..second };
            assert!(!same.are_another_path_to(&first), "{wwn:?}");
        }
        let differing = [
            Marks {
                wwn: Some("naa.600a0980383035"),
                ..second
            },
            Marks { size: 1, ..second },
            Marks {
                serial: Some("80304D"),
                ..second
            },
            Marks {
                model: "other",
                ..second
            },
            Marks {
                bus: Bus::Usb,
                ..second
            },
            LUN,
        ];
        for other in differing {
            assert!(!other.are_another_path_to(&LUN), "{other:?}");
        }
        let without = |disk: &Marks<'static>| Marks {
            serial: None,
            ..*disk
        };
        assert!(!without(&second).are_another_path_to(&without(&LUN)));
    }

    #[test]
    fn what_may_have_paths_is_told_by_its_bus() {
        let rows = [
            (Bus::Nvme, "nvme0n1", "nvme1n1", true),
            (Bus::Virtio, "sda", "sdb", true),
            (Bus::Virtio, "vda", "vdb", false),
            (Bus::Sas, "sda", "sdb", true),
            (Bus::Usb, "sda", "sdb", false),
            (Bus::Sata, "sda", "sdb", false),
        ];
        for (bus, first, second, expected) in rows {
            let marks = |name| Marks { name, bus, ..LUN };
            let found = marks(first).are_another_path_to(&marks(second));
            assert_eq!(found, expected, "{bus} {first}");
        }
    }

    #[test]
    fn a_disk_that_was_out_is_known_by_its_name_or_its_place() {
        let moved = |disk: &Marks<'static>| another(disk);
        let back = |disk: &Marks<'static>| Marks {
            place: disk.place,
            ..another(disk)
        };
        let blank = Marks {
            serial: None,
            ..STICK
        };
        let nowhere = Marks { place: "", ..STICK };
        let rows = [
            ("never out", STICK, STICK, true),
            ("never out, without marks", blank, blank, true),
            ("registered name, anywhere", LUN, moved(&LUN), true),
            ("serial number, same place", STICK, back(&STICK), true),
            ("serial number, other place", STICK, moved(&STICK), false),
            (
                "serial number, unknown place",
                nowhere,
                back(&nowhere),
                false,
            ),
            ("no marks, same place", blank, back(&blank), false),
        ];
        for (what, before, now, expected) in rows {
            assert_eq!(now.are_of_the_same(&before), expected, "{what}");
            let larger = Marks { size: 2, ..now };
            assert!(!larger.are_of_the_same(&before), "{what}");
        }
    }
}
