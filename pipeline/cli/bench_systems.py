"""Whole systems in the benchmark: from packages to a disk, what an edit takes, and how large it all is.

The system is the handbook's (`docs/systems.md`): systemd to a login prompt, on a root that is verified.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.build.session import Session
from pipeline.cli.bench_edits import Checkout, Figure, copied
from pipeline.cli.bench_mkosi import mkosi_seconds
from pipeline.debian.lock import SetIntent
from pipeline.project import systems as tables
from pipeline.project.recipe import Recipe
from pipeline.report import Report
from pipeline.vm.stages import Stage

NAME = "bench-host"
SET, LINUX, TOOLS = "bare", "linux-cloud", "initramfs"
"""The sets of packages that it is of."""

LOGIN = str(Stage.SERIAL)

RECIPE = f"""\
summary = "What bench measures: systemd to a login prompt, on a read-only root that is verified."

[kernel]
package = "linux-image-cloud-amd64"
packages = "{LINUX}"
modules = ["virtio_blk", "erofs", "dm-verity"]

[programs.init]
builtin = "stage1"
binary = "stage1"

[image]
uki = "Host.efi"
packages = "{TOOLS}"
busybox = false
rootfs = "initramfs"
splash = "splash.bmp"
cmdline = ["roothash={{roothash}}", "console=tty0", "console=ttyS0,115200", "panic=5"]

[policy]
checks = ["reproducible"]

[root]
packages = "{SET}"
rootfs = "root"
setuid = [
    "/usr/bin/chage", "/usr/bin/chfn", "/usr/bin/chsh", "/usr/bin/expiry", "/usr/bin/gpasswd",
    "/usr/bin/mount", "/usr/bin/newgrp", "/usr/bin/passwd", "/usr/bin/su", "/usr/bin/umount",
    "/usr/sbin/unix_chkpwd",
]

[filesystems.root]
kind = "erofs"
tree = "root"
label = "host-root"
compression = "zstd,3"
verity = true

[filesystems.var]
kind = "ext4"
tree = "empty"
label = "VAR"
room = "64M"
grows = true

[filesystems.esp]
kind = "fat"
tree = "uki"
label = "ESP"

[disk]
formats = ["qcow2"]
"""
FILES = {
    "recipe.toml": RECIPE,
    "initramfs/etc/hostname": "host\n",
    "root/etc/hostname": "host\n",
    "root/etc/fstab": "PARTLABEL=VAR /var ext4 x-systemd.device-timeout=5min 0 2\n",
    "repart.d/10-esp.conf": "[Partition]\nType=esp\nLabel=ESP\nCopyBlocks=/esp.fat\n",
    "repart.d/20-root.conf": "[Partition]\nType=root\nLabel=host-root\nCopyBlocks=/root.erofs\n",
    "repart.d/30-root-verity.conf": "[Partition]\nType=root-verity\nLabel=host-root-verity\n"
    "CopyBlocks=/root.verity\n",
    "repart.d/40-var.conf": "[Partition]\nType=var\nLabel=VAR\nCopyBlocks=/var.ext4\nGrowFileSystem=yes\n",
}


def systems(session: Session, image: str) -> Iterator[Figure]:
    """Measure a small system beside mkosi, and the project's own systems.

    Nothing is measured of a project that lacks the package sets; `image` lends its splash.
    """
    project = session.project
    lacking = sorted({SET, LINUX, TOOLS} - set(project.set_locks))
    if lacking:
        session.report.print(f"no system is measured: there is no set roots/{lacking[0]}.toml")
        return
    with copied(session, NAME) as checkout:
        _write_recipe(checkout, project.root / "recipes" / image / project.recipes[image].image.splash)
        checkout.doit("image", NAME)
        forget(Session(checkout.folder, Report()))
        shutil.rmtree(checkout.artifacts)
        cold = checkout.doit("image", NAME)
        yield Figure("a system, from packages to its disk", cold, "seconds")
        checkout.append(f"recipes/{NAME}/root/etc/edited", f"{time.time()}\n")
        edited = checkout.doit("image", NAME)
        yield Figure("a file of its root changed, to the disk", edited, "seconds")
        made = Session(checkout.folder, Report()).project.recipes[NAME]
        yield from _sizes(NAME, made, checkout.artifacts)
    intent = project.all_intents[SET]
    if "mkosi" in project.locks and isinstance(intent, SetIntent):
        theirs = mkosi_seconds(session, intent, project.set_locks[SET])
        yield Figure("the same root by mkosi, on a disk without UKI, ESP and /var", theirs, "seconds")
        yield Figure("ratio of the two", cold / theirs, "times")
    yield from _of_project(project.root, project.recipes)


def _of_project(root: Path, recipes: Mapping[str, Recipe]) -> Iterator[Figure]:
    """Yield how large the project's own systems are, and how fast, as far as they were made and booted."""
    for name, recipe in recipes.items():
        if recipe.disk is not None and recipe.filesystems:
            artifacts = root / "artifacts" / name
            yield from _sizes(name, recipe, artifacts)
            yield from _logins(name, artifacts / "boot-test")


def _write_recipe(checkout: Checkout, splash: Path) -> None:
    folder = checkout.folder / "recipes" / NAME
    for path, text in FILES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    shutil.copyfile(splash, folder / "splash.bmp")


def forget(session: Session) -> None:
    """Have the cache forget what the recipe's own steps made; programs, kernels and packages stay."""
    shared = {step.name for name, steps in session.plans.items() if name != NAME for step in steps}
    own = [
        step
        for step in session.plans[NAME]
        if step.name.partition(":")[2].partition(":")[0] == NAME and step.name not in shared
    ]
    made = [step for step in own if step.container is None or step.container.container != "rust"]
    keys = [session.builder.key(step) for step in made]  # all at first: they follow from what is forgotten
    for key in filter(None, keys):
        session.store.forget(key)


def _sizes(name: str, recipe: Recipe, artifacts: Path) -> Iterator[Figure]:
    """Yield the sizes of a system's verified root and of its UKI, where they were made."""
    verified = tables.verified(recipe)
    files = [("UKI", recipe.image.uki)]
    if verified:
        files.insert(0, ("root", tables.file_of(verified, recipe.filesystems[verified])))
    for what, file in files:
        if (path := artifacts / file).is_file():
            yield Figure(f"size of the {what} of {name}", path.stat().st_size, "bytes")


def _logins(name: str, folder: Path) -> Iterator[Figure]:
    """Yield how long the boot test saw the system take to its prompt, by the bus of its disk."""
    for path in sorted(folder.glob("*/result.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if LOGIN in result["seconds"]:
            where = f"{result['way']}, {result['accel']}"
            yield Figure(f"power-on to login of {name}, {where}", result["seconds"][LOGIN], "seconds")
