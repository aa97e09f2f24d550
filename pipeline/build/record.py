"""What is left to say after a build: `build.json`, the table at the end, what a lock of outputs holds."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.build.builder import Builder
from pipeline.errors import PipelineError
from pipeline.plan.step import LockedPackage, Output, Pinned, Source, Step, distinct
from pipeline.project.outputs import Artifact
from pipeline.report import size_text
from pipeline.store.cache import Blob
from pipeline.store.files import explained, write_atomically

VERSION = 1
"""Of the layout of build.json, and of a release's run.json: it grows when a reader would misunderstand."""


def _file(blob: Blob) -> dict[str, Any]:
    return {"sha256": blob.sha256, "size": blob.size}


def facts(step: Step, builder: Builder) -> dict[str, Any]:
    """Return a step's key, container, inputs and outputs (SHA-256, bytes): the same for whoever makes it."""
    result = builder.result(step)
    if result is None:
        raise ValueError(f"step {step.name} has not been made")
    inputs: dict[str, Any] = {}
    for name, source in step.inputs.items():
        match source:
            case Output(made_by, output):
                made = builder.result(made_by)
                inputs[name] = {"step": made_by.name} | (_file(made.outputs[output]) if made else {})
            case Pinned(blob):
                inputs[name] = _file(blob)
            case LockedPackage(package):
                inputs[name] = {"sha256": package.sha256, "size": package.size}
            case Source():
                inputs[name] = _file(builder.source(source, name))
    return {
        "step": step.name,
        "key": builder.key(step),
        "container": {"image": step.container.tag, "layer": step.container.layer} if step.container else None,
        "inputs": inputs,
        "outputs": {name: _file(blob) for name, blob in sorted(result.outputs.items())},
    }


def _record(step: Step, builder: Builder, cached: bool) -> dict[str, Any]:
    result = builder.result(step)
    run = {"seconds": result and result.seconds, "from_cache": cached}
    return facts(step, builder) | run


def build_record(
    steps: Sequence[Step],
    builder: Builder,
    path: Path,
    cached: set[str],
    unpinned: Mapping[str, Path],
    *,
    debug: bool = False,
) -> None:
    """Write `path`: for every step its key, container, inputs, outputs (SHA-256, bytes) and seconds.

    `cached` names the steps whose results were found and not made; their seconds are those of then. What has
    `unpinned` files in it is not releasable, nor is a `debug` image.
    """
    record = {
        "version": VERSION,
        "releasable": not (unpinned or debug),
        "debug": debug,
        "unpinned": {what: str(path) for what, path in unpinned.items()},
        "steps": [_record(step, builder, step.name in cached) for step in steps],
    }
    text = json.dumps(record, indent=2) + "\n"
    with explained(path, "write", cache=False):
        if not path.is_file() or path.read_bytes() != text.encode():  # a disk takes its time to write
            write_atomically(path, text)


def rows(steps: Sequence[Step], builder: Builder) -> list[tuple[str, str, str, str]]:
    """Return artifact, size, SHA-256 and seconds of all that people get."""
    made = [(step, result) for step in steps if (result := builder.result(step))]
    return [
        (name, size_text(blob.size), blob.sha256, "fetched" if result.fetched else f"{result.seconds:.1f}")
        for step, result in made
        for name in step.published
        if (blob := result.outputs[name])
    ]


def made(images: Mapping[str, Sequence[Step]], builder: Builder) -> tuple[Artifact, ...]:
    """Return what has been built of all images. Raises PipelineError for a step that has not been."""
    found = []
    for step in distinct(step for steps in images.values() for step in steps):
        key, result = builder.key(step), builder.result(step)
        if key is None or result is None:
            raise PipelineError(f"step {step.name} has not been made", "run `./doit iso` first")
        for name, blob in sorted(result.outputs.items()):
            found.append(Artifact(step.name, key, name, blob.size, blob.sha256))
    return tuple(found)
