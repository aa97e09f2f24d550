import struct
from types import SimpleNamespace

import pytest

from pipeline.checks import filesystem
from pipeline.checks.catalog import KINDS, take_apart
from pipeline.formats.filesystem import FileSystem
from tests.fixtures import erofs, ext4, patch, squashfs
from tests.fixtures.bzimage import bzimage
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.fat import fat
from tests.fixtures.initramfs import changed
from tests.fixtures.uki import uki

TREE = {"boot/": b"", "boot/vmlinuz": b"kernel", "etc/": b"", "etc/motd": b"hello\n", "link->etc/motd": b""}
EXT, EROFS, SQUASHFS = ext4.ext4(TREE), erofs.erofs(TREE), squashfs.squashfs(TREE)
MOTD = list(TREE).index("etc/motd")
EXT_MOTD, EROFS_MOTD = ext4.inode_at(ext4.FIRST + MOTD), erofs.inode_at(1 + MOTD)
INODES = struct.unpack_from("<Q", SQUASHFS, 64)[0] + 2
AGAIN = "the superblock's checksum is wrong"

MANY = ext4.ext4({f"f{number}": b"x" for number in range(12)})
for number in range(12):
    MANY = patch(MANY, ext4.inode_at(ext4.FIRST + number) + 40, b"\0\0")

TABLES = {
    "ext": SimpleNamespace(
        GOOD=EXT,
        CASES=(
            Case(
                "EXT000",
                EXT[:1500],
                ("ext4: superblock: 1024 bytes at offset 0x400 do not lie inside the 1500 bytes given",),
            ),
            Case("EXT000", bytes(4096), ("ext4: no superblock: its magic is 0x0000, not 0xef53",)),
            Case("EXT000", ext4.ext4(TREE, incompat=0x43), ("ext4: the feature compression is not read",)),
            Case(
                "EXT000", ext4.ext4(TREE, incompat=0x8000_0042), ("ext4: the feature 0x80000000 is not read",)
            ),
            Case(
                "EXT000",
                ext4.settled(patch(EXT, 1024 + 0x18, b"\7")),
                ("ext4: blocks of 2^17 bytes are not possible",),
            ),
            Case(
                "EXT000",
                ext4.settled(patch(EXT, 1024 + 0x58, b"\x81\0")),
                ("ext4: the superblock's inode size cannot be 129",),
            ),
            Case(
                "EXT001",
                ext4.settled(patch(EXT, 1028, struct.pack("<I", len(EXT) // 1024 + 1))),
                (
                    f"the file system is cut off: its superblock says {len(EXT) + 1024} bytes, "
                    f"there are {len(EXT)}",
                ),
            ),
            Case(
                "EXT002",
                patch(EXT, EXT_MOTD + 40, b"\0\0"),
                ("/etc/motd: no node of an extent tree: it begins with 0000010004000000",),
            ),
            Case(
                "EXT002",
                patch(EXT, EXT_MOTD + 60, b"\xff\xff"),
                ("/etc/motd: a file's blocks 65535 to 65535 lie outside the volume, which has 12",),
            ),
            Case("EXT002", patch(EXT, EXT_MOTD, b"\0\0"), ("/etc/motd: inode 14 is not in use",)),
            Case(
                "EXT002",
                patch(EXT, EXT_MOTD + 33, b"\x08"),
                ("/etc/motd: it is encrypted, which is not read",),
            ),
            Case(
                "EXT002",
                MANY,
                (
                    *(
                        f"/f{number}: no node of an extent tree: it begins with 0000010004000000"
                        for number in range(8)
                    ),
                    "4 more files and directories cannot be read",
                ),
            ),
            Case("EXT003", patch(EXT, 2044, b"bad!"), (AGAIN,)),
            Case(
                "EXT004",
                ext4.ext4(TREE, incompat=0x46),
                ("the file system was not unmounted: its journal has changes that are not in their places",),
            ),
        ),
    ),
    "erofs": SimpleNamespace(
        GOOD=EROFS,
        CASES=(
            Case(
                "EROFS000",
                EROFS[:1100],
                ("erofs: superblock: 128 bytes at offset 0x400 do not lie inside the 1100 bytes given",),
            ),
            Case("EROFS000", bytes(4096), ("erofs: no superblock: its magic is 0x00000000, not 0xe0f5e1e2",)),
            Case("EROFS000", erofs.erofs(TREE, incompat=0x81), ("erofs: the feature 48bit is not read",)),
            Case("EROFS000", erofs.erofs(TREE, incompat=0x1001), ("erofs: the feature 0x1000 is not read",)),
            Case(
                "EROFS000",
                erofs.settled(patch(EROFS, 1024 + 86, b"\1")),
                ("erofs: the feature device_table is not read",),
            ),
            Case(
                "EROFS000",
                erofs.settled(patch(EROFS, 1024 + 12, b"\x20")),
                ("erofs: blocks of 2^32 bytes are not possible",),
            ),
            Case(
                "EROFS001",
                erofs.settled(patch(EROFS, 1024 + 36, struct.pack("<I", len(EROFS) // 4096 + 1))),
                (
                    f"the file system is cut off: its superblock says {len(EROFS) + 4096} bytes, "
                    f"there are {len(EROFS)}",
                ),
            ),
            Case("EROFS002", patch(EROFS, EROFS_MOTD + 4, b"\0\0"), ("/etc/motd: inode 128 is not in use",)),
            Case(
                "EROFS002",
                patch(EROFS, EROFS_MOTD, b"\x0b"),
                ("/etc/motd: erofs: the layout 5 of data is not read",),
            ),
            Case("EROFS003", patch(EROFS, 1028, b"bad!"), (AGAIN,)),
        ),
    ),
    "squashfs": SimpleNamespace(
        GOOD=SQUASHFS,
        CASES=(
            Case(
                "SQFS000",
                SQUASHFS[:95],
                ("squashfs: superblock: 96 bytes at offset 0x0 do not lie inside the 95 bytes given",),
            ),
            Case("SQFS000", bytes(96), ("squashfs: no superblock that is read: its magic is 00000000",)),
            Case(
                "SQFS000",
                patch(SQUASHFS, 28, b"\3"),
                ("squashfs: no superblock that is read: its version is 3.0, not 4.0",),
            ),
            Case(
                "SQFS000",
                patch(SQUASHFS, 12, b"\0\1"),
                ("squashfs: blocks of 256 bytes, 2^12, are not possible",),
            ),
            Case(
                "SQFS000",
                squashfs.squashfs(TREE, compressor=2),
                ("squashfs: the compressor lzma is not read",),
            ),
            Case(
                "SQFS001",
                patch(SQUASHFS, 40, struct.pack("<Q", len(SQUASHFS) + 1)),
                (
                    f"the file system is cut off: its superblock says {len(SQUASHFS) + 1} bytes, "
                    f"there are {len(SQUASHFS)}",
                ),
            ),
            Case(
                "SQFS002",
                patch(SQUASHFS, INODES, b"\x63"),
                ("/boot/vmlinuz: an inode is of the unknown kind 99",),
            ),
            Case(
                "SQFS002",
                patch(SQUASHFS, INODES + 4, b"\x05"),
                ("/boot/vmlinuz: an inode's owner is the id of number 5; there are 1",),
            ),
        ),
    ),
}
KIND_CASES = [(kind, case) for kind, table in TABLES.items() for case in table.CASES]


@pytest.mark.parametrize(("kind", "case"), KIND_CASES, ids=[name(case) for _, case in KIND_CASES])
def test_a_bad_file_system_is_told(kind: str, case: Case) -> None:
    assert told(found(kind, case.image)) == case.expected


@pytest.mark.parametrize("kind", TABLES)
def test_a_good_file_system_is_recognised_and_has_no_findings(kind: str) -> None:
    node = take_apart(TABLES[kind].GOOD, "root")
    assert node.kind is KINDS[kind]
    assert isinstance(node.artifact, FileSystem)
    assert node.all_findings() == []
    assert [child.name for child in node.children] == ["boot", "etc", "link", "boot/vmlinuz", "etc/motd"] or (
        kind == "squashfs"
    )


WITH_KERNELS = {
    "boot/": b"",
    "boot/vmlinuz-6.12": bzimage(),
    "boot/initrd.img": changed(),
    "boot/a.efi": uki(),
    "boot/efi.img": fat({"A": b"x"}),
    "boot/notes": bzimage(),
    "boot/kernel.txt": b"a text",
}


@pytest.mark.parametrize("make", [ext4.ext4, erofs.erofs, squashfs.squashfs])
def test_what_may_be_part_of_booting_is_looked_into(make: object) -> None:
    assert callable(make)
    # what is packed with lz4 in one block of a small EROFS has to be small
    files = WITH_KERNELS if make is not erofs.erofs else {**WITH_KERNELS, "boot/efi.img": b""}
    node = take_apart(make(files), "root")
    kinds = {child.name: child.kind.name if child.kind else "" for child in node.children}
    assert kinds["boot/vmlinuz-6.12"] == "bzimage"
    assert kinds["boot/initrd.img"] == "initramfs"
    assert kinds["boot/a.efi"] == "uki"
    assert kinds["boot/efi.img"] == ("" if make is erofs.erofs else "fat")
    assert kinds["boot/notes"] == kinds["boot/kernel.txt"] == ""


def test_facts_of_members() -> None:
    node = take_apart(EXT, "root")
    facts = {child.name: dict(child.member.facts) for child in node.children}
    assert facts["etc/motd"] == {"mode": "-rw-r--r--", "owner": "0:0", "mtime": 1_700_000_000}
    assert facts["link"]["target"] == "etc/motd"
    motd = node.child("etc/motd")
    assert motd
    assert motd.member.offset is not None
    assert EXT[motd.member.offset :][:6] == b"hello\n"
    packed = take_apart(SQUASHFS, "root").child("etc/motd")
    assert packed
    assert packed.member.offset is None
    assert bytes(packed.member.image) == b"hello\n"


def test_names_of_what_boots() -> None:
    for path in ("vmlinuz", "bzImage", "initrd.img-6.12", "x.EFI", "initramfs-linux.img", "intel-ucode.img"):
        assert filesystem.BOOTS.search(path), path
    for path in ("libfoo.so", "modules.dep", "kmod", "e1000.ko.xz"):
        assert not filesystem.BOOTS.search(path), path
