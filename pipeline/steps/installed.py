"""Makes what an installation leaves on a disk: the file systems of its two partitions, and where they lie.

All is as the installer does it (`programs/installer/src/install`: layout, payload, system, data, receipt),
but for `metadata/node.toml`: a disk without it is that of a machine which has not started yet.

Specifications: UEFI 2.10, §13.3 and §3.5.1.1 (what firmware reads); repart.d(5)
"""

import hashlib
import hmac
import io
import json
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.formats import fat, fat_directory
from pipeline.formats.fields import open_image
from pipeline.steps import fat_tree, filesystem
from pipeline.steps.ext4_size import BLOCK, GROUP, GROWN, LARGE_JOURNAL, Layout
from pipeline.steps.filesystem import Wanted
from pipeline.steps.plain_tar import opened, read_tree, write_tree
from pipeline.steps.runner import Context

SYSTEM, DATA = "efi.fat", "data.ext4"
DEFINITIONS = ("10-efi.conf", "20-data.conf")
"""Files of systemd-repart, which place the two."""
UKI = "uki"
"""The input that gets installed."""
SHIM, MOK_MANAGER = "shimx64.efi", "mmx64.efi"
"""Inputs, both or neither, and what they are called on the disk: what firmware starts then, and its menu."""
SECOND_STAGE = "grubx64.efi"
"""What shim starts, in its own folder."""

MIB = 1 << 20
LABEL = "EFI"  # of the partition that firmware reads, and of its file system
CLUSTER = 4096  # bytes, of FAT32, as the installer formats it
FALLBACK = "EFI/BOOT/BOOTX64.EFI"
FOLDERS = ("wal", "snapshots", "metadata")
RECEIPT = "install-receipt.json"
SETTINGS = "settings"
OWNER = 1000  # of the data: the user and the group that the service runs as
FILES_A_GROUP = 256
"""Inodes in 128 MiB, which a file system keeps as it grows: 65,536 are there from 32 GiB on, and their tables
are 0.05 % of any disk. The installer, which knows the disk, has that many on a smaller one, and fewer on a
larger one."""
FEATURES = "orphan_file,metadata_csum_seed"
"""What mke2fs 1.47.2 has in ext4 besides, where no mke2fs.conf says otherwise: the installer has none."""
NO_SETTINGS = b"\n" * 4096
"""What SETTINGS holds as long as nobody has other settings for the machine."""


@dataclass(frozen=True)
class Facts:
    """What is installed. Sizes are in MiB; `folder` and `id` are in names of files, `data` is a label.

    All identifiers derive from `seed`, a UUID.
    """

    product: str
    version: str
    id: str
    folder: str
    data: str
    efi_mib: int
    data_mib: int
    seed: str

    def wanted(self, label: str) -> Wanted:
        """Return what the file system of the partition `label` is asked for."""
        kind = "fat" if label == LABEL else "ext4"
        return Wanted(kind, label, str(uuid.uuid5(uuid.UUID(self.seed), label)))

    def guid(self, label: str) -> str:
        """Return the UUID of a partition, which is that of its file system."""
        return self.wanted(label).identifier("file system")

    @property
    def disk_guid(self) -> str:
        """The UUID that systemd-repart derives for the disk (`derive_uuid`, src/partition/repart.c)."""
        key = uuid.UUID(self.seed).bytes
        return str(uuid.UUID(bytes=hmac.digest(key, b"disk-uuid", "sha256")[:16], version=4))


def definitions(facts: Facts) -> dict[str, str]:
    """Return the files of systemd-repart by name."""
    rows = (("esp", LABEL, SYSTEM), ("linux-generic", facts.data, DATA))
    texts = (
        f"[Partition]\nType={kind}\nLabel={label}\nUUID={facts.guid(label)}\nCopyBlocks=/{file}\n"
        for kind, label, file in rows
    )
    return dict(zip(DEFINITIONS, texts, strict=True))


def programs(facts: Facts, inputs: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what starts the machine, by path: first the system, twice. `inputs` are those of the step."""
    system = inputs[UKI]
    own, other = f"EFI/{facts.folder}", FALLBACK.rpartition("/")[0]
    if SHIM not in inputs:
        return {f"{own}/{facts.id}-{facts.version}.efi": system, FALLBACK: system}
    menu = inputs[MOK_MANAGER]
    return {
        f"{own}/{SECOND_STAGE}": system,
        f"{other}/{SECOND_STAGE}": system,
        f"{own}/{SHIM}": inputs[SHIM],
        FALLBACK: inputs[SHIM],
        f"{own}/{MOK_MANAGER}": menu,
        f"{other}/{MOK_MANAGER}": menu,
    }


def receipt(facts: Facts, started: Mapping[str, bytes], *, verified: bool) -> bytes:
    """Return the receipt that validates an installation of programs, in the installer's own form.

    The disk is the image itself: where it was copied to is known when it starts. `verified` is the one beside
    the system, which is written last.
    """
    sizes = ((LABEL, facts.efi_mib), (facts.data, facts.data_mib))
    starts = (MIB, (1 + facts.efi_mib) * MIB)
    partitions = [
        {
            "number": number,
            "name": label,
            "guid": facts.guid(label),
            "start_bytes": start,
            "bytes": size * MIB,
        }
        for number, ((label, size), start) in enumerate(zip(sizes, starts, strict=True), 1)
    ]
    text = {
        "version": 1,
        "product": facts.product,
        "system": facts.version,
        "task": "image",
        "disk": {
            "model": "disk image",
            "serial": None,
            "bytes": (2 + facts.efi_mib + facts.data_mib) * MIB,
            "block_bytes": 512,
            "guid": facts.disk_guid,
        },
        "partitions": partitions,
        "files": [
            {"path": f"{LABEL}:/{path}", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for path, data in started.items()
        ],
        "stages": [],
        "warnings": [],
        "compared": [f"{LABEL}: each file by its SHA-256"],
        "verified": verified,
    }
    return (json.dumps(text, indent=2, ensure_ascii=False) + "\n").encode()


def system_files(facts: Facts, started: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what the partition that firmware reads holds, by path."""
    return {
        **started,
        f"{facts.folder}/{SETTINGS}": NO_SETTINGS,
        f"{facts.folder}/{RECEIPT}": receipt(facts, started, verified=True),
    }


def data_files(facts: Facts, started: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what the data begin with, by path; folders are there besides."""
    return {f"metadata/{RECEIPT}": receipt(facts, started, verified=False)}


def write_tar(tar: Path, folders: Sequence[str], files: Mapping[str, bytes], owner: int, epoch: int) -> None:
    """Write a tree as a tar: the root, folders and files, all of one owner and one time."""
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("./", *folders, *files):
            info = tarfile.TarInfo(name)
            data = files.get(name)
            info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            info.size, info.mode = len(data or b""), 0o755 if data is None else 0o644
            info.uid, info.gid, info.mtime = owner, owner, epoch
            archive.addfile(info, io.BytesIO(data) if data is not None else None)


def system_shape(facts: Facts, files: Mapping[str, bytes], uki: str) -> fat_tree.Shape:
    """Return the FAT32 that the installer makes. Raises PipelineError where the files do not fit."""
    size = facts.efi_mib * MIB
    room = size - 32 * fat_tree.SECTOR - 2 * 4 * (size // CLUSTER + 2)
    needed = sum(-(-len(data) // CLUSTER) + 2 for data in files.values()) * CLUSTER
    if needed > room:
        raise PipelineError(
            f"{uki} has {len(next(iter(files.values())))} bytes, and lies twice in the EFI partition, "
            f"which has {facts.efi_mib} MiB",
            f"give it {-(-needed // MIB) + 8} MiB, by disk.efi_mib in product.toml",
        )
    return fat_tree.Shape(32, size // fat_tree.SECTOR, CLUSTER // fat_tree.SECTOR, 32, 0)


def data_layout(facts: Facts) -> Layout:
    """Return the ext4 that the installer makes, with what it needs to grow to any disk."""
    blocks = facts.data_mib * MIB // BLOCK
    return Layout(blocks, 0, -(-blocks // GROUP) * FILES_A_GROUP, LARGE_JOURNAL, GROWN)


def data_argv(facts: Facts, tree: str, image: str) -> list[str]:
    """Return mke2fs's command line for the data, with a tree in it."""
    argv = filesystem.ext4_argv(facts.wanted(facts.data), data_layout(facts), tree, image)
    argv[argv.index("-O") + 1] += f",{FEATURES}"
    return argv


def build(ctx: Context) -> None:
    """Make SYSTEM, DATA and DEFINITIONS of the inputs; `params` are Facts, with the UKI's name, `uki`.

    Raises PipelineError where the system does not fit its partition.
    """
    params = ctx.params
    facts = Facts(**{name: params[name] for name in Facts.__dataclass_fields__})
    inputs = {name: path.read_bytes() for name, path in ctx.inputs.items()}
    started = programs(facts, inputs)
    for name, text in definitions(facts).items():
        (ctx.out / name).write_text(text, encoding="ascii")
    files = system_files(facts, started)
    shape = system_shape(facts, files, params["uki"])
    tree, epoch = ctx.work / filesystem.TREE, params["epoch"]
    write_tar(tree, (), files, 0, epoch)
    image, wanted = ctx.out / SYSTEM, facts.wanted(LABEL)
    with opened(tree) as tar:
        members = read_tree(tar, epoch)
        serial = facts.guid(wanted.label)[:8]
        fat_tree.make(ctx, tar, members, shape, wanted.label, serial, image)
    _require(image, files)
    write_tar(tree, FOLDERS, data_files(facts, started), OWNER, epoch)
    plain = ctx.work / "plain.tar"
    with opened(tree) as tar:
        write_tree(tar, read_tree(tar, epoch), plain)
    config = ctx.work / "mke2fs.conf"
    config.write_text(filesystem.EXT4_CONFIG, encoding="ascii")
    ctx.run(
        data_argv(facts, str(plain), str(ctx.out / DATA)), env=filesystem.ext4_environment(str(config), epoch)
    )


def _require(image: Path, files: Mapping[str, bytes]) -> None:
    """Raise PipelineError unless a FAT file system holds just these files, as the receipt says."""
    volume = fat.read_volume(open_image(image))
    table = fat.read_table(volume)
    found = {
        entry.path: bytes(fat_directory.read_file(volume, table, entry))
        for entry in fat_directory.walk(volume, table)
        if not entry.is_directory and not entry.is_label
    }
    if found != files:
        wrong = sorted(name for name in found | dict(files) if found.get(name) != files.get(name))
        raise PipelineError(f"{image.name} does not hold what was written to it: {', '.join(wrong)}")
