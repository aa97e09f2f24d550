"""Which files of a build are released, and what they are called then."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.plan.step import Step
from pipeline.plan.trusted import unsigned
from pipeline.release.layout import DOCUMENTS, UNLISTED
from pipeline.store.cache import Blob

KERNEL = "vmlinuz"
RENAME = "give {} another name: image.uki in recipe.toml"


@dataclass(frozen=True)
class Artifact:
    """A file that is released: what `step` made as its output `output`, which lies at `path`."""

    step: Step
    output: str
    blob: Blob
    path: Path


def artifacts(session: Session) -> dict[str, Artifact]:
    """Return the ISOs, disks, UKIs and kernels of all images, by their names in a release.

    Images that share a kernel share its file. Raises PipelineError for a step that has not been made, for two
    files of one name, and for one that is called like a document of releases.
    """
    found: dict[str, Artifact] = {}
    for image, steps in session.images.items():
        for step in steps:
            for output in step.published:
                name = _called(session, image, step, output)
                if name is None:
                    continue
                if name in {*DOCUMENTS, *UNLISTED}:
                    raise PipelineError(
                        f"{name} of step {step.name} is called like a file that tells of the release",
                        RENAME.format("the UKI"),
                    )
                result = session.builder.result(step)
                if result is None:
                    raise PipelineError(f"step {step.name} has not been made", "run `./doit iso` first")
                made = Artifact(step, output, result.outputs[output], session.folder(image) / output)
                if found.setdefault(name, made).blob != made.blob:
                    raise PipelineError(
                        f"{name} of step {step.name} is called like that of step {found[name].step.name}",
                        RENAME.format("one of the UKIs"),
                    )
    return dict(sorted(found.items()))


def _called(session: Session, image: str, step: Step, output: str) -> str | None:
    """Return what a file is called in a release, None for one that is not in it."""
    recipe, kind = session.project.recipes[image], step.name.partition(":")[0]
    if kind in ("iso", "disk"):
        formats = [each for each in session.images[image] if each.name.startswith(f"disk:{image}:")]
        if step.name == f"disk:{image}" and formats:
            return None  # which is as large as the disk, and in each of them
        return f"{image}-{session.project.manifest.product.version}{output.removeprefix(image)}"
    if output == KERNEL:  # both images have one
        return f"{KERNEL}-{step.name.partition(':')[2]}"
    uki = recipe.image.uki
    return output if output in (uki, unsigned(uki)) else None  # which anybody can rebuild
