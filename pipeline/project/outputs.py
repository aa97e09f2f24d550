"""`manifests/outputs.lock.json`: the bytes that everybody who builds the current version must get."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ConfigDict

from pipeline import config
from pipeline.config import Sha256, Text
from pipeline.errors import ConfigError
from pipeline.store.cache import Blob
from pipeline.store.files import write_atomically

PATH = "manifests/outputs.lock.json"
NAME = "outputs"
"""What `./doit lock` calls it; no container is called so."""

VERSION = 3


class StaleError(ConfigError):
    """No lock, or one of an older version of this program: it proves nothing, and is in nobody's way."""


@dataclass(frozen=True)
class Artifact:
    """One output of a step with this key; `size` in bytes. Images that share a step share what it makes."""

    step: Text
    key: Sha256
    name: Text
    size: int
    sha256: Sha256


@dataclass(frozen=True)
class Header:
    """What can be read of a lock of any version."""

    __pydantic_config__ = ConfigDict(extra="ignore", strict=True)
    version: int


@dataclass(frozen=True)
class Outputs:
    """The artifacts of one version of the product."""

    version: int
    product: Text
    artifacts: tuple[Artifact, ...]


def read(root: Path) -> Outputs:
    """Read the lock. Raises StaleError where there is none of this version, ConfigError for mistakes."""
    hint = f"`./doit lock {NAME}` writes it anew, of what was built last"
    path = root / PATH
    if not path.exists():
        raise StaleError([f"{PATH}: no such file"], hint)
    mistakes: list[str] = []
    header = config.read(Header, path, PATH, mistakes)
    if header is not None and header.version < VERSION:
        raise StaleError(
            [f"{PATH}: version {header.version} does not say from which inputs artifacts were made"], hint
        )
    if header is not None and header.version > VERSION:
        mistakes.append(f"{PATH}: version: {header.version} is not {VERSION}")
    outputs = None if mistakes else config.read(Outputs, path, PATH, mistakes)
    if outputs is None:
        raise ConfigError(mistakes, config.TAKE_ONE_SIDE if config.in_conflict(mistakes) else hint)
    return outputs


def by_key(root: Path) -> dict[str, dict[str, Blob]]:
    """Return what steps have to make, by key and output; nothing where the lock cannot be read.

    Whoever needs the lock meets the same mistake in `read`, and says it.
    """
    found: dict[str, dict[str, Blob]] = {}
    with contextlib.suppress(ConfigError):
        for one in read(root).artifacts:
            found.setdefault(one.key, {})[one.name] = Blob(one.sha256, one.size)
    return found


def write(root: Path, product: str, artifacts: Sequence[Artifact]) -> None:
    """Write the lock in one rename, one artifact a line, so that its changes read well."""
    lines = ",\n    ".join(json.dumps(asdict(artifact)) for artifact in artifacts)
    head = f'{{\n  "version": {VERSION},\n  "product": {json.dumps(product)},\n  "artifacts": [\n    '
    write_atomically(root / PATH, f"{head}{lines}\n  ]\n}}\n")


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
        elif (other.size, other.sha256) != (one.size, one.sha256):
            found.append(
                f"{one.name} of step {one.step} has {one.size} bytes and the SHA-256 {one.sha256}, "
                f"{PATH} says {other.size} and {other.sha256}"
            )
    found += [f"{one.name} of step {one.step} is in {PATH}, but was not built" for one in locked.values()]
    return found


def unproved(outputs: Outputs, artifacts: Sequence[Artifact]) -> list[str]:
    """Return the steps whose keys are not locked: where a cache is wrong about them, nothing disproves it."""
    locked = {one.key for one in outputs.artifacts}
    return list(dict.fromkeys(one.step for one in artifacts if one.key not in locked))
