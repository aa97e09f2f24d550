//! The file system that the firmware reads: FAT32 with the appliance's UKI in it, twice, and the
//! receipt. It is drawn in memory, so the same files always give the same bytes.
//!
//! UEFI specification 2.10, sections 13.3 (file system format) and 3.5.1.1 (the path that firmware
//! looks for by itself).

use std::io::{self, Read, Write};
use std::rc::Rc;

use fatfs::{Dir, FatType, FileSystem, FormatVolumeOptions, FsOptions, ReadWriteSeek};

use super::device::{Device, Window};
use super::layout::Place;
use super::sparse::Sparse;
use crate::guard;

/// The folder of the systems that were installed.
pub(super) const SYSTEMS: &str = "EFI/TruthDB";
/// What firmware starts that knows of no boot entry.
pub(super) const FALLBACK: &str = "EFI/BOOT/BOOTX64.EFI";
/// What was installed, for people and programs.
pub(super) const RECEIPT: &str = "TruthDB/install-receipt.json";
/// The label, 11 characters.
const LABEL: [u8; 11] = *b"EFI        ";
/// Bytes in a cluster.
const CLUSTER: u32 = 4096;
/// The largest file that is read back, in bytes; larger than any system here.
const MAX_FILE: u64 = 256 << 20;
/// How often the file system is read for one file: two reads a cluster of the largest one, and as
/// many as folders need.
const MOST_READS: u32 = 140_000;

/// Path of the system of this version.
pub(super) fn system_path(version: &str) -> String {
    format!("{SYSTEMS}/truthdb-{version}.efi")
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
        .bytes_per_cluster(CLUSTER)
        .volume_id(place.guid.as_fields().0)
        .volume_label(LABEL);
    fatfs::format_volume(&mut image, options)?;
    {
        let volume = FileSystem::new(&mut image, FsOptions::new())?;
        for (path, content) in files {
            write_file(&volume.root_dir(), path, content)?;
        }
        volume.unmount()?;
    }
    Ok(image)
}

/// Makes the folders of `path` and the file in them.
fn write_file<T: ReadWriteSeek>(root: &Dir<'_, T>, path: &str, content: &[u8]) -> io::Result<()> {
    let mut folder = root.clone();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_some() {
            folder = folder.create_dir(part)?;
        } else {
            let mut file = folder.create_file(part)?;
            file.write_all(content)?;
            file.flush()?;
        }
    }
    Ok(())
}

fn open(device: &Rc<Device>, place: &Place) -> io::Result<FileSystem<Window>> {
    let mut window = device
        .window(place.start, place.size)
        .read_at_most(MOST_READS);
    if !guard::holds_fat(&mut window, place.size) {
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

    use uuid::Uuid;

    use super::super::layout::{MIB, SYSTEM_SIZE};
    use super::*;

    fn place() -> Place {
        Place {
            number: 1,
            name: "EFI".to_owned(),
            guid: Uuid::from_u128(0x1234_5678_0000_0000_0000_0000_0000_0000),
            start: MIB,
            size: SYSTEM_SIZE,
        }
    }

    #[test]
    fn the_same_files_give_the_same_bytes_and_little_is_touched() {
        let files = [
            (FALLBACK.to_owned(), &[7; 10_000][..]),
            (RECEIPT.to_owned(), &b"{}"[..]),
        ];
        for block_size in [512, 4096] {
            let one = draw(&place(), block_size, &files).unwrap();
            let other = draw(&place(), block_size, &files).unwrap();
            assert!(one.parts().eq(other.parts()));
            assert!(one.touched() < 4 * MIB, "{}", one.touched());
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
            let mut file = root.open_file("efi/truthdb/TRUTHDB-1.2.3.EFI").unwrap();
            file.read_to_end(&mut found).unwrap();
            assert_eq!(found, content);
        }
    }
}
