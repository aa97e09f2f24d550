"""What is fuzzed: each reader and rule, given any bytes, answers or raises FormatError."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.checks.catalog import take_apart
from pipeline.errors import FormatError
from pipeline.formats import (
    bzimage,
    cpio_reader,
    elf,
    eltorito,
    fat,
    fat_directory,
    gpt,
    iso9660,
    pe,
)
from pipeline.formats.fields import chunks
from pipeline.formats.magic import describe
from tests.fixtures.bzimage import bzimage as make_bzimage
from tests.fixtures.elf import elf as make_elf
from tests.fixtures.fat import fat as make_fat
from tests.fixtures.gpt import with_gpt
from tests.fixtures.initramfs import INITTAB, changed, members
from tests.fixtures.iso import iso
from tests.fixtures.newc import newc
from tests.fixtures.uki import CMDLINE, uki

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
    for entry in cpio_reader.read(data):
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
    return lambda data: take_apart(data, "input", kind, house=True).all_findings()


def _make_fats() -> list[bytes]:
    files = {"EFI/BOOT/BOOTX64.EFI": b"MZ" + bytes(3000), "a long name.txt": b"x"}
    return [make_fat(files), make_fat(files, kind="FAT32", clusters=100)]


TARGETS = {
    "magic": Target(describe, lambda: [make_elf(), uki(), iso(), changed()]),
    "cpio": Target(_read_cpio, lambda: [newc(members().values())]),
    "fat": Target(_read_fat, _make_fats),
    "gpt": Target(_read_gpt, lambda: [with_gpt(bytes(100 * 512), 40, 50)]),
    "eltorito": Target(eltorito.read_catalog, lambda: [iso()]),
    "iso9660": Target(iso9660.read_iso9660, lambda: [iso(), iso(rock_ridge=False), iso(joliet=False)]),
    "pe": Target(pe.read_pe, lambda: [uki(), make_bzimage()]),
    "bzimage": Target(bzimage.read_bzimage, lambda: [make_bzimage()]),
    "elf": Target(
        elf.read_elf, lambda: [make_elf(), make_elf(interpreter="/lib/ld.so", needed=("libc.so",))]
    ),
    "inittab": Target(_inspected("inittab"), lambda: [INITTAB.encode()]),
    "cmdline": Target(_inspected("cmdline"), lambda: [CMDLINE]),
    "uki": Target(_inspected("uki"), lambda: [uki()]),
    "iso": Target(_inspected("iso"), lambda: [iso()]),
}


def inputs(name: str) -> Iterator[bytes]:
    """Yield a target's seeds, and what once broke it."""
    yield from TARGETS[name].seeds()
    for path in sorted((REGRESSIONS / name).glob("*")):
        yield path.read_bytes()
