//! What a partition, or a whole disk, holds: told by magic numbers, as blkid(8) does. Pure.
//!
//! Each row names where its number is specified; `Documentation/` is Linux's.

use super::super::text::clean;

/// How much is looked at from the beginning, in bytes.
pub(super) const HEAD: usize = 256 << 10;
/// How much is looked at before the end, in bytes.
pub(super) const TAIL: usize = 128 << 10;

/// A magic number at a fixed place.
struct Signature {
    kind: &'static str,
    offset: usize,
    magic: &'static [u8],
    /// Where a name lies, and how many bytes it may have.
    label: Option<(usize, usize)>,
}

const fn plain(kind: &'static str, offset: usize, magic: &'static [u8]) -> Signature {
    Signature {
        kind,
        offset,
        magic,
        label: None,
    }
}

/// Containers first: what they hold must not be taken for what is on the disk.
const SIGNATURES: &[Signature] = &[
    // cryptsetup, docs/on-disk-format.pdf, 2.1
    plain("LUKS (encrypted)", 0, b"LUKS\xba\xbe"),
    // md(4), version 1.1 and 1.2: include/uapi/linux/raid/md_p.h
    plain("RAID member", 0, b"\xfc\x4e\x2b\xa9"),
    plain("RAID member", 4096, b"\xfc\x4e\x2b\xa9"),
    // LVM2, lib/format_text/layout.h; the label lies in one of the first four sectors
    plain("LVM member", 512 + 24, b"LVM2 001"),
    plain("LVM member", 24, b"LVM2 001"),
    plain("LVM member", 1024 + 24, b"LVM2 001"),
    plain("LVM member", 1536 + 24, b"LVM2 001"),
    // Documentation/admin-guide/bcache.rst
    plain(
        "bcache",
        4096 + 24,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
    ),
    plain("Ceph", 0, b"bluestore block device"),
    // Documentation/filesystems/xfs, `xfs_sb`
    Signature {
        kind: "XFS",
        offset: 0,
        magic: b"XFSB",
        label: Some((108, 12)),
    },
    // Documentation/filesystems/btrfs, superblock at 64 KiB
    Signature {
        kind: "btrfs",
        offset: 65_600,
        magic: b"_BHRfS_M",
        label: Some((65_835, 256)),
    },
    plain("F2FS", 1024, b"\x10\x20\xf5\xf2"),
    plain("APFS", 32, b"NXSB"),
    plain("HFS+", 1024, b"H+\0\x04"),
    plain("exFAT", 3, b"EXFAT   "),
    plain("NTFS", 3, b"NTFS    "),
    plain("ReFS", 3, b"ReFS"),
    // Microsoft FAT (fatgen103), boot sector
    Signature {
        kind: "FAT32",
        offset: 82,
        magic: b"FAT32   ",
        label: Some((71, 11)),
    },
    Signature {
        kind: "FAT16",
        offset: 54,
        magic: b"FAT16   ",
        label: Some((43, 11)),
    },
    Signature {
        kind: "FAT12",
        offset: 54,
        magic: b"FAT12   ",
        label: Some((43, 11)),
    },
    plain("swap", 4086, b"SWAPSPACE2"),
    plain("squashfs", 0, b"hsqs"),
    plain("EROFS", 1024, b"\xe2\xe1\xf5\xe0"),
    // ECMA-119, 8.4
    Signature {
        kind: "ISO 9660",
        offset: 32_769,
        magic: b"CD001",
        label: Some((32_808, 32)),
    },
];

/// Tells what is there from its first [`HEAD`] bytes, its last [`TAIL`] bytes and its size: kind and
/// label, which may be empty.
pub(super) fn tell(head: &[u8], tail: &[u8], size: u64) -> Option<(&'static str, String)> {
    for signature in SIGNATURES {
        let found = head
            .get(signature.offset..)
            .is_some_and(|it| it.starts_with(signature.magic));
        if found {
            let label = signature
                .label
                .map_or_else(String::new, |(offset, length)| {
                    text(head.get(offset..offset + length).unwrap_or_default())
                });
            return Some((signature.kind, label));
        }
    }
    ext(head).or_else(|| {
        let kind = if is_zfs(head) {
            Some("ZFS member")
        } else {
            at_the_end(tail, size)
        };
        kind.map(|kind| (kind, String::new()))
    })
}

/// ext2, ext3 and ext4 share one magic number: Documentation/filesystems/ext4, `super_block`.
fn ext(head: &[u8]) -> Option<(&'static str, String)> {
    const SUPERBLOCK: usize = 1024;
    const HAS_JOURNAL: u32 = 4;
    /// Extents, 64 bits, flexible groups: what only ext4 has.
    const OF_EXT4: u32 = 0x40 | 0x80 | 0x200;
    let block = head.get(SUPERBLOCK..SUPERBLOCK + 1024)?;
    if block[0x38..0x3a] != [0x53, 0xef] {
        return None;
    }
    let number = |at: usize| {
        block[at..]
            .first_chunk()
            .map_or(0, |it| u32::from_le_bytes(*it))
    };
    let kind = match (number(0x60) & OF_EXT4, number(0x5c) & HAS_JOURNAL) {
        (0, 0) => "ext2",
        (0, _) => "ext3",
        _ => "ext4",
    };
    Some((kind, text(&block[0x78..0x88])))
}

/// An uberblock in the first label: `OpenZFS`, `module/zfs/vdev_label.c`.
fn is_zfs(head: &[u8]) -> bool {
    const MAGIC: [u8; 8] = 0x00ba_b10c_u64.to_le_bytes();
    let ring = head.get(128 << 10..).unwrap_or_default();
    ring.chunks(1024).any(|block| block.starts_with(&MAGIC))
}

/// RAID members that are marked at their end.
fn at_the_end(tail: &[u8], size: u64) -> Option<&'static str> {
    const MD: &[u8] = b"\xfc\x4e\x2b\xa9";
    let from_end = |distance: u64| {
        let distance = usize::try_from(distance).ok()?;
        tail.get(tail.len().checked_sub(distance)?..)
    };
    let starts = |distance: u64, magic: &[u8]| {
        from_end(distance).is_some_and(|found| found.starts_with(magic))
    };
    // md(4), version 1.0: 8 KiB before the end, on a multiple of 4 KiB; 0.90: the last whole 64 KiB.
    let sectors = size / 512;
    let newer = size.checked_sub((sectors.checked_sub(16)? / 8 * 8) * 512)?;
    let older = size.checked_sub((size / 65_536).checked_sub(1)? * 65_536)?;
    if starts(newer, MD) || starts(older, MD) {
        Some("RAID member")
    } else if starts(1024, b"Intel Raid ISM Cfg Sig. ") {
        Some("RAID member (Intel)")
    } else if starts(512, b"\xde\x11\xde\x11") {
        // SNIA Common RAID Disk Data Format 2.0, 4.2.2
        Some("RAID member (DDF)")
    } else {
        None
    }
}

/// A name that ends with zeros or blanks.
fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let name = clean(&String::from_utf8_lossy(&bytes[..end]));
    // What mkfs.fat writes for none.
    if name == "NO NAME" {
        String::new()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 1 << 30;

    fn head(writes: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        for (offset, data) in writes {
            head[*offset..offset + data.len()].copy_from_slice(data);
        }
        head
    }

    fn kind(head: &[u8]) -> Option<&'static str> {
        tell(head, &vec![0; TAIL], SIZE).map(|(kind, _)| kind)
    }

    #[test]
    fn every_signature_is_told_and_not_one_byte_beside_it() {
        for signature in SIGNATURES {
            let found = kind(&head(&[(signature.offset, signature.magic)]));
            assert_eq!(found, Some(signature.kind));
            assert_eq!(
                kind(&head(&[(signature.offset + 1, signature.magic)])),
                None
            );
        }
        assert_eq!(kind(&head(&[])), None);
        assert_eq!(kind(&[]), None);
    }

    #[test]
    fn ext_tells_its_generation_and_its_label() {
        let magic = (1024 + 0x38, &[0x53, 0xef][..]);
        let label = (1024 + 0x78, &b"TRUTHDB_DATA"[..]);
        let ext4 = (1024 + 0x60, &[0xc2, 2, 0, 0][..]);
        let journal = (1024 + 0x5c, &[4, 0, 0, 0][..]);
        assert_eq!(kind(&head(&[magic])), Some("ext2"));
        assert_eq!(kind(&head(&[magic, journal])), Some("ext3"));
        let found = tell(&head(&[magic, journal, ext4, label]), &[], SIZE);
        assert_eq!(found, Some(("ext4", "TRUTHDB_DATA".to_owned())));
    }

    #[test]
    fn zfs_is_told_by_any_uberblock() {
        let magic = 0x00ba_b10c_u64.to_le_bytes();
        assert_eq!(
            kind(&head(&[((128 << 10) + 5 * 1024, &magic)])),
            Some("ZFS member")
        );
        assert_eq!(kind(&head(&[((128 << 10) + 512, &magic)])), None);
    }

    #[test]
    fn raid_members_are_told_by_their_end() {
        let rows: [(u64, &[u8], &str); 4] = [
            (8192, b"\xfc\x4e\x2b\xa9", "RAID member"),
            (65_536, b"\xfc\x4e\x2b\xa9", "RAID member"),
            (1024, b"Intel Raid ISM Cfg Sig. 1.3", "RAID member (Intel)"),
            (512, b"\xde\x11\xde\x11", "RAID member (DDF)"),
        ];
        for (distance, magic, expected) in rows {
            let mut tail = vec![0; TAIL];
            let at = TAIL - usize::try_from(distance).unwrap();
            tail[at..at + magic.len()].copy_from_slice(magic);
            assert_eq!(
                tell(&[], &tail, SIZE),
                Some((expected, String::new())),
                "{distance}"
            );
        }
        assert_eq!(tell(&[], &[0; 10], 10), None, "too small for any");
    }

    #[test]
    fn labels_of_fat_are_trimmed() {
        let fat = |label: &[u8]| head(&[(82, b"FAT32   "), (71, label)]);
        let label = |label| tell(&fat(label), &[], SIZE).unwrap().1;
        assert_eq!(label(b"STICK      "), "STICK");
        assert_eq!(label(b"NO NAME    "), "");
    }
}
