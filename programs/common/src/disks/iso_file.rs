//! The file system on which this system's medium lies as a file.
//!
//! Firmware that starts an ISO file says so in the kernel's command line, for systems that look for the rest of
//! themselves: Heads, initrd/bin/kexec-iso-init.sh, adds `fromiso=/dev/disk/by-uuid/UUID/FILE` and, in newer
//! versions, `img_dev=/dev/disk/by-uuid/UUID`. The UUID is what blkid(8) calls so.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use uuid::Uuid;

use crate::cmdline;
use crate::volumes::fat::is_fat;

/// The parameters that may name it. One may be there twice, with a path alone behind it.
const PARAMETERS: [&str; 2] = ["fromiso", "img_dev"];
const FOLDER: &str = "/dev/disk/by-uuid/";
/// Where an ext4 file system has its superblock, and in it magic number and UUID: Linux,
/// Documentation/filesystems/ext4, `super_block`.
const SUPERBLOCK: usize = 1024;
const EXT4_MAGIC: [u8; 2] = [0x53, 0xef];
const EXT4_UUID: std::ops::Range<usize> = 0x68..0x78;
/// Bytes that are read of a file system.
const START: usize = 2048;

/// The UUID of that file system, in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsoFileVolume(String);

impl IsoFileVolume {
    /// Reads it below `root`; `None` where nothing is said of a file.
    pub fn read(root: &Path) -> Option<Self> {
        let uuid = |value: String| {
            let rest = value.strip_prefix(FOLDER)?;
            let uuid = rest.split('/').next().filter(|it| !it.is_empty())?;
            Some(Self(uuid.to_ascii_lowercase()))
        };
        let mut names = PARAMETERS.iter();
        names.find_map(|name| cmdline::values(root, name).into_iter().find_map(uuid))
    }

    /// Whether it is the file system that the `length` bytes of `volume` are.
    pub fn is(&self, mut volume: impl Read, length: u64) -> io::Result<bool> {
        let mut start = [0; START];
        match volume.read_exact(&mut start) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            other => other?,
        }
        Ok(uuid_of(&start, length).as_ref() == Some(&self.0))
    }
}

/// What blkid(8) calls the UUID of a FAT, exFAT or ext file system that begins like this, in small letters.
fn uuid_of(start: &[u8; START], length: u64) -> Option<String> {
    let superblock = &start[SUPERBLOCK..];
    if superblock[0x38..].starts_with(&EXT4_MAGIC) {
        let uuid = Uuid::from_slice(&superblock[EXT4_UUID]).ok()?;
        return Some(uuid.hyphenated().to_string());
    }
    let serial = |at: usize| {
        let number = start[at..].first_chunk().copied().map(u32::from_le_bytes);
        number.map(|it| format!("{:04x}-{:04x}", it >> 16, it & 0xffff))
    };
    // Microsoft, "exFAT file system specification", 3.1, and "FAT: General Overview of On-Disk Format" 1.03: a FAT
    // of 32 bits has its size further behind, and so its serial number.
    if start[3..].starts_with(b"EXFAT   ") {
        return serial(100);
    }
    let sector: &[u8; 512] = start.first_chunk()?;
    let is_fat32 = sector[22..24] == [0, 0];
    is_fat(sector, length)
        .then(|| serial(if is_fat32 { 67 } else { 39 }))
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;

    use fatfs::{FatType, FormatVolumeOptions};

    use super::*;

    const UUID: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";

    fn named(uuid: &str) -> IsoFileVolume {
        IsoFileVolume(uuid.to_owned())
    }

    #[test]
    fn the_command_line_names_it_by_its_uuid() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(IsoFileVolume::read(root.path()), None);
        fs::create_dir(root.path().join("proc")).unwrap();
        let rows = [
            ("quiet iso-scan/filename=/a.iso", None),
            ("fromiso=/a.iso", None),
            ("fromiso=/dev/sda1/a.iso", None),
            ("fromiso=/dev/disk/by-uuid//a.iso", None),
            (
                "quiet fromiso=/dev/disk/by-uuid/FA57-0001/b/a.iso iso-scan/filename=/b/a.iso",
                Some("fa57-0001"),
            ),
            (
                "\"fromiso=/dev/disk/by-uuid/FA57-0001/an iso.iso\"",
                Some("fa57-0001"),
            ),
            (
                "fromiso=/dev/disk/by-uuid/FA57-0001/a.iso fromiso=/a.iso",
                Some("fa57-0001"),
            ),
            (
                "img_dev=/dev/disk/by-uuid/0FC63DAF-8483-4772-8E79-3D69D8477DE4",
                Some(UUID),
            ),
            ("notfromiso=/dev/disk/by-uuid/FA57-0001/a.iso", None),
        ];
        for (cmdline, expected) in rows {
            fs::write(root.path().join("proc/cmdline"), format!("{cmdline}\n")).unwrap();
            let found = IsoFileVolume::read(root.path());
            assert_eq!(found, expected.map(named), "{cmdline}");
        }
    }

    #[test]
    fn a_file_system_is_known_by_its_uuid() {
        let fat = |kind, mib: usize| {
            let mut image = Cursor::new(vec![0; mib << 20]);
            let options = FormatVolumeOptions::new().fat_type(kind);
            let options = options.bytes_per_cluster(512).volume_id(0xfa57_0001);
            fatfs::format_volume(&mut image, options).unwrap();
            image.into_inner()
        };
        let ext4 = || {
            let mut image = vec![0; 4096];
            image[1080..1082].copy_from_slice(&EXT4_MAGIC);
            let uuid = Uuid::parse_str(UUID).unwrap();
            image[1128..1144].copy_from_slice(uuid.as_bytes());
            image
        };
        let mut exfat = vec![0; 4096];
        exfat[3..11].copy_from_slice(b"EXFAT   ");
        exfat[100..104].copy_from_slice(&0xfa57_0001_u32.to_le_bytes());
        let mut damaged = fat(FatType::Fat12, 1);
        damaged[510] = 0;
        let rows = [
            ("FAT12", fat(FatType::Fat12, 1), "fa57-0001", true),
            ("FAT16", fat(FatType::Fat16, 8), "fa57-0001", true),
            ("FAT32", fat(FatType::Fat32, 40), "fa57-0001", true),
            ("exFAT", exfat, "fa57-0001", true),
            ("ext4", ext4(), UUID, true),
            ("another number", fat(FatType::Fat12, 1), "fa57-0002", false),
            (
                "another UUID",
                ext4(),
                "0fc63daf-8483-4772-8e79-3d69d8477de5",
                false,
            ),
            ("no FAT", damaged, "fa57-0001", false),
            ("zeros", vec![0; 4096], "0000-0000", false),
            ("too short", vec![0; 512], "0000-0000", false),
        ];
        for (what, image, uuid, expected) in rows {
            let found = named(uuid).is(&*image, image.len() as u64).unwrap();
            assert_eq!(found, expected, "{what}");
        }
    }
}
