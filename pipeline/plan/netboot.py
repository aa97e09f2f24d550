"""What a server of HTTP, TFTP or PXE offers of a recipe: the UKI, what it is made of, and a script."""

from collections.abc import Iterable

from pipeline.checks.netboot import Script
from pipeline.plan.step import Input, Output, Step, made
from pipeline.plan.trusted import bundled
from pipeline.project.checkout import Project
from pipeline.steps import netboot
from pipeline.steps.uki import CMDLINE, INITRAMFS, KERNEL


def netboot_steps(project: Project, name: str, program: Output) -> tuple[Step, ...]:
    """Return the step that writes the script; there is none for a recipe without a [netboot] table.

    `program` is the UKI of the recipe `name`. Of that one's step it takes the command line alone: as long as
    this is the same, no other build writes a script.
    """
    recipe, pins = project.recipes[name], project.manifest
    if recipe.netboot is None:
        return ()
    check = Script((program.name, KERNEL, INITRAMFS), recipe.cmdline)
    step = Step(
        name=f"netboot:{name}",
        summary="Write a script that starts the system over the network.",
        container=project.lock_of("imager"),
        inputs={CMDLINE: bundled(program).output(CMDLINE)},
        params={
            "output": recipe.netboot.script,
            "uki": program.name,
            "title": f"{pins.product.name} {pins.product.version}",
            "epoch": pins.source_date_epoch,
        },
        run=netboot.build,
        **made(recipe.netboot.script, check),
    )
    return (step,)


def offered(steps: Iterable[Step], name: str) -> dict[str, Input]:
    """Return the files that a server offers of the recipe `name`, as they are called there; none without."""
    by_name = {step.name: step for step in steps}
    script, program = by_name.get(f"netboot:{name}"), by_name.get(f"uki:{name}")
    if script is None or program is None:
        return {}
    signed = by_name.get(f"attach:{name}", program)
    parts = {part: program.inputs[part] for part in (KERNEL, INITRAMFS)}
    made = ((signed, signed.outputs[0]), (program, CMDLINE), *((script, each) for each in script.outputs))
    return parts | {output: step.output(output) for step, output in made}
