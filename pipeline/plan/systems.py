"""Whole systems: a recipe's file systems, the hashes that verify one, and disks in all formats."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from pipeline.checks.gate import Gate
from pipeline.plan import boot_trees, updates
from pipeline.plan.step import Input, Output, Source, Step, made
from pipeline.project import systems
from pipeline.project.checkout import Project
from pipeline.project.recipe import DiskFormat, FileSystem
from pipeline.steps import disk, disk_formats, filesystem, filesystem_of_files, verity
from pipeline.steps.repart import bytes_of

KINDS = {"ext4": "ext", "erofs": "erofs", "squashfs": "squashfs", "fat": "fat"}
"""What `checks` call the kinds of file systems."""

FORMATS: Mapping[DiskFormat, tuple[str, str]] = {
    "raw.zst": ("raw.zst", "packed"),
    "qcow2": ("qcow2", "qcow2"),
    "vhd": ("vhd", "vhd"),
    "vmdk": ("vmdk", "vmdk"),
    "ova": ("ova", "ova"),
    "gce": ("tar.gz", "packed"),
}
"""What files of each format end in, and what `checks` call its kind."""

PLACED = (filesystem.build, filesystem_of_files.build, verity.build)
"""The steps whose outputs a disk may have in it."""

BOOT_FILE = f"{filesystem_of_files.FILES}/{boot_trees.BOOT_FILE}"
"""The input of a file system that lies where firmware looks for a program."""

NOT_OF_BOOT_TREES = ("appliance", "medium")
"""Policies about an initramfs that is the whole system, and about what firmware starts without a loader."""

MEMORY, CPUS = 2048, 2
"""Of the machine that an OVA describes: MiB, and how many; whoever imports it chooses others."""


def root_file_systems(project: Project, name: str, roots: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps that make file systems of the root that `roots` end in, and hash the verified one."""
    steps: list[Step] = []
    for called, wanted in project.recipes[name].filesystems.items():
        if wanted.tree != "root":
            continue
        step = _file_system(project, name, called, {filesystem.TREE: roots[-1].output(filesystem.TREE)})
        steps.append(step)
        if wanted.verity:
            steps.append(_verity(project, name, called, step.output(step.outputs[0])))
    return tuple(steps)


def roothash(steps: tuple[Step, ...]) -> Output | None:
    """Return the root hash that one of these steps makes, None if none does."""
    return next((step.output(step.outputs[1]) for step in steps if step.run is verity.build), None)


def disk_steps(
    project: Project, name: str, rooted: tuple[Step, ...], uki: Output, roots: tuple[Step, ...] = ()
) -> tuple[Step, ...]:
    """Return the steps that make the other file systems of a recipe, its disk, and the formats of that.

    `rooted` are the steps of those that are there already, made of the root that `roots` end in.
    """
    recipe = project.recipes[name]
    booted = boot_trees.boot_tree_steps(project, name, roots[-1].output(filesystem.TREE)) if roots else ()
    others: tuple[Step, ...] = booted
    for called, wanted in recipe.filesystems.items():
        if wanted.tree == "root":
            continue
        files: Mapping[str, Input] = {BOOT_FILE: uki} if wanted.tree == "uki" else {}
        if wanted.tree in ("boot", "grub"):
            files = boot_trees.contents(project, name, booted, wanted.tree)
        if wanted.boot == "systemd-boot":
            loader = updates.loader_step(project, name, called)
            files, others = updates.esp_files(project, name, loader, uki), (*others, loader)
        others = (*others, _file_system(project, name, called, files))
    others = (*others, *updates.update_steps(project, name, rooted, uki))
    if recipe.disk is None:
        return others
    placed = {
        output: step.output(output)
        for step in (*rooted, *others)
        for output in step.outputs
        if step.run in PLACED
    }
    for step in booted:
        placed |= {part: step.output(part) for part in (disk.BOOT, disk.CORE) if part in step.outputs}
    verified = systems.verified(recipe)
    definitions = Source(project.place(name, recipe.disk.definitions))
    disks = placed_disk(
        project,
        name,
        {**placed, disk.DEFINITIONS: definitions},
        recipe.disk.formats,
        seed=systems.seed(project.manifest.product.name, name),
        size=bytes_of(recipe.disk.size or "") or 0,
        verity=(systems.file_of(verified, recipe.filesystems[verified]),) if verified else (),
    )
    return (*others, *disks)


def placed_disk(
    project: Project,
    name: str,
    inputs: Mapping[str, Input],
    formats: Sequence[DiskFormat],
    *,
    seed: str,
    size: int = 0,
    verity: tuple[str, ...] = (),
    allowed: tuple[str, ...] = (),
) -> tuple[Step, ...]:
    """Return the steps of a disk, of `inputs` as the step `disk` has them, and of its formats.

    `allowed` are the codes of what may be wrong with it.
    """
    step = Step(
        name=f"disk:{name}",
        summary="Make a disk of finished file systems.",
        container=project.lock_of("disk"),
        inputs=inputs,
        params={
            "output": f"{name}.raw",
            "size": size,
            "verity": verity,
            "seed": seed,
            "architecture": "x86-64",
            "image": name,
            "version": project.manifest.product.version,
            "epoch": project.manifest.source_date_epoch,
        },
        run=disk.build,
        **made(f"{name}.raw", _gate(project, name, "disk", allowed)),
    )
    whole = step.output(step.outputs[0])
    return (step, *(_format(project, name, wanted, whole, allowed) for wanted in formats))


def _gate(project: Project, name: str, kind: str, allowed: tuple[str, ...] = ()) -> Gate:
    recipe = project.recipes[name]
    left_out = NOT_OF_BOOT_TREES if recipe.boot else ()
    return Gate(kind, allowed, policies=tuple(one for one in recipe.policy.checks if one not in left_out))


def _file_system(project: Project, name: str, called: str, inputs: Mapping[str, Input]) -> Step:
    """Return the step that makes a file system of a tree, of single files, or of nothing."""
    made_as: FileSystem = project.recipes[name].filesystems[called]
    seed = systems.seed(project.manifest.product.name, name, called)
    output = systems.file_of(called, made_as)
    return Step(
        name=f"filesystem:{name}:{called}",
        summary="Make a file system.",
        container=project.lock_of("disk"),
        inputs=inputs,
        params={
            "output": output,
            **asdict(systems.wanted(made_as, seed)),
            "epoch": project.manifest.source_date_epoch,
        },
        run=filesystem.build if filesystem.TREE in inputs else filesystem_of_files.build,
        **made(output, _gate(project, name, KINDS[made_as.kind])),
    )


def _verity(project: Project, name: str, called: str, data: Output) -> Step:
    """Return the step that makes the tree of hashes of a file system; it judges the tree itself."""
    names = verity.names(data.name)
    return Step(
        name=f"verity:{name}:{called}",
        summary="Hash a file system, so that it is verified as it is read.",
        container=project.lock_of("disk"),
        inputs={data.name: data},
        outputs=names,
        params={"data": data.name, "epoch": project.manifest.source_date_epoch},
        run=verity.build,
        published=dict.fromkeys(names, 0o644),
    )


def _format(project: Project, name: str, wanted: DiskFormat, whole: Output, allowed: tuple[str, ...]) -> Step:
    """Return the step that makes another format of a disk."""
    ending, kind = FORMATS[wanted]
    product, output = project.manifest.product, f"{name}.{ending}"
    machine = {
        "name": name,
        "product": product.name,
        "version": product.version,
        "memory": MEMORY,
        "cpus": CPUS,
    }
    return Step(
        name=f"disk:{name}:{wanted}",
        summary="Make another format of a disk.",
        container=project.lock_of("disk"),
        inputs={disk_formats.DISK: whole},
        params={
            "outputs": {wanted: output},
            "epoch": project.manifest.source_date_epoch,
            **({"machine": machine} if wanted == "ova" else {}),
        },
        run=disk_formats.build,
        **made(output, _gate(project, name, kind, allowed)),
    )
