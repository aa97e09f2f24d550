"""What a server of HTTP, TFTP or PXE offers of a recipe: a script and a command line beside the UKI."""

from collections.abc import Iterable

from pipeline.checks.gate import Gate
from pipeline.checks.netboot import Script
from pipeline.plan.step import Input, Output, Step
from pipeline.project.checkout import Project
from pipeline.steps import netboot


def netboot_steps(project: Project, name: str, program: Output) -> tuple[Step, ...]:
    """Return the step that makes what is offered besides what people get of other steps.

    `program` is the UKI of the recipe `name`. There is none for a recipe without a [netboot] table.
    """
    recipe, pins = project.recipes[name], project.manifest
    if recipe.netboot is None:
        return ()
    uki, script = program.name, recipe.netboot.script
    offered = (uki, netboot.KERNEL, netboot.INITRAMFS)
    step = Step(
        name=f"netboot:{name}",
        summary="Write a script that starts the system over the network.",
        container=project.lock_of("imager"),
        inputs={netboot.UKI: program, **{part: program.step.inputs[part] for part in netboot.SECTIONS}},
        outputs=(script, netboot.CMDLINE),
        params={
            "output": script,
            "uki": uki,
            "cmdline": recipe.cmdline,
            "title": f"{pins.product.name} {pins.product.version}",
            "epoch": pins.source_date_epoch,
        },
        run=netboot.build,
        checks={
            script: Script(offered, recipe.cmdline),
            netboot.CMDLINE: Gate("cmdline", policies=recipe.policy.checks),
        },
        published={script: 0o644, netboot.CMDLINE: 0o644},
    )
    return (step,)


def offered(steps: Iterable[Step], name: str) -> dict[str, Input]:
    """Return the files that a server offers of the recipe `name`, as they are called there; none without."""
    step = next((step for step in steps if step.name == f"netboot:{name}"), None)
    if step is None:
        return {}
    parts = {step.params["uki"] if key == netboot.UKI else key: part for key, part in step.inputs.items()}
    return parts | {output: step.output(output) for output in step.outputs}
