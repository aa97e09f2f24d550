//! The file system that the firmware reads: FAT32 with what starts the appliance in it, and the
//! receipt. It is drawn in memory, so the same files always give the same bytes.
//!
//! UEFI specification 2.10, sections 13.3 (file system format) and 3.5.1.1 (the path that firmware
//! looks for by itself).

use common::product::product;
use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};

use super::device::{Device, Window};
use super::layout::Place;
use super::sparse::Sparse;
use crate::fat::{Stamp, Volume, tree};
use crate::untrusted;

/// What firmware starts that knows of no boot entry.
pub(super) const FALLBACK: &str = "EFI/BOOT/BOOTX64.EFI";
/// The label, 11 characters.
const LABEL: [u8; 11] = *b"EFI        ";
/// Bytes in a cluster, where there is room for as many as FAT32 has at least.
const CLUSTER: u32 = 4096;
/// So many clusters make a FAT32 of a volume whose tables are left out of the count.
const LEAST_CLUSTERS: u64 = 67_000;
/// The largest file that is read back, in bytes; larger than any system here.
const MAX_FILE: u64 = 256 << 20;
/// How often the file system is read for one file: two reads a cluster of the largest one, and as
/// many as folders need.
const MOST_READS: u32 = 140_000;

/// Path of the system of this version.
pub(super) fn system_path(version: &str) -> String {
    format!("{}/{}-{version}.efi", product().systems(), product().id)
}

/// The fewest bytes of a FAT32 on a disk with blocks of `block_size`.
pub(super) fn least_size(block_size: u64) -> u64 {
    LEAST_CLUSTERS * block_size
}

/// Bytes in a cluster of a FAT32 of `size` bytes: small ones have smaller clusters.
fn cluster(size: u64, block_size: u64) -> u32 {
    let halves = std::iter::successors(Some(CLUSTER), |it| Some(it / 2));
    let mut fitting = halves.take_while(|it| u64::from(*it) >= block_size);
    let fits = |it: &u32| size / u64::from(*it) >= LEAST_CLUSTERS;
    fitting.find(fits).unwrap_or(CLUSTER)
}

/// Draws the file system of `place` with `files`, each a path and its content.
pub(super) fn draw(
    place: &Place,
    block_size: u64,
    files: &[(String, &[u8])],
) -> io::Result<Sparse> {
    let mut image = Sparse::new(place.size);
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_sector(u16::try_from(block_size).map_err(io::Error::other)?)
        .bytes_per_cluster(cluster(place.size, block_size))
        .volume_id(place.guid.as_fields().0)
        .volume_label(LABEL);
    fatfs::format_volume(&mut image, options)?;
    let lost = || io::Error::other("what was just made is no FAT file system");
    let mut volume = Volume::open(&mut image, place.size)?.ok_or_else(lost)?;
    volume.date_label(Stamp::FIRST)?;
    let files: Vec<_> = files
        .iter()
        .map(|(path, content)| (path.as_str(), *content))
        .collect();
    volume.add(&tree(&files), Stamp::FIRST)?;
    Ok(image)
}

fn open(device: &Rc<Device>, place: &Place) -> io::Result<FileSystem<Window>> {
    let mut window = device
        .window(place.start, place.size)
        .read_at_most(MOST_READS);
    if !untrusted::holds_fat(&mut window, place.size) {
        return Err(io::Error::other("it is no FAT file system"));
    }
    FileSystem::new(window, FsOptions::new())
}

/// Reads `path` from the file system of `place`, past the page cache, as any other program would
/// that knows the format.
pub(super) fn read_file(device: &Rc<Device>, place: &Place, path: &str) -> io::Result<Vec<u8>> {
    let volume = open(device, place)?;
    let root = volume.root_dir();
    let file = root.open_file(path)?;
    let mut content = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut content)?;
    Ok(content)
}

/// The first byte, counted from the disk's, of the file at `path`, which has one cluster and fills it.
pub(super) fn cluster_of(device: &Rc<Device>, place: &Place, path: &str) -> io::Result<u64> {
    let first = Rc::new(Cell::new(None));
    let window = device.window(place.start, place.size);
    let mut window = Watched {
        window: window.read_at_most(MOST_READS),
        first: Rc::clone(&first),
    };
    if !untrusted::holds_fat(&mut window, place.size) {
        return Err(io::Error::other("it is no FAT file system"));
    }
    let volume = FileSystem::new(window, FsOptions::new())?;
    let length = CLUSTER as usize;
    let mut content = Vec::new();
    let mut file = volume.root_dir().open_file(path)?;
    first.set(None);
    file.read_to_end(&mut content)?;
    let at = first.get().map(|at| place.start.saturating_add(at));
    // What was read there past the library must be the same.
    match at {
        Some(at) if content.len() == length && device.read_back(at, length)? == content => Ok(at),
        _ => Err(io::Error::other("it does not lie in one piece")),
    }
}

/// A window that remembers where it was read from first.
struct Watched {
    window: Window,
    first: Rc<Cell<Option<u64>>>,
}

impl Read for Watched {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        if self.first.get().is_none() {
            self.first.set(Some(self.window.stream_position()?));
        }
        self.window.read(data)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.window.seek(to)
    }
}

impl Write for Watched {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.window.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.window.flush()
    }
}

/// The names of the files in `folder`.
pub(super) fn list(device: &Rc<Device>, place: &Place, folder: &str) -> io::Result<Vec<String>> {
    let volume = open(device, place)?;
    let root = volume.root_dir();
    let entries = root.open_dir(folder)?;
    let names = entries
        .iter()
        .filter_map(Result::ok)
        .filter(fatfs::DirEntry::is_file);
    Ok(names.map(|entry| entry.file_name()).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Seek;
    use std::os::unix::fs::FileExt;

    use uuid::Uuid;

    use super::super::layout::MIB;
    use super::*;

    fn place() -> Place {
        Place {
            number: 1,
            name: "EFI".to_owned(),
            guid: Uuid::from_u128(0x1234_5678_0000_0000_0000_0000_0000_0000),
            start: MIB,
            size: product().disk.efi_mib * MIB,
        }
    }

    #[test]
    fn the_same_files_give_the_same_bytes_and_little_is_touched() {
        let files = [
            (FALLBACK.to_owned(), &[7; 10_000][..]),
            (product().receipt(), &b"{}"[..]),
        ];
        for block_size in [512, 4096] {
            let one = draw(&place(), block_size, &files).unwrap();
            let other = draw(&place(), block_size, &files).unwrap();
            assert!(one.parts().eq(other.parts()));
            assert!(one.touched() < 4 * MIB, "{}", one.touched());
        }
    }

    #[test]
    fn a_small_volume_has_small_clusters_and_is_fat32() {
        for (size, block_size, expected) in [
            (512 * MIB, 512, 4096),
            (288 * MIB, 4096, 4096),
            (200 * MIB, 512, 2048),
            (64 * MIB, 512, 512),
            (least_size(512), 512, 512),
            (least_size(4096), 4096, 4096),
        ] {
            assert_eq!(cluster(size, block_size), expected);
            let place = Place { size, ..place() };
            let mut image = draw(&place, block_size, &[]).unwrap();
            image.rewind().unwrap();
            let volume = FileSystem::new(&mut image, FsOptions::new()).unwrap();
            assert_eq!(volume.fat_type(), FatType::Fat32);
            assert!(volume.stats().unwrap().total_clusters() >= 65_525, "{size}");
        }
    }

    #[test]
    fn what_is_drawn_is_fat32_with_the_files() {
        for block_size in [512, 4096] {
            let content = vec![0x5a; 123_456];
            let files = [
                (system_path("1.2.3"), &content[..]),
                (FALLBACK.to_owned(), &content),
            ];
            let mut image = draw(&place(), block_size, &files).unwrap();
            image.rewind().unwrap();
            let volume = FileSystem::new(&mut image, FsOptions::new()).unwrap();
            assert_eq!(volume.fat_type(), FatType::Fat32);
            assert!(volume.stats().unwrap().total_clusters() >= 65_525);
            assert_eq!(volume.volume_label(), "EFI");
            assert_eq!(volume.volume_id(), 0x1234_5678);
            let mut found = Vec::new();
            let root = volume.root_dir();
            let mut file = root.open_file("efi/example/EXAMPLE-1.2.3.EFI").unwrap();
            file.read_to_end(&mut found).unwrap();
            assert_eq!(found, content);
            drop(file);
            drop(root);
            drop(volume);
            let disk = tempfile::NamedTempFile::new().unwrap();
            disk.as_file().set_len(place().size).unwrap();
            for (at, part) in image.parts() {
                disk.as_file().write_all_at(&part, at).unwrap();
            }
            crate::fat::tests::judge(disk.path());
        }
    }
}
