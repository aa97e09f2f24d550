"""Makes `efi.img`: a FAT file system just large enough for the UKI, without mounting anything.

Specification: Microsoft FAT (fatgen103, "FAT Type Determination"); UEFI 2.10, 13.3 (file system format)
and 3.5.1.1 (the path that firmware looks for on removable media).
"""

import hashlib
from dataclasses import dataclass

from pipeline.errors import PipelineError
from pipeline.steps.runner import Context

SECTOR = 512
SECTORS_PER_TRACK = 32  # mtools wants whole tracks; firmware does not care
FAT16_CLUSTERS = range(4085, 65525)
"""By the cluster rule a volume with fewer is FAT12, one with more FAT32; mkfs.vfat leaves some distance."""
MARGIN = 16
ROOT_ENTRIES = 512
ROOM = 64 * 1024
"""Bytes left free for an answer file, which people copy in (docs/unattended.md): the most it may have."""
FOLDERS = ("EFI", "EFI/BOOT")
BOOT_FILE = "EFI/BOOT/BOOTX64.EFI"
LABEL = "EFI"


@dataclass(frozen=True)
class Geometry:
    """A FAT16 volume: sizes in sectors of 512 bytes."""

    total: int
    cluster: int
    clusters: int


def geometry(file_size: int) -> Geometry:
    """Return the smallest FAT16 volume that holds a file of this many bytes in two folders, with ROOM left.

    FAT16 is what every firmware reads and what starts soonest; its least size, 2 MiB, is little.
    Raises PipelineError for a file that no FAT16 holds.
    """
    for cluster in (1, 2, 4, 8, 16, 32, 64):
        needed = sum(-(-size // (cluster * SECTOR)) for size in (file_size, ROOM)) + len(FOLDERS)
        clusters = max(needed, FAT16_CLUSTERS.start + MARGIN)
        if clusters < FAT16_CLUSTERS.stop - MARGIN - SECTORS_PER_TRACK:
            # Room in the FATs for what rounding up adds: a FAT that grows takes clusters from the file.
            fats = 2 * -(-((clusters + 2 + SECTORS_PER_TRACK) * 2) // SECTOR)
            total = cluster + fats + ROOT_ENTRIES * 32 // SECTOR + clusters * cluster
            return Geometry(-(-total // SECTORS_PER_TRACK) * SECTORS_PER_TRACK, cluster, clusters)
    raise PipelineError(
        f"the UKI has {file_size} bytes, more than a FAT16 image holds",
        "make kernel or initramfs smaller",
    )


def mkfs_argv(shape: Geometry, volume_id: str, image: str) -> list[str]:
    """Return the command that makes the empty file system; `volume_id` is 8 hex digits."""
    return [
        "mkfs.vfat",
        "--invariant",  # else times are the clock's
        f"-i{volume_id}",  # else it is the same in all images
        "-a",  # else FATs and root directory are rounded up to whole clusters, and the file may not fit
        "-F16",
        f"-s{shape.cluster}",
        f"-R{shape.cluster}",
        f"-r{ROOT_ENTRIES}",
        f"-n{LABEL}",
        "-C",
        image,
        str(shape.total * SECTOR // 1024),
    ]


def mtools_environment(epoch: int) -> dict[str, str]:
    """Return what makes mtools the same everywhere: no configuration, one time for all entries."""
    return {"MTOOLSRC": "/dev/null", "MTOOLS_SKIP_CHECK": "0", "SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC"}


def build(ctx: Context) -> None:
    """Make `efi.img` with the input `BOOTX64.EFI` as EFI/BOOT/BOOTX64.EFI."""
    uki = ctx.inputs["BOOTX64.EFI"]
    image = ctx.out / "efi.img"
    with uki.open("rb") as file:
        volume_id = hashlib.file_digest(file, "sha256").hexdigest()[:8]
    ctx.run(mkfs_argv(geometry(uki.stat().st_size), volume_id, str(image)))
    env = mtools_environment(ctx.params["epoch"])
    for folder in FOLDERS:
        ctx.run(["mmd", "-i", str(image), f"::{folder}"], env=env)
    ctx.run(["mcopy", "-i", str(image), str(uki), f"::{BOOT_FILE}"], env=env)
