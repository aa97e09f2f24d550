//! Where everything lies on the disk, and what it is called there. Pure: numbers in, numbers out.
//!
//! Partition types: UEFI specification 2.10, section 5.3.3; the Discoverable Partitions
//! Specification names no type for data of others, so it is plain Linux data.

use common::product::product;
use gpt::partition_types::{EFI, LINUX_FS, Type};
use uuid::Uuid;

use super::request::Settings;
use common::digest::uuid_of;

/// What every partition begins at a multiple of, in bytes.
pub(super) const MIB: u64 = 1 << 20;
/// Name of the partition that the firmware reads.
pub(super) const SYSTEM: &str = "EFI";

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number in the table, from 1 on.
    pub(super) number: u32,
    /// Name in the table, once it is finished.
    pub(super) name: String,
    /// What tells it from all others.
    pub(super) guid: Uuid,
    /// First byte.
    pub(super) start: u64,
    /// Bytes.
    pub(super) size: u64,
}

impl Place {
    /// Whether this is the one that the firmware reads.
    pub(super) fn is_system(&self) -> bool {
        self.number == 1
    }

    /// Its type, once it is finished. Before, no firmware is to take it for its own.
    pub(super) fn kind(&self) -> Type {
        if self.is_system() { EFI } else { LINUX_FS }
    }
}

/// A whole disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// What tells this disk's table from all others.
    pub(super) guid: Uuid,
    /// The partitions by number; the first is the system's.
    pub(super) places: Vec<Place>,
}

impl Layout {
    /// Lays out a disk of `size` bytes. `seed` is what tells this disk in this machine from all
    /// others: the same one gives the same GUIDs. Says how much is missing if the disk is too small.
    pub(super) fn new(size: u64, settings: &Settings, seed: &str) -> Result<Self, String> {
        let count = u64::from(settings.data_partitions);
        let least_data = product().disk.least_data_mib * MIB;
        // The last MiB is the second table's.
        let end = size.saturating_sub(MIB).saturating_sub(settings.reserved) / MIB * MIB;
        let system = product().disk.efi_mib * MIB;
        let first = MIB + system;
        let each = end.saturating_sub(first) / count.max(1) / MIB * MIB;
        if each < least_data {
            let needed = (first + count * least_data + MIB).saturating_add(settings.reserved);
            return Err(format!(
                "The disk has {} MiB; {count} data partitions of at least {} MiB each, and the \
                 reserved space, need {} MiB.",
                size / MIB,
                least_data / MIB,
                needed.div_ceil(MIB)
            ));
        }
        let mut places = vec![Place {
            number: 1,
            name: SYSTEM.to_owned(),
            guid: uuid_of(&[seed, SYSTEM]),
            start: MIB,
            size: system,
        }];
        for index in 0..u32::from(settings.data_partitions) {
            let name = data_name(index);
            places.push(Place {
                number: index + 2,
                guid: uuid_of(&[seed, &name]),
                name,
                start: first + u64::from(index) * each,
                size: each,
            });
        }
        Ok(Self {
            guid: uuid_of(&[seed, "disk"]),
            places,
        })
    }

    /// The partition that the firmware reads.
    pub(super) fn system(&self) -> &Place {
        &self.places[0]
    }

    /// The data partitions.
    pub(super) fn data(&self) -> &[Place] {
        &self.places[1..]
    }
}

/// Whether a partition has a name that we give.
pub(super) fn is_ours(name: &str) -> bool {
    let disk = &product().disk;
    let is_data = !disk.data.is_empty() && name.starts_with(&disk.data);
    name == SYSTEM || name == disk.unfinished || is_data
}

/// Name of a data partition, counted from 0.
pub(super) fn data_name(index: u32) -> String {
    let first = &product().disk.data;
    match index {
        0 => first.clone(),
        index => format!("{first}{}", index + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    #[test]
    fn partitions_are_aligned_and_leave_room_for_the_second_table() {
        let settings = Settings {
            data_partitions: 3,
            reserved: GB,
            ..Settings::default()
        };
        let layout = Layout::new(16 * GB + 512, &settings, "a disk").unwrap();
        let names: Vec<_> = layout.places.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(
            names,
            ["EFI", "EXAMPLE_DATA", "EXAMPLE_DATA2", "EXAMPLE_DATA3"]
        );
        let mut end = MIB;
        for place in &layout.places {
            assert_eq!(place.start, end, "{place:?}");
            assert_eq!(place.start % MIB, 0);
            assert_eq!(place.size % MIB, 0);
            end = place.start + place.size;
        }
        assert!(end + GB + MIB <= 16 * GB + 512);
        assert!(end + GB + 5 * MIB > 16 * GB, "little is left over");
    }

    #[test]
    fn guids_come_from_the_seed() {
        let layout = |seed| Layout::new(16 * GB, &Settings::default(), seed).unwrap();
        assert_eq!(layout("one"), layout("one"));
        let (one, other) = (layout("one"), layout("other"));
        assert_ne!(one.guid, other.guid);
        assert_ne!(one.places[0].guid, other.places[0].guid);
        assert_ne!(one.places[0].guid, one.places[1].guid);
    }

    #[test]
    fn a_disk_that_is_too_small_says_what_is_needed() {
        let settings = Settings {
            data_partitions: 2,
            ..Settings::default()
        };
        let message = Layout::new(2 * GB, &settings, "").unwrap_err();
        assert_eq!(
            message,
            "The disk has 1907 MiB; 2 data partitions of at least 1024 MiB each, and the reserved \
             space, need 2562 MiB."
        );
        let absurd = Settings {
            reserved: u64::MAX,
            ..settings.clone()
        };
        let message = Layout::new(2 * GB, &absurd, "").unwrap_err();
        assert!(message.ends_with("need 17592186044416 MiB."), "{message}");
        assert!(Layout::new(2562 * MIB, &settings, "").is_ok());
        assert!(Layout::new(2562 * MIB - 1, &settings, "").is_err());
    }
}
