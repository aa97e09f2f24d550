//! An installation of this product that was made before.

use common::product::product;
use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use ext4_view::{Ext4, Ext4Read};
use fatfs::{FileSystem, FsOptions};
use serde::Deserialize;

use super::super::text::clean;
use super::tables::Tables;
use super::{EFI, Earlier, Range};
use crate::untrusted;
use common::luks::Header;
use common::settings::{SIZE, places};
use common::slice::Slice;
use common::text::natural;

/// How many bytes of a file system are read for the names of the systems in it.
const MOST_READ: u64 = 16 << 20;
/// How many bytes of the data are read for the settings: a journal may have to be read first.
const MOST_READ_OF_DATA: u64 = 96 << 20;
/// The appliance's settings, and how many bytes they may have.
const NODE: &str = "/metadata/node.toml";
const LONGEST_NODE: u64 = 64 << 10;
/// Receipt of what was installed first, among the data.
const FIRST_RECEIPT: &str = "/metadata/install-receipt.json";
const LONGEST_RECEIPT: u64 = 64 << 10;
/// How many files are looked at for the newest system.
const MOST_FILES: usize = 128;

/// The installation that the partitions of these tables are, if they are one.
pub(super) fn find(device: &File, tables: &Tables) -> Option<Earlier> {
    if !tables.is_gpt_alone {
        return None;
    }
    if product().is_set() {
        return of_a_set(device, &tables.ranges);
    }
    let ranges = &tables.ranges;
    let first = ranges.iter().find(|it| it.number == 1)?;
    let others = || ranges.iter().filter(|it| it.number > 1);
    let names = &product().disk;
    let is_unfinished = |it: &Range| it.name == names.unfinished;
    let has_data = others().any(|it| it.name == names.data);
    let unfinished = is_unfinished(first) || others().any(is_unfinished);
    if !(is_unfinished(first) || first.name == EFI && has_data) {
        return None;
    }
    let system = system(device, first);
    let data = others().find(|it| it.name == names.data);
    let encrypted = data.is_some_and(|range| is_encrypted(device, range));
    let data = data.and_then(|range| data_volume(device, range));
    let present = system
        .as_ref()
        .and_then(|it| version(it).or_else(|| version_by_receipt(it)));
    // The first one is the least that it may be by now; whoever began to write another one has been asked.
    let first = data.as_ref().filter(|_| unfinished).and_then(first_version);
    Some(Earlier {
        version: present.or(first),
        unfinished,
        has_data,
        encrypted,
        node: data.as_ref().and_then(node),
        wanted: system.as_ref().and_then(wanted).unwrap_or_default(),
    })
}

/// The installation of a set of partitions: it says what it is in its folder of an EFI system partition, its own
/// one or another system's. It keeps its data itself.
fn of_a_set(device: &File, ranges: &[Range]) -> Option<Earlier> {
    let unfinished = ranges.iter().any(|it| it.name == product().disk.unfinished);
    let esps = ranges.iter().filter(|it| it.purpose == EFI);
    let mut volumes = esps.filter_map(|it| system(device, it));
    let version = volumes.find_map(|it| version_by_receipt(&it));
    let is_there = version.is_some() || unfinished;
    is_there.then(|| Earlier {
        version,
        unfinished,
        has_data: !unfinished,
        ..Earlier::default()
    })
}

/// The file system that the firmware reads.
pub(super) fn system(device: &File, range: &Range) -> Option<FileSystem<Slice>> {
    let file = device.try_clone().ok()?;
    let mut slice = Slice::new(file, range.start, range.size, MOST_READ);
    if !untrusted::holds_fat(&mut slice, range.size) {
        return None;
    }
    FileSystem::new(slice, FsOptions::new()).ok()
}

/// The file with the settings that the appliance is to take.
fn wanted(volume: &FileSystem<Slice>) -> Option<Vec<u8>> {
    let root = volume.root_dir();
    let mut places = places().into_iter();
    let file = places.find_map(|path| root.open_file(&path).ok())?;
    let mut content = Vec::new();
    let most = u64::try_from(SIZE).ok()?;
    file.take(most).read_to_end(&mut content).ok()?;
    Some(content)
}

/// Whether a data partition is encrypted.
fn is_encrypted(device: &File, range: &Range) -> bool {
    let slice = device
        .try_clone()
        .map(|file| Slice::new(file, range.start, range.size, MOST_READ));
    let header = slice.and_then(|mut slice| Header::read(&mut slice));
    matches!(header, Ok(Some(_)))
}

/// The file system of the data.
fn data_volume(device: &File, range: &Range) -> Option<Ext4> {
    let file = device.try_clone().ok()?;
    let mut slice = Slice::new(file, range.start, range.size, MOST_READ_OF_DATA);
    let mut superblock = [0; 1024];
    slice.seek(SeekFrom::Start(1024)).ok()?;
    slice.read_exact(&mut superblock).ok()?;
    if !untrusted::is_ext4(&superblock, range.size) {
        return None;
    }
    Ext4::load(Box::new(Data(slice))).ok()
}

/// What the appliance is told about itself.
fn node(volume: &Ext4) -> Option<String> {
    if !volume.exists(NODE).ok()? {
        return Some(String::new());
    }
    text(volume, NODE, LONGEST_NODE)
}

/// The version that the data were made for.
fn first_version(volume: &Ext4) -> Option<String> {
    let text = text(volume, FIRST_RECEIPT, LONGEST_RECEIPT)?;
    installed_by(text.as_bytes())
}

/// A file of at most `most` bytes.
fn text(volume: &Ext4, path: &str, most: u64) -> Option<String> {
    let length = volume.metadata(path).ok()?.len();
    (length <= most).then_some(())?;
    volume.read_to_string(path).ok()
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
    let folder = root.open_dir(&product().systems()).ok()?;
    let mut versions: Vec<String> = folder
        .iter()
        .take(MOST_FILES)
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().to_lowercase();
            let version = name
                .strip_prefix(product().id.as_str())?
                .strip_prefix('-')?
                .strip_suffix(".efi")?;
            Some(clean(version)).filter(|it| is_version(it))
        })
        .collect();
    versions.sort_by_cached_key(|version| natural(version));
    versions.pop()
}

/// The version of the system in the firmware's partition, by the receipt there.
fn version_by_receipt(volume: &FileSystem<Slice>) -> Option<String> {
    let file = volume.root_dir().open_file(&product().receipt()).ok()?;
    let mut text = Vec::new();
    file.take(LONGEST_RECEIPT).read_to_end(&mut text).ok()?;
    installed_by(&text)
}

/// The version of the system that a receipt is about.
fn installed_by(receipt: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Receipt {
        system: String,
    }
    let receipt: Receipt = serde_json::from_slice(receipt).ok()?;
    Some(clean(&receipt.system)).filter(|it| is_version(it))
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use fatfs::FormatVolumeOptions;

    use super::super::area;
    use super::*;

    /// A partition for this, called so, at the first of some MiB.
    fn range(name: &str, purpose: &'static str, mib: u64) -> Range {
        Range {
            number: 1,
            start: mib << 20,
            size: 4 << 20,
            name: name.to_owned(),
            purpose,
        }
    }

    #[test]
    fn a_set_is_told_by_its_receipt_in_whichever_partition_it_starts_from() {
        let mut image = Cursor::new(vec![0; 4 << 20]);
        fatfs::format_volume(&mut image, FormatVolumeOptions::new()).unwrap();
        {
            let volume = FileSystem::new(&mut image, FsOptions::new()).unwrap();
            let path = product().receipt();
            let folder = path.split('/').next().unwrap();
            volume.root_dir().create_dir(folder).unwrap();
            let mut file = volume.root_dir().create_file(&path).unwrap();
            file.write_all(b"{\"system\": \"2.1\"}").unwrap();
        }
        let device = area::device(16 << 20, &[(8 << 20, image.get_ref())]);
        let unfinished = product().disk.unfinished.as_str();
        let rows: [(&[Range], _); 5] = [
            (
                &[range("", EFI, 1), range("", EFI, 8)],
                Some((Some("2.1"), false, true)),
            ),
            (
                &[range("", EFI, 8), range(unfinished, "", 12)],
                Some((Some("2.1"), true, false)),
            ),
            (
                &[range("", EFI, 1), range(unfinished, "", 12)],
                Some((None, true, false)),
            ),
            (&[range("", "swap", 8)], None),
            (&[range("EFI", EFI, 1)], None),
        ];
        for (ranges, expected) in rows {
            let found = of_a_set(&device, ranges);
            let found = found
                .as_ref()
                .map(|it| (it.version.as_deref(), it.unfinished, it.has_data));
            assert_eq!(found, expected);
        }
    }
}
