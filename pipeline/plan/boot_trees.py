"""What firmware starts of partitions of its own: GRUB, and the kernels that its menu leads to."""

from collections.abc import Mapping

from pipeline.checks.gate import Gate
from pipeline.formats import boot_menu
from pipeline.plan.step import Input, Output, Step
from pipeline.project import boot_trees
from pipeline.project.boot_tree import Boot
from pipeline.project.checkout import Project
from pipeline.steps import boot_tree, filesystem_of_files, grub

CONTAINER = "grub"
BOOT_FILE = "EFI/BOOT/BOOTX64.EFI"
"""Where firmware looks for a program on a disk (UEFI 2.10, §3.5.1.1)."""


def boot_tree_steps(project: Project, name: str, root: Output) -> tuple[Step, ...]:
    """Return the steps that make the recipe's boot tree of the tar of its root, and what starts it.

    The first makes `boot_tree.TAR`; another one, where a file system has the tree `grub`, `grub.DISK_PARTS`.
    """
    recipe = project.recipes[name]
    if recipe.boot is None:
        return ()
    tree = Step(
        name=f"boot-tree:{name}",
        summary="Take kernels and initramfs out of a root, with menus that lead to them.",
        container=project.lock_of("root"),
        inputs={boot_tree.ROOT: root},
        outputs=(boot_tree.TAR, boot_menu.ABOUT),
        params={
            "recipe": name,
            "version": project.manifest.product.version,
            "systems": recipe.boot.systems,
            "cmdline": " ".join(recipe.boot.cmdline),
            "folder": recipe.boot.folder,
            "kernel": recipe.boot.kernel,
            "initrd": recipe.boot.initrd,
            "timeout": recipe.boot.timeout,
            "heads": recipe.boot.heads,
            "epoch": project.manifest.source_date_epoch,
        },
        checks={boot_tree.TAR: Gate("boot-tree", policies=recipe.policy.checks)},
        published={boot_tree.TAR: 0o644},
        run=boot_tree.build,
    )
    return (tree, _grub_step(project, name, recipe.boot)) if boot_trees.of(recipe, "grub") else (tree,)


def _grub_step(project: Project, name: str, boot: Boot) -> Step:
    """Return the step that makes the parts of GRUB for the recipe's disk."""
    recipe = project.recipes[name]
    key = boot_trees.of(recipe, "boot") or ""
    return Step(
        name=f"grub:{name}",
        summary="Make the parts of GRUB that start a disk.",
        container=project.lock_of(CONTAINER),
        inputs={},
        outputs=grub.DISK_PARTS,
        params={
            "label": recipe.filesystems[key].label,
            "folder": boot.folder,
            "epoch": project.manifest.source_date_epoch,
        },
        checks={grub.PROGRAM: Gate("efi", policies=())},
        run=grub.build,
    )


def esp_files(project: Project, name: str, loader: Step) -> dict[str, Output]:
    """Return what of GRUB lies on an EFI system partition, by path; BOOT_FILE only on one of its own."""
    boot = project.recipes[name].boot
    folder = f"EFI/{boot.folder if boot else name}"
    return {
        BOOT_FILE: loader.output(grub.PROGRAM),
        **{f"{folder}/{part}": loader.output(part) for part in (grub.PROGRAM, grub.STUB, grub.BLOCK)},
    }


def contents(project: Project, name: str, steps: tuple[Step, ...], tree: str) -> Mapping[str, Input]:
    """Return what a file system with one of these trees, "boot" or "grub", is made of: inputs of its step."""
    if tree == "boot":
        return {boot_tree.ROOT: steps[0].output(boot_tree.TAR)}
    files = esp_files(project, name, steps[-1])
    return {f"{filesystem_of_files.FILES}/{path}": source for path, source in files.items()}


def grub_iso_step(project: Project, name: str) -> Step:
    """Return the step that makes the parts of GRUB for the recipe's ISO, `grub.ISO_PARTS`."""
    recipe = project.recipes[name]
    return Step(
        name=f"grub-iso:{name}",
        summary="Make the parts of GRUB that start an ISO.",
        container=project.lock_of(CONTAINER),
        inputs={},
        outputs=grub.ISO_PARTS,
        params={
            "label": recipe.iso.volume_id if recipe.iso else "",
            "epoch": project.manifest.source_date_epoch,
        },
        checks={grub.PROGRAM: Gate("efi", policies=())},
        run=grub.build_iso,
    )
