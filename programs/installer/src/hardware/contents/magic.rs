//! Magic numbers, and where labels lie. Each row names where its number is specified; `Documentation/` is
//! Linux's.

use super::area::Area;
use super::names;

/// A magic number at a fixed place.
pub(super) struct Signature {
    pub(super) kind: &'static str,
    pub(super) offset: usize,
    pub(super) magic: &'static [u8],
    pub(super) label: Label,
}

/// Where a name lies.
pub(super) enum Label {
    None,
    /// At an offset, in so many bytes.
    Text(usize, usize),
    /// The same, in UTF-16.
    Wide(usize, usize),
    /// Somewhere that other fields tell.
    Far(fn(&Area<'_>) -> Option<String>),
}

const fn plain(kind: &'static str, offset: usize, magic: &'static [u8]) -> Signature {
    named(kind, offset, magic, Label::None)
}

const fn named(kind: &'static str, offset: usize, magic: &'static [u8], label: Label) -> Signature {
    Signature {
        kind,
        offset,
        magic,
        label,
    }
}

const LVM: &[u8] = b"LVM2 001";

/// What holds others: their contents must not be taken for what is on the disk.
pub(super) const CONTAINERS: &[Signature] = &[
    // cryptsetup, docs/on-disk-format-luks2.pdf, 2.1, and docs/on-disk-format.pdf, 2.1
    named(
        "LUKS (encrypted)",
        0,
        b"LUKS\xba\xbe\0\x02",
        Label::Text(24, 48),
    ),
    plain("LUKS (encrypted)", 0, b"LUKS\xba\xbe"),
    // libbde, "BitLocker Drive Encryption (BDE) format", 3; on a stick it is in what looks like FAT
    plain("BitLocker", 3, b"-FVE-FS-"),
    plain(
        "BitLocker",
        424,
        b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01",
    ),
    // LVM2, lib/format_text/layout.h; the label lies in one of the first four sectors
    named("LVM member", 512 + 24, LVM, Label::Far(names::volume_group)),
    named("LVM member", 24, LVM, Label::Far(names::volume_group)),
    named(
        "LVM member",
        1024 + 24,
        LVM,
        Label::Far(names::volume_group),
    ),
    named(
        "LVM member",
        1536 + 24,
        LVM,
        Label::Far(names::volume_group),
    ),
    // Documentation/admin-guide/bcache.rst
    plain(
        "bcache",
        4096 + 24,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
    ),
    plain("Ceph", 0, b"bluestore block device"),
    // stratisd, docs/design, "Static header"
    plain("Stratis member", 512 + 4, b"!Stra0tis\x86\xff\x02^\x41rh"),
    // Documentation/admin-guide/device-mapper: dm-integrity.rst, vdo.rst
    plain("dm-integrity", 0, b"integrt\0"),
    plain("VDO", 0, b"dmvdo001"),
    // libblkid, src/superblocks/ocfs.c, `oracle_asm_disk_label`
    named("Oracle ASM", 32, b"ORCLDISK", Label::Text(40, 24)),
];

/// What holds files, or nothing else.
pub(super) const FILE_SYSTEMS: &[Signature] = &[
    // Documentation/filesystems/xfs, `xfs_sb`
    named("XFS", 0, b"XFSB", Label::Text(108, 12)),
    // Documentation/filesystems/btrfs, superblock at 64 KiB
    named("btrfs", 65_600, b"_BHRfS_M", Label::Text(65_835, 256)),
    // bcachefs, `bcachefs_format.h`, `bch_sb`
    named(
        "bcachefs",
        4096 + 24,
        b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef",
        Label::Text(4096 + 72, 32),
    ),
    // Documentation/filesystems/f2fs.rst, `f2fs_super_block`
    named(
        "F2FS",
        1024,
        b"\x10\x20\xf5\xf2",
        Label::Wide(1024 + 124, 1024),
    ),
    // Apple, "Apple File System Reference", `nx_superblock_t`
    plain("APFS", 32, b"NXSB"),
    // Apple, Technical Note TN1150, "Volume Header"
    plain("HFS+", 1024, b"H+\0\x04"),
    plain("HFS+", 1024, b"HX\0\x05"),
    // Microsoft, "exFAT file system specification", 3.1
    named("exFAT", 3, b"EXFAT   ", Label::Far(names::of_exfat)),
    // Linux, fs/ntfs3/ntfs.h, `NTFS_BOOT`
    named("NTFS", 3, b"NTFS    ", Label::Far(names::of_ntfs)),
    plain("ReFS", 3, b"ReFS"),
    // Microsoft FAT (fatgen103), boot sector
    named("FAT32", 82, b"FAT32   ", Label::Text(71, 11)),
    named("FAT16", 54, b"FAT16   ", Label::Text(43, 11)),
    named("FAT12", 54, b"FAT12   ", Label::Text(43, 11)),
    // util-linux, include/swapheader.h; the second is what a system that sleeps leaves
    named("swap", 4086, b"SWAPSPACE2", Label::Text(1052, 16)),
    plain("swap (asleep)", 4086, b"S1SUSPEND"),
    plain("squashfs", 0, b"hsqs"),
    named(
        "EROFS",
        1024,
        b"\xe2\xe1\xf5\xe0",
        Label::Text(1024 + 64, 16),
    ),
    // Linux, fs/jfs/jfs_superblock.h, include/uapi/linux/gfs2_ondisk.h, fs/ocfs2/ocfs2_fs.h
    named("JFS", 32_768, b"JFS1", Label::Text(32_768 + 152, 16)),
    plain("GFS2", 65_536, b"\x01\x16\x19\x70\0\0\0\x01"),
    plain("OCFS2", 8192, b"OCFSV2"),
    // reiserfsprogs, `reiserfs_fs.h`
    named("ReiserFS", 65_588, b"ReIsEr", Label::Text(65_536 + 100, 16)),
    // FreeBSD, sys/ufs/ffs/fs.h, `fs`
    named(
        "UFS",
        65_536 + 1372,
        b"\x19\x01\x54\x19",
        Label::Text(65_536 + 680, 32),
    ),
    plain("UFS", 8192 + 1372, b"\x54\x19\x01\0"),
    // ECMA-119, 8.4
    named("ISO 9660", 32_769, b"CD001", Label::Text(32_808, 32)),
    // ECMA-167, part 2, 9.2
    plain("UDF", 32_769, b"BEA01"),
    // Partition tables that are not looked into: Linux, block/partitions/mac.c; FreeBSD,
    // sys/sys/disklabel.h
    plain("Apple partitions", 512, b"PM\0\0"),
    plain("BSD partitions", 512, b"\x57\x45\x56\x82"),
];
