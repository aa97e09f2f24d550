"""For each format: one field changed, and the exact words for it."""

import gzip
import io
import struct
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import zstandard

from pipeline.compare.difference import first_difference
from tests.fixtures import patch
from tests.fixtures.bzimage import bzimage
from tests.fixtures.elf import elf
from tests.fixtures.fat import fat, layout
from tests.fixtures.gpt import SECTOR
from tests.fixtures.initramfs import INITTAB, members
from tests.fixtures.iso import iso
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.pe import PE_OFFSET, section_field
from tests.fixtures.uki import uki

Make = Callable[[], bytes]


@dataclass(frozen=True)
class Case:
    where: str
    a: Make
    b: Make


def flipped(where: str, make: Make, at: int | bytes, add: int = 0, bit: int = 1) -> Case:
    """One bit of one byte, `add` bytes after an offset or a mark."""

    def changed() -> bytes:
        image = make()
        offset = (image.index(at) if isinstance(at, bytes) else at) + add
        return patch(image, offset, bytes([image[offset] ^ bit]))

    return Case(where, make, changed)


def archive(*new: Raw, without: str = "") -> bytes:
    found = members() | {member.name: member for member in new}
    found.pop(without, None)
    return newc(sorted(found.values(), key=lambda member: member.name.split("/")))


def inittab(text: str = INITTAB, mtime: int = 1_700_000_000) -> bytes:
    return archive(Raw("etc/inittab", FILE, text.encode(), mtime=mtime))


def zstd(data: bytes, sized: bool = True) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=sized).compress(data)


def tar(mtime: int = 1, data: bytes = b"x", mode: int = 0o644, name: str = "a") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        for path in (name, "ä" * 120):
            info = tarfile.TarInfo(path)
            info.size, info.mtime, info.mode = len(data), mtime, mode
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar(mtime: int = 0, name: str = "lib.o/", data: bytes = b"abc\n") -> bytes:
    def member(name: str, data: bytes) -> bytes:
        return f"{name:<16}{mtime:<12}{0:<6}{0:<6}{'644':<8}{len(data):<10}`\n".encode() + data

    return b"!<arch>\n" + member("//", b"a-very-long-name.o/\n") + member(name, data)


def volume() -> bytes:
    return fat({"EFI/BOOT/BOOTX64.EFI": uki(), "B.TXT": b"b"})


def volume16() -> bytes:
    return fat({"A.TXT": b"text\n"}, kind="FAT16", clusters=5000)


def volume32() -> bytes:
    return fat({"A.TXT": b"text\n"}, kind="FAT32", clusters=66000)


def program() -> bytes:
    return elf(symbols=True)


def kernel(entry: int = 0x40, sized: bool = True) -> Make:
    return lambda: bzimage(payload=zstd(elf(entry=entry), sized) + bytes(4))


def with_symbols(code: bytes = bytes(8)) -> bytes:
    """An object file with two functions of four bytes."""
    names = b"\0.text\0.symtab\0.strtab\0first\0second\0"
    symbols = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", names.index(name), 2, 0, 1, start, 4)
        for name, start in ((b"first", 0), (b"second", 4))
    )
    table, start = b"", 64
    for name, kind, data, link in (
        (b"\0", 0, b"", 0),
        (b".text", 1, code, 0),
        (b".symtab", 2, symbols, 3),
        (b".strtab", 3, names, 0),
    ):
        table += struct.pack("<IIQQQQIIQQ", names.index(name), kind, 0, 0, start, len(data), link, 0, 1, 0)
        start += len(data)
    header = struct.pack("<HHIQQQIHHHHHH", 1, 0x3E, 1, 0, 0, start, 0, 64, 56, 0, 64, 4, 3)
    return b"\x7fELF\2\1\1".ljust(16, b"\0") + header + code + symbols + names + table


PLACE = layout("FAT12", 60)
PLACE16 = layout("FAT16", 5000)
PVD, BOOT = 16 * 2048, 17 * 2048
RECORD = "ISO 9660 directory /, directory record of efi.img"

CASES = [
    # cpio
    flipped("cpio member 'bin', field magic: '070701' and '170701'", archive, 0),
    flipped("cpio member 'bin', field ino: 1 and 0", archive, 13),
    flipped("cpio member 'bin', field mode: 0o40755 and 0o40754", archive, 21, bit=ord("d") ^ ord("c")),
    flipped("cpio member 'bin', field uid: 0 and 1", archive, 29),
    flipped("cpio member 'bin', field rdevminor: 0 and 1", archive, 93),
    flipped("cpio trailer, field mtime: 0 and 1", archive, b"TRAILER!!!", 53 - 110),
    flipped(
        "cpio member 'etc/inittab' (cpio member 'etc/inittac' in the second), "
        "field name: 'etc/inittab' and 'etc/inittac'",
        archive,
        b"etc/inittab",
        10,
    ),
    Case("cpio member 'etc/inittab', field mtime: 1700000000 and 7", inittab, lambda: inittab(mtime=7)),
    Case("cpio member 'etc/inittab' is in the first only", archive, lambda: archive(without="etc/inittab")),
    Case("cpio member 'etc/hosts' is in the second only", archive, lambda: archive(Raw("etc/hosts", FILE))),
    Case(
        "cpio member 'a', where the second has cpio member 'b'",
        lambda: newc([Raw("a", FILE), Raw("b", FILE)]),
        lambda: newc([Raw("b", FILE), Raw("a", FILE)]),
    ),
    Case(
        "cpio member 'etc/inittab', contents, line 3, column 25: 's' and 't'",
        inittab,
        lambda: inittab(INITTAB.replace("sysfs", "tmpfs")),
    ),
    Case(
        "cpio member 'etc/inittab', contents, line 1, column 3: 'w' and 'x'",
        lambda: inittab("# what"),
        lambda: inittab("# x"),
    ),
    Case("zeros after the cpio archive is in the second only", archive, lambda: archive() + bytes(4)),
    Case(
        "what follows the cpio archive, zstd frame, cpio member 'etc/inittab', field mtime: 1700000000 and 7",
        lambda: newc([]) + bytes(4) + zstd(inittab()),
        lambda: newc([]) + bytes(4) + zstd(inittab(mtime=7)),
    ),
    # what is packed
    Case(
        "zstd frame (what is packed is equal, how it is packed is not), "
        "field frame header descriptor: 0x60 and 0x0",
        lambda: zstd(archive()),
        lambda: zstd(archive(), sized=False),
    ),
    flipped("zstd frame, field magic: 28b52ffd and 29b52ffd", lambda: zstd(b"x"), 0),
    flipped("zstd frame, field frame content size: 1 and 0", lambda: zstd(b"x"), 5),
    Case(
        "what follows the zstd frame, byte 0x0: 00 and 01",
        lambda: zstd(b"x") + bytes(1),
        lambda: zstd(b"x") + b"\1",
    ),
    Case(
        "gzip stream (what is packed is equal, how it is packed is not), byte 0x4: 01 and 02",
        lambda: gzip.compress(b"hello", mtime=1),
        lambda: gzip.compress(b"hello", mtime=2),
    ),
    Case(
        "gzip stream, line 1, column 5: 'o' and 'O'",
        lambda: gzip.compress(b"hello", mtime=1),
        lambda: gzip.compress(b"hellO", mtime=1),
    ),
    # PE
    flipped("DOS header, byte 0x0: 4d and 4c", uki, 0),
    flipped("DOS header, field e_lfanew: 0x40 and 0x41", uki, 0x3C),
    flipped("PE header, field Machine: 0x8664 and 0x8665", uki, PE_OFFSET + 4),
    flipped("PE header, field TimeDateStamp: 0 and 1", uki, PE_OFFSET + 8),
    flipped("PE header, field CheckSum: 0x0 and 0x1", uki, PE_OFFSET + 24 + 64),
    flipped("PE header, field Subsystem: 10 and 11", uki, PE_OFFSET + 24 + 68),
    flipped("PE header, field Certificate Table size: 0x0 and 0x1", uki, PE_OFFSET + 24 + 112 + 36),
    Case(
        "PE section table, entry .osrel, field VirtualSize: 11 and 10",
        uki,
        lambda: patch(uki(), section_field(uki(), ".osrel", 8), b"\x0a"),
    ),
    Case(
        "PE section .osrel, line 1, column 4: 't' and 'x'",
        uki,
        lambda: uki({".osrel": b"ID=x\n"}),
    ),
    flipped("padding of PE section .osrel, byte 0x0: 00 and 01", uki, b"ID=truthdb\n", 11),
    flipped("data after the last PE section, byte 0x0: 00 and 01", lambda: uki() + bytes(8), len(uki())),
    # kernel
    flipped("kernel setup header, field setup_sects: 1 and 0", bzimage, 0x1F1),
    flipped("kernel setup header, field xloadflags: 0x7f and 0x7e", bzimage, 0x236),
    flipped(
        "kernel version text: '6.12.1-test (someone@somewhere) #1' and '7.12.1-test (someone@somewhere) #1'",
        bzimage,
        0x300,
    ),
    Case("kernel payload, zstd frame, ELF header, field e_entry: 0x40 and 0x41", kernel(), kernel(0x41)),
    Case(
        "kernel payload, zstd frame (what is packed is equal, how it is packed is not), "
        "field frame header descriptor: 0x60 and 0x0",
        kernel(),
        kernel(sized=False),
    ),
    # ELF
    flipped("ELF header, field e_machine: 0x3e and 0x3f", program, 18),
    flipped("ELF program header 0, field p_flags: 0x5 and 0x4", program, 0x44),
    flipped("ELF section header .symtab, field sh_type: 0x2 and 0x3", program, len(program()) - 60),
    Case(
        "ELF section .text, symbol second, byte 0x1: 00 and 01",
        with_symbols,
        lambda: with_symbols(bytes(5) + b"\1" + bytes(2)),
    ),
    # tar
    Case("tar member 'a', field mtime: 1 and 2", tar, lambda: tar(2)),
    Case("tar member 'a', field mode: 420 and 493", tar, lambda: tar(mode=0o755)),
    Case("tar member 'a', contents, line 1, column 1: 'x' and 'y'", tar, lambda: tar(data=b"y")),
    Case(
        "tar member 'a' (tar member 'b' in the second), field name: 'a' and 'b'", tar, lambda: tar(name="b")
    ),
    # ar
    Case("ar member '//', field mtime: 0 and 7", ar, lambda: ar(7)),
    Case("ar member 'lib.o', contents, line 1, column 2: 'b' and 'x'", ar, lambda: ar(data=b"axc\n")),
    Case(
        "ar member 'a-very-long-name.o', contents, line 1, column 2: 'b' and 'x'",
        lambda: ar(name="/0"),
        lambda: ar(name="/0", data=b"axc\n"),
    ),
    # FAT
    flipped("FAT boot sector, field OEM name: 'test' and 'uest'", volume, 3),
    flipped("FAT boot sector, field volume serial number: 0x1234abcd and 0x1234abcc", volume, 39),
    flipped("FAT boot sector, boot code, byte 0x0: 00 and 01", volume, 62),
    flipped(
        "FAT 1, entries 4 and 5 (of EFI/BOOT/BOOTX64.EFI): 0x005 0x006 and 0x004 0x006",
        volume,
        PLACE.table + 6,
    ),
    flipped(
        "FAT 2, entries 4 and 5 (of EFI/BOOT/BOOTX64.EFI): 0x005 0x006 and 0x004 0x006",
        volume,
        PLACE.table + PLACE.table_size + 6,
    ),
    flipped("FAT 1, entry 2 (of A.TXT): 0xffff and 0xfffe", volume16, PLACE16.table + 4),
    flipped("FAT 1, entry 9: free and 0x0001", volume16, PLACE16.table + 18),
    flipped(
        "FAT root directory, directory entry B.TXT, field attributes: 0x20 and 0x21",
        volume,
        b"B       TXT",
        11,
    ),
    flipped(
        "FAT root directory, directory entry EFI, field creation time: 22:13:20 and 22:13:22",
        volume,
        b"EFI        \x10",
        14,
    ),
    flipped(
        "FAT directory EFI/BOOT, directory entry EFI/BOOT/BOOTX64.EFI, "
        "field write date: 2023-11-14 and 2023-11-15",
        volume,
        b"BOOTX64 EFI",
        24,
    ),
    flipped(
        "FAT file EFI/BOOT/BOOTX64.EFI, PE section .osrel, line 1, column 1: 'I' and 'H'", volume, b"ID=tr"
    ),
    flipped("slack after the end of FAT file B.TXT, byte 0x0: 00 and 01", volume, b"b" + bytes(511), 1),
    flipped("FAT clusters, free cluster 61, byte 0x1ff: 00 and 01", volume, len(volume()) - 1),
    flipped("FAT boot sector, field version: 0x0 and 0x1", volume32, 42),
    flipped("FAT file A.TXT, line 1, column 1: 't' and 'u'", volume32, b"text\n"),
    # GPT
    flipped("MBR, partition record 1, field OS type: 0xee and 0xef", iso, 450),
    flipped("MBR, boot code, byte 0x0: 00 and 01", iso, 0),
    flipped("primary GPT header, field header CRC32: 0x3026f710 and 0x3026f711", iso, SECTOR + 16),
    flipped("primary GPT entries, entry 1, field partition name: 'EFI' and 'DFI'", iso, 2 * SECTOR + 56),
    flipped("backup GPT header, field first usable LBA: 34 and 35", iso, -SECTOR % len(iso()) + 40),
    flipped(
        "backup GPT entries, entry 2, field attributes: 0x0 and 0x1",
        iso,
        -33 * SECTOR % len(iso()) + 128 + 48,
    ),
    # ISO 9660 and El Torito
    flipped("ISO 9660 primary volume descriptor, field volume identifier: '' and '!'", iso, PVD + 40),
    flipped(
        "ISO 9660 primary volume descriptor, field volume creation date and time: "
        "'2023111422132000' and '3023111422132000'",
        iso,
        PVD + 813,
    ),
    flipped("El Torito boot record, field boot catalog's sector: 32 and 33", iso, BOOT + 71),
    flipped("El Torito boot catalog, validation entry, field platform: 0xef and 0xee", iso, 32 * 2048 + 1),
    flipped("El Torito boot catalog, initial entry, field load RBA: 33 and 32", iso, 32 * 2048 + 40),
    flipped(f"{RECORD}, field location (little-endian): 33 and 32", iso, b"EFI.IMG;1", 2 - 33),
    flipped(
        f"{RECORD}, field recording date and time: 2023-11-14 22:13:20+0min and 2022-11-14 22:13:20+0min",
        iso,
        b"EFI.IMG;1",
        18 - 33,
    ),
    flipped(f"{RECORD}, Rock Ridge NM: 'efi.img' and 'dfi.img'", iso, b"efi.img"),
    flipped(
        "ISO 9660 file efi.img, FAT boot sector, field OEM name: 'test' and 'uest'",
        iso,
        b"\xeb\x3c\x90test",
        3,
    ),
    flipped("ISO 9660 system area, byte 0x4200: 00 and 01", iso, 0x4400),
    # text, and bytes that mean nothing
    Case("line 2, column 1: 'b' and 'c'", lambda: b"a\nb\n", lambda: b"a\nc\n"),
    Case("line 2, column 2 is in the second only", lambda: b"a\nb", lambda: b"a\nbcd"),
    Case("line 1, column 2: 'ä' and 'x'", lambda: "aäb".encode(), lambda: b"axb"),
    Case("line 1 (ELF header in the second), column 1: '#' and '\\x7f'", lambda: b"#!/bin/sh\n", program),
    Case("byte 0x1: 01 and 02", lambda: b"\0\1", lambda: b"\0\2"),
    Case("0 and 1 bytes long", lambda: b"", lambda: b"\0"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.where[:70])
def test_the_structure_is_named(case: Case) -> None:
    found = first_difference(case.a(), case.b())
    assert found is not None
    assert found.where == case.where
