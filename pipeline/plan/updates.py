"""How a whole system is replaced by its next version: systemd-boot, what an update is, and the next one.

Specification: UAPI.1 Boot Loader Specification, and its "Automatic Boot Assessment" (systemd)
"""

from collections.abc import Mapping

from pipeline.checks.gate import Gate
from pipeline.plan.step import Input, Output, Source, Step, made
from pipeline.project import systems
from pipeline.project.checkout import Project
from pipeline.steps import filesystem_of_files, systemd_boot, update, verity

TRIES = 3
"""How often a UKI is booted that has not been found good yet, before the one before it is."""


def loader_step(project: Project, name: str, esp: str) -> Step:
    """Return the step that brings the boot loader of the file system `esp`, and what it is told."""
    own = project.recipes[name].filesystems[esp].loader
    return Step(
        name=f"systemd-boot:{name}",
        summary="Take the boot loader that chooses between versions.",
        container=project.lock_of("imager"),
        inputs={systemd_boot.SETTINGS: Source(project.root / "recipes" / name / own)} if own else {},
        outputs=(systemd_boot.PROGRAM, systemd_boot.SETTINGS),
        params={},
        checks={systemd_boot.PROGRAM: Gate("efi", policies=())},
        run=systemd_boot.build,
    )


def esp_files(project: Project, name: str, loader: Step, uki: Output) -> dict[str, Input]:
    """Return what lies on an ESP with a boot loader: inputs of the step that makes it."""
    program = loader.output(systemd_boot.PROGRAM)
    version = project.manifest.product.version
    files: Mapping[str, Input] = {
        "EFI/BOOT/BOOTX64.EFI": program,
        f"EFI/systemd/{systemd_boot.PROGRAM}": program,
        f"loader/{systemd_boot.SETTINGS}": loader.output(systemd_boot.SETTINGS),
        f"EFI/Linux/{name}_{version}+{TRIES}.efi": uki,
    }
    return {f"{filesystem_of_files.FILES}/{path}": source for path, source in files.items()}


def update_steps(project: Project, name: str, rooted: tuple[Step, ...], uki: Output) -> tuple[Step, ...]:
    """Return the step that makes an update to this version, none for a recipe that cannot be updated."""
    recipe = project.recipes[name]
    key = systems.updated(recipe)
    if key is None:
        return ()
    data = systems.file_of(key, recipe.filesystems[key])
    made_before = {output: step.output(output) for step in rooted for output in step.outputs}
    version = project.manifest.product.version
    output = f"{name}_{version}.update.tar"
    step = Step(
        name=f"update:{name}",
        summary="Make an archive of what an update to this version consists of.",
        container=project.lock_of("disk"),
        inputs={update.UKI: uki, **{each: made_before[each] for each in (data, *verity.names(data))}},
        params={
            "output": output,
            "image": name,
            "version": version,
            "data": data,
            "epoch": project.manifest.source_date_epoch,
        },
        run=update.build,
        **made(output, Gate("update", policies=recipe.policy.checks)),
    )
    return (step,)


def following(project: Project) -> Project:
    """Return the project with a version that follows its own, as the next release has one."""
    return project.marked(".1")
