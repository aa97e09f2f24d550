//! What is on a disk: its partitions, its file systems, and an earlier installation. Looks at the
//! raw device, reads only, and believes nothing: a table that lies costs a bounded time.

mod mbr;
mod signatures;

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use fatfs::{FileSystem, FsOptions};
use gpt::disk::LogicalBlockSize;
use rustix::fs::OFlags;

use self::signatures::{HEAD, TAIL, tell};
use super::disk::Disk;
use super::text::clean;
use crate::guard;
use crate::slice::Slice;

/// How many partitions are looked into; a table may have more, or say so.
const MOST_PARTS: usize = 128;
/// How many bytes of a file system are read for the names of the systems in it.
const MOST_READ: u64 = 16 << 20;
/// Folder of the installed systems, and what their names begin and end with.
const SYSTEMS: &str = "EFI/TruthDB";
const SYSTEM_NAME: (&str, &str) = ("truthdb-", ".efi");
/// What the partitions of an installation are called: see `install::layout`.
const EFI: &str = "EFI";
const DATA: &str = "TRUTHDB_DATA";
const UNFINISHED: &str = "TRUTHDB_UNFINISHED";

/// What is on a disk, as far as that can be told by looking at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Name of the partition table: `GPT`, `MBR`, or none.
    pub table: Option<&'static str>,
    /// What is on it, in the order in which it lies there.
    pub parts: Vec<Part>,
    /// The installation of this product that is on it.
    pub earlier: Option<Earlier>,
}

/// A partition, or what fills the whole disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of the partition; `None` for the whole disk.
    pub number: Option<u32>,
    /// Bytes.
    pub size: u64,
    /// Name in the partition table, else label of the file system; may be empty.
    pub label: String,
    /// What it holds, as people call it: `ext4`, `LVM member`, `RAID member`, `EFI (FAT32)`.
    pub kind: String,
}

/// An installation of this product that is on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Version of the system on it, if it says one.
    pub version: Option<String>,
    /// It was not finished: an installation was cut off.
    pub unfinished: bool,
    /// It has data partitions that can be kept.
    pub has_data: bool,
}

/// A partition as its table has it, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    number: u32,
    start: u64,
    size: u64,
    name: String,
    /// What the table says that it is for.
    purpose: String,
}

impl Contents {
    /// Looks at `disk`, whose device node (or image) is at `path`. May take seconds.
    pub fn read(path: &Path, disk: &Disk) -> io::Result<Self> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let device = File::options().read(true).custom_flags(flags).open(path)?;
        let whole = look(&device, 0, disk.size)?;
        let gpt = read_gpt(&device, disk.block_size);
        let (table, ranges) = match gpt {
            Some(ranges) => (Some("GPT"), ranges),
            // A file system may have boot code that looks like a table.
            None if whole.is_some() => (None, Vec::new()),
            None => match mbr::read(&device, disk.block_size)? {
                Some(ranges) => (Some("MBR"), ranges),
                None => (None, Vec::new()),
            },
        };
        let mut parts = Vec::new();
        if table.is_none()
            && let Some((kind, label)) = whole
        {
            let kind = kind.to_owned();
            parts.push(Part {
                number: None,
                size: disk.size,
                label,
                kind,
            });
        }
        for range in ranges
            .iter()
            .filter(|it| it.start < disk.size)
            .take(MOST_PARTS)
        {
            let size = range.size.min(disk.size - range.start);
            // A partition that cannot be read is still one.
            let found = look(&device, range.start, size).unwrap_or(None);
            parts.push(part(range, found));
        }
        let earlier = earlier(&device, &ranges);
        Ok(Self {
            table,
            parts,
            earlier,
        })
    }
}

/// Tells what the `size` bytes from `start` on hold.
fn look(device: &File, start: u64, size: u64) -> io::Result<Option<(&'static str, String)>> {
    let length = |limit: usize| limit.min(usize::try_from(size).unwrap_or(limit));
    let mut head = vec![0; length(HEAD)];
    device.read_exact_at(&mut head, start)?;
    let mut tail = vec![0; length(TAIL)];
    let end = start + size - tail.len() as u64;
    device.read_exact_at(&mut tail, end)?;
    Ok(tell(&head, &tail, size))
}

fn part(range: &Range, found: Option<(&'static str, String)>) -> Part {
    let (kind, inner) = found.map_or((None, String::new()), |(kind, label)| (Some(kind), label));
    let kind = match kind {
        Some(kind) if range.purpose == EFI => format!("{EFI} ({kind})"),
        Some(kind) => kind.to_owned(),
        None => range.purpose.clone(),
    };
    let label = if range.name.is_empty() {
        inner
    } else {
        range.name.clone()
    };
    Part {
        number: Some(range.number),
        size: range.size,
        label,
        kind,
    }
}

/// The partitions of a GPT, also one of which only the second table is whole. UEFI specification
/// 2.10, section 5.3.
fn read_gpt(device: &File, block_size: u64) -> Option<Vec<Range>> {
    let size = match block_size {
        4096 => LogicalBlockSize::Lb4096,
        _ => LogicalBlockSize::Lb512,
    };
    let bytes = u64::from(size);
    let mut device = device;
    let table = guard::partitions(&mut device, size)?;
    let ranges = table.iter().map(|(number, entry)| Range {
        number: *number,
        start: entry.first_lba.saturating_mul(bytes),
        size: (entry.last_lba.saturating_add(1))
            .saturating_sub(entry.first_lba)
            .saturating_mul(bytes),
        name: clean(&entry.name),
        purpose: purpose(entry.part_type_guid.guid),
    });
    let mut ranges: Vec<Range> = ranges.filter(|range| range.size > 0).collect();
    ranges.sort_by_key(|range| range.start);
    Some(ranges)
}

/// What a partition type of a GPT is for: UEFI specification, table 5.7; the Discoverable
/// Partitions Specification; Microsoft's and Apple's documentation.
fn purpose(guid: uuid::Uuid) -> String {
    const PURPOSES: [(&str, &str); 9] = [
        ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", EFI),
        ("21686148-6449-6e6f-744e-656564454649", "BIOS boot"),
        ("0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux data"),
        ("a19d880f-05fc-4d3b-a006-743f0f84911e", "RAID member"),
        ("e6d6d379-f507-44c2-a23c-238f2a3df928", "LVM member"),
        ("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "swap"),
        ("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Windows data"),
        ("e3c9e316-0b5c-4db8-817d-f92df00215ae", "Windows reserved"),
        ("de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery"),
    ];
    let text = guid.to_string();
    let found = PURPOSES.iter().find(|(known, _)| *known == text);
    found.map_or_else(
        || "unknown".to_owned(),
        |(_, purpose)| (*purpose).to_owned(),
    )
}

/// The installation that these partitions are, if they are one.
fn earlier(device: &File, ranges: &[Range]) -> Option<Earlier> {
    let first = ranges.iter().find(|it| it.number == 1)?;
    let others = || ranges.iter().filter(|it| it.number > 1);
    let has_data = others().any(|it| it.name == DATA);
    let unfinished = first.name == UNFINISHED || others().any(|it| it.name == UNFINISHED);
    let is_ours = match first.name.as_str() {
        EFI => has_data,
        UNFINISHED => true,
        _ => false,
    };
    is_ours.then(|| Earlier {
        version: version(device, first),
        unfinished,
        has_data,
    })
}

/// The version of the newest system in the firmware's partition, by its file's name.
fn version(device: &File, range: &Range) -> Option<String> {
    let file = device.try_clone().ok()?;
    let mut slice = Slice::new(file, range.start, range.size, MOST_READ);
    if !guard::holds_fat(&mut slice, range.size) {
        return None;
    }
    let volume = FileSystem::new(slice, FsOptions::new()).ok()?;
    let root = volume.root_dir();
    let folder = root.open_dir(SYSTEMS).ok()?;
    let mut versions: Vec<String> = folder
        .iter()
        .take(MOST_PARTS)
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().to_lowercase();
            let version = name
                .strip_prefix(SYSTEM_NAME.0)?
                .strip_suffix(SYSTEM_NAME.1)?;
            Some(clean(version))
        })
        .collect();
    versions.sort();
    versions.pop()
}
