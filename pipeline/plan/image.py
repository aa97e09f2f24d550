"""The whole build on one page: a recipe and its pins become steps, top to bottom.

Where kernels and programs come from is in `kernels` and `programs`.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from pipeline.checks.gate import Gate
from pipeline.errors import ConfigError
from pipeline.plan.kernels import kernel_steps, module_steps
from pipeline.plan.netboot import netboot_steps
from pipeline.plan.packages import packages_step
from pipeline.plan.policy import policy_steps
from pipeline.plan.programs import program_steps
from pipeline.plan.roots import root_steps
from pipeline.plan.step import Input, Output, Source, Step, distinct, made
from pipeline.plan.stores import store_steps
from pipeline.plan.trusted import (
    about_trust,
    attach_step,
    esp_inputs,
    initramfs_inputs,
    shim_steps,
    uki_inputs,
    unsigned,
)
from pipeline.project import product as about_product
from pipeline.project.checkout import Project
from pipeline.project.product import product_of
from pipeline.project.recipe import Recipe
from pipeline.steps import efi_image, initramfs, iso, packages, uki, verified_uki

OS_RELEASE = """\
NAME="{product}"
PRETTY_NAME="{title}"
ID={id}
VERSION_ID={version}
"""
VENDOR = 'VENDOR_NAME="{}"\n'
SYSTEM = "IMAGE_ID={id}\nIMAGE_VERSION={version}\n"
"""What the root file system of a whole system says of itself, and so its UKI."""

README = """\
{product} {version} installer

This medium boots by UEFI, as a CD, or as a USB stick that the whole image
was written to (by dd, or by Rufus in its DD image mode). To copy this file
to a stick is not enough: what boots lies behind it, in the EFI system
partition, as EFI/BOOT/BOOTX64.EFI.
"""
CARRIED = "payload"
"""Where in an initramfs the UKI of another recipe lies, and the folder of its input."""

PRODUCT = "product.toml"
"""The input of an initramfs that says what is installed."""

PROGRAMS = "programs"
"""Below which inputs of an initramfs its programs are, so that they may be called as they like."""

LEFT = ("build.json", "logs", "boot", "boot-test")
"""What builds and tests leave in an image's folder beside its artifacts."""


def plans(project: Project) -> dict[str, tuple[Step, ...]]:
    """Return the plan of each recipe, in the recipes' order."""
    planned: dict[str, tuple[Step, ...]] = {}
    for name in sorted(project.recipes, key=lambda name: project.recipes[name].image.carries is not None):
        planned[name] = plan(project, name, planned)  # what is carried comes first
    return {name: planned[name] for name in project.recipes}


def plan(
    project: Project, name: str, planned: Mapping[str, tuple[Step, ...]] = MappingProxyType({})
) -> tuple[Step, ...]:
    """Return the steps that make the image of the recipe `name`, each after all that it needs.

    An image that carries another begins with that one's steps, which publish nothing here. Kernel and
    programs depend on their sources and tools only; version and date of the product reach the image's own
    steps alone, so a release rebuilds neither. `planned` are plans that there are already.
    """
    carried = project.recipes[name].image.carries
    theirs = (planned.get(carried) or plan(project, carried)) if carried else ()
    before = tuple(replace(step, published={}) for step in theirs)
    payload = None
    if carried:
        payload, before = _payload(project, name, carried, before)
    shim = shim_steps(project, name)
    started = _started(project, name, payload, initramfs_inputs(project, name, shim))
    system_root = store_steps(project, name, root_steps(project, name), started)
    rooted, disks, root_hash = tuple[Step, ...](), tuple[Step, ...](), None
    if project.recipes[name].is_system:
        from pipeline.plan import partition_sets, systems  # few recipes need them

        rooted = systems.root_file_systems(project, name, system_root)
        root_hash = systems.roothash(rooted)
    system = _system(project, name, started, root_hash)
    compared = policy_steps(project, name, before, system)
    program = _uki(system, name)
    medium = _medium(project, name, program, shim)
    offered = netboot_steps(project, name, program)
    if project.recipes[name].is_system:
        disks = systems.disk_steps(project, name, rooted, program, system_root)
        disks = (*disks, *partition_sets.partition_set_steps(project, name, disks))
    steps = distinct((*before, *shim, *system_root, *rooted, *system, *compared, *medium, *offered, *disks))
    check_published(name, steps)
    return steps


def _payload(
    project: Project, name: str, carried: str, steps: tuple[Step, ...]
) -> tuple[Output, tuple[Step, ...]]:
    """Return what the recipe `name` carries of `carried`, and those of that one's steps that it takes.

    It is the set of its partitions, or else its UKI.
    """
    if project.recipes[carried].boot is None:
        return _uki(steps, carried), steps
    from pipeline.plan import partition_sets  # few recipes need it

    payload = partition_sets.carried_set(project, name, carried, steps)
    needed = partition_sets.needed_for(payload)
    return payload, tuple(step for step in steps if step.name in needed)


def _uki(steps: tuple[Step, ...], name: str) -> Output:
    """Return the UKI of the recipe `name`, which one of its steps makes, with what is attached to it."""
    made = {step.name: step for step in steps}
    step = made.get(f"attach:{name}") or made[f"uki:{name}"]
    return step.output(step.outputs[0])


def check_published(name: str, steps: tuple[Step, ...]) -> None:
    """Raise ConfigError where a file for people would be replaced by another, or by what a build leaves."""
    taken = dict.fromkeys(LEFT, "what builds and tests leave beside it")
    mistakes = []
    for step in steps:
        for file in step.published:
            if file in taken:
                mistakes.append(
                    f"recipes/{name}/recipe.toml: {file!r} of step {step.name} is called like {taken[file]}"
                )
            taken[file] = f"that of step {step.name}"
    if mistakes:
        raise ConfigError(mistakes, "give the program, or the UKI, another name")


def _os_release(project: Project, name: str) -> str:
    """Return what an initramfs and a UKI say of themselves (os-release(5))."""
    recipe, product = project.recipes[name], project.manifest.product
    called = name  # a host of packages is no part of the product
    if recipe.root is None:
        called = about_product.name_of(project.root, name, recipe, product.name)
    title = f"{called} {product.version}" + (" Installer" if recipe.iso else "")
    text = OS_RELEASE.format(id=name, product=called, version=product.version, title=title)
    text += _about(project, name)[1]
    return text + SYSTEM.format(id=name, version=product.version) if recipe.root is not None else text


def _started(
    project: Project, name: str, carried: Output | None, besides: Mapping[str, Input]
) -> tuple[Step, ...]:
    """Return the steps that end in an initramfs: kernel, programs. It has inputs `besides`."""
    recipe, image = project.recipes[name], project.recipes[name].image
    about = _about(project, name)[0]
    kernel, unpacked = kernel_steps(project, name), packages_step(project, image.packages)
    modules = module_steps(project, name, kernel)
    programs = {called: program_steps(project, name, called) for called in recipe.programs}
    inputs: dict[str, Input] = {
        f"{PROGRAMS}/{called}": steps[-1].output(called) for called, steps in programs.items()
    }
    if carried is not None:
        inputs[CARRIED] = carried
    for step in modules:
        inputs[initramfs.MODULES] = step.output(step.outputs[0])
    initramfs_step = Step(
        name=f"initramfs:{name}",
        summary="Pack BusyBox, the programs and the recipe's files.",
        container=project.lock_of("imager"),
        inputs=inputs
        | about
        | dict(besides)
        | {
            "packages.tar": unpacked.output(packages.TAR),
            "rootfs": Source(project.place(name, image.rootfs)),
        },
        params={
            "programs": tuple(programs),
            "packages": image.packages,
            "packaged": image.packaged,
            "busybox": image.busybox,
            "applets": image.applets,
            "recipe": f"recipes/{name}/recipe.toml",
            "carried": _place_of(carried),
            "about": tuple(about),
            "os_release": _os_release(project, name),
            "epoch": project.manifest.source_date_epoch,
        },
        run=initramfs.build,
        **made("initramfs.cpio.zst", _gate("initramfs", recipe)),
    )
    before = (step for steps in programs.values() for step in steps)
    return (*kernel, *before, *modules, unpacked, initramfs_step)


def _system(
    project: Project, name: str, started: tuple[Step, ...], root_hash: Output | None
) -> tuple[Step, ...]:
    """Return the steps that end in a UKI: those that end in an initramfs, and its own."""
    recipe, image = project.recipes[name], project.recipes[name].image
    kernel = next(step for step in started if "vmlinuz" in step.outputs)
    output = unsigned(image.uki) if recipe.trust else image.uki
    gates = {output: _gate("uki", recipe)}
    if recipe.netboot is not None:
        gates[uki.CMDLINE] = Gate("cmdline", policies=recipe.policy.checks)
    uki_step = Step(
        name=f"uki:{name}",
        summary="Bundle kernel, initramfs and command line into one EFI program.",
        container=project.lock_of("imager"),
        inputs={
            "vmlinuz": kernel.output("vmlinuz"),
            "initramfs.cpio.zst": started[-1].output("initramfs.cpio.zst"),
            "splash.bmp": Source(project.place(name, image.splash)),
            **({verified_uki.ROOTHASH: root_hash} if root_hash else {}),
            **uki_inputs(project, name),
        },
        params={
            "output": output,
            "cmdline": recipe.cmdline,
            "sbat": _sbat(project, name),
            "os_release": _os_release(project, name),
            "epoch": project.manifest.source_date_epoch,
        },
        run=verified_uki.build if root_hash else uki.build,
        outputs=(output, uki.CMDLINE),
        checks=gates,
        published=dict.fromkeys(gates, 0o644),
    )
    if recipe.trust is None:
        return (*started, uki_step)
    return (*started, uki_step, attach_step(project, name, uki_step.output(output), gates[output]))


def _sbat(project: Project, name: str) -> str:
    """Return the line of SBAT by which all UKIs of the recipe `name` of a lower generation can be revoked.

    Shim takes a comma for the end of a field, however it is quoted; nobody has said where to read more.
    """
    recipe, product = project.recipes[name], project.manifest.product
    path = product_of(project.root, name, recipe)
    vendor = about_product.read(path).vendor if path else product.name
    fields = (name, str(recipe.image.sbat), vendor, product.name, product.version, "-")
    return ",".join(field.replace(",", " ") for field in fields) + "\n"


def _place_of(carried: Output | None) -> str:
    """Return where in an initramfs what it carries lies: a file, or below a folder all that is in a tar."""
    if carried is None:
        return ""
    return f"{CARRIED}/" if carried.name.endswith(".tar") else f"{CARRIED}/{carried.name}"


def _about(project: Project, name: str) -> tuple[dict[str, Source], str]:
    """Return the files that say what a recipe's image is for, and who makes it as a line of os-release(5)."""
    path = product_of(project.root, name, project.recipes[name])
    if path is None:
        return {}, ""
    product = about_product.read(path)
    files = {file: Source(path.with_name(file)) for file in product.look.files}
    return {PRODUCT: Source(path), **files}, VENDOR.format(product.vendor)


def _gate(kind: str, recipe: Recipe) -> Gate:
    """Return the check of what has the recipe's initramfs in it."""
    programs = tuple(f"/bin/{called}" for called in recipe.programs)
    return Gate(kind, policies=recipe.policy.checks, programs=programs)


def _medium(project: Project, name: str, program: Output, shim: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps from a UKI to the ISO, none for a recipe without one."""
    recipe, pins = project.recipes[name], project.manifest
    product, epoch = pins.product, pins.source_date_epoch
    imager = project.lock_of("imager")
    if recipe.iso is None:
        return ()
    if recipe.iso.loader == "grub":
        from pipeline.plan.grub_media import grub_medium_steps  # few recipes need it

        return grub_medium_steps(project, name, program)
    efi_image_step = Step(
        name=f"efi-img:{name}",
        summary="Make a FAT image just large enough for the UKI.",
        container=imager,
        inputs=esp_inputs(project, name, program, shim),
        params={"epoch": epoch},
        run=efi_image.build,
        **made("efi.img", _gate("fat", recipe)),
    )
    iso_step = Step(
        name=f"iso:{name}",
        summary="Make the hybrid ISO around the FAT image.",
        container=imager,
        inputs={"efi.img": efi_image_step.output("efi.img")},
        params={
            "output": f"{name}.iso",
            "volume_id": recipe.iso.volume_id,
            "publisher": product.name.upper(),
            "application": f"{name.upper()} {product.version}",
            "readme": README.format(product=product.name, version=product.version)
            + about_trust(recipe.trust),
            "epoch": epoch,
        },
        run=iso.build,
        **made(f"{name}.iso", _gate("iso", recipe)),
    )
    return (efi_image_step, iso_step)
