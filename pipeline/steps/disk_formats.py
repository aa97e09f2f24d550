"""Makes of one raw disk the formats that hypervisors and clouds take, the same bytes from the same disk.

No format gets a time or a random number: what has to be unique derives from the disk's SHA-256. What is no
whole number of MiB or GiB, where a format asks for that, gets zeros behind it and its backup GPT there.

Specifications: QEMU, docs/interop/qcow2.txt; Microsoft, VHD 1.0 and Azure's "Prepare a Linux VHD"; VMware,
Virtual Disk Format 5.0; DMTF DSP0243 1.1 (OVF); Google Cloud, "Manually import boot disks"
"""

import gzip
import hashlib
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.formats.holes import copy_data
from pipeline.formats.sparse_tar import write_tar
from pipeline.formats.vhd import fixed_footer
from pipeline.formats.vmdk_writer import write_vmdk
from pipeline.steps.ova import Machine, write_ova
from pipeline.steps.runner import Context

DISK = "disk.raw"
"""The input, and what Compute Engine wants the file in the tar to be called."""

NAMESPACE = uuid.UUID("6d4c1b0a-4f0c-5c1e-9a53-7c1c0d7f2b8e")
"""For identifiers that derive from a disk's content (RFC 9562, section 5.5)."""

SECTOR = 512
MIB, GIB = 1 << 20, 1 << 30
ALIGNED = {"vhd": MIB, "vmdk": MIB, "ova": MIB, "gce": GIB}
"""Of what a disk has to be a whole number in a format, in bytes; sectors in others."""

ZSTD_LEVEL = 12


def zstd_argv(disk: str, output: str) -> list[str]:
    """Return the command that packs the disk; its threads are as many as there are, and change no byte."""
    return ["zstd", "-T0", f"-{ZSTD_LEVEL}", "--no-progress", "-q", "-f", disk, "-o", output]


def qcow2_argv(disk: str, output: str) -> list[str]:
    """Return the command that makes a qcow2 of version 3, packed by deflate, which any reader knows."""
    return [
        "qemu-img",
        "convert",
        "-f",  # else the format is guessed from the content
        "raw",
        "-O",
        "qcow2",
        "-m",
        "1",  # one cluster after the other, in the order of the disk
        "-c",
        "-o",
        "compat=1.1,compression_type=zlib,cluster_size=65536,lazy_refcounts=off",
        disk,
        output,
    ]


def relocate_argv(disk: str) -> list[str]:
    """Return the command that moves the backup GPT to the end of a disk that has grown."""
    return ["sfdisk", "--no-reread", "--no-tell-kernel", "--relocate", "gpt-bak-std", disk]


def build(ctx: Context) -> None:
    """Make each of `params.outputs`, a table of format and file name, of the input `disk.raw`.

    Formats are raw, raw.zst, qcow2, vhd, vmdk, ova and gce; `params.machine` has the fields of a `Machine`,
    for an OVA. Raises PipelineError for a format that is unknown, and for a disk that is empty or no whole
    number of sectors.
    """
    outputs: Mapping[str, str] = ctx.params["outputs"]
    source = ctx.inputs[DISK]
    size = source.stat().st_size
    if unknown := sorted(outputs.keys() - MAKERS.keys()):
        raise PipelineError(f"disk format {unknown[0]!r} is not known", f"known are {', '.join(MAKERS)}")
    if not size or size % SECTOR:
        raise PipelineError(
            f"{DISK} has {size} bytes, no whole number of sectors of {SECTOR}",
            "give a disk, not a part of one",
        )
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    for kind, name in outputs.items():
        disk = aligned(ctx, source, ALIGNED.get(kind, SECTOR))
        MAKERS[kind](ctx, disk, ctx.out / name, digest)


def aligned(ctx: Context, source: Path, unit: int) -> Path:
    """Return a disk of whole units: the source itself, or a copy with its backup GPT at the new end."""
    size = source.stat().st_size
    wanted = -(-size // unit) * unit
    if wanted == size:
        return source
    disk = ctx.work / f"{unit}.raw"
    if not disk.exists():
        with source.open("rb") as file, disk.open("wb") as copy:
            copy_data(file, copy, wanted)
        if has_gpt(source):
            ctx.run(relocate_argv(str(disk)))
    return disk


def has_gpt(disk: Path) -> bool:
    """Tell whether there is a GPT, for blocks of 512 bytes."""
    with disk.open("rb") as file:
        file.seek(SECTOR)
        return file.read(8) == b"EFI PART"


def _raw(_ctx: Context, disk: Path, output: Path, _digest: str) -> None:
    with disk.open("rb") as file, output.open("wb") as target:
        copy_data(file, target, disk.stat().st_size)


def _zstd(ctx: Context, disk: Path, output: Path, _digest: str) -> None:
    ctx.run(zstd_argv(str(disk), str(output)))


def _qcow2(ctx: Context, disk: Path, output: Path, _digest: str) -> None:
    ctx.run(qcow2_argv(str(disk), str(output)))


def _vhd(_ctx: Context, disk: Path, output: Path, digest: str) -> None:
    size = disk.stat().st_size
    with disk.open("rb") as file, output.open("wb") as target:
        copy_data(file, target, size)
        target.write(fixed_footer(size, uuid.uuid5(NAMESPACE, digest)))


def content_id(digest: str) -> str:
    """Return a VMDK's CID, 8 hex digits: none of the two that mean something else."""
    return f"{int(digest[:8], 16) % 0xFFFF_FFFE:08x}"


def _vmdk(_ctx: Context, disk: Path, output: Path, digest: str) -> None:
    with disk.open("rb") as file, output.open("wb") as target:
        write_vmdk(file, disk.stat().st_size, target, content_id(digest), output.name)


def _ova(ctx: Context, disk: Path, output: Path, digest: str) -> None:
    machine = Machine(**ctx.params["machine"])
    packed = ctx.work / f"{output.stem}-disk1.vmdk"
    _vmdk(ctx, disk, packed, digest)
    write_ova(machine, packed, disk.stat().st_size, output, ctx.params["epoch"])


def _gce(ctx: Context, disk: Path, output: Path, _digest: str) -> None:
    tar = ctx.work / "gce.tar"
    with disk.open("rb") as file, tar.open("wb") as target:
        write_tar(DISK, file, disk.stat().st_size, target, ctx.params["epoch"])
    with (
        tar.open("rb") as plain,
        output.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=0) as target,
    ):
        shutil.copyfileobj(plain, target)
    tar.unlink()


MAKERS: Mapping[str, Callable[[Context, Path, Path, str], None]] = {
    "raw": _raw,
    "raw.zst": _zstd,
    "qcow2": _qcow2,
    "vhd": _vhd,
    "vmdk": _vmdk,
    "ova": _ova,
    "gce": _gce,
}
