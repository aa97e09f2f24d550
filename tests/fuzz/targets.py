"""What is fuzzed: each reader and rule, given any bytes, answers or raises FormatError."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from uuid import UUID

import zstandard

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import POLICIES
from pipeline.compare.difference import first_difference
from pipeline.errors import FormatError, PipelineError
from pipeline.formats import (
    authenticode,
    bzimage,
    compression,
    cpio_reader,
    devicetree,
    elf,
    eltorito,
    erofs,
    ext4,
    fat,
    fat_directory,
    gpt,
    hwids,
    ikconfig,
    initramfs,
    iso9660,
    iso9660_directory,
    pcr,
    pe,
    sbat,
    squashfs,
    superblock,
    tar_reader,
    verity,
)
from pipeline.formats.budget import Spent
from pipeline.formats.discoverable import ROOT, ROOT_VERITY, VAR
from pipeline.formats.fields import chunks
from pipeline.formats.filesystem import FileSystem
from pipeline.formats.magic import describe
from pipeline.release.audit import read_audit
from pipeline.release.diff.changes import compare
from pipeline.release.diff.image_parts import image_side
from pipeline.release.diff.wording import markdown
from tests.fixtures.bzimage import bzimage as make_bzimage
from tests.fixtures.bzimage import vmlinux
from tests.fixtures.devicetree import dtb
from tests.fixtures.devicetree import hwids as make_hwids
from tests.fixtures.disk import Part
from tests.fixtures.disk import disk as make_disk
from tests.fixtures.elf import elf as make_elf
from tests.fixtures.erofs import erofs as make_erofs
from tests.fixtures.ext4 import ext4 as make_ext4
from tests.fixtures.fat import fat as make_fat
from tests.fixtures.gpt import with_gpt
from tests.fixtures.initramfs import INITTAB, changed, members
from tests.fixtures.iso import iso
from tests.fixtures.newc import newc
from tests.fixtures.packed import lz4_legacy
from tests.fixtures.pcrsig import EC_KEY, pcrsig, public
from tests.fixtures.root import root
from tests.fixtures.signed import EC, RSA, signed
from tests.fixtures.squashfs import squashfs as make_squashfs
from tests.fixtures.uki import CMDLINE, SBAT, uki
from tests.fixtures.verity import DATA as VERIFIED
from tests.fixtures.verity import erofs as erofs_head
from tests.fixtures.verity import ext4 as ext4_head
from tests.fixtures.verity import squashfs as squashfs_head
from tests.fixtures.verity import verity as make_verity
from tests.fixtures.versions import PROGRAM, new
from tests.fuzz.oracle import looked_at

REGRESSIONS = Path(__file__).parent / "regressions"
"""Inputs that once broke a target, one folder a target."""


@dataclass(frozen=True)
class Target:
    """Something that takes bytes, and what it is first tried on."""

    read: Callable[[bytes], object]
    make_seeds: Callable[[], list[bytes]]

    def answer(self, data: bytes) -> None:
        """Give it bytes; FormatError is an answer, any other exception a defect."""
        with suppress(FormatError):
            self.read(data)

    def seeds(self) -> list[bytes]:
        """Return good inputs, of which mutations are made."""
        return self.make_seeds()


def _read_cpio(data: bytes) -> None:
    for entry in cpio_reader.read_run(data, 0, 1000).entries:
        bytes(entry.data)


def _read_fat(data: bytes) -> None:
    volume = fat.read_volume(data)
    table = fat.read_table(volume)
    for entry in fat_directory.walk(volume, table):
        if not entry.is_directory:
            for _ in chunks(fat_directory.read_file(volume, table, entry)):
                pass


def _read_gpt(data: bytes) -> None:
    with suppress(FormatError):
        gpt.read_mbr(data)
    gpt.read_table(data, 1)


def _inspected(kind: str) -> Callable[[bytes], object]:
    return lambda data: take_apart(data, "input", kind, tuple(POLICIES)).all_findings()


def _make_fats() -> list[bytes]:
    files = {"EFI/BOOT/BOOTX64.EFI": b"MZ" + bytes(3000), "a long name.txt": b"x"}
    return [make_fat(files), make_fat(files, kind="FAT32", clusters=100)]


def _unpacked(data: bytes) -> None:
    contents, _ = compression.decompress(data, 1 << 22)
    for _ in chunks(contents):
        pass


def _read_iso(data: bytes) -> None:
    found = iso9660.read_iso9660(data)
    for member in found.members[:100]:
        iso9660_directory.contents(data, member)
    iso9660.has_udf(data)


def _read_verity(data: bytes) -> None:
    """A tree in front of the data that it may be of."""
    found = verity.read_verity(data)
    rest = data[min(found.size, len(data)) :]
    verity.root_hash(found, data, rest)
    list(verity.tree_faults(found, data))
    verity.data_fault(found, data, rest)


def _file_systems() -> list[bytes]:
    return [
        ext4_head(),
        ext4_head(high=1),
        erofs_head(),
        squashfs_head(),
        make_verity()[0],
        make_fat({"A": b"x"}),
    ]


def _verified_disk() -> bytes:
    tree, root = make_verity()
    first, last = UUID(bytes=root[:16]), UUID(bytes=root[-16:])
    return make_disk(
        [Part(VERIFIED, ROOT, guid=first), Part(tree, ROOT_VERITY, guid=last), Part(ext4_head(), VAR)]
    )


def _files_read(read: Callable[[bytes], FileSystem]) -> Callable[[bytes], None]:
    """Read a file system, and what is in its files, each as far as it can be."""

    def files(data: bytes) -> None:
        for file in read(data).files[:100]:
            with suppress(FormatError):
                for chunk in islice(chunks(file.inode.data), 8):
                    assert chunk

    return files


def _read_signatures(data: bytes) -> None:
    authenticode.read_signatures(pe.read_pe(data))


def _compared(data: bytes) -> None:
    """Half of the input against the other half."""
    first_difference(data[: len(data) // 2], data[len(data) // 2 :])


def _packed() -> list[bytes]:
    data = b"what is packed " * 50
    return [
        gzip.compress(data, mtime=0),
        bz2.compress(data),
        lzma.compress(data),
        lzma.compress(data, lzma.FORMAT_ALONE),
        zstandard.compress(data),
        lz4_legacy(data),
    ]


def _archives() -> list[bytes]:
    plain = newc(members().values())
    return [plain, changed(), plain + gzip.compress(plain, mtime=0)]


TREE = {"boot/": b"", "boot/vmlinuz": b"kernel %d\n" * 2000, "motd": b"hello", "link->motd": b""}
HWIDS = make_hwids((1, "da1da34f-f6b1-5b0f-9c4d-6f7a7a0f7f0a", "Board", "acme,board"))
MORE = [
    (".dtbauto", dtb("Board", ["acme,board"])),
    (".hwids", HWIDS),
    (".pcrpkey", public(EC_KEY)),
    (".profile", b"ID=main"),
    (".profile", b"ID=other"),
    (".cmdline", CMDLINE),
    (".pcrsig", pcrsig([bytes(32)])),
]


def _told(image: bytes) -> None:
    """Tell what an image is made of, and that it is what it is."""
    with suppress(Spent, PipelineError):
        side = image_side(image, "x")
        markdown(compare(None, side))
        assert compare(side, side).same


TARGETS = {
    "magic": Target(describe, lambda: [make_elf(), uki(), iso(), changed()]),
    "compression": Target(_unpacked, _packed),
    "cpio": Target(_read_cpio, lambda: [newc(members().values())]),
    "initramfs": Target(partial(initramfs.read_initramfs, limit=1 << 26), _archives),
    "tar": Target(tar_reader.read, lambda: [root()]),
    "root rules": Target(_inspected("root"), lambda: [root()]),
    "fat": Target(_read_fat, _make_fats),
    "gpt": Target(_read_gpt, lambda: [with_gpt(bytes(100 * 512), 40, 50)]),
    "superblock": Target(superblock.read_superblock, _file_systems),
    "verity": Target(
        _read_verity, lambda: [make_verity()[0] + VERIFIED, make_verity(VERIFIED[:4096])[0] + VERIFIED[:4096]]
    ),
    "eltorito": Target(eltorito.read_catalog, lambda: [iso()]),
    "iso9660": Target(_read_iso, lambda: [iso(), iso(rock_ridge=False), iso(joliet=False)]),
    "ext4": Target(_files_read(ext4.read_ext4), lambda: [make_ext4(TREE), make_ext4(TREE, incompat=0x8042)]),
    "erofs": Target(
        _files_read(erofs.read_erofs), lambda: [make_erofs(TREE), make_erofs(TREE, is_packed=False)]
    ),
    "squashfs": Target(_files_read(squashfs.read_squashfs), lambda: [make_squashfs(TREE)]),
    "pe": Target(pe.read_pe, lambda: [uki(), make_bzimage()]),
    "authenticode": Target(_read_signatures, lambda: [signed(RSA), signed(RSA, EC)]),
    "devicetree": Target(devicetree.read_devicetree, lambda: [dtb("Board", ["acme,board"])]),
    "hwids": Target(hwids.read_hwids, lambda: [HWIDS]),
    "pcrsig": Target(pcr.read_policies, lambda: [pcrsig([bytes(32)])]),
    "sbat": Target(sbat.read_sbat, lambda: [SBAT]),
    "bzimage": Target(bzimage.read_bzimage, lambda: [make_bzimage()]),
    "ikconfig": Target(ikconfig.read_config, lambda: [vmlinux()]),
    "elf": Target(elf.read_elf, lambda: [make_elf(), make_elf(interpreter="/ld.so", needed=("c.so",))]),
    "inittab": Target(_inspected("inittab"), lambda: [INITTAB.encode()]),
    "cmdline": Target(_inspected("cmdline"), lambda: [CMDLINE]),
    "efi rules": Target(_inspected("efi"), lambda: [signed(RSA)]),
    "uki rules": Target(_inspected("uki"), lambda: [uki(), uki(more=MORE)]),
    "iso rules": Target(_inspected("iso"), lambda: [iso()]),
    "disk rules": Target(_inspected("disk"), lambda: [with_gpt(bytes(100 * 512), 40, 50), _verified_disk()]),
    "compare": Target(_compared, lambda: [2 * uki(), 2 * newc(members().values()), 2 * make_elf()]),
    "audit": Target(read_audit, lambda: [PROGRAM]),
    "diff": Target(_told, lambda: [new(), uki(), changed()]),
    "inspect": Target(looked_at, lambda: [iso(), uki(), changed(), make_elf()]),
}


def inputs(name: str) -> Iterator[bytes]:
    """Yield a target's seeds, and what once broke it."""
    yield from TARGETS[name].seeds()
    for path in sorted((REGRESSIONS / name).glob("*")):
        yield path.read_bytes()
