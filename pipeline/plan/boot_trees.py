"""What a firmware starts before Linux, of its own partition: GRUB, and what its menu leads to."""

from pipeline.checks.gate import Gate
from pipeline.plan.step import Step
from pipeline.project.checkout import Project
from pipeline.steps import grub

CONTAINER = "grub"


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
