"""Owns what is left to read after a build: `build.json`, and the rows of the table at the end.

Must not know doit or engines.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.build.builder import Surroundings
from pipeline.plan.step import Output, Pinned, Step
from pipeline.report import size_text
from pipeline.store.cache import Blob
from pipeline.store.files import explained, write_atomically

VERSION = 1
"""Of the layout of build.json: it grows when a reader would misunderstand."""


def _file(blob: Blob) -> dict[str, Any]:
    return {"sha256": blob.sha256, "size": blob.size}


def _record(step: Step, around: Surroundings, cached: bool) -> dict[str, Any]:
    result = around.result(step)
    if result is None:
        raise ValueError(f"step {step.name} has not been made")
    inputs: dict[str, Any] = {}
    for name, source in step.inputs.items():
        match source:
            case Output(made_by, output):
                made = around.result(made_by)
                inputs[name] = {"step": made_by.name} | (_file(made.outputs[output]) if made else {})
            case Pinned(blob):
                inputs[name] = _file(blob)
            case _:
                inputs[name] = {"sha256": around.digest(source, name), "size": source.size()}
    return {
        "step": step.name,
        "key": around.key(step),
        "container": {"image": step.container.tag, "layer": step.container.layer} if step.container else None,
        "inputs": inputs,
        "outputs": {name: _file(blob) for name, blob in sorted(result.outputs.items())},
        "seconds": result.seconds,
        "from_cache": cached,
    }


def build_record(steps: Sequence[Step], around: Surroundings, path: Path, cached: set[str]) -> None:
    """Write `path`: for every step its key, container, inputs, outputs (SHA-256, bytes) and seconds.

    `cached` names the steps whose results were found and not made; their seconds are those of then.
    """
    record = {
        "version": VERSION,
        "steps": [_record(step, around, step.name in cached) for step in steps],
    }
    with explained(path, "write", cache=False):
        write_atomically(path, json.dumps(record, indent=2) + "\n")


def rows(steps: Sequence[Step], around: Surroundings) -> list[tuple[str, str, str, str]]:
    """Return artifact, size, SHA-256 and seconds of all that people get."""
    made = [(step, result) for step in steps if (result := around.result(step))]
    return [
        (name, size_text(blob.size), blob.sha256, f"{result.seconds:.1f}")
        for step, result in made
        for name in step.published
        if (blob := result.outputs[name])
    ]
