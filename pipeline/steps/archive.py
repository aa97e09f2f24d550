"""Packs folders into tars that are the same for the same files, and unpacks them again."""

import tarfile
from collections.abc import Callable
from pathlib import Path


def pack(folder: Path, target: Path, epoch: int, wanted: Callable[[Path], bool] = lambda _: True) -> None:
    """Write what is `wanted` of all in `folder` to the tar `target`: sorted, root's, and of one date.

    One date for all also keeps cargo content, which takes an output as stale that is older than
    what it was made from.
    """

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = epoch
        info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
        return info

    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in filter(wanted, sorted(folder.rglob("*"))):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=plain)


def unpack(source: Path, folder: Path) -> None:
    """Write what `pack` packed below `folder`, with the dates it has in the tar."""
    with tarfile.open(source) as tar:
        tar.extractall(folder, filter="tar")
