"""Makes a boot tree: kernels and initramfs of a root's systems as files, and menus that lead to them.

In the root they may be links, through a store and out of it again, to a file or to a folder; firmware and
boot loaders read none of that. Each is there once, called by its content.

Source: GNU Guix, gnu/system.scm (`system-linux-image-file-name`: a system's `kernel` is a folder, with a
`bzImage` in it). Specification: Linux, Documentation/arch/x86/boot.rst
"""

import io
import stat
import struct
import tarfile
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import FormatError, PipelineError
from pipeline.formats import boot_menu, heads, tar_tree
from pipeline.formats.boot_files import Files, with_parents
from pipeline.formats.boot_menu import Entry
from pipeline.formats.cpio_reader import Entry as Member
from pipeline.formats.fields import Image, chunks, open_image
from pipeline.formats.tree import Tree
from pipeline.steps.runner import Context

ROOT, TAR = "root.tar", "boot-tree.tar"
BZIMAGE = "bzImage"
"""What a kernel's folder calls it."""

PARAMETERS, MOST_PARAMETERS = "parameters", 4096  # bytes: no command line is as long
MAGIC, MAGIC_AT, SETUP, SIZE = b"HdrS", 0x202, 0x1F1, 0x1F4
WHOLE = "build the system anew, or name one that is whole"
LOST_FOUND = "lost+found"
"""What mke2fs makes in any file system: Heads lists all that is there, and so the tree has it, too."""


@dataclass(frozen=True)
class Wanted:
    """What is made of a root: `systems` are its paths, the current one first; the rest is as `Boot` has it.

    `recipe` names entries, `version` the first one's title.
    """

    recipe: str
    version: str
    systems: tuple[str, ...]
    cmdline: str
    folder: str
    kernel: str = "kernel"
    initrd: str = "initrd"
    timeout: int = 5
    heads: bool = False


def read_root(image: Image) -> Tree:
    """Return the tree of a root's tar, also folders that it does not name. FormatError for what is none."""
    members = {entry.name: entry for entry in tar_tree.read(image).entries if entry.name}
    for name in with_parents(members) - members.keys():
        members[name] = Member(0, name, 0, stat.S_IFDIR | 0o755, 0, 0, 2, 0, (0, 0), b"")
    return Tree(members)


def entries(tree: Tree, wanted: Wanted) -> tuple[tuple[Entry, ...], dict[str, Image]]:
    """Return the entries for the systems that are wanted, and the files that they name, by path.

    Raises PipelineError for a system that is not there or not whole, for a link that leads nowhere or in a
    circle, and for what would not be started.
    """
    files: dict[str, Image] = {}
    found = []
    for number, path in enumerate(wanted.systems):
        system = _follow(tree, path, "it is no system of this root: name one that it has in boot.systems")
        if system and not stat.S_ISDIR(tree.members[system].mode):
            raise PipelineError(
                f"the system {path} is /{system}, which is no folder", "name a folder with kernel and initrd"
            )
        kernel = _part(tree, path, system, "kernel", wanted.kernel)
        initrd = _part(tree, path, system, "initramfs", wanted.initrd)
        _must_start(path, kernel)
        if not len(initrd.data):
            raise PipelineError(f"the initramfs of the system {path}, /{initrd.name}, is empty", WHOLE)
        digests = heads.sha256(kernel.data), heads.sha256(initrd.data)
        names = boot_menu.kernel_name(digests[0]), boot_menu.initrd_name(digests[1])
        files |= {names[0]: kernel.data, names[1]: initrd.data}
        entry = Entry(
            id=boot_menu.entry_id(wanted.recipe, number),
            title=title(wanted, number),
            system=f"/{system}",
            kernel=f"/{names[0]}",
            kernel_sha256=digests[0],
            initrd=f"/{names[1]}",
            initrd_sha256=digests[1],
            cmdline=" ".join([wanted.cmdline.replace("{system}", f"/{system}"), *_told(tree, system)]),
        )
        _must_read_alike(path, entry)
        found.append(entry)
    return tuple(found), files


def title(wanted: Wanted, number: int) -> str:
    """Return what a menu calls a system: the current one by its version, others as the root does."""
    what = wanted.version if number == 0 else wanted.systems[number].rpartition("/")[2]
    return f"{wanted.recipe} {what}"


def _follow(tree: Tree, path: str, hint: str) -> str:
    """Return where a path of the root leads to, without a leading `/`."""
    try:
        return tree.locate(path)
    except FormatError as error:
        raise PipelineError(f"the root: {error.message}", hint) from None


def _part(tree: Tree, path: str, system: str, what: str, name: str) -> Member:
    """Return the file that a system has for a part of it, "kernel" or "initramfs"."""
    where = f"/{system}/{name}"
    try:
        found = tree.locate(where)
        if what == "kernel" and found and stat.S_ISDIR(tree.members[found].mode):
            found = tree.locate(f"/{found}/{BZIMAGE}")
    except FormatError as error:
        raise PipelineError(f"the system {path} has no {what}: {error.message}", WHOLE) from None
    if not found or not stat.S_ISREG(tree.members[found].mode):
        raise PipelineError(f"the system {path} has no {what}: {where} leads to /{found}, no file", WHOLE)
    return tree.members[found]


def _told(tree: Tree, system: str) -> list[str]:
    """Return what a system is told besides: the words of its file PARAMETERS, if it has one.

    Guix's own is an expression of Scheme, which is left alone: what it says belongs into the recipe.
    """
    member = tree.members.get(f"{system}/{PARAMETERS}".lstrip("/"))
    if member is None or not stat.S_ISREG(member.mode):
        return []
    text = bytes(member.data[:MOST_PARAMETERS]).decode(errors="surrogateescape")
    return [] if text.startswith("(") else text.split()


def _must_start(path: str, kernel: Member) -> None:
    """Raise PipelineError for what is no kernel, or only the beginning of one."""
    head, there = bytes(kernel.data[:0x300]), len(kernel.data)
    if head[MAGIC_AT : MAGIC_AT + 4] != MAGIC:
        raise PipelineError(
            f"the kernel of the system {path}, /{kernel.name}, is no bzImage: it has no boot header", WHOLE
        )
    sectors, (paragraphs,) = head[SETUP] or 4, struct.unpack_from("<I", head, SIZE)
    size = (sectors + 1) * 512 + paragraphs * 16
    if size > there:
        raise PipelineError(
            f"the kernel of the system {path}, /{kernel.name}, is cut off: it has {there} bytes of {size}",
            WHOLE,
        )


def _must_read_alike(path: str, entry: Entry) -> None:
    """Raise PipelineError for an entry that not all that read it would understand alike."""
    found = [f"boot.cmdline: {one}" for one in boot_menu.cmdline_mistakes(entry.cmdline)]
    found += [f"boot.systems: {one}" for one in boot_menu.title_mistakes(entry.title)]
    if found:
        raise PipelineError(
            f"the system {path}: {'; '.join(found)}", "say it in other words, or leave it out"
        )


def texts(made: tuple[Entry, ...], wanted: Wanted) -> dict[str, bytes]:
    """Return the menus, and what the tree says of itself, by path."""
    return {
        boot_menu.MENU: boot_menu.grub_config(made, wanted.folder, wanted.timeout).encode("ascii"),
        boot_menu.ABOUT: boot_menu.about(made).encode("ascii"),
        **{path: text.encode("ascii") for path, text in boot_menu.bls_entries(wanted.recipe, made).items()},
    }


def lists(files: Mapping[str, Image], folders: Set[str]) -> dict[str, bytes]:
    """Return the lists that Heads verifies, of all that is in the finished file system."""
    there = Files(files, folders=folders)
    return {heads.HASHES: heads.make_hashes(there), heads.TREE: heads.make_tree(there)}


def write(files: Mapping[str, Image], folders: Set[str], out: Path, epoch: int) -> None:
    """Write a tar of files and folders, sorted, all root's and dated `epoch`."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted({*files, *folders}, key=lambda name: name.split("/")):
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = 0o644, epoch
            if name not in files:
                info.type, info.mode = tarfile.DIRTYPE, 0o700 if name == LOST_FOUND else 0o755
                tar.addfile(info)
                continue
            data = io.BytesIO(b"".join(chunks(files[name])))
            info.size = data.getbuffer().nbytes
            tar.addfile(info, data)


def build(ctx: Context) -> None:
    """Make TAR of the input ROOT, as `params` say (`Wanted`), and beside it what it says of itself."""
    params = {name: ctx.params[name] for name in Wanted.__dataclass_fields__}
    wanted = Wanted(**params | {"systems": tuple(params["systems"])})
    made, files = entries(read_root(open_image(ctx.inputs[ROOT])), wanted)
    written = texts(made, wanted)
    files |= written
    folders = with_parents(files)
    if wanted.heads:
        folders |= {LOST_FOUND}
        files |= lists(files, folders)
    (ctx.out / boot_menu.ABOUT).write_bytes(written[boot_menu.ABOUT])
    write(files, folders, ctx.out / TAR, ctx.params["epoch"])
