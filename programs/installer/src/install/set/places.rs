//! Where the partitions of a set lie on a disk. Pure: numbers in, numbers out.

use common::digest::uuid_of;
use uuid::Uuid;

use super::super::layout::{MIB, Place};
use super::super::system::least_size;
use super::super::table::{Partitions, custom, unfinished};
use super::list::{Partition, Role, Set};

/// A partition of a set on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) role: Role,
    /// Its type, once it is finished.
    pub(super) kind: Uuid,
}

/// Lays a set out on a whole disk of `size` bytes in blocks of `block`. `seed` is what tells this disk in this machine from all
/// others: the same one gives the same GUIDs. Says how much is missing if the disk is too small.
pub(super) fn whole_disk(
    set: &Set,
    (size, block): (u64, u64),
    seed: &str,
) -> Result<Vec<Spot>, String> {
    // The first MiB and the last one are the tables'.
    let end = size.saturating_sub(MIB) / MIB * MIB;
    let partitions: Vec<_> = set.partitions.iter().collect();
    lay(&partitions, (MIB, end, block), seed, 1..).map_err(|needed| {
        format!(
            "The disk has {} MiB; {} needs {} MiB.",
            size / MIB,
            set.title,
            needed / MIB + 2
        )
    })
}

/// Lays a set out in the free space from `start` to `end`, under numbers that `taken` has not, without an EFI
/// system partition where the disk `has_esp`. Says how much is missing if the space is too small.
pub(super) fn free_space(
    set: &Set,
    (start, end, block): (u64, u64, u64),
    seed: &str,
    taken: &Partitions,
    has_esp: bool,
) -> Result<Vec<Spot>, String> {
    let (from, to) = (start.next_multiple_of(MIB), end / MIB * MIB);
    let partitions = set.partitions.iter();
    let partitions: Vec<_> = partitions
        .filter(|it| !(has_esp && it.role == Role::Esp))
        .collect();
    let numbers = (1..).filter(|it| !taken.contains_key(it));
    lay(&partitions, (from, to, block), seed, numbers).map_err(|needed| {
        format!(
            "The free space has {} MiB; {} needs {} MiB.",
            to.saturating_sub(from) / MIB,
            set.title,
            needed / MIB
        )
    })
}

/// The fewest bytes that a partition has on a disk with blocks of `block`.
fn least(partition: &Partition, block: u64) -> u64 {
    let least = match partition.role {
        Role::Esp => partition.size.max(least_size(block)),
        _ => partition.size,
    };
    least.next_multiple_of(MIB)
}

/// Lays partitions out one behind the other; fails with how many bytes they need.
fn lay(
    partitions: &[&Partition],
    (start, end, block): (u64, u64, u64),
    seed: &str,
    mut numbers: impl Iterator<Item = u32>,
) -> Result<Vec<Spot>, u64> {
    let needed: u64 = partitions.iter().map(|it| least(it, block)).sum();
    if end.saturating_sub(start) < needed {
        return Err(needed);
    }
    let mut at = start;
    let mut spots = Vec::new();
    for partition in partitions {
        let least = least(partition, block);
        let size = if partition.grow { end - at } else { least };
        spots.push(Spot {
            place: Place {
                number: numbers.next().unwrap_or(u32::MAX),
                name: partition.label.clone(),
                guid: guid(seed, &partition.label),
                start: at,
                size,
            },
            role: partition.role,
            kind: partition.kind,
        });
        at += size;
    }
    Ok(spots)
}

/// What tells the partition with this label from all others.
pub(super) fn guid(seed: &str, label: &str) -> Uuid {
    uuid_of(&[seed, label])
}

/// The partitions of `set` as a table in blocks of `block` bytes has them, by their names, those with `others`
/// included: an installation that is finished. Fails with the label of the first one that is not there; an EFI
/// system partition that lies elsewhere is not one of its own.
pub(super) fn found(set: &Set, partitions: &Partitions, block: u64) -> Result<Vec<Spot>, String> {
    let mut spots: Vec<Spot> = Vec::new();
    for partition in &set.partitions {
        let end = spots.last().map_or(0, |it| it.place.start + it.place.size);
        let is_next = |start: u64| spots.is_empty() || start == end;
        let entry = partitions.iter().find(|(_, it)| {
            it.name == partition.label
                && it.part_type_guid == partition.kind.into()
                && is_next(it.first_lba.saturating_mul(block))
        });
        match entry {
            None if partition.role == Role::Esp => {}
            None => return Err(partition.label.clone()),
            Some((number, entry)) => spots.push(Spot {
                place: Place {
                    number: *number,
                    name: entry.name.clone(),
                    guid: entry.part_guid,
                    start: entry.first_lba.saturating_mul(block),
                    size: (entry.last_lba.saturating_add(1))
                        .saturating_sub(entry.first_lba)
                        .saturating_mul(block),
                },
                role: partition.role,
                kind: partition.kind,
            }),
        }
    }
    Ok(spots)
}

/// What a table says of these, beside `others`; `marked`, as long as they are worked on.
pub(super) fn entries(spots: &[Spot], others: &Partitions, block: u64, marked: bool) -> Partitions {
    let mut entries = others.clone();
    for spot in spots {
        let entry = custom(&spot.place, spot.kind, block);
        let entry = if marked { unfinished(entry) } else { entry };
        entries.insert(spot.place.number, entry);
    }
    entries
}

/// The one of this role.
pub(super) fn of(spots: &[Spot], role: Role) -> Option<&Spot> {
    spots.iter().find(|it| it.role == role)
}
