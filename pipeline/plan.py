"""The whole build on one page: a recipe and its pins become steps, top to bottom.

Must not know engines, caches or doit.
"""

from typing import TypedDict

from pipeline.checks.catalog import Gate
from pipeline.checks.finding import Check
from pipeline.errors import ConfigError
from pipeline.manifest import Artifact
from pipeline.project import Project
from pipeline.step import Output, Pinned, Source, Step
from pipeline.steps import efi_image, initramfs, iso, kernel, rust, uki
from pipeline.store import Blob

PROGRAM = "truthdb-installer"
OS_RELEASE = """\
NAME="{product}"
PRETTY_NAME="{product} {version} Installer"
ID={id}
VERSION_ID={version}
"""
README = """\
{product} {version} installer

This medium boots by UEFI, from CD or copied to a USB stick as it is:
everything lies in its EFI system partition, in EFI/BOOT/BOOTX64.EFI.
"""


class _Artifact(TypedDict):
    outputs: tuple[str, ...]
    checks: dict[str, Check]
    published: dict[str, int]


def _artifact(name: str, check: Check, mode: int = 0o644) -> _Artifact:
    """Return what a step says of the one file that it makes for people."""
    return {"outputs": (name,), "checks": {name: check}, "published": {name: mode}}


def plan(project: Project, name: str) -> tuple[Step, ...]:
    """Return the steps that make the image of the recipe `name`, each after all that it needs.

    Kernel and installer depend on their sources and tools only; version and date of the product reach
    the image's own steps alone, so a release rebuilds neither.
    """
    recipe, pins = project.recipes[name], project.manifest
    product, epoch = pins.product, pins.source_date_epoch
    folder = project.root / "recipes" / name
    imager = project.lock_of("imager")
    os_release = OS_RELEASE.format(id=name, product=product.name, version=product.version)
    cmdline = " ".join(recipe.image.cmdline).replace("{volume_id}", recipe.image.volume_id)

    vmlinuz = _kernel(project, name)
    *installer_steps, program = _installer(project, name)

    initramfs_step = Step(
        name=f"initramfs:{name}",
        summary="Pack BusyBox, the installer and the recipe's files.",
        container=imager,
        inputs={PROGRAM: program.output(PROGRAM), "rootfs": Source(folder / recipe.image.rootfs)},
        params={"program": PROGRAM, "os_release": os_release, "epoch": epoch},
        run=initramfs.build,
        **_artifact("initramfs.cpio.zst", Gate("initramfs")),
    )
    uki_step = Step(
        name=f"uki:{name}",
        summary="Bundle kernel, initramfs and command line into one EFI program.",
        container=imager,
        inputs={
            "vmlinuz": vmlinuz,
            "initramfs.cpio.zst": initramfs_step.output("initramfs.cpio.zst"),
            "splash.bmp": Source(folder / recipe.image.splash),
        },
        params={"cmdline": cmdline, "os_release": os_release, "epoch": epoch},
        run=uki.build,
        **_artifact("TruthDBInstaller.efi", Gate("uki")),
    )
    efi_image_step = Step(
        name=f"efi-image:{name}",
        summary="Make a FAT image just large enough for the UKI.",
        container=imager,
        inputs={"TruthDBInstaller.efi": uki_step.output("TruthDBInstaller.efi")},
        params={"epoch": epoch},
        run=efi_image.build,
        **_artifact("efi.img", Gate("fat")),
    )
    iso_step = Step(
        name=f"iso:{name}",
        summary="Make the hybrid ISO around the FAT image.",
        container=imager,
        inputs={"efi.img": efi_image_step.output("efi.img")},
        params={
            "output": f"{name}.iso",
            "volume_id": recipe.image.volume_id,
            "publisher": product.name.upper(),
            "application": f"{name.upper()} {product.version}",
            "readme": README.format(product=product.name, version=product.version),
            "epoch": epoch,
        },
        run=iso.build,
        **_artifact(f"{name}.iso", Gate("iso")),
    )
    return (vmlinuz.step, *installer_steps, program, initramfs_step, uki_step, efi_image_step, iso_step)


def _kernel(project: Project, name: str) -> Output:
    """Return the kernel: built from fragments, shared by all recipes that name the same ones, or taken."""
    recipe = project.recipes[name].kernel
    vmlinuz = _artifact("vmlinuz", Gate("kernel"))
    if recipe.artifact is not None:
        step = Step(
            name=f"kernel:{recipe.artifact}",
            summary="Take the kernel that the manifest names.",
            inputs={"vmlinuz": _pinned(project, recipe.artifact)},
            **vmlinuz,
        )
        return step.output("vmlinuz")
    lock = project.lock_of("kernel")
    flavour = recipe.fragments[-1]
    sources = [package.name for package in lock.packages if package.name.startswith("linux-source-")]
    if len(sources) != 1:
        raise ConfigError(
            [f"containers/kernel.toml: packages: {len(sources)} linux-source packages, want one"],
            "name one, such as linux-source-6.12, then run `./doit lock kernel`",
        )
    step = Step(
        name=f"kernel:{flavour}",
        summary="Build Linux from Debian's source.",
        container=lock,
        inputs={
            f"{fragment}.config": Source(project.root / "recipes/kernels" / f"{fragment}.config")
            for fragment in recipe.fragments
        },
        outputs=("vmlinuz", "kernel.config", "kernel.release"),
        params={
            "source": sources[0],
            "fragments": recipe.fragments,
            "localversion": f"-{flavour}",
            "epoch": lock.epoch,
        },
        run=kernel.build,
        checks=vmlinuz["checks"],
        published=vmlinuz["published"],
    )
    return step.output("vmlinuz")


def _installer(project: Project, name: str) -> tuple[Step, ...]:
    """Return the steps that end in the installer: built from a crate, or taken."""
    recipe = project.recipes[name].installer
    installer = _artifact(PROGRAM, Gate("elf"), 0o755)
    if recipe.crate is None:
        taken = Step(
            name=f"installer:{name}",
            summary="Take the program that the manifest names.",
            inputs={PROGRAM: _pinned(project, recipe.artifact or "")},
            **installer,
        )
        return (taken,)
    lock = project.lock_of("rust")
    crate = project.root / "recipes" / name / recipe.crate
    manifests = {file: Source(crate / file) for file in ("Cargo.toml", "Cargo.lock")}
    params = {"epoch": lock.epoch}
    library = Step(
        name="rust-std",
        summary="Build Rust's standard library for musl.",
        container=lock,
        inputs={},
        outputs=("sysroot.tar",),
        params=params,
        run=rust.standard_library,
    )
    crates = Step(
        name=f"crates:{name}",
        summary="Fetch the crates that Cargo.lock names.",
        container=lock,
        inputs=manifests,
        outputs=("crates.tar",),
        params=params,
        run=rust.fetch_crates,
        network=True,
    )
    tools = {"sysroot.tar": library.output("sysroot.tar"), "crates.tar": crates.output("crates.tar")}
    dependencies = Step(
        name=f"dependencies:{name}",
        summary="Compile the crates.",
        container=lock,
        inputs={**manifests, **tools},
        outputs=("target.tar",),
        params=params,
        run=rust.dependencies,
    )
    program = Step(
        name=f"installer:{name}",
        summary="Build the static installer.",
        container=lock,
        inputs={
            **tools,
            "target.tar": dependencies.output("target.tar"),
            "crate": Source(crate, exclude=("target",)),
        },
        params=params | {"program": PROGRAM},
        run=rust.program,
        **installer,
    )
    return (library, crates, dependencies, program)


def _pinned(project: Project, artifact: str) -> Pinned:
    pin: Artifact = project.manifest.artifacts[artifact]
    return Pinned(
        blob=Blob(pin.sha256, pin.size),
        what=f"artifact {artifact!r}",
        path=project.root / pin.path if pin.path else None,
        urls=(pin.url,) if pin.url else (),
    )
