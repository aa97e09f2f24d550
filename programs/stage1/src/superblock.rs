//! What the first bytes of a partition say of the file system on it. They may be anybody's.
//!
//! | file system | where that is specified |
//! | --- | --- |
//! | ext2, ext3, ext4 | Linux, Documentation/filesystems/ext4/super.rst |
//! | EROFS | Linux, fs/erofs/erofs_fs.h, `struct erofs_super_block` |
//! | `SquashFS` | Linux, fs/squashfs/squashfs_fs.h, `struct squashfs_super_block` |
//! | FAT | Microsoft Extensible Firmware Initiative FAT32 File System Specification, section "Boot Sector and BPB" |

use uuid::Uuid;

/// How many bytes of a partition have to be looked at.
pub const HEAD: usize = 2048;
/// Where ext4 and EROFS have their superblocks.
const AFTER_BOOT: usize = 1024;
/// The feature of ext4 that makes a partition another one's journal.
const JOURNAL_DEVICE: u32 = 0x8;

/// A file system, as far as it can be told from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSystem {
    /// What Linux calls it: the type for mount(2).
    pub kind: &'static str,
    /// Its label; empty where it has none.
    pub label: String,
    /// Its UUID as blkid(8) shows it, in small letters; empty where it has none.
    pub uuid: String,
}

/// The file system that begins with `head`, of which [`HEAD`] bytes suffice; `None` if it is none of these.
pub fn file_system(head: &[u8]) -> Option<FileSystem> {
    ext4(head)
        .or_else(|| erofs(head))
        .or_else(|| squashfs(head))
        .or_else(|| fat(head))
}

fn ext4(head: &[u8]) -> Option<FileSystem> {
    let block = head.get(AFTER_BOOT..)?;
    let is_one = number::<2>(block, 56)? == 0xef53
        && number::<4>(block, 96)? & u64::from(JOURNAL_DEVICE) == 0;
    is_one.then_some(())?;
    Some(FileSystem {
        kind: "ext4",
        label: text(block, 120, 16)?,
        uuid: uuid(block, 104)?,
    })
}

fn erofs(head: &[u8]) -> Option<FileSystem> {
    let block = head.get(AFTER_BOOT..)?;
    (number::<4>(block, 0)? == 0xe0f5_e1e2).then_some(())?;
    Some(FileSystem {
        kind: "erofs",
        label: text(block, 64, 16)?,
        uuid: uuid(block, 48)?,
    })
}

/// `SquashFS` 4 has neither label nor UUID: only its partition can be named.
fn squashfs(head: &[u8]) -> Option<FileSystem> {
    let is_one = head.starts_with(b"hsqs") && number::<2>(head, 28)? == 4;
    is_one.then(|| FileSystem {
        kind: "squashfs",
        ..FileSystem::default()
    })
}

fn fat(head: &[u8]) -> Option<FileSystem> {
    let sector = number::<2>(head, 11)?;
    let is_one = number::<2>(head, 510)? == 0xaa55
        && sector.is_power_of_two()
        && (512..=4096).contains(&sector)
        && head.get(13)?.is_power_of_two();
    is_one.then_some(())?;
    // The extended boot signature says that serial number and label follow; FAT32 has them further on.
    let at = if head.get(82..87)? == b"FAT32" {
        66
    } else if head.get(54..58)? == b"FAT1" {
        38
    } else {
        return None;
    };
    (*head.get(at)? == 0x29).then_some(())?;
    let label = text(head, at + 5, 11)?.trim_end().to_owned();
    let serial = number::<4>(head, at + 1)?;
    Some(FileSystem {
        kind: "vfat",
        label: if label == "NO NAME" {
            String::new()
        } else {
            label
        },
        uuid: format!("{:04x}-{:04x}", serial >> 16, serial & 0xffff),
    })
}

/// A number of `N` bytes, the least significant one first; `None` past the end.
pub(crate) fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk::<N>()?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

/// A text of at most `most` bytes, which may end in a NUL before.
pub(crate) fn text(bytes: &[u8], at: usize, most: usize) -> Option<String> {
    let bytes = bytes.get(at..)?.get(..most)?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(most);
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

/// A UUID, empty where it is all zeros, as that of a file system that nobody gave one.
fn uuid(bytes: &[u8], at: usize) -> Option<String> {
    let found = Uuid::from_bytes(*bytes.get(at..)?.first_chunk()?);
    Some(if found.is_nil() {
        String::new()
    } else {
        found.to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 16] = *b"\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0";
    const UUID: &str = "12345678-9abc-def0-1234-56789abcdef0";

    /// Zeros, but for these bytes.
    fn head(parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        for (at, bytes) in parts {
            head[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    fn found(kind: &'static str, label: &str, uuid: &str) -> FileSystem {
        FileSystem {
            kind,
            label: label.to_owned(),
            uuid: uuid.to_owned(),
        }
    }

    #[test]
    fn file_systems_are_told_by_their_first_bytes() {
        let ext4: &[(usize, &[u8])] = &[(1080, b"\x53\xef"), (1128, &ID), (1144, b"ROOT\0junk")];
        let journal: &[(usize, &[u8])] = &[(1080, b"\x53\xef"), (1120, b"\x08")];
        let erofs: &[(usize, &[u8])] = &[
            (1024, b"\xe2\xe1\xf5\xe0"),
            (1072, &ID),
            (1088, b"sixteen letters!"),
        ];
        let fat: &[(usize, &[u8])] = &[(11, b"\0\x02\x04"), (510, b"\x55\xaa")];
        let fat16: &[(usize, &[u8])] = &[(38, b"\x29\x78\x56\x34\x12EFI        FAT16   ")];
        let fat32: &[(usize, &[u8])] = &[(66, b"\x29\xef\xbe\xad\xdeNO NAME    FAT32   ")];
        let odd: &[(usize, &[u8])] = &[(11, b"\0\x03")];
        let rows = [
            (head(ext4), Some(found("ext4", "ROOT", UUID))),
            (head(&[(1080, b"\x53\xef")]), Some(found("ext4", "", ""))),
            (
                head(&[(1080, b"\x53\xef"), (1144, b"\xff")]),
                Some(found("ext4", "\u{fffd}", "")),
            ),
            (head(journal), None),
            (head(erofs), Some(found("erofs", "sixteen letters!", UUID))),
            (
                head(&[(0, b"hsqs"), (28, b"\x04")]),
                Some(found("squashfs", "", "")),
            ),
            (head(&[(0, b"hsqs"), (28, b"\x03")]), None),
            (
                head(&[fat, fat16].concat()),
                Some(found("vfat", "EFI", "1234-5678")),
            ),
            (
                head(&[fat, fat32].concat()),
                Some(found("vfat", "", "dead-beef")),
            ),
            (head(&[fat, fat16, odd].concat()), None),
            (head(fat), None),
            (head(&[]), None),
        ];
        for (number, (head, expected)) in rows.into_iter().enumerate() {
            assert_eq!(file_system(&head), expected, "row {number}");
            for end in 0..head.len() {
                file_system(&head[..end]); // nothing that is cut off makes it panic
            }
        }
    }
}
