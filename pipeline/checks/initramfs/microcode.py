"""Early microcode: which of it Linux finds in an initramfs, and why it passes over the rest.

Specification: Linux 6.12, lib/earlycpio.c (`find_cpio_data`), arch/x86/kernel/cpu/microcode/intel.c
(`scan_microcode`) and amd.c, Documentation/arch/x86/microcode.rst; Intel SDM, volume 3, §11.11 (the data
lie on a multiple of 16)
"""

import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.initramfs.read import Initramfs
from pipeline.formats.budget import STEPS
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of
from pipeline.formats.initramfs import Segment
from pipeline.formats.tree import plain

FOLDER = "kernel/x86/microcode/"
VENDORS = {"GenuineIntel.bin": "Intel", "AuthenticAMD.bin": "AMD"}

INTEL_HEADER, INTEL_DEFAULT = 48, 2048  # bytes
AMD_MAGIC = b"DMA\0"
ALIGNMENT = 16  # bytes, that Intel asks for

IN_FRONT = "put it in front of all else, and do not pack it: `cat UCODE INITRAMFS > NEW`"
NAMES = "name it from the top: `find kernel -print0 | sort -z | cpio -0 -o -H newc > UCODE`"


@dataclass(frozen=True, slots=True)
class Early:
    """Microcode where Linux looks for it; `offset` is where its data begin, in bytes of the initramfs."""

    name: str
    offset: int
    entry: Entry

    @property
    def is_aligned(self) -> bool:
        """Whether it lies as Intel asks for; Linux takes it as it lies, and AMD does not mind."""
        return self.name.startswith("Authentic") or self.offset % ALIGNMENT == 0


def early_microcode(initramfs: Initramfs) -> Mapping[str, Early]:
    """Return what Linux finds, by vendor: the first file of that name, in front of what is packed."""
    early: dict[str, Early] = {}
    for segment, entry in _files(initramfs):
        for name, vendor in VENDORS.items():
            if segment.is_first and entry.name.startswith(FOLDER + name) and not entry.missing:
                early.setdefault(vendor, Early(name, segment.offset + entry.start, entry))
    return early


def _files(initramfs: Initramfs) -> Iterator[tuple[Segment, Entry]]:
    for segment in initramfs.segments:
        for entry in segment.entries:
            if stat.S_ISREG(entry.mode):
                yield segment, entry


rule = Rules[Initramfs]()


@rule(
    "CPIO020",
    "Linux finds the microcode that is in it",
    severity=Severity.WARNING,
    spec="Linux, lib/earlycpio.c and Documentation/arch/x86/microcode.rst",
    fix="put it in front, not packed, as kernel/x86/microcode/GenuineIntel.bin or AuthenticAMD.bin",
)
def microcode_is_found(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux looks for it by its whole name, in what stands in front and is not packed, and says nothing."""
    early = early_microcode(initramfs)
    for vendor, one in early.items():
        wrong = (_intel if vendor == "Intel" else _amd)(one.entry.data)
        if wrong:
            yield f"{one.entry.name!r} is not microcode that Linux accepts: {wrong}", "copy the file again"
    told: set[str] = set()
    for segment, entry in _files(initramfs):
        name = plain(entry.name)
        if not name.startswith(FOLDER):
            continue
        vendor = VENDORS.get(name.removeprefix(FOLDER), "")
        if vendor in told or vendor in early or (not vendor and early):
            continue
        told.add(vendor)
        yield _passed_over(segment, entry, vendor)


def _passed_over(segment: Segment, entry: Entry, vendor: str) -> Fault:
    if not vendor:
        names = " and ".join(VENDORS)
        return f"no processor's microcode is called {entry.name!r}: Linux looks for {names}", NAMES
    what = f"the microcode {entry.name!r} is not found"
    if segment.compression:
        return f"{what}: it is packed with {segment.compression}, and Linux looks before it unpacks", IN_FRONT
    if not segment.is_first:
        return f"{what}: it lies behind what is packed, and Linux looks no further", IN_FRONT
    if entry.missing:
        return f"{what}: the archive ends {entry.missing} bytes before it does", "make the archive again"
    return f"{what}: Linux looks for the name {plain(entry.name)!r}", NAMES


def _intel(data: Image) -> str:
    """Return what is wrong with updates in a row, which have to fill the file (`scan_microcode`)."""
    at = 0
    while len(data) - at >= INTEL_HEADER:
        budget_of(data).spend(STEPS)
        version, loader, size, total = struct.unpack_from("<I16xI4xII", bytes(data[at : at + INTEL_HEADER]))
        total = total if size else INTEL_DEFAULT
        if (version, loader) != (1, 1) or not INTEL_HEADER <= total <= len(data) - at:
            return f"there is no update of Intel at offset {at:#x}"
        at += total
    return f"{len(data) - at} bytes are left over behind its updates" if at < len(data) or not at else ""


def _amd(data: Image) -> str:
    return "" if bytes(data[:4]) == AMD_MAGIC else "it does not start as AMD's containers do"
