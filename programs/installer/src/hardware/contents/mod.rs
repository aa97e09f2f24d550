//! What is on a disk: its partitions, its file systems, and an earlier installation. Looks at the
//! raw device, reads only, and believes nothing: a table that lies costs a bounded time.

mod area;
mod beside;
mod guid;
mod installation;
mod loss;
mod magic;
pub(crate) mod mbr;
mod names;
mod raid;
mod signatures;
mod tables;
mod zfs;

pub use beside::{Beside, Esp, Room};
pub use loss::listed;

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use common::product::product;
use rustix::fs::OFlags;

use self::area::Area;
use self::signatures::{Found, tell};
use self::tables::Tables;

/// How many partitions are looked into; a table may have more, or say so.
const MOST_PARTS: usize = 128;
/// What the partition that firmware starts from is for, and what it is called in an installation.
const EFI: &str = "EFI";
/// What a disk holds that has something on it, and nothing that is known.
const UNKNOWN: &str = "data that is not recognised";
/// How much of each end of a disk a partition table may fill, in bytes.
const TABLE: u64 = 1 << 20;

/// What is on a disk, as far as that can be told by looking at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Name of the partition table: `GPT`, `MBR`, both, or none.
    pub table: Option<&'static str>,
    /// What is on it: what fills the whole disk, then its partitions in the order in which they lie
    /// there. A disk may have both: the half of a mirror has the mirror's partitions.
    pub parts: Vec<Part>,
    /// The installation of this product that is on it.
    pub earlier: Option<Earlier>,
    /// What it has for a system beside those that are on it.
    pub beside: Beside,
}

/// A partition, or what fills the whole disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of the partition; `None` for the whole disk.
    pub number: Option<u32>,
    /// Bytes.
    pub size: u64,
    /// Name in the partition table and label of the file system; may be empty.
    pub label: String,
    /// What it holds, as people call it: `ext4`, `LVM member`, `RAID member`, `EFI (FAT32)`.
    pub kind: String,
}

/// An installation of this product that is on a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Version of the system on it, if it says one.
    pub version: Option<String>,
    /// It was not finished: an installation was cut off.
    pub unfinished: bool,
    /// It has data partitions that can be kept.
    pub has_data: bool,
    /// Its data are encrypted, and its settings with them.
    pub encrypted: bool,
    /// What its `metadata/node.toml` reads, if that can be told; nothing if it is lost.
    pub node: Option<String>,
    /// The file in its EFI partition with the settings that it is to take; empty if there is none.
    pub wanted: Vec<u8>,
}

/// A partition as its table has it, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    number: u32,
    start: u64,
    size: u64,
    name: String,
    /// What the table says that it is for.
    purpose: &'static str,
}

impl Range {
    /// Whether it only stands for other partitions.
    fn is_frame(&self) -> bool {
        [mbr::EXTENDED, mbr::PROTECTIVE].contains(&self.purpose)
    }
}

/// Everything that the part of `device` from `start` on, of `size` bytes, would be taken for by somebody
/// who looks into it, and not into `parts` of it, each with a start and a size.
pub(crate) fn marks(
    device: &File,
    (start, size): (u64, u64),
    parts: &[(u64, u64)],
) -> io::Result<Vec<&'static str>> {
    let mut area = Area::read(device, start, size)?;
    let range = |(start, size): &(u64, u64)| Range {
        number: 0,
        start: *start,
        size: *size,
        name: String::new(),
        purpose: "",
    };
    let ranges: Vec<Range> = parts.iter().map(range).collect();
    area.leave(&ranges);
    Ok(signatures::tell_all(&area))
}

impl Contents {
    /// Looks at `disk`, whose device node (or image) is at `path`. May take seconds.
    pub fn read(path: &Path, size: u64, block_size: u64) -> io::Result<Self> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let device = File::options().read(true).custom_flags(flags).open(path)?;
        let whole = Area::read(&device, 0, size);
        let marked = whole.as_ref().ok().and_then(tell);
        let tables = Tables::read(&device, block_size, marked.as_ref());
        let filling = match whole {
            Ok(whole) => filling(whole, &tables)?,
            // A bad sector does not hide partitions, but it may hide what an empty table is left over beside.
            Err(_) if !tables.ranges.is_empty() => None,
            Err(error) => return Err(error),
        };
        let filling = filling.map(|(kind, label)| Part {
            number: None,
            size,
            label,
            kind: kind.to_owned(),
        });
        let mut beside = Beside::find(&device, block_size, &tables);
        let mut note = |part: &Part, label: &str| {
            // The name of a volume group or an array is no label of a file system.
            if !label.is_empty() && !part.kind.contains("member") {
                beside.labels.push((part.number, label.to_owned()));
            }
        };
        let mut parts = Vec::new();
        if let Some(filling) = filling {
            note(&filling, &filling.label);
            parts.push(filling);
        }
        for range in tables.ranges.iter().take(MOST_PARTS) {
            let found = look(&device, range, size);
            let label = found.as_ref().map(|it| it.label.clone());
            let part = part(range, found);
            note(&part, &label.unwrap_or_default());
            parts.push(part);
        }
        let mut earlier = installation::find(&device, &tables);
        if let Some(earlier) = earlier.as_mut().filter(|_| product().is_set()) {
            earlier.unfinished |= !beside.begun.is_empty();
            earlier.has_data = !earlier.unfinished;
        }
        Ok(Self {
            table: tables.name,
            parts,
            earlier,
            beside,
        })
    }
}

/// Kind and label of what fills the disk, besides what its tables tell.
fn filling(mut whole: Area<'_>, tables: &Tables) -> io::Result<Option<(&'static str, String)>> {
    whole.leave(&tables.ranges);
    let found = tell(&whole).map(|it| (it.kind, it.label));
    if found.is_some() || !tables.ranges.is_empty() {
        return Ok(found);
    }
    let margin = if tables.name.is_some() { TABLE } else { 0 };
    let unknown = (UNKNOWN, String::new());
    Ok((!whole.is_blank(margin)?).then_some(unknown))
}

fn part(range: &Range, found: Option<Found>) -> Part {
    let kind = match &found {
        Some(found) if range.purpose == EFI => format!("{EFI} ({})", found.kind),
        Some(found) => found.kind.to_owned(),
        None => range.purpose.to_owned(),
    };
    let label = found.map(|it| it.label).unwrap_or_default();
    let label = match range.name.as_str() {
        "" => label,
        name if label.is_empty() || label == name => name.to_owned(),
        name => format!("{name}, {label}"),
    };
    Part {
        number: Some(range.number),
        size: range.size,
        label,
        kind,
    }
}

/// Tells what is in a partition. One that cannot be read is still one, and the logical partitions in an
/// extended one are listed themselves.
fn look(device: &File, range: &Range, disk_size: u64) -> Option<Found> {
    let room = disk_size.checked_sub(range.start).filter(|it| *it > 0)?;
    if range.is_frame() {
        return None;
    }
    let mut area = Area::read(device, range.start, range.size.min(room)).ok()?;
    if range.size > room {
        area.forget_end();
    }
    tell(&area)
}
