"""Makes one file system out of the tar of a tree: ext4, erofs, squashfs or FAT, without mounting anything.

Nothing of the machine gets in: times are those of the tar, but none after `epoch`, identifiers come from a
seed, and no maker reads a configuration file of the system.

Specifications: mke2fs(8), ext4(5), mkfs.erofs(1), sqfstar(1); `fat_tree` has FAT's.
"""

import os
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError, PipelineError
from pipeline.steps import fat_tree
from pipeline.steps.ext4_size import BLOCK, INODE, LEAST_BLOCKS, Layout, layout
from pipeline.steps.plain_tar import Member, opened, read_tree, write_tree
from pipeline.steps.runner import Context

TREE = "root.tar"
EXT4_FEATURES = (
    "none",  # what mke2fs.conf would add
    "has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file",
    "dir_nlink,extra_isize,metadata_csum",
)
EXT4_CONFIG = f"[fs_types]\next4 = {{\n inode_size = {INODE}\n}}\n"
"""An mke2fs.conf that decides nothing else: without one, what Debian's says gets in."""
LABEL_BYTES = {"ext4": 16, "erofs": 15, "squashfs": 0, "fat": 11}
COMPRESSORS = {
    "ext4": {},
    "erofs": {"lz4": range(0), "lz4hc": range(13), "zstd": range(23)},
    "squashfs": {"zstd": range(1, 23), "xz": range(0), "gzip": range(1, 10)},
    "fat": {},
}  # fmt: skip
"""What each kind of file system can be packed with, of what Debian's Linux 6.12 unpacks, and the levels."""
NO_ROOM = ("Could not allocate", "journal size too big", "Not enough space")
"""What mke2fs says of a size that is too small, before and while it is filled."""
IN_THE_TAR = "security.capability"
"""The one extended attribute that mke2fs 1.47.2 takes from a tar; others are set afterwards."""


@dataclass(frozen=True)
class Wanted:
    """What file system is wanted. Sizes are bytes.

    `size` 0 is the least that holds the tree with `room` bytes left; `grows` keeps inodes and descriptors for
    a disk of which it will be a small part; `compression` is `NAME` or `NAME,LEVEL`, "" for none, `cluster`
    what is packed at once, 0 for the maker's default. All identifiers derive from `seed`, a UUID.
    """

    kind: str
    label: str
    seed: str
    size: int = 0
    room: int = 0
    grows: bool = False
    compression: str = ""
    cluster: int = 0

    def identifier(self, what: str) -> str:
        """Return the UUID that is derived from the seed for something (RFC 9562, §5.5)."""
        return str(uuid.uuid5(uuid.UUID(self.seed), what))


def mistakes(wanted: Wanted) -> list[str]:
    """Return what is wrong with what a recipe asks for, a sentence for each mistake."""
    kind, found = wanted.kind, []
    if kind not in LABEL_BYTES:
        return [f"kind: {kind!r} is no file system that is made here: {', '.join(LABEL_BYTES)}"]
    writable = kind in ("ext4", "fat")
    room = LABEL_BYTES[kind]
    if len(wanted.label.encode()) > room:
        found.append(f"label: {wanted.label!r} is longer than the {room} bytes that {kind} has for it")
    if kind == "fat" and (bad := fat_tree.not_in_a_label(wanted.label)):
        found.append(
            f"label: {wanted.label!r} has {bad!r}, and a label of FAT is of capitals, digits, - and _"
        )
    try:
        uuid.UUID(wanted.seed)
    except ValueError:
        found.append(f"seed: {wanted.seed!r} is no UUID")
    if wanted.size < 0 or wanted.size % BLOCK:
        found.append(f"size: {wanted.size} bytes are no multiple of {BLOCK}")
    if wanted.room and (not writable or wanted.size or wanted.room < 0):
        why = "it has a size already" if wanted.size else f"nobody writes to {kind}"
        found.append(f"room: {wanted.room} bytes cannot be kept free: {why}")
    if wanted.grows and kind != "ext4":
        found.append(f"grows: {kind} cannot grow; ext4 can")
    name, _, level = wanted.compression.partition(",")
    levels = COMPRESSORS[kind].get(name)
    if name and levels is None:
        known = ", ".join(COMPRESSORS[kind]) or "nothing"
        found.append(f"compression: {kind} cannot be packed with {name!r}, but with {known}")
    elif level and not (level.isdecimal() and int(level) in (levels or ())):
        some = f"{levels[0]} to {levels[-1]}" if levels else "none"
        found.append(f"compression: {name} has no level {level!r}; there are {some}")
    if wanted.cluster and (not name or wanted.cluster not in [1 << bits for bits in range(12, 21)]):
        why = "is no power of two from 4096 to 1048576" if name else "needs a compression"
        found.append(f"cluster: {wanted.cluster} {why}")
    return found


def ext4_argv(wanted: Wanted, shape: Layout, tree: str, image: str) -> list[str]:
    """Return mke2fs's command line for a file system of that layout, with a tree in it."""
    extended = [
        f"hash_seed={wanted.identifier('hash seed')}",
        "lazy_itable_init=0",  # else what the kernel that runs here can do decides
        "lazy_journal_init=0",
        "nodiscard",
        "root_owner=0:0",
    ]
    features = list(EXT4_FEATURES)
    if shape.grown_blocks:
        features.append("resize_inode")
        extended.append(f"resize={shape.grown_blocks}")
    return [
        "mke2fs",
        "-q",
        *("-t", "ext4"),
        *("-T", "default"),  # else it is looked up by size in mke2fs.conf
        *("-O", ",".join(features)),
        *("-b", str(BLOCK)),
        *("-I", str(INODE)),
        *("-N", str(shape.inodes)),
        *("-J", f"size={shape.journal >> 20}"),
        *("-m", "0"),  # of what is kept for root nothing is wanted in a least size
        *("-L", wanted.label),
        *("-U", wanted.identifier("file system")),
        *("-E", ",".join(extended)),
        *("-d", tree),
        image,
        str(shape.blocks),
    ]


def ext4_environment(config: str, epoch: int) -> dict[str, str]:
    """Return what makes e2fsprogs the same everywhere: a configuration of our own, and one time."""
    return {"MKE2FS_CONFIG": config, "E2FSPROGS_FAKE_TIME": str(epoch)}


def erofs_argv(wanted: Wanted, epoch: int, tree: str, image: str) -> list[str]:
    """Return mkfs.erofs's command line."""
    name, _, level = wanted.compression.partition(",")
    packed = [f"-z{name},level={level}" if level else f"-z{name}"] if name else []
    return [
        "mkfs.erofs",
        "--quiet",
        *(f"-T{epoch}", "--mkfs-time"),  # files keep their own times
        f"-U{wanted.identifier('file system')}",
        *(["-L", wanted.label] if wanted.label else []),
        *packed,
        *([f"-C{wanted.cluster}"] if wanted.cluster else []),
        "--tar=f",
        image,
        tree,
    ]


def squashfs_argv(wanted: Wanted, root: tarfile.TarInfo, image: str) -> list[str]:
    """Return sqfstar's command line; the tree is its standard input, of which it leaves out the root.

    The time of the file system is SOURCE_DATE_EPOCH, which forbids the options for it.
    """
    name, _, level = wanted.compression.partition(",")
    owner = {"uid": root.uid, "gid": root.gid}
    return [
        "sqfstar",
        "-quiet",
        "-no-progress",
        *("-root-mode", f"{root.mode:o}", "-root-time", str(int(root.mtime))),
        *(argument for key, value in owner.items() for argument in (f"-root-{key}", str(value))),
        *(["-comp", name] if name else ["-no-compression"]),
        *(["-Xcompression-level", level] if level else []),
        *(["-b", str(wanted.cluster)] if wanted.cluster else []),
        image,
    ]


def attribute_commands(members: Sequence[Member], folder: Path) -> list[str]:
    """Return debugfs's commands that set the extended attributes which mke2fs leaves out.

    Their values are written to files in `folder`. Raises PipelineError for a path that cannot be said.
    """
    commands: list[str] = []
    for member in members:
        for name, value in sorted(member.xattrs.items()):
            if name == IN_THE_TAR or member.plain.islnk():
                continue
            if set('\n"') & set(member.name + name):
                raise PipelineError(
                    f"the tree's {member.name!r} has the extended attribute {name!r}, "
                    "and cannot have one on ext4 with that name",
                    "name the file without quotation marks and line breaks",
                )
            file = folder / str(len(commands))
            file.write_bytes(value.encode("utf-8", "surrogateescape"))
            commands.append(f'ea_set -f {file} "/{member.name}" "{name}"')
    return commands


def build(ctx: Context) -> None:
    """Make `params.output`, a file system as `params` say, of what is in the input TREE."""
    params: Mapping[str, object] = ctx.params
    wanted = Wanted(**{name: params[name] for name in Wanted.__dataclass_fields__ if name in params})  # type: ignore[arg-type]
    if found := mistakes(wanted):
        raise ConfigError([f"{ctx.params['output']}: {mistake}" for mistake in found], "correct the recipe")
    image = ctx.out / ctx.params["output"]
    with opened(ctx.inputs[TREE]) as tar:
        members = read_tree(tar, ctx.params["epoch"])
        if wanted.kind == "fat":
            shape = fat_tree.shape(members, wanted.size, wanted.room, image.name)
            fat_tree.make(ctx, tar, members, shape, wanted.label, wanted.identifier("file system")[:8], image)
            return
        tree = ctx.work / "plain.tar"
        write_tree(tar, members, tree)
    makers = {"ext4": _make_ext4, "erofs": _make_erofs, "squashfs": _make_squashfs}
    makers[wanted.kind](ctx, wanted, members, tree, image)
    tree.unlink()
    _fill_up(image, wanted)


def _make_ext4(ctx: Context, wanted: Wanted, members: Sequence[Member], tree: Path, image: Path) -> None:
    shape = layout(members, wanted.size, wanted.room, grows=wanted.grows)
    if shape.blocks < LEAST_BLOCKS:
        raise too_small(image.name, wanted, shape.needed * BLOCK)
    config = ctx.work / "mke2fs.conf"
    config.write_text(EXT4_CONFIG, encoding="ascii")
    env = ext4_environment(str(config), ctx.params["epoch"])
    try:
        ctx.run(ext4_argv(wanted, shape, str(tree), str(image)), env=env)
    except PipelineError as error:
        if any(sign in error.message for sign in NO_ROOM):
            raise too_small(image.name, wanted, shape.needed * BLOCK) from None
        raise
    values = ctx.work / "attributes"
    values.mkdir()
    commands = attribute_commands(members, values)
    if commands:
        script = ctx.work / "debugfs"
        script.write_text("\n".join([*commands, ""]), encoding="utf-8", errors="surrogateescape")
        said = ctx.run(["debugfs", "-w", "-f", str(script), str(image)], env=env)
        if "ea_set:" in said.replace("debugfs: ea_set", ""):  # its status is 0 all the same
            raise PipelineError(f"debugfs could not set an extended attribute:\n{said}")


def _make_erofs(ctx: Context, wanted: Wanted, _members: Sequence[Member], tree: Path, image: Path) -> None:
    ctx.run(erofs_argv(wanted, ctx.params["epoch"], str(tree), str(image)))


def _make_squashfs(ctx: Context, wanted: Wanted, members: Sequence[Member], tree: Path, image: Path) -> None:
    argv = squashfs_argv(wanted, members[0].plain, str(image))
    ctx.run(["/usr/bin/python3", "-c", FROM_FILE, str(tree), *argv])


FROM_FILE = (
    "import os, sys; os.dup2(os.open(sys.argv[1], os.O_RDONLY), 0); os.execvp(sys.argv[2], sys.argv[2:])"
)
"""Starts a command with a file as its standard input: a step's commands have none, and there is no shell."""


def too_small(output: str, wanted: Wanted, needed: int) -> PipelineError:
    """Return what is said of a size that does not hold the tree, which takes so many bytes."""
    needed += -needed % BLOCK
    return PipelineError(
        f"{output}: {wanted.kind} of {wanted.size} bytes is too small for its content, which takes {needed}",
        f"give it at least {needed} bytes, or leave `size` out for the least that fits",
    )


def _fill_up(image: Path, wanted: Wanted) -> None:
    """Have the image be as long as is wanted, and a whole number of blocks, as dm-verity counts them."""
    there = image.stat().st_size
    if wanted.size and there > wanted.size:
        raise too_small(image.name, wanted, there)
    os.truncate(image, wanted.size or there + -there % BLOCK)
