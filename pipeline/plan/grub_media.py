"""The steps of an ISO that GRUB starts, by BIOS and by UEFI: kernel and initramfs lie on it as files."""

from pipeline.checks.gate import Gate
from pipeline.plan.boot_trees import grub_iso_step
from pipeline.plan.step import Output, Step, made
from pipeline.plan.trusted import bundled
from pipeline.project.checkout import Project
from pipeline.project.product import name_of
from pipeline.steps import efi_image, grub, iso_grub
from pipeline.steps.uki import INITRAMFS, KERNEL

LOADER = ("FAT008",)
"""Rules of media that firmware starts a UKI from: here it starts GRUB."""

TIMEOUT = 5
"""Seconds that the menu waits: time to add a parameter."""

README = """\
{product} {version} installer

This medium boots by UEFI and by BIOS, as a CD, or as a USB stick that the
whole image was written to (by dd, or by Rufus in its DD image mode). To copy
this file to a stick is not enough, unless a boot loader there starts ISO
files: it finds what to start in boot/grub/loopback.cfg.
"""


def grub_medium_steps(project: Project, name: str, program: Output) -> tuple[Step, ...]:
    """Return the steps of the ISO of the recipe `name`; `program` is its UKI, whose parts lie on it."""
    recipe, product = project.recipes[name], project.manifest.product
    volume_id = recipe.iso.volume_id if recipe.iso else ""
    called = name_of(project.root, name, recipe, product.name)
    epoch, policies = project.manifest.source_date_epoch, recipe.policy.checks
    loader = grub_iso_step(project, name)
    volume = Step(
        name=f"efi-img:{name}",
        summary="Make a FAT image just large enough for GRUB.",
        container=project.lock_of("imager"),
        inputs={"BOOTX64.EFI": loader.output(grub.PROGRAM)},
        params={"epoch": epoch},
        run=efi_image.build,
        **made("efi.img", Gate("fat", LOADER, policies=policies)),
    )
    medium = Step(
        name=f"iso:{name}",
        summary="Make the hybrid ISO that GRUB starts.",
        container=project.lock_of("imager"),
        inputs={
            "efi.img": volume.output("efi.img"),
            **{part: bundled(program).inputs[part] for part in (KERNEL, INITRAMFS)},
            **{part: loader.output(part) for part in (grub.ELTORITO, grub.HYBRID)},
        },
        params={
            "output": f"{name}.iso",
            "volume_id": volume_id,
            "publisher": called.upper(),
            "application": f"{name.upper()} {product.version}",
            "title": f"{called} {product.version} Installer",
            "cmdline": recipe.cmdline,
            "timeout": TIMEOUT,
            "readme": README.format(product=called, version=product.version),
            "epoch": epoch,
        },
        run=iso_grub.build,
        **made(f"{name}.iso", Gate("iso", LOADER, policies=policies)),
    )
    return (loader, volume, medium)
