"""Owns `manifests/outputs.lock.json`: the bytes that everybody who builds the current version must get.

Must not know engines or doit.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline import config
from pipeline.config import STRICT, Sha256, Text
from pipeline.errors import ConfigError, PipelineError
from pipeline.step import Step, distinct
from pipeline.surroundings import Surroundings

PATH = "manifests/outputs.lock.json"
NAME = "outputs"
"""What `./doit lock` calls it; no container is called so."""

VERSION = 2


@dataclass(frozen=True)
class Artifact:
    """One output of a step; `size` in bytes. Images that share a step share what it makes."""

    __pydantic_config__ = STRICT
    step: Text
    name: Text
    size: int
    sha256: Sha256


@dataclass(frozen=True)
class Outputs:
    """The artifacts of one version of the product."""

    __pydantic_config__ = STRICT
    version: int
    product: Text
    artifacts: tuple[Artifact, ...]


def made(images: Mapping[str, Sequence[Step]], around: Surroundings) -> tuple[Artifact, ...]:
    """Return what has been built of all images. Raises PipelineError for a step that has not been."""
    found = []
    for step in distinct(step for steps in images.values() for step in steps):
        result = around.result(step)
        if result is None:
            raise PipelineError(f"step {step.name} has not been made", "run `./doit iso` first")
        for name, blob in sorted(result.outputs.items()):
            found.append(Artifact(step.name, name, blob.size, blob.sha256))
    return tuple(found)


def read(root: Path) -> Outputs:
    """Read the lock. Raises ConfigError with its mistakes."""
    mistakes: list[str] = []
    outputs = config.read(Outputs, root / PATH, PATH, mistakes)
    if outputs is not None and outputs.version != VERSION:
        mistakes.append(f"{PATH}: version: {outputs.version} is not {VERSION}")
    if mistakes or outputs is None:
        raise ConfigError(mistakes, f"`./doit lock {NAME}` writes it anew, of what was built last")
    return outputs


def write(root: Path, product: str, artifacts: Sequence[Artifact]) -> None:
    """Write the lock in one rename, one artifact a line, so that its changes read well."""
    lines = ",\n    ".join(json.dumps(asdict(artifact)) for artifact in artifacts)
    head = f'{{\n  "version": {VERSION},\n  "product": {json.dumps(product)},\n  "artifacts": [\n    '
    path = root / PATH
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(f"{head}{lines}\n  ]\n}}\n", encoding="utf-8")
    partial.replace(path)


def differences(outputs: Outputs, product: str, artifacts: Sequence[Artifact]) -> list[str]:
    """Return, as sentences, in what a build is not what the lock says; none if it is the very same."""
    found = []
    if outputs.product != product:
        found.append(f"{PATH} is of {outputs.product}, this is {product}")
    locked = {(one.step, one.name): one for one in outputs.artifacts}
    for one in artifacts:
        other = locked.pop((one.step, one.name), None)
        if other is None:
            found.append(f"{one.name} of step {one.step} is not in {PATH}")
        elif other != one:
            found.append(
                f"{one.name} of step {one.step} has {one.size} bytes and the SHA-256 {one.sha256}, "
                f"{PATH} says {other.size} and {other.sha256}"
            )
    found += [f"{one.name} of step {one.step} is in {PATH}, but was not built" for one in locked.values()]
    return found
