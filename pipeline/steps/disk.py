"""Makes a disk image: a GPT by the recipe's own `repart.d` files, with finished file systems in it.

systemd-repart places them and nothing else; where the disk is larger at first boot, the same files grow it.
For a BIOS there may be GRUB: its core image in a partition of its own, and its boot sector before all others.

Specifications: repart.d(5) and systemd-repart(8) of systemd 257; UEFI 2.10, §5.3 (GPT); UAPI.2 Discoverable
Partitions Specification ("Partition Attribute Flags", and the UUIDs of partitions with dm-verity)
"""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.formats import gpt, grub_boot
from pipeline.formats.discoverable import BIOS_BOOT
from pipeline.formats.fields import open_image
from pipeline.steps.repart import ALIGNMENT, Definition, read_definitions, specifiers
from pipeline.steps.runner import Context
from pipeline.steps.verity import names

DEFINITIONS = "repart.d"
BOOT, CORE = "boot.img", "core.img"
"""GRUB's boot sector, which belongs into no partition, and its core image, which belongs into one."""


def partition_uuids(root_hashes: Mapping[str, str]) -> dict[str, str]:
    """Return UUIDs by content: data and tree have the two halves of their root hash.

    `root_hashes` is hex by the name of the data.
    """
    found = {}
    for data, digits in root_hashes.items():
        tree, _ = names(data)
        found[data], found[tree] = (str(uuid.UUID(hex=half)) for half in (digits[:32], digits[-32:]))
    return found


def planned(
    definition: Definition, sizes: Mapping[str, int], uuids: Mapping[str, str], *, least: bool
) -> dict[str, str]:
    """Return the settings that systemd-repart gets for a partition, but for the path of its content.

    A size that the recipe leaves open is that of the content, in whole MiB, where the disk is the least that
    fits; else systemd-repart shares out what is left, by weights. Raises PipelineError for a UUID that
    contradicts the root hash.
    """
    settings = dict(definition.settings)
    settings.pop("CopyBlocks", None)
    size = max(sizes.get(definition.content, 0), definition.size("SizeMinBytes"))
    size = min(size + -size % ALIGNMENT, definition.size("SizeMaxBytes") or 1 << 63)
    settings["SizeMinBytes"] = str(size)
    settings["PaddingMinBytes"] = padding = str(definition.size("PaddingMinBytes"))
    if least:
        settings |= {"SizeMaxBytes": str(size), "PaddingMaxBytes": padding}
    wanted = uuids.get(definition.content)
    if wanted:  # else systemd-repart marks data of /usr or / as what grows
        settings = {"ReadOnly": "yes", "GrowFileSystem": "no"} | settings
    if wanted and settings.setdefault("UUID", wanted) != wanted:
        raise PipelineError(
            f"{definition.file}: UUID={settings['UUID']}, but by the root hash of its data it is {wanted}",
            "leave UUID= out: the partition is found by its root hash",
        )
    return settings


def least_size(partitions: Sequence[Mapping[str, str]]) -> int:
    """Return the bytes of the least disk: the partitions, with a MiB at each end for the two GPTs."""
    taken = (int(one[key]) for one in partitions for key in ("SizeMinBytes", "PaddingMinBytes"))
    size = sum(taken) + 2 * ALIGNMENT
    return size + -size % ALIGNMENT


def repart_argv(seed: str, size: int, definitions: str, image: str, architecture: str) -> list[str]:
    """Return systemd-repart's command line; GUIDs derive from `seed`, a UUID."""
    return [
        "systemd-repart",
        "--empty=create",
        "--offline=yes",
        "--dry-run=no",
        "--no-pager",
        "--discard=no",
        f"--architecture={architecture}",
        f"--seed={seed}",
        f"--size={size}",
        f"--definitions={definitions}",
        image,
    ]


def build(ctx: Context) -> None:
    """Make `params.output` of the definitions in the input DEFINITIONS; other inputs are what they place.

    But for BOOT, which is put before the partition that CORE lies in.

    `params.size` is the disk's in bytes, 0 for the least; `params.verity` names the data that has a tree and
    a root hash beside it; `params.seed` is a UUID, `params.architecture` systemd's name of it;
    `params.image` and `params.version` are what labels may say. Raises ConfigError for definitions that are
    wrong, PipelineError for a disk that is too small.
    """
    params = ctx.params
    folder = ctx.inputs[DEFINITIONS]
    texts = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }
    placed = ctx.inputs.keys() - {DEFINITIONS, BOOT}
    sizes = {name: ctx.inputs[name].stat().st_size for name in placed}
    hashes = {
        data: ctx.inputs[names(data)[1]].read_text(encoding="ascii").strip() for data in params["verity"]
    }
    definitions = read_definitions(texts, sizes, specifiers(params["image"], params["version"]))
    uuids = partition_uuids(hashes)
    partitions = [planned(one, sizes, uuids, least=not params["size"]) for one in definitions]
    least = least_size(partitions)
    size = params["size"] or least
    if size < least or size % ALIGNMENT:
        raise PipelineError(
            f"{params['output']}: a disk of {size} bytes is too small for its partitions, which take {least}"
            if size < least
            else f"{params['output']}: a disk of {size} bytes is no whole number of MiB",
            f"give it at least {least} bytes, in whole MiB",
        )
    image = ctx.out / params["output"]
    _write(ctx, definitions, partitions)
    written = str(ctx.work / DEFINITIONS)
    env = {"TMPDIR": str(ctx.work)}  # it wants one, and a container has no /var/tmp
    ctx.run(repart_argv(params["seed"], size, written, str(image), params["architecture"]), env=env)
    _require(image, len(definitions))
    if any(one.content == CORE for one in definitions):
        start_by_bios(image, ctx.inputs[BOOT].read_bytes(), ctx.inputs[CORE].read_bytes())


def start_by_bios(image: Path, boot: bytes, core: bytes) -> None:
    """Have a BIOS start GRUB from a disk: its boot code in the MBR, and the core image where that looks.

    The rest of the MBR stays as it is, protective, with no partition marked as active (UEFI 2.10, §5.2.3):
    firmware is known that takes a disk with that mark for none of UEFI's. The code is for a BIOS alone.
    Raises PipelineError where no partition is for the core image, FormatError for what is no GRUB.
    """
    table = gpt.read_table(open_image(image), 1)
    there = next((one for one in table.partitions if one.kind == BIOS_BOOT), None)
    if there is None:
        raise PipelineError(
            f"{image.name}: no partition is for what a BIOS starts, and {CORE} lies in one of another type",
            f"write Type={BIOS_BOOT} beside CopyBlocks=/{CORE}",
        )
    code, patched = grub_boot.patched(boot, core, there.first_lba)
    with image.open("r+b") as file:
        file.write(code)
        file.seek(there.first_lba * grub_boot.SECTOR)
        file.write(patched)


def _write(ctx: Context, definitions: Sequence[Definition], partitions: Sequence[Mapping[str, str]]) -> None:
    """Write what systemd-repart reads: the recipe's settings with sizes, UUIDs and paths filled in."""
    folder = ctx.work / DEFINITIONS
    folder.mkdir()
    for one, settings in zip(definitions, partitions, strict=True):
        lines = [f"{key}={value}" for key, value in settings.items()]
        if one.content:
            lines.append(f"CopyBlocks={ctx.inputs[one.content]}")
        text = "\n".join(["[Partition]", *lines, ""])
        (folder / Path(one.file).name).write_text(text, encoding="utf-8")


def _require(image: Path, count: int) -> None:
    """Raise PipelineError unless there are that many partitions: systemd-repart only warns of mistakes."""
    found = len(gpt.read_table(open_image(image), 1).partitions)
    if found != count:
        raise PipelineError(
            f"{image.name} has {found} partitions, not {count}: systemd-repart took no notice of some",
            "read what it says about them in the step's log",
        )
