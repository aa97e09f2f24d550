"""Takes a distribution's kernel out of the unpacked packages of a set: bzImage, configuration and modules.

Where Debian has them: Debian Linux Kernel Handbook, "Filesystem layout"
(https://kernel-team.pages.debian.net/kernel-handbook/ch-packaging.html). Tables of modules: depmod(8).
"""

import tarfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.steps import archive
from pipeline.steps.runner import Context

BOOT = "boot/"
VMLINUZ = "vmlinuz-"
MODULES = "usr/lib/modules"
"""Where the modules of each release are, in packages and in a root file system."""

MODULES_TAR = "modules.tar"
TAR = "packages.tar"
"""The input: what the step `packages` makes, whose module takes what this container lacks."""


def build(ctx: Context) -> None:
    """Write `vmlinuz` (a bzImage), `kernel.config`, `kernel.release` and MODULES_TAR.

    The last has all modules below MODULES as the package has them, with the tables of depmod. Input: TAR, the
    set `params.packages`. Raises PipelineError for a set without a kernel, or with more than one.
    """
    intent = f"roots/{ctx.params['packages']}.toml"
    with tarfile.open(ctx.inputs[TAR]) as tar:
        members = {member.name: member for member in tar}
        release = _release(members, intent)
        _take(tar, f"{BOOT}{VMLINUZ}{release}", ctx.out / "vmlinuz", intent)
        _take(tar, f"{BOOT}config-{release}", ctx.out / "kernel.config", intent)
        below = f"{MODULES}/{release}/"
        modules = [member for name, member in members.items() if name.startswith(below) and member.isreg()]
        if not modules:
            raise PipelineError(
                f"{intent}: its kernel {release} has no modules in /{below}",
                "name the package of the same version that has them",
            )
        tree = ctx.work / "tree"
        tar.extractall(tree, modules, filter="data")
    (ctx.out / "kernel.release").write_text(f"{release}\n", encoding="utf-8")
    depmod(ctx, tree, release)
    archive.pack(tree, ctx.out / MODULES_TAR, ctx.params["epoch"])


def depmod(ctx: Context, tree: Path, release: str) -> None:
    """Make the tables of the modules of `release` below MODULES in a tree; depmod finds them by /lib."""
    lib = tree / "lib"
    lib.symlink_to("usr/lib")
    ctx.run(["depmod", f"--basedir={tree}", release])
    lib.unlink()


def _release(members: Mapping[str, tarfile.TarInfo], intent: str) -> str:
    """Return what `uname -r` of the one kernel says."""
    start = BOOT + VMLINUZ
    found = sorted(name.removeprefix(start) for name in members if name.startswith(start))
    if not found:
        raise PipelineError(
            f"{intent}: no package of it has a kernel, /{start}*",
            "name one that has, such as linux-image-cloud-amd64, then run `./doit lock`",
        )
    if len(found) > 1:
        raise PipelineError(
            f"{intent}: its packages have {len(found)} kernels, {' and '.join(found)}",
            "name one of them: modules fit one kernel alone",
        )
    return found[0]


def _take(tar: tarfile.TarFile, name: str, target: Path, intent: str) -> None:
    try:
        file = tar.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise PipelineError(f"{intent}: its kernel comes without /{name}", "is the package whole?")
    target.write_bytes(file.read())
