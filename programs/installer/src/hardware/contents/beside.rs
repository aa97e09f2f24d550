//! What a disk has for a system beside those that are on it: room that no partition has, and the partition
//! that all of them start from.
//!
//! UEFI specification 2.10, sections 5.2.3 (protective MBR) and 5.3.2 (the usable blocks of a GPT).

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use common::partition_table::{self, Raw, Table};
use common::product::product;
use common::volumes::mbr::record;
use uuid::Uuid;

use super::super::text::clean;
use super::tables::Tables;
use super::{EFI, Range, installation};

/// What room is a multiple of, in bytes.
const MIB: u64 = 1 << 20;
/// Bytes of a master boot record that a program may have: UEFI specification 2.10, table 5.1.
const BOOT_CODE: usize = 440;
/// Type of the entry of a protective MBR.
const PROTECTIVE: u8 = 0xee;
/// How many folders, and files in each, are looked at in an EFI system partition.
const MOST_NAMES: usize = 64;

/// What a disk has for a system beside others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// The labels of file systems, each with the number of its partition; none of one that has no label.
    pub labels: Vec<(Option<u32>, String)>,
    /// What its GPT leaves to nobody, the largest first; `None` if it has none, or one that is not whole.
    pub free: Option<Vec<Room>>,
    /// Its partitions by their names in the table.
    pub named: Vec<(String, Room)>,
    /// The numbers of those that an installation was cut off in.
    pub begun: Vec<u32>,
    /// Its first sector begins with a program, which is not that of an installation that was cut off.
    pub has_boot_code: bool,
    /// Another system's partition for a boot loader under BIOS.
    pub bios_boot: Option<u32>,
    /// The first EFI system partition.
    pub esp: Option<Esp>,
}

/// A stretch of a disk that no finished partition has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Its first byte, at a multiple of a MiB.
    pub start: u64,
    /// The first byte behind it, at a multiple of a MiB.
    pub end: u64,
}

impl Room {
    /// Bytes.
    pub fn size(self) -> u64 {
        self.end - self.start
    }
}

/// An EFI system partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Esp {
    /// Number of the partition.
    pub number: u32,
    /// The folders below `EFI` that have a program in them, but for our own.
    pub systems: Vec<String>,
}

impl Beside {
    /// Looks at `device`, whose partitions `tables` are.
    pub(super) fn find(device: &File, block: u64, tables: &Tables) -> Self {
        let mut first = [0; BOOT_CODE];
        let is_read = device.read_exact_at(&mut first, 0).is_ok();
        let gpt = tables
            .is_gpt_alone
            .then(|| Gpt::read(device, block))
            .flatten();
        let begun = gpt.as_ref().map_or_else(Vec::new, |it| it.begun.clone());
        let is_begun = !begun.is_empty();
        let others = tables
            .ranges
            .iter()
            .filter(|it| !begun.contains(&it.number));
        let others: Vec<Range> = others.cloned().collect();
        let named = tables.ranges.iter().map(|it| {
            let end = it.start.saturating_add(it.size);
            (
                it.name.clone(),
                Room {
                    start: it.start,
                    end,
                },
            )
        });
        let of = |purpose: &str| others.iter().find(|it| it.purpose == purpose);
        Self {
            labels: Vec::new(),
            free: gpt.map(|it| it.free(&others)),
            named: named.collect(),
            begun,
            has_boot_code: !is_read || (!is_begun && first.iter().any(|byte| *byte != 0)),
            bios_boot: of("BIOS boot").map(|it| it.number),
            esp: of(EFI).filter(|_| tables.is_gpt_alone).map(|it| Esp {
                number: it.number,
                systems: systems(device, it),
            }),
        }
    }
}

/// A GPT to which partitions may be added.
struct Gpt {
    /// The first byte that a partition may have, and the first one that none may.
    usable: (u64, u64),
    begun: Vec<u32>,
}

impl Gpt {
    /// Reads it. Both tables say the same of all that is not ours and unfinished; or one of them was being
    /// written when the power was cut, and the other one holds.
    fn read(device: &File, block: u64) -> Option<Self> {
        // Without a protective MBR neither firmware nor Linux believes the tables.
        let record = record(device, 0).ok().flatten()?;
        if !record.iter().any(|(kind, ..)| *kind == PROTECTIVE) {
            return None;
        }
        let mut reader = device;
        let size = reader.seek(SeekFrom::End(0)).ok()?;
        let last = (size / block).checked_sub(1)? * block;
        let raw = |at| {
            partition_table::raw_at(&mut &*device, at, block)
                .ok()
                .flatten()
        };
        let (first, second) = (raw(block), raw(last));
        let is_at_the_end =
            |it: &Raw| number(it, 32).and_then(|it| it.checked_mul(block)) == Some(last);
        if second.is_none() && !first.as_ref().is_some_and(is_at_the_end) {
            return None;
        }
        let tables: Vec<Table> = [&first, &second]
            .into_iter()
            .flatten()
            .map(Raw::table)
            .collect();
        let unfinished = &product().disk.unfinished;
        let all = tables.iter().flat_map(|it| it.partitions.values());
        let begun: Vec<Uuid> = all
            .filter(|it| it.name == *unfinished)
            .map(|it| it.guid)
            .collect();
        let others = |table: &Table| {
            let mut partitions = table.partitions.clone();
            partitions.retain(|_, it| !begun.contains(&it.guid));
            (table.guid, partitions)
        };
        let holds = tables.first()?;
        if tables.iter().any(|it| others(it) != others(holds)) {
            return None;
        }
        let header = first.as_ref().or(second.as_ref())?;
        let start = number(header, 40)?.checked_mul(block)?;
        let end = number(header, 48)?.checked_add(1)?.checked_mul(block)?;
        let partitions = holds.partitions.iter();
        Some(Self {
            usable: (start, end.min(size)),
            begun: partitions
                .filter(|(_, it)| begun.contains(&it.guid))
                .map(|(number, _)| *number)
                .collect(),
        })
    }

    /// What none of `others` has.
    fn free(&self, others: &[Range]) -> Vec<Room> {
        let mut taken: Vec<(u64, u64)> = others
            .iter()
            .map(|it| (it.start, it.start.saturating_add(it.size)))
            .collect();
        taken.sort_unstable();
        between(self.usable.0, self.usable.1, &taken)
    }
}

/// A number in a header.
fn number(raw: &Raw, at: usize) -> Option<u64> {
    let bytes = raw.header.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// What lies between `start` and `end` and in none of `taken`, which are sorted; the largest first.
fn between(start: u64, end: u64, taken: &[(u64, u64)]) -> Vec<Room> {
    let mut rooms = Vec::new();
    let mut at = start;
    for (begin, behind) in taken.iter().chain([&(end, end)]) {
        let room = Room {
            start: at.next_multiple_of(MIB),
            end: (*begin).min(end) / MIB * MIB,
        };
        if room.start < room.end {
            rooms.push(room);
        }
        at = at.max(*behind).min(end);
    }
    rooms.sort_by_key(|it| (std::cmp::Reverse(it.size()), it.start));
    rooms
}

/// The folders below `EFI` that have a program in them, but for our own and for what firmware starts by
/// itself.
fn systems(device: &File, range: &Range) -> Vec<String> {
    let Some(volume) = installation::system(device, range) else {
        return Vec::new();
    };
    let root = volume.root_dir();
    let Ok(folder) = root.open_dir(EFI) else {
        return Vec::new();
    };
    let folders = folder.iter().take(MOST_NAMES).filter_map(Result::ok);
    let with_program = folders.filter(|it| {
        let name = it.file_name();
        let is_other = !name.starts_with('.') && !name.eq_ignore_ascii_case(&product().disk.folder);
        let is_program = |name: String| name.to_ascii_lowercase().ends_with(".efi");
        let has_program = || {
            let mut files = it.to_dir().iter().take(MOST_NAMES).filter_map(Result::ok);
            files.any(|file| file.is_file() && is_program(file.file_name()))
        };
        it.is_dir() && is_other && has_program()
    });
    with_program.map(|it| clean(&it.file_name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is taken, and what is left.
    type Rows<'a> = [(&'a [(u64, u64)], &'a [(u64, u64)]); 7];

    #[test]
    fn room_is_what_nobody_has_in_whole_mib() {
        let mib = |it: u64| it * MIB;
        let rows: Rows<'_> = [
            (&[], &[(mib(1), mib(99))]),
            (&[(mib(1), mib(99))], &[]),
            (&[(mib(1), mib(60))], &[(mib(60), mib(99))]),
            // The largest comes first.
            (
                &[(mib(10), mib(20)), (mib(90), mib(95))],
                &[(mib(20), mib(90)), (mib(1), mib(10)), (mib(95), mib(99))],
            ),
            // What is no whole MiB is none.
            (
                &[(mib(1), mib(50) + 512), (mib(52) - 512, mib(98) + 512)],
                &[],
            ),
            // One lies in another, and one reaches beyond the end.
            (
                &[(mib(1), mib(50)), (mib(5), mib(6)), (mib(80), mib(500))],
                &[(mib(50), mib(80))],
            ),
            (&[(0, u64::MAX)], &[]),
        ];
        for (taken, expected) in rows {
            let found = between(34 * 512, mib(100) - 33 * 512, taken);
            let found: Vec<_> = found.iter().map(|it| (it.start, it.end)).collect();
            assert_eq!(found, expected, "{taken:?}");
        }
    }
}
