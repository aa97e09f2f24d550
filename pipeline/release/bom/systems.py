"""What is in a whole system besides its UKI: the packages of a root file system, a distribution's kernel."""

import re
from collections.abc import Mapping
from dataclasses import replace

from pipeline.debian.lock import Package
from pipeline.formats.fields import open_image
from pipeline.plan.step import LockedPackage, Output, Source, Step
from pipeline.release.bom.collection import Collection
from pipeline.release.bom.components import Relation

MODULES, FIRMWARE = "lib/modules/", "lib/firmware/"
PACKED = re.compile(r"\.(xz|gz)$")
"""How a distribution packs its modules, which an initramfs has unpacked."""


def packages_in(step: Step, name: str) -> list[Package]:
    """Return the Debian packages of the set that a step takes, unpacked, as its input `name`."""
    taken = step.inputs.get(name)
    return locked(taken.step) if isinstance(taken, Output) else []


def locked(step: Step) -> list[Package]:
    """Return the Debian packages that are a step's inputs."""
    return [it.package for it in step.inputs.values() if isinstance(it, LockedPackage)]


def root(found: Collection, step: Step, ref: str) -> None:
    """Take the packages that a root file system is made of, all of them whole, and the recipe's files."""
    among = locked(step)
    for package in among:
        found.link(ref, Relation.CONTAINS, found.used_package(package, among))
    rootfs = step.inputs.get("rootfs")
    for path, file in rootfs.files().items() if isinstance(rootfs, Source) else ():
        if file.is_file() and not file.is_symlink():
            found.own_file(ref, path, open_image(file), file)


def kernel(found: Collection, step: Step, name: str, ref: str, packages: str) -> None:
    """Take the package that a kernel is of, under its licence; the others of the set are tools.

    `packages` is what the step calls its input with the set.
    """
    among, digest = packages_in(step, packages), found.made(step, name).sha256
    for package in among:
        if any(each == digest for each, _ in found.files_of(package)):
            found.link(ref, Relation.EXPANDED_FROM_ARCHIVE, found.used_package(package, among))
            found.parts[ref] = replace(found.parts[ref], licence=found.licences[package.sha256])
        else:
            unused = found.add(found.package(package, tool=True))
            found.link(unused, Relation.BUILD_DEPENDENCY_OF, ref)


def of_kernel(found: Collection, modules: Step, tar: str, packages: str) -> Mapping[str, Package]:
    """Return of which package each module and each file of firmware is, by its path in an initramfs.

    `modules` is the step that chooses them, of what another one has taken out of a set: `tar` is what it
    calls its input, and `packages` what both call the set.
    """
    taken = modules.inputs[tar]
    among = packages_in(taken.step, packages) if isinstance(taken, Output) else []
    return {
        PACKED.sub("", path): package
        for package in among
        for _, path in sorted(found.files_of(package))
        if path.startswith((MODULES, FIRMWARE))
    }
