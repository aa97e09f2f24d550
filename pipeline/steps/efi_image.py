"""Makes `efi.img`: a FAT file system just large enough for what is started, without mounting anything.

Specification: Microsoft FAT (fatgen103, "FAT Type Determination"); UEFI 2.10, 13.3 (file system format)
and 3.5.1.1 (the path that firmware looks for on removable media).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
PROGRAM = "BOOTX64.EFI"
"""The input that firmware starts."""

BESIDES = "besides"
"""Below which inputs there are that lie beside it, each at its path; they are not always there."""

KEYS = "keys"
"""The input with public keys, which firmware's menus and MokManager look for in a folder of this name."""

FOR_MENUS = re.compile(r"(PK|KEK|dbx?(-[^.]+)?)\.(auth|cer|esl)")
"""Files of keys that go onto media: none that takes a key away again, and no certificate that is revoked."""

ENTRIES = 3  # of 32 bytes, that a key's name may take in a folder, as a long one (fatgen103, §7)
LABEL = "EFI"


@dataclass(frozen=True)
class Geometry:
    """A FAT16 volume: sizes in sectors of 512 bytes."""

    total: int
    cluster: int
    clusters: int


def geometry(*sizes: int) -> Geometry:
    """Return the smallest FAT16 volume that holds files of so many bytes in two folders, with ROOM left.

    FAT16 is what every firmware reads and what starts soonest; its least size, 2 MiB, is little.
    Raises PipelineError for a file that no FAT16 holds.
    """
    for cluster in (1, 2, 4, 8, 16, 32, 64):
        needed = sum(-(-size // (cluster * SECTOR)) for size in (*sizes, ROOM)) + len(FOLDERS)
        clusters = max(needed, FAT16_CLUSTERS.start + MARGIN)
        if clusters < FAT16_CLUSTERS.stop - MARGIN - SECTORS_PER_TRACK:
            # Room in the FATs for what rounding up adds: a FAT that grows takes clusters from the file.
            fats = 2 * -(-((clusters + 2 + SECTORS_PER_TRACK) * 2) // SECTOR)
            total = cluster + fats + ROOT_ENTRIES * 32 // SECTOR + clusters * cluster
            return Geometry(-(-total // SECTORS_PER_TRACK) * SECTORS_PER_TRACK, cluster, clusters)
    raise PipelineError(
        f"the UKI has {max(sizes)} bytes, more than a FAT16 image holds",
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


def contents(inputs: Mapping[str, Path]) -> dict[str, Path]:
    """Return the files by their paths in the volume, what firmware starts first."""
    found = {BOOT_FILE: inputs[PROGRAM]}
    if BESIDES in inputs:
        beside = sorted(path for path in inputs[BESIDES].rglob("*") if path.is_file())
        found |= {path.relative_to(inputs[BESIDES]).as_posix(): path for path in beside}
    if KEYS in inputs:
        keys = sorted(path for path in inputs[KEYS].iterdir() if FOR_MENUS.fullmatch(path.name))
        found |= {f"{KEYS}/{path.name}": path for path in keys}
    return found


def build(ctx: Context) -> None:
    """Make `efi.img` with the input PROGRAM as EFI/BOOT/BOOTX64.EFI, those of BESIDES, and KEYS."""
    files = contents(ctx.inputs)
    image = ctx.out / "efi.img"
    digest = hashlib.sha256()
    for path in files.values():
        digest.update(path.read_bytes())
    keys = [path for path in files if path.startswith(f"{KEYS}/")]
    sizes = [path.stat().st_size for path in files.values()]
    shape = geometry(*sizes, *([32 * ENTRIES * (len(keys) + 1)] if keys else []))
    ctx.run(mkfs_argv(shape, digest.hexdigest()[:8], str(image)))
    env = mtools_environment(ctx.params["epoch"])
    for folder in (*FOLDERS, *([KEYS] if keys else [])):
        ctx.run(["mmd", "-i", str(image), f"::{folder}"], env=env)
    for name, path in files.items():
        ctx.run(["mcopy", "-i", str(image), str(path), f"::{name}"], env=env)
