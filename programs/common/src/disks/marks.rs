//! When two disks are one: what a disk says of itself, and where it is attached.
//!
//! Cheap devices share what should be theirs alone: USB bridges of one make have one serial number, and
//! say of each disk that is put into them what they say of themselves; copies of a virtual disk have
//! everything in common.

use super::bus::Bus;

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
    /// The medium can be taken out.
    pub removable: bool,
}

/// Of how few digits a number is that nobody registered, beside zeros, or beside those of an empty one.
const TOO_FEW: usize = 3;

impl Marks<'_> {
    /// Whether nothing that these disks say of themselves tells them apart.
    pub fn look_like(&self, other: &Self) -> bool {
        let said = |it: &Self| (it.model.to_owned(), it.size);
        said(self) == said(other) && (self.serial, self.wwn) == (other.serial, other.wwn)
    }

    /// Whether this is the disk that was `before`, even if it was taken out and put in again since.
    /// One that was out has to have its world wide name, or its serial number and its place; one with
    /// neither must not have been out, nor one whose serial number and place may be those of what it is in.
    pub fn are_of_the_same(&self, before: &Self) -> bool {
        let never_out = |it: &Self| (it.name.to_owned(), it.sequence, it.size);
        let is_back = !self.place.is_empty()
            && self.place == before.place
            && self.serial.is_some()
            && !self.may_be_exchanged();
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

    /// Whether it may sit in something that stays and speaks for it: a dock, a card reader, a drive.
    fn may_be_exchanged(&self) -> bool {
        self.removable || [Bus::Usb, Bus::Sd].contains(&self.bus)
    }

    /// Whether its world wide name is its own, from a registry that gives each one once (IEEE, RFC 9562): not
    /// one that Linux puts together from model and serial number (`t10.…`, `nvme.…`), nor one that its maker
    /// left empty or just counted up, nor what a USB bridge says, which may be its own.
    pub fn has_registered_name(&self) -> bool {
        let registries = ["eui.", "naa.", "uuid."];
        let name = self.wwn.unwrap_or_default();
        let number = registries.iter().find_map(|it| name.strip_prefix(it));
        // The first digit of an NAA name only says of which kind it is.
        let digits = number.unwrap_or_default().bytes().skip(1);
        let digits = digits.filter(|it| *it != b'-');
        let beside = |empty: u8| {
            let others = digits.clone().map(|it| it.to_ascii_lowercase());
            others.filter(|it| *it != empty).count()
        };
        self.bus != Bus::Usb && beside(b'0') > TOO_FEW && beside(b'f') > TOO_FEW
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
        removable: false,
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
            Some("naa.5000000000000001"),
            Some("eui.0000000001000000"),
            Some("uuid.00000000-0000-0000-0000-000000000012"),
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
        // One of a RAID controller, whose serial number is its own.
        let volume = Marks {
            bus: Bus::Sas,
            ..STICK
        };
        let nowhere = Marks {
            place: "",
            ..volume
        };
        let cartridge = Marks {
            removable: true,
            ..volume
        };
        let card = Marks {
            bus: Bus::Sd,
            ..volume
        };
        let named = |bus| Marks { bus, ..LUN };
        let counted = Marks {
            wwn: Some("naa.5000000000000001"),
            ..LUN
        };
        let rows = [
            ("never out", STICK, STICK, true),
            ("never out, without marks", blank, blank, true),
            ("registered name, anywhere", LUN, moved(&LUN), true),
            ("no registered name", counted, moved(&counted), false),
            ("serial number, same place", volume, back(&volume), true),
            ("serial number, other place", volume, moved(&volume), false),
            (
                "serial number, unknown place",
                nowhere,
                back(&nowhere),
                false,
            ),
            ("no marks, same place", blank, back(&blank), false),
            ("another disk in a dock", STICK, back(&STICK), false),
            (
                "another disk in a dock with a name",
                named(Bus::Usb),
                back(&named(Bus::Usb)),
                false,
            ),
            ("another card in a reader", card, back(&card), false),
            (
                "another cartridge in a drive",
                cartridge,
                back(&cartridge),
                false,
            ),
            (
                "a removable disk with a name",
                Marks {
                    removable: true,
                    ..LUN
                },
                moved(&Marks {
                    removable: true,
                    ..LUN
                }),
                true,
            ),
        ];
        for (what, before, now, expected) in rows {
            assert_eq!(now.are_of_the_same(&before), expected, "{what}");
            let larger = Marks { size: 2, ..now };
            assert!(!larger.are_of_the_same(&before), "{what}");
        }
    }
}
