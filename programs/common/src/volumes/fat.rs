//! FAT volumes, read without mounting and without writing. Knows nothing of answer files.
//!
//! What lies there is a stranger's: every read is counted, and a chain of clusters that leads in
//! circles ends where the allowance does.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use fatfs::{FileSystem, FsOptions};

use super::extent::Extent;
use crate::slice::Slice;

/// A FAT volume, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its label, in the root directory or else in its boot sector.
    pub label: String,
    /// The wanted file, if it is there: its name, and its first bytes, one more than was asked for if
    /// it has more.
    pub file: Option<(&'static str, Vec<u8>)>,
}

/// The FAT volume in `extent`, with at most `most` and one bytes of the first file of its root that has
/// one of these `names`, in their order; `None` if there is no FAT volume.
pub fn read(
    device: &File,
    extent: Extent,
    names: &[&'static str],
    most: usize,
) -> io::Result<Option<Volume>> {
    let Some(system) = open(device, extent)? else {
        return Ok(None);
    };
    let in_root = system.read_volume_label_from_root_dir()?;
    let label = in_root.unwrap_or_else(|| system.volume_label());
    let mut found = None;
    for entry in system.root_dir().iter() {
        let entry = entry?;
        let name = entry.file_name();
        let rank = names.iter().position(|it| it.eq_ignore_ascii_case(&name));
        let Some(rank) = rank.filter(|_| entry.is_file()) else {
            continue;
        };
        if found.as_ref().is_none_or(|(before, _)| rank < *before) {
            found = Some((rank, entry));
        }
    }
    let mut file = None;
    if let Some((rank, entry)) = found {
        let length = usize::try_from(entry.len()).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(most.saturating_add(1))];
        // A chain of clusters that ends too soon is an error, not a shorter file.
        entry.to_file().read_exact(&mut bytes)?;
        file = Some((names[rank], bytes));
    }
    Ok(Some(Volume { label, file }))
}

/// At most `most` and one bytes of the file at `path` of the FAT volume in `extent`. Fails where there is no such
/// volume, or no such file in it.
pub fn read_file(device: &File, extent: Extent, path: &str, most: usize) -> io::Result<Vec<u8>> {
    let system = open(device, extent)?;
    let system = system.ok_or_else(|| io::Error::other("it is no FAT file system"))?;
    let mut file = system.root_dir().open_file(path)?;
    let length = usize::try_from(file.seek(SeekFrom::End(0))?).unwrap_or(usize::MAX);
    file.rewind()?;
    let mut bytes = vec![0; length.min(most.saturating_add(1))];
    // A chain of clusters that ends too soon is an error, not a shorter file.
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The FAT volume in `extent`; `None` if there is none.
fn open(device: &File, extent: Extent) -> io::Result<Option<FileSystem<Slice>>> {
    let mut sector = [0; 512];
    let mut window = extent.of(device)?;
    match window.read_exact(&mut sector) {
        Err(error) if error.raw_os_error().is_some() => return Err(error),
        Ok(()) if is_fat(&sector, extent.length) => {}
        _ => return Ok(None),
    }
    window.rewind()?;
    FileSystem::new(window, FsOptions::new()).map(Some)
}

/// Whether a boot sector is that of a FAT volume that fits into `length` bytes (Microsoft, "FAT: General
/// Overview of On-Disk Format" 1.03, "Boot Sector and BPB"). What passes does not make the library
/// count past what a number holds.
pub fn is_fat(sector: &[u8; 512], length: u64) -> bool {
    let byte = |at: usize| u64::from(sector[at]);
    let word = |at: usize| byte(at) | byte(at + 1) << 8;
    let long = |at: usize| word(at) | word(at + 2) << 16;
    let first_of = |small: u64, large: u64| if small == 0 { large } else { small };
    let (sector_size, cluster) = (word(11), byte(13));
    let (reserved, fats, root_entries) = (word(14), byte(16), word(17));
    let total = first_of(word(19), long(32));
    let is_fat32 = word(22) == 0;
    let fat = first_of(word(22), long(36));
    let root_cluster = if is_fat32 { long(44) } else { 2 };
    sector.ends_with(&[0x55, 0xaa])
        && matches!(sector_size, 512 | 1024 | 2048 | 4096)
        && cluster.is_power_of_two()
        && reserved > 0
        && (1..=2).contains(&fats)
        && (1..1 << 20).contains(&fat)
        && (root_entries == 0) == is_fat32
        && root_cluster >= 2
        && reserved + fats * fat + (root_entries * 32).div_ceil(sector_size) < total
        && total * sector_size <= length
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};
    use std::os::unix::fs::FileExt;
    use std::panic::catch_unwind;

    use fatfs::{FatType, FormatVolumeOptions};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn extent(length: u64) -> Extent {
        Extent {
            number: None,
            is_esp: false,
            start: 0,
            length,
        }
    }

    fn formatted(mebibytes: u64, kind: FatType) -> Vec<u8> {
        let mut image = Cursor::new(vec![0; usize::try_from(mebibytes * MIB).unwrap()]);
        let options = FormatVolumeOptions::new().fat_type(kind);
        fatfs::format_volume(&mut image, options.bytes_per_cluster(512)).unwrap();
        image.into_inner()
    }

    fn read_image(image: &[u8]) -> io::Result<Option<Volume>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(image).unwrap();
        read(&file, extent(image.len() as u64), &["x"], 1)
    }

    #[test]
    fn a_root_that_leads_in_circles_ends() {
        let mut image = formatted(40, FatType::Fat32);
        assert!(read_image(&image).unwrap().unwrap().file.is_none());
        let word = |at: usize| usize::from(u16::from_le_bytes([image[at], image[at + 1]]));
        let (reserved, fat) = (word(14) * 512, word(36) * 512);
        let root = reserved + 2 * fat;
        // Cluster 2, the root, is followed by itself, and all its entries are deleted ones.
        image[reserved + 8..reserved + 12].copy_from_slice(&2_u32.to_le_bytes());
        for entry in image[root..root + 512].chunks_mut(32) {
            entry[0] = 0xe5;
        }
        assert_eq!(
            read_image(&image).unwrap_err().to_string(),
            "its tables lead in circles, or are far too large"
        );
    }

    #[test]
    fn a_file_that_is_cut_off_is_an_error() {
        let mut image = Cursor::new(formatted(1, FatType::Fat12));
        let system = FileSystem::new(&mut image, FsOptions::new()).unwrap();
        let mut file = system.root_dir().create_file("x").unwrap();
        file.write_all(&[b'x'; 600]).unwrap();
        drop(file);
        system.root_dir().create_dir("y").unwrap();
        drop(system);
        let mut image = image.into_inner();
        let found = |image: &[u8], name: &'static str, most| {
            let mut device = tempfile::tempfile().unwrap();
            device.write_all(image).unwrap();
            let volume = read(&device, extent(MIB), &[name], most)?.unwrap();
            Ok::<_, io::Error>(volume.file.map(|(_, bytes)| bytes.len()))
        };
        assert_eq!(found(&image, "X", 1000).unwrap(), Some(600));
        assert_eq!(found(&image, "x", 100).unwrap(), Some(101));
        assert_eq!(found(&image, "y", 100).unwrap(), None);
        // Cluster 2 is its first; no other follows now.
        image[512 + 3] = 0xff;
        image[512 + 4] |= 0x0f;
        let error = found(&image, "x", 1000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    /// A volume with a file of 600 bytes in a folder.
    fn with_folder() -> Vec<u8> {
        let mut image = Cursor::new(formatted(1, FatType::Fat12));
        let system = FileSystem::new(&mut image, FsOptions::new()).unwrap();
        system.root_dir().create_dir("Folder").unwrap();
        let mut file = system.root_dir().create_file("Folder/x").unwrap();
        file.write_all(&[b'x'; 600]).unwrap();
        drop(file);
        drop(system);
        image.into_inner()
    }

    fn found(image: &[u8], path: &str, most: usize) -> io::Result<Vec<u8>> {
        let mut device = tempfile::tempfile().unwrap();
        device.write_all(image).unwrap();
        read_file(&device, extent(image.len() as u64), path, most)
    }

    #[test]
    fn a_file_is_found_by_its_path() {
        let image = with_folder();
        assert_eq!(found(&image, "folder/X", 1000).unwrap(), [b'x'; 600]);
        assert_eq!(found(&image, "Folder/x", 599).unwrap(), [b'x'; 600]);
        assert_eq!(found(&image, "Folder/x", 100).unwrap(), [b'x'; 101]);
        for (path, kind) in [
            ("Folder/y", io::ErrorKind::NotFound),
            ("Other/x", io::ErrorKind::NotFound),
            ("Folder/x/y", io::ErrorKind::Other),
            ("Folder", io::ErrorKind::Other),
        ] {
            assert_eq!(
                found(&image, path, 1000).unwrap_err().kind(),
                kind,
                "{path}"
            );
        }
        let error = found(&[0; 4096], "Folder/x", 1000).unwrap_err();
        assert_eq!(error.to_string(), "it is no FAT file system");
    }

    /// Whatever a disk has become, reading it ends.
    #[test]
    fn every_flipped_bit_is_read_to_an_end() {
        let image = with_folder();
        let mut device = tempfile::tempfile().unwrap();
        device.write_all(&image).unwrap();
        let mut others = 0;
        for (at, byte) in (0..).zip(&image) {
            if at >= 64 && matches!(byte, 0 | b'x') {
                continue;
            }
            for bit in 0..8 {
                device.write_all_at(&[byte ^ 1 << bit], at).unwrap();
                let found = catch_unwind(|| read_file(&device, extent(MIB), "Folder/x", 1000));
                match found {
                    Ok(found) => others += u32::from(found.is_ok_and(|it| it != [b'x'; 600])),
                    // What is released goes on with a number that is too small or too large.
                    Err(said) => {
                        let said = said.downcast_ref::<&str>().copied().unwrap_or_default();
                        assert!(said.ends_with("with overflow"), "byte {at}: {said}");
                    }
                }
            }
            device.write_all_at(&[*byte], at).unwrap();
        }
        assert!(others > 0, "no flipped bit led elsewhere");
    }

    #[test]
    fn what_is_no_fat_volume_is_not_given_to_the_library() {
        type Row<'a> = (FatType, u64, &'a [(usize, u8)]);
        let rows: [Row<'_>; 12] = [
            (FatType::Fat12, 1, &[(510, 0)]),
            (FatType::Fat12, 1, &[(12, 3)]), // bytes in a sector
            (FatType::Fat12, 1, &[(13, 3)]), // sectors in a cluster
            (FatType::Fat12, 1, &[(14, 0)]), // reserved sectors
            (FatType::Fat12, 1, &[(16, 0)]), // FATs
            (FatType::Fat12, 1, &[(16, 3)]), // FATs
            (FatType::Fat12, 1, &[(17, 0), (18, 0)]), // entries in the root
            (FatType::Fat12, 1, &[(23, 255)]), // sectors in a FAT
            (FatType::Fat12, 1, &[(20, 255)]), // sectors
            (FatType::Fat32, 40, &[(38, 255)]), // sectors in a FAT
            (FatType::Fat32, 40, &[(44, 1)]), // cluster of the root
            (FatType::Fat32, 40, &[(17, 1)]), // entries in the root
        ];
        for (kind, mebibytes, bytes) in rows {
            let mut image = formatted(mebibytes, kind);
            let mut sector = [0; 512];
            sector.copy_from_slice(&image[..512]);
            assert!(is_fat(&sector, mebibytes * MIB));
            assert!(!is_fat(&sector, mebibytes * MIB - 512));
            for (at, byte) in bytes {
                image[*at] = *byte;
            }
            assert_eq!(read_image(&image).unwrap(), None, "{bytes:?}");
        }
        assert_eq!(read_image(&[0; 100]).unwrap(), None);
    }
}
