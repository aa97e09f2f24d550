//! What a partition, or a whole disk, holds: told by magic numbers, as blkid(8) does.

use super::super::text::{padded, wide};
use super::area::Area;
use super::magic::{CONTAINERS, FILE_SYSTEMS, Label, Signature};
use super::{raid, zfs};

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    /// What people call it.
    pub(super) kind: &'static str,
    /// Its name; may be empty.
    pub(super) label: String,
    /// It is marked in the first 512 bytes, which therefore are no partition table.
    pub(super) is_first: bool,
}

/// Tells what is there.
pub(super) fn tell(area: &Area<'_>) -> Option<Found> {
    let later = |(kind, label)| Found {
        kind,
        label,
        is_first: false,
    };
    raid::member(area)
        .map(later)
        .or_else(|| signed(CONTAINERS, area))
        .or_else(|| zfs::at_the_start(area).map(later))
        .or_else(|| signed(FILE_SYSTEMS, area))
        .or_else(|| ext(area).map(later))
        .or_else(|| zfs::at_the_end(area).map(later))
}

/// Every kind of thing that has its mark there, once each.
pub(super) fn tell_all(area: &Area<'_>) -> Vec<&'static str> {
    let signed = CONTAINERS.iter().chain(FILE_SYSTEMS);
    let signed = signed
        .filter(|it| area.head(it.offset).starts_with(it.magic))
        .map(|it| it.kind);
    let others = [
        raid::member(area),
        zfs::at_the_start(area),
        zfs::at_the_end(area),
        ext(area),
    ];
    let mut found: Vec<_> = others.into_iter().flatten().map(|(kind, _)| kind).collect();
    found.extend(signed);
    found.sort_unstable();
    found.dedup();
    found
}

fn signed(signatures: &[Signature], area: &Area<'_>) -> Option<Found> {
    let found = signatures
        .iter()
        .find(|it| area.head(it.offset).starts_with(it.magic))?;
    let part = |offset, length| area.head(offset).get(..length).unwrap_or_default();
    let label = match found.label {
        Label::None => String::new(),
        Label::Text(offset, length) => padded(part(offset, length)),
        Label::Wide(offset, length) => wide(part(offset, length)),
        Label::Far(read) => read(area).unwrap_or_default(),
    };
    Some(Found {
        kind: found.kind,
        label,
        is_first: found.offset < 512,
    })
}

/// ext2, ext3 and ext4 share one magic number: Documentation/filesystems/ext4, `super_block`.
fn ext(area: &Area<'_>) -> Option<(&'static str, String)> {
    const HAS_JOURNAL: u32 = 4;
    /// Extents, 64 bits, flexible groups: what only ext4 has.
    const OF_EXT4: u32 = 0x40 | 0x80 | 0x200;
    let block = area.head(1024).first_chunk::<1024>()?;
    let number = |at: usize| {
        block[at..]
            .first_chunk()
            .map_or(0, |it| u32::from_le_bytes(*it))
    };
    // Two bytes are soon met by chance: sizes of blocks, and revisions, that there are none of.
    if block[0x38..0x3a] != [0x53, 0xef] || number(0x18) > 6 || number(0x4c) > 1 {
        return None;
    }
    let kind = match (number(0x60) & OF_EXT4, number(0x5c) & HAS_JOURNAL) {
        (0, 0) => "ext2",
        (0, _) => "ext3",
        _ => "ext4",
    };
    Some((kind, padded(&block[0x78..0x88])))
}

#[cfg(test)]
mod tests {
    use super::super::area;
    use super::*;

    const SIZE: u64 = 4 << 20;

    /// Offset and bytes.
    type Write<'a> = (u64, &'a [u8]);

    /// Kind, label, and whether it is marked in the first sector.
    fn told(writes: &[Write<'_>]) -> Option<(&'static str, String, bool)> {
        let device = area::device(SIZE, writes);
        let found = tell(&Area::read(&device, 0, SIZE).unwrap())?;
        Some((found.kind, found.label, found.is_first))
    }

    fn kind(writes: &[Write<'_>]) -> Option<&'static str> {
        told(writes).map(|(kind, ..)| kind)
    }

    #[test]
    fn every_signature_is_told_and_not_one_byte_beside_it() {
        for signature in CONTAINERS.iter().chain(FILE_SYSTEMS) {
            let (offset, kind) = (signature.offset as u64, signature.kind);
            let found = told(&[(offset, signature.magic)]);
            assert_eq!(found, Some((kind, String::new(), offset < 512)));
            assert_eq!(told(&[(offset + 1, signature.magic)]), None, "{kind}");
        }
        assert_eq!(told(&[]), None);
        let nothing = area::device(0, &[]);
        assert!(tell(&Area::read(&nothing, 0, 0).unwrap()).is_none());
    }

    #[test]
    fn labels_are_read_where_they_lie() {
        let rows: [(u64, &[u8], u64, &[u8]); 9] = [
            (0, b"LUKS\xba\xbe\0\x02", 24, b"name"),
            (0, b"XFSB", 108, b"name"),
            (65_600, b"_BHRfS_M", 65_835, b"name"),
            (1024, b"\x10\x20\xf5\xf2", 1148, b"n\0a\0m\0e\0\0\0x"),
            (82, b"FAT32   ", 71, b"name       "),
            (54, b"FAT16   ", 43, b"name       "),
            (4086, b"SWAPSPACE2", 1052, b"name"),
            (32, b"ORCLDISK", 40, b"name"),
            (32_769, b"CD001", 32_808, b"name                        "),
        ];
        for (offset, magic, place, label) in rows {
            let (kind, found, _) = told(&[(offset, magic), (place, label)]).unwrap();
            assert_eq!(found, "name", "{kind}");
        }
        let unnamed = told(&[(82, b"FAT32   "), (71, b"NO NAME    ")]).unwrap();
        assert_eq!(unnamed.1, "");
        let luks1 = told(&[(0, b"LUKS\xba\xbe\0\x01"), (24, b"cbc")]).unwrap();
        assert_eq!(luks1.1, "");
    }

    #[test]
    fn what_holds_others_is_told_before_what_is_in_it() {
        let bitlocker = b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01";
        let rows: [([Write<'_>; 2], &str); 3] = [
            (
                [(SIZE - 1024, b"Intel Raid ISM Cfg Sig. "), (0, b"XFSB")],
                "RAID member (Intel)",
            ),
            ([(424, bitlocker), (82, b"FAT32   ")], "BitLocker"),
            (
                [(128 << 10, b"\x0c\xb1\xba\0\0\0\0\0"), (1080, b"\x53\xef")],
                "ZFS member",
            ),
        ];
        for (writes, expected) in rows {
            assert_eq!(kind(&writes), Some(expected));
        }
    }

    #[test]
    fn ext_tells_its_generation_and_its_label() {
        let magic = (1024 + 0x38, &[0x53, 0xef][..]);
        let label = (1024 + 0x78, &b"EXAMPLE_DATA"[..]);
        let ext4 = (1024 + 0x60, &[0xc2, 2, 0, 0][..]);
        let journal = (1024 + 0x5c, &[4, 0, 0, 0][..]);
        assert_eq!(kind(&[magic]), Some("ext2"));
        assert_eq!(kind(&[magic, journal]), Some("ext3"));
        let found = told(&[magic, journal, ext4, label]);
        assert_eq!(found, Some(("ext4", "EXAMPLE_DATA".to_owned(), false)));
        let no_such_block_size = (1024 + 0x18, &[7][..]);
        assert_eq!(kind(&[magic, no_such_block_size]), None);
    }
}
