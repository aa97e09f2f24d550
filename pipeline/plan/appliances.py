"""Disks that hold what an installation leaves behind: of a recipe that is all in its UKI, by `image.formats`.

No medium needs them, so they are in no plan of an image, but besides.
"""

from dataclasses import asdict

from pipeline.checks.gate import Gate
from pipeline.plan.step import Step
from pipeline.plan.systems import KINDS, placed_disk
from pipeline.project import product as about_product
from pipeline.project import systems
from pipeline.project.checkout import Project
from pipeline.project.product import product_of
from pipeline.steps import disk, installed
from pipeline.steps.installed import DATA, DEFINITIONS, SYSTEM, UKI, Facts

CONTENT = "installed"
"""What the seed of all identifiers is derived from, besides product and recipe."""

ROOMY = ("FAT006",)
"""The EFI partition has room for several systems, which a medium's has not."""


def disk_steps(project: Project, name: str, planned: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps from the UKI of the recipe `name`, which `planned` end in, to disks in its formats.

    There are none for a recipe that does not ask for them.
    """
    recipe = project.recipes[name]
    path = product_of(project.root, name, recipe)
    if path is None or not recipe.image.formats:
        return ()
    product, pins = about_product.read(path), project.manifest
    data, data_mib = product.disk.data, product.disk.least_data_mib
    if data is None or data_mib is None:  # a set of partitions, in which no UKI lies beside data
        return ()
    made = {step.name: step for step in planned}
    uki = made.get(f"attach:{name}") or made[f"uki:{name}"]
    shim = made.get(f"shim:{name}")
    before = {output: shim.output(output) for output in shim.outputs} if shim else {}
    seed = systems.seed(pins.product.name, name, CONTENT)
    facts = Facts(
        product=product.name,
        version=pins.product.version,
        id=product.id,
        folder=product.disk.folder,
        data=data,
        efi_mib=product.disk.efi_mib,
        data_mib=data_mib,
        seed=seed,
    )
    step = Step(
        name=f"installed:{name}",
        summary="Make the file systems that an installation leaves behind.",
        container=project.lock_of("disk"),
        inputs={UKI: uki.output(uki.outputs[0]), **before},
        outputs=(SYSTEM, DATA, *DEFINITIONS),
        params={**asdict(facts), "uki": recipe.image.uki, "epoch": pins.source_date_epoch},
        checks={
            SYSTEM: Gate(KINDS["fat"], ROOMY, policies=recipe.policy.checks),
            DATA: Gate(KINDS["ext4"], policies=recipe.policy.checks),
        },
        run=installed.build,
    )
    definitions = {f"{disk.DEFINITIONS}/{name}": step.output(name) for name in DEFINITIONS}
    placed = {name: step.output(name) for name in (SYSTEM, DATA)}
    formats = recipe.image.formats
    disks = placed_disk(project, name, placed | definitions, formats, seed=seed, allowed=ROOMY)
    return (step, *disks)
