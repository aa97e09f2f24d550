//! An installation of this product that was made before.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use ext4_view::{Ext4, Ext4Read};
use fatfs::{FileSystem, FsOptions};

use super::super::text::clean;
use super::tables::Tables;
use super::{EFI, Earlier, Range};
use crate::guard;
use crate::slice::Slice;
use truthdb_disks::natural;

/// How many bytes of a file system are read for the names of the systems in it.
const MOST_READ: u64 = 16 << 20;
/// How many bytes of the data are read for the settings: a journal may have to be read first.
const MOST_READ_OF_DATA: u64 = 96 << 20;
/// The appliance's settings, and how many bytes they may have.
const NODE: &str = "/metadata/node.toml";
const LONGEST_NODE: u64 = 64 << 10;
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
    if !is_ours {
        return None;
    }
    let system = system(device, first);
    let data = others().find(|it| it.name == DATA);
    Some(Earlier {
        version: system.as_ref().and_then(version),
        unfinished,
        has_data,
        node: data.and_then(|range| node(device, range)),
        wanted: system.as_ref().and_then(wanted).unwrap_or_default(),
    })
}

/// The file system that the firmware reads.
fn system(device: &File, range: &Range) -> Option<FileSystem<Slice>> {
    let file = device.try_clone().ok()?;
    let mut slice = Slice::new(file, range.start, range.size, MOST_READ);
    if !guard::holds_fat(&mut slice, range.size) {
        return None;
    }
    FileSystem::new(slice, FsOptions::new()).ok()
}

/// The file with the settings that the appliance is to take.
fn wanted(volume: &FileSystem<Slice>) -> Option<Vec<u8>> {
    let file = volume.root_dir().open_file(truthdb_settings::FILE).ok()?;
    let mut content = Vec::new();
    let most = u64::try_from(truthdb_settings::SIZE).ok()?;
    file.take(most).read_to_end(&mut content).ok()?;
    Some(content)
}

/// What the appliance is told about itself, in the file system of its data.
fn node(device: &File, range: &Range) -> Option<String> {
    let file = device.try_clone().ok()?;
    let mut slice = Slice::new(file, range.start, range.size, MOST_READ_OF_DATA);
    let mut superblock = [0; 1024];
    slice.seek(SeekFrom::Start(1024)).ok()?;
    slice.read_exact(&mut superblock).ok()?;
    if !guard::is_ext4(&superblock, range.size) {
        return None;
    }
    let volume = Ext4::load(Box::new(Data(slice))).ok()?;
    if !volume.exists(NODE).ok()? {
        return Some(String::new());
    }
    let length = volume.metadata(NODE).ok()?.len();
    (length <= LONGEST_NODE).then_some(())?;
    volume.read_to_string(NODE).ok()
}

/// What ext4-view reads through.
struct Data(Slice);

impl Ext4Read for Data {
    fn read(
        &mut self,
        start: u64,
        data: &mut [u8],
    ) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        self.0.seek(SeekFrom::Start(start))?;
        self.0.read_exact(data)?;
        Ok(())
    }
}

/// The version of the newest system in the firmware's partition, by its file's name.
fn version(volume: &FileSystem<Slice>) -> Option<String> {
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
