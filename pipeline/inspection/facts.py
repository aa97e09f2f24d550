"""The facts that matter of each kind of artifact, as JSON gives them.

Sizes and offsets are bytes; what a name means stays as long as the version of the format in `document` does.
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
    """Of an ISO 9660 image; `volume` is null where its file system cannot be read.

    `udf` is the name of the UDF volume that it is, too, null without one.
    """

    kind: Literal["iso"]
    volume: "Volume | None"
    boot_entries: list[BootEntry]
    disk_guid: str | None
    partitions: list[Partition]
    udf: str | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """An ISO 9660 file system; times are as recorded."""

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
class FilesystemFacts:
    """Of ext2, ext3, ext4, EROFS or squashfs: what its superblock says, and how many names there are in it.

    Times are in seconds since 1970; they, and `uuid`, are null where it has none. `compression` is empty
    where nothing may be packed.
    """

    kind: Literal["filesystem"]
    variant: Literal["ext2", "ext3", "ext4", "erofs", "squashfs"]
    label: str
    uuid: str | None
    size: int
    block_size: int
    created: int | None
    written: int | None
    features: list[str]
    compression: list[str]
    names: int


@dataclass(frozen=True, slots=True)
class UkiProfile:
    """What systemd-stub takes in one profile of a UKI; `number` is null for the whole of one that has none.

    `sections` has, by what sections are called for the stub, the names of the parts of the UKI that count: a
    second `.cmdline` is the part `.cmdline (2)`. `pcr11` has, in hex, by bank and by the phases until then,
    what PCR 11 is where the stub chooses none of several device trees.
    """

    number: int | None
    id: str
    title: str
    sections: dict[str, list[str]]
    pcr11: dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class DevicetreeFacts:
    """Of a device tree: for which machine it is, the most specific name first."""

    kind: Literal["devicetree"]
    model: str
    compatible: list[str]


@dataclass(frozen=True, slots=True)
class HwidsFacts:
    """Of hardware ids: what a UKI has for which machine."""

    kind: Literal["hwids"]
    devices: list["HwidsDevice"]


@dataclass(frozen=True, slots=True)
class HwidsDevice:
    """A machine; `chooses` is the compatible of a device tree there, or the id of a firmware."""

    type: str
    chid: str
    name: str
    chooses: str


@dataclass(frozen=True, slots=True)
class PcrsigFacts:
    """Of signed PCR policies."""

    kind: Literal["pcrsig"]
    policies: list["PcrPolicy"]


@dataclass(frozen=True, slots=True)
class PcrPolicy:
    """A policy for some PCRs: its digest, and the fingerprint of the key that signed it, in hex."""

    bank: str
    pcrs: list[int]
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """Of the description of a UKI's profile."""

    kind: Literal["profile"]
    id: str
    title: str


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
    """Of an EFI program, a UKI too; `sbat` is the generation of each component that it declares.

    `profiles` is empty for what is no UKI.
    """

    kind: Literal["pe"]
    machine: str
    subsystem: int
    nx_compatible: bool
    timestamp: int
    sections: list[PeSection]
    signatures: list["PeSignature"]
    sbat: dict[str, int]
    profiles: list[UkiProfile]


@dataclass(frozen=True, slots=True)
class PeSignature:
    """An Authenticode signature. Whether anybody trusts the issuer is not said.

    `covers_file` tells whether its digest is that of this file, `valid` whether the signer's key made it,
    `fault` why firmware does not take it, "" for one that is right.
    """

    subject: str
    issuer: str
    digest: str
    covers_file: bool
    valid: bool
    fault: str
    not_before: str
    not_after: str


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """Of a Linux kernel for x86; what its boot header says is null where it has none.

    `signatures` are its own: inside a UKI nobody asks for them.
    """

    kind: Literal["kernel"]
    version: str | None
    protocol: str | None
    relocatable: bool | None
    is_64_bit: bool | None
    compression: str | None
    banner: str | None
    config_embedded: bool
    efi_stub: bool
    signatures: list["PeSignature"]


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
    """An archive as it stands in an initramfs; `compression` is "" for an uncompressed one.

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
class VirtualDiskFacts:
    """Of a disk image in the format of a hypervisor.

    `variant` is what the format calls it, such as `fixed`, `streamOptimized` or `version 3`; `identifier` the
    UUID or content ID that it has, "" without one. `elsewhere` says what of it is not in the file.
    """

    kind: Literal["qcow2", "vhd", "vmdk"]
    variant: str
    virtual_size: int
    block_size: int
    identifier: str
    elsewhere: str


@dataclass(frozen=True, slots=True)
class OvaFacts:
    """Of an OVA: the ids of its virtual machines, and the files in which their disks are."""

    kind: Literal["ova"]
    systems: list[str]
    disks: list[str]
    manifest: bool


@dataclass(frozen=True, slots=True)
class GceFacts:
    """Of a tar with a raw disk: the names in it."""

    kind: Literal["gce"]
    files: list[str]


@dataclass(frozen=True, slots=True)
class VerityFacts:
    """Of a tree of dm-verity; `salt` and `root_hash` are hex.

    `root_hash` is computed, and null where the tree is cut off, or has no level as the data is one block.
    """

    kind: Literal["verity"]
    uuid: str
    algorithm: str
    data_block_size: int
    hash_block_size: int
    data_blocks: int
    salt: str
    root_hash: str | None


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
    | FilesystemFacts
    | PeFacts
    | KernelFacts
    | CmdlineFacts
    | InitramfsFacts
    | PackedFacts
    | VirtualDiskFacts
    | OvaFacts
    | GceFacts
    | VerityFacts
    | InittabFacts
    | ElfFacts
    | DevicetreeFacts
    | HwidsFacts
    | PcrsigFacts
    | ProfileFacts
)
