"""Makes a set of partitions for an installer: what the disk of a recipe consists of, without a disk.

It is one tar, of which an initramfs carries the files: LIST, and what that names. The EFI partition is there
as single files, so that they can be put beside those of other systems.

Specifications: docs/installing-sets.md ("What a set is"); repart.d(5) of systemd 257
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.formats import partition_set
from pipeline.formats.partition_set import (
    BIOS,
    BOOT,
    DATA,
    ESP,
    LIST,
    ROLES,
    ROOT,
    ZSTD,
    BootCode,
    Content,
    Entry,
    Partition,
    PartitionSet,
    Placed,
)
from pipeline.steps.disk import DEFINITIONS
from pipeline.steps.repart import ALIGNMENT, Definition, read_definitions, specifiers
from pipeline.steps.runner import Context

BOOT_CODE, CORE = "boot.img", "core.img"
FILES = "esp"
"""The folder of inputs that lie on the EFI partition."""

FALLBACK = ("EFI", "BOOT")
"""The folder that firmware looks into on its own (UEFI 2.10, §3.5.1.1)."""

ENTRIES = "boot-tree.json"
"""What a boot tree says of itself."""

PACKED = ".zst"
LEVEL = 9  # 12 makes a root 2 % smaller, at twice the time


def zstd_argv(image: str, output: str) -> list[str]:
    """Return the command that packs a file system; however many threads it has, the bytes are the same."""
    return ["zstd", "-T0", f"-{LEVEL}", "--no-progress", "-q", "-f", image, "-o", output]


def role_of(definition: Definition, trees: Mapping[str, str]) -> str:
    """Return a partition's role: by its type, or by the tree in its file system."""
    kind = partition_set.type_of(definition.settings["Type"])
    for role in (BIOS, ESP):
        if kind == ROLES[role]:
            return role
    return {"boot": BOOT, "root": ROOT}.get(trees.get(definition.content, ""), DATA)


def size_of(definition: Definition, content: int) -> int:
    """Return the least size of a partition in bytes: what the definition says, or what is in it, in MiB."""
    size = max(definition.size("SizeMinBytes"), content)
    return size + -size % ALIGNMENT


def build(ctx: Context) -> None:
    """Make `params.output` of the definitions in the input DEFINITIONS, and of what they place.

    Inputs are those of the step `disk`, with ENTRIES and those below FILES; `params.trees` says what
    is in each file system, by its file. The rest of `params` is `name`, `title`, `version` and `folder`.
    Raises ConfigError for definitions that are wrong, PipelineError for a partition without content.
    """
    params = ctx.params
    folder = ctx.inputs[DEFINITIONS]
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    sizes = {name: path.stat().st_size for name, path in ctx.inputs.items() if path.is_file()}
    definitions = read_definitions(texts, sizes, specifiers(params["name"], params["version"]))
    files: dict[str, Path] = {BOOT_CODE: ctx.inputs[BOOT_CODE]}
    last = definitions[-1]
    partitions = tuple(_partition(ctx, one, files, grows=one is last) for one in definitions)
    boot_code = BootCode(BOOT_CODE, sizes[BOOT_CODE], _sha256(ctx.inputs[BOOT_CODE]))
    texts_of = {name: params[name] for name in ("name", "title", "version", "folder")}
    whole = PartitionSet(
        partition_set.FORMAT,
        **texts_of,
        boot_code=boot_code,
        partitions=partitions,
        entries=entries_of(ctx.inputs[ENTRIES].read_bytes()),
    )
    write_tar(ctx.out / params["output"], partition_set.text_of(whole), files, params["epoch"])


def _partition(ctx: Context, definition: Definition, files: dict[str, Path], *, grows: bool) -> Partition:
    """Return a partition of the set; `files` gets what it consists of."""
    role = role_of(definition, ctx.params["trees"])
    if not definition.content:
        raise PipelineError(
            f"{definition.file}: the partition has no content, and an installer makes no file systems for it",
            "name one by CopyBlocks=",
        )
    image = ctx.inputs[definition.content]
    content, placed = None, tuple[Placed, ...]()
    if role == ESP:
        placed = _placed(ctx.inputs[FILES], files)
    elif role == BIOS:
        content = Content(definition.content, "", image.stat().st_size, _sha256(image))
        files[definition.content] = image
    else:
        name = f"{definition.content}{PACKED}"
        content = Content(name, ZSTD, image.stat().st_size, _sha256(image))
        ctx.run(zstd_argv(str(image), str(ctx.work / name)))
        files[name] = ctx.work / name
    return Partition(
        role,
        definition.label,
        str(partition_set.type_of(definition.settings["Type"])),
        size_of(definition, image.stat().st_size),
        grows,
        content,
        placed,
    )


def _placed(folder: Path, files: dict[str, Path]) -> tuple[Placed, ...]:
    """Return the files of the EFI partition; those with the same content are one file of the set."""
    found, known = [], dict[str, str]()
    paths = (path for path in folder.rglob("*") if path.is_file())
    # what is in two places is called as in the set's own folder
    for path in sorted(paths, key=lambda path: (path.relative_to(folder).parts[:2] == FALLBACK, path)):
        sha256 = _sha256(path)
        name = known.get(sha256, path.name)
        if sha256 not in known and name in files:
            raise PipelineError(f"two files of the set are called {name}", "give one of them another name")
        known[sha256] = name
        files.setdefault(name, path)
        found.append(Placed(path.relative_to(folder).as_posix(), name, path.stat().st_size, sha256))
    return tuple(sorted(found, key=lambda placed: placed.path))


def entries_of(about: bytes) -> tuple[Entry, ...]:
    """Return what the menu of a boot tree has."""
    table: dict[str, list[dict[str, Any]]] = json.loads(about)
    return tuple(Entry(**entry) for entry in table["entries"])


def write_tar(output: Path, text: bytes, files: Mapping[str, Path], epoch: int) -> None:
    """Write LIST, and then the files by their names: each of root's, and of one time."""
    with tarfile.open(output, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, LIST, text, epoch)
        for name, path in sorted(files.items()):
            _add(archive, name, path, epoch)


def _add(archive: tarfile.TarFile, name: str, content: bytes | Path, epoch: int) -> None:
    info = tarfile.TarInfo(name)
    info.mtime, info.mode = epoch, 0o644
    info.size = len(content) if isinstance(content, bytes) else content.stat().st_size
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        archive.addfile(info, file)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
