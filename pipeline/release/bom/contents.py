"""Collects what is in the images of a build: which file is in which, and what each was made of.

The plan says it, the locks, and the files themselves; nothing is asked of the network but Debian packages
that the cache has lost.
"""

import hashlib
import re
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pipeline.build.session import Session
from pipeline.debian.lock import Package
from pipeline.formats.fields import open_image
from pipeline.formats.initramfs import read_initramfs
from pipeline.formats.iso9660 import read_iso9660
from pipeline.formats.iso9660_directory import contents as iso_contents
from pipeline.plan.step import Output, Source, Step, distinct
from pipeline.release.bom import licences, programs, systems
from pipeline.release.bom.collection import Collection, artifact_ref, container_ref
from pipeline.release.bom.components import Contents, Kind, Licence, Part, Relation, sorted_contents
from pipeline.steps import (
    compare_kernels,
    hardening,
    initramfs,
    iso,
    kernel,
    kernel_package,
    packages,
    root,
    rust,
    uki,
    verified_uki,
)

REPORTS = (compare_kernels.build, hardening.build)

STUB = "systemd-boot-efi"
"""The package of the EFI stub, which is a UKI's first part."""


def collect(session: Session, names: Mapping[tuple[str, str], str]) -> Contents:
    """Return what is in everything that the steps of a checkout have made for people.

    `names` are what files are called in a release, by step and output; others are called like the output.
    Raises PipelineError for a step that has not been made, a program that does not say what it is of, and a
    package whose licences are not written down.
    """
    found = Collection(session)
    steps = distinct(step for steps in session.images.values() for step in steps)
    for container in {step.container.tag: step.container for step in steps if step.container}.values():
        found.container(container)
    for step in steps:
        if step.run is rust.standard_library:
            programs.library(found, step)
        for name in _published(found, step):
            _artifact(found, step, name, names.get((step.name, name), name))
            _inside(found, step, name, artifact_ref(step, name))
    about = session.project.manifest
    return sorted_contents(
        about.product.name, about.product.version, about.source_date_epoch, found.parts.values(), found.links
    )


def _published(found: Collection, step: Step) -> list[str]:
    """Return what a step publishes in any image: where an image is carried, its steps publish nothing.

    What it says to people about images is in none.
    """
    if step.run in REPORTS:
        return []
    return sorted({name for it in found.session.steps[step.name].values() for name in it.published})


def _artifact(found: Collection, step: Step, name: str, called: str) -> None:
    ref, blob, product = artifact_ref(step, name), found.made(step, name), found.project.manifest.product
    found.add(
        Part(
            ref,
            Kind.ARTIFACT,
            called,
            product.version,
            product.name,
            blob.sha256,
            size=blob.size,
            licence=licences.LINUX if step.run is kernel.build else Licence(),
            origin=f"made by step {step.name}",
        )
    )
    if step.container is not None:
        found.link(container_ref(step.container), Relation.BUILD_TOOL_OF, ref)
    for each in step.inputs.values():
        if isinstance(each, Output) and each.name in _published(found, each.step):
            found.link(ref, Relation.CONTAINS, artifact_ref(each.step, each.name))


def _inside(found: Collection, step: Step, name: str, ref: str) -> None:
    """Take what is in an artifact besides other artifacts, and what it was made of."""
    if step.run is kernel.build:
        found.of_packages(step, ref, Relation.GENERATED_FROM, re.escape(step.params["source"]))
    elif step.run is rust.program:
        programs.built(found, step, name, ref)
    elif step.run is None:
        programs.pinned(found, step, name, ref)
    elif step.run is initramfs.build:
        _initramfs(found, step, name, ref)
    elif step.run is root.build:
        systems.root(found, step, ref)
    elif step.run is kernel_package.build:
        systems.kernel(found, step, name, ref, kernel_package.TAR)
    elif step.run in (uki.build, verified_uki.build):
        found.of_packages(step, ref, Relation.STATIC_LINK, STUB)
        splash = step.inputs["splash.bmp"]
        if isinstance(splash, Source):
            found.own_file(ref, splash.path.name, open_image(splash.path), splash.path)
    elif step.run is iso.build:
        image = found.open(step, name)
        for member in read_iso9660(image).members:
            if not member.is_directory and not member.target:
                path, data = member.path.lstrip("/"), iso_contents(image, member)
                found.file(ref, path, data, f"made by step {step.name}")


def _initramfs(found: Collection, step: Step, name: str, ref: str) -> None:
    """Take the files of an initramfs: programs, files of packages and of the recipe, and an image in it."""
    locked = systems.packages_in(step, "packages.tar")
    known: dict[tuple[str, str], Package] = {}  # by digest and path, and by digest alone
    for package in locked:
        for digest, path in sorted(found.files_of(package)):
            known.setdefault((digest, path), package)
            known.setdefault((digest, ""), package)
    made = {
        found.made(it.step, it.name).sha256: artifact_ref(it.step, it.name)
        for it in step.inputs.values()
        if isinstance(it, Output) and it.step.run is not packages.build
    }
    sources, used, of_kernel = _recipe_files(step), set(), dict[str, Package]()
    if isinstance(modules := step.inputs.get(initramfs.MODULES), Output):
        of_kernel |= systems.of_kernel(found, modules.step, kernel_package.MODULES_TAR, kernel_package.TAR)
    for segment in read_initramfs(found.open(step, name)):
        for entry in segment.entries:
            if not stat.S_ISREG(entry.mode):
                continue
            digest, path = hashlib.sha256(bytes(entry.data)).hexdigest(), entry.name
            owner = known.get((digest, path.removeprefix("usr/"))) or known.get((digest, ""))
            if digest in made:
                program = found.parts[made[digest]]
                file = found.file(ref, path, entry.data, program.origin, program.licence)
                found.link(file, Relation.COPY_OF, made[digest])
            elif (module_of := of_kernel.get(path)) and path not in sources:
                origin, licence = f"from Debian package {module_of.name}", found.licences[module_of.sha256]
                file = found.file(ref, path, entry.data, origin, licence)
                taken = found.used_package(module_of, of_kernel.values())
                found.link(file, Relation.EXPANDED_FROM_ARCHIVE, taken)
            elif owner and path not in sources:
                origin, licence = f"from Debian package {owner.name}", found.licences[owner.sha256]
                file = found.file(ref, path, entry.data, origin, licence)
                found.link(file, Relation.EXPANDED_FROM_ARCHIVE, found.used_package(owner, locked))
                used.add(owner)
            elif path in sources:
                found.own_file(ref, path, entry.data, sources[path])
            else:
                found.file(ref, path, entry.data, f"made by step {step.name}")
    for package in locked:
        if package not in used:
            unused = found.add(found.package(package, tool=True))
            found.link(unused, Relation.BUILD_DEPENDENCY_OF, ref)


def _recipe_files(step: Step) -> dict[str, Path]:
    """Return where files of the recipe lie, by their paths in the initramfs."""
    places = {
        "rootfs": PurePosixPath(),
        **{name: PurePosixPath("etc", name) for name in step.params["about"]},
    }
    return {
        (place / relative).as_posix(): path
        for name, place in places.items()
        if isinstance(source := step.inputs[name], Source)
        for relative, path in source.files().items()
    }
