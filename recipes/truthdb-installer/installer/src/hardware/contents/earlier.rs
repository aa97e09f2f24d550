//! An installation of this product that was made before.

use std::fs::File;

use fatfs::{FileSystem, FsOptions};

use super::super::text::clean;
use super::tables::Tables;
use super::{EFI, Earlier, Range};
use crate::guard;
use crate::slice::Slice;
use truthdb_disks::natural;

/// How many bytes of a file system are read for the names of the systems in it.
const MOST_READ: u64 = 16 << 20;
/// How many files are looked at for it.
const MOST_FILES: usize = 128;
/// Folder of the installed systems, and what their names begin and end with.
const SYSTEMS: &str = "EFI/TruthDB";
const SYSTEM_NAME: (&str, &str) = ("truthdb-", ".efi");
/// What the partitions of an installation are called, beside [`EFI`]: see `install::layout`.
pub(super) const DATA: &str = "TRUTHDB_DATA";
pub(super) const UNFINISHED: &str = "TRUTHDB_UNFINISHED";

/// The installation that the partitions of these tables are, if they are one.
pub(super) fn find(device: &File, tables: &Tables) -> Option<Earlier> {
    if !tables.is_gpt_alone {
        return None;
    }
    let ranges = &tables.ranges;
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
        .take(MOST_FILES)
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().to_lowercase();
            let version = name
                .strip_prefix(SYSTEM_NAME.0)?
                .strip_suffix(SYSTEM_NAME.1)?;
            Some(clean(version))
        })
        .collect();
    versions.sort_by_cached_key(|version| natural(version));
    versions.pop()
}
