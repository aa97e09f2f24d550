"""Owns the facts that matter of each kind of artifact, as JSON gives them.

Must not know how they are found, nor what is right or wrong. Sizes and offsets are bytes; what a name here
means stays for as long as the version of the format in `document` does.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class BootEntry:
    """An entry of El Torito's boot catalog; `size` is 0 where it does not say how much."""

    platform: str
    bootable: bool
    emulation: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition that begins inside the file, protective ones left out.

    `type` is a GUID in a GPT, and in an MBR a number such as 0xef.
    """

    table: Literal["GPT", "MBR"]
    number: int
    type: str
    label: str
    offset: int
    size: int
    active: bool


@dataclass(frozen=True, slots=True)
class IsoFacts:
    """Of an ISO 9660 image; `volume` is null where its file system cannot be read."""

    kind: Literal["iso"]
    volume: "Volume | None"
    boot_entries: list[BootEntry]
    disk_guid: str | None
    partitions: list[Partition]


@dataclass(frozen=True, slots=True)
class Volume:
    """An ISO 9660 file system; times are as they are recorded."""

    label: str
    size: int
    rock_ridge: bool
    joliet: bool
    created: str
    modified: str


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """Of a disk image with a partition table."""

    kind: Literal["disk"]
    sector_size: int
    disk_guid: str | None
    partitions: list[Partition]


@dataclass(frozen=True, slots=True)
class FatFacts:
    """Of a FAT file system."""

    kind: Literal["fat"]
    variant: Literal["FAT12", "FAT16", "FAT32"]
    label: str
    serial: str
    size: int
    free: int
    cluster_size: int
    sector_size: int


@dataclass(frozen=True, slots=True)
class PeSection:
    """A section of a PE image: where it lies in the file, and in memory."""

    name: str
    offset: int
    size: int
    address: int
    memory_size: int


@dataclass(frozen=True, slots=True)
class PeFacts:
    """Of an EFI program, a UKI too; `sbat` is the generation of each component that it declares."""

    kind: Literal["pe"]
    machine: str
    subsystem: int
    nx_compatible: bool
    timestamp: int
    sections: list[PeSection]
    signatures: list["PeSignature"]
    sbat: dict[str, int]


@dataclass(frozen=True, slots=True)
class PeSignature:
    """An Authenticode signature. Whether anybody trusts the issuer is not said.

    `covers_file` tells whether its digest is that of this file, `valid` whether the signer's key made it.
    """

    subject: str
    issuer: str
    digest: str
    covers_file: bool
    valid: bool
    not_before: str
    not_after: str


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """Of a Linux kernel for x86; what its boot header says is null where it has none."""

    kind: Literal["kernel"]
    version: str | None
    protocol: str | None
    relocatable: bool | None
    is_64_bit: bool | None
    compression: str | None
    banner: str | None
    config_embedded: bool
    efi_stub: bool


@dataclass(frozen=True, slots=True)
class CmdlineFacts:
    """Of a kernel command line; `parameters` are pairs of name and value, up to `--`."""

    kind: Literal["cmdline"]
    text: str
    parameters: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class InitramfsFacts:
    """Of an initramfs: of the archives in a row, as they lie in the file, and of all their members."""

    kind: Literal["initramfs"]
    members: int
    archives: list["Archive"]


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive as it stands in an initramfs; `compression` is "" for one that is not packed.

    `early` tells whether Linux looks into it before anything else, for microcode and ACPI tables.
    """

    offset: int
    size: int
    compression: str
    unpacked_size: int
    members: int
    early: bool


@dataclass(frozen=True, slots=True)
class PackedFacts:
    """Of a packed file that is no initramfs; `trailing` bytes follow what is packed."""

    kind: Literal["packed"]
    compression: str
    size: int
    unpacked_size: int
    trailing: int


@dataclass(frozen=True, slots=True)
class InittabFacts:
    """Of a BusyBox inittab: what it starts."""

    kind: Literal["inittab"]
    lines: list["InittabLine"]


@dataclass(frozen=True, slots=True)
class InittabLine:
    """A line of an inittab."""

    number: int
    action: str
    command: str


@dataclass(frozen=True, slots=True)
class ElfFacts:
    """Of an ELF file."""

    kind: Literal["elf"]
    machine: str
    bits: int
    type: str
    static: bool
    stripped: bool
    interpreter: str | None
    needed: list[str]


Facts = (
    IsoFacts
    | DiskFacts
    | FatFacts
    | PeFacts
    | KernelFacts
    | CmdlineFacts
    | InitramfsFacts
    | PackedFacts
    | InittabFacts
    | ElfFacts
)
