"""Makes a file system of single files, each where it is wanted, or of none: what has no tree of its own.

All belongs to root, 0644, folders 0755, and has the time `epoch`; the rest is as in `filesystem`.
"""

import tarfile
from copy import copy
from pathlib import Path

from pipeline.steps import filesystem
from pipeline.steps.runner import Context

FILES = "files"
"""The input below which each file lies at its path in the file system; it is not there if there are none."""


def build(ctx: Context) -> None:
    """Make `params.output`, a file system as the step `filesystem` makes it, of the files in FILES."""
    tree = ctx.work / filesystem.TREE
    write_tar(ctx.inputs.get(FILES), tree, ctx.params["epoch"])
    of_tree = copy(ctx)
    of_tree.inputs = {filesystem.TREE: tree}
    filesystem.build(of_tree)
    tree.unlink()


def write_tar(folder: Path | None, tar: Path, epoch: int) -> None:
    """Write the regular files below `folder` to a tar; what folders they lie in follows from their names."""
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in found:
            info = tarfile.TarInfo(path.relative_to(folder or path).as_posix())
            info.size, info.mode, info.mtime = path.stat().st_size, 0o644, epoch
            with path.open("rb") as data:
                archive.addfile(info, data)
