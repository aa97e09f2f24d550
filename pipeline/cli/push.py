"""`./doit cache push`: what was built, and what that takes, goes to where others find it by digest."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.build.session import Session
from pipeline.config import REPOSITORY
from pipeline.errors import PipelineError
from pipeline.plan.step import LockedPackage, Pinned, Step, distinct
from pipeline.report import Line, size_text
from pipeline.store.cache import Blob, Result, Store
from pipeline.store.envelope import Claim, private_key, seal
from pipeline.store.files import copy_digested, explained, replacing, sha256_of
from pipeline.store.places import FILE, folder_of
from pipeline.store.registry import ENVELOPE, NOTHING, Registry

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

USAGE = "`./doit cache push FOLDER`, or `./doit cache push oci://registry/repository`"


@dataclass(frozen=True)
class Bundle:
    """Blobs that belong together, by name, and who vouches for them, if anybody has to."""

    tag: str
    blobs: Mapping[str, Blob]
    envelope: bytes | None = None


class Target(Protocol):
    """A cache that is filled."""

    def push(self, bundle: Bundle, paths: Mapping[str, Path]) -> None:
        """Have a bundle there whose blobs lie at these paths, by digest."""


@dataclass(frozen=True)
class FolderTarget:
    """A folder, laid out as `pipeline.store.remote` says."""

    path: Path

    def push(self, bundle: Bundle, paths: Mapping[str, Path]) -> None:
        """See `Target`."""
        with explained(self.path, "write", cache=False):
            for blob in bundle.blobs.values():
                place = self.path / "blobs" / blob.sha256
                if not (place.is_file() and sha256_of(place) == blob.sha256):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with replacing(place) as file:
                        copy_digested(paths[blob.sha256], file)
            if bundle.envelope is not None:
                (self.path / "results").mkdir(parents=True, exist_ok=True)
                with replacing(self.path / "results" / f"{bundle.tag}.json") as file:
                    file.write(bundle.envelope)


@dataclass(frozen=True)
class RegistryTarget:
    """A repository of a registry."""

    registry: Registry
    store: Store

    def push(self, bundle: Bundle, paths: Mapping[str, Path]) -> None:
        """See `Target`."""
        for blob in bundle.blobs.values():
            self.registry.put(blob, paths[blob.sha256])
        with self.store.scratch() as scratch:
            path = scratch / "config"
            path.write_bytes(bundle.envelope or b"{}")
            config = self.store.add(path)
            self.registry.put(config, self.store.find(config) or path)
        self.registry.note(bundle.tag, bundle.blobs, (config, ENVELOPE if bundle.envelope else NOTHING))


def judge(arguments: Sequence[str]) -> None:
    """Raise PipelineError for arguments that name no cache to fill."""
    if len(arguments) != 2 or arguments[0] != "push":
        raise PipelineError(f"cache takes `push` and a cache, got {' '.join(arguments) or 'nothing'}", USAGE)
    if "://" in arguments[1] and not (arguments[1].startswith(FILE) or REPOSITORY.fullmatch(arguments[1])):
        raise PipelineError(
            f"{arguments[1]!r} cannot be filled",
            "push into a folder, and have a web server serve that; or oci://registry/repository",
        )


def push(session: Session, arguments: list[str], key: str, fetch: bool = False) -> None:
    """Fill the cache that the arguments name with what is here; to `fetch`, also with what caches have.

    Nothing is built. Raises PipelineError where it does not take all of it.
    """
    judge(arguments)
    name, here = arguments[1], Path(os.environ.get("INSTALLER_ISO_CALLED_FROM", session.root))
    signer = private_key(here / key) if key else None
    target: Target = (
        RegistryTarget(Registry(name, session.store.stopped), session.store)
        if REPOSITORY.fullmatch(name)
        else FolderTarget(folder_of(name, here))
    )
    taken: dict[str, int] = {}
    for what, bundle in bundles(session, signer, fetch):
        paths = {
            blob.sha256: session.builder.obtain(blob, what, Line.silent())
            if fetch
            else session.store.find(blob)
            for blob in bundle.blobs.values()
        }
        there = {digest: path for digest, path in paths.items() if path}
        if len(there) < len(paths):
            session.report.print(f"not pushed, as this machine has not all of it: {what}", style="yellow")
            continue
        with session.report.step(what):
            target.push(bundle, there)
        taken |= {blob.sha256: blob.size for blob in bundle.blobs.values()}
    session.report.print(f"{name}: {len(taken)} blobs, {size_text(sum(taken.values()))}")


def bundles(
    session: Session, signer: "Ed25519PrivateKey | None" = None, fetch: bool = False
) -> Iterator[tuple[str, Bundle]]:
    """Yield what a cache gets, and what people know it as: packages, files from outside, outputs of steps.

    Outputs that are neither locked nor signed are of no use to anybody, and left out with a word. To `fetch`,
    what the lock says is known like what was built.
    """
    steps = distinct(step for plan in session.images.values() for step in plan)
    for lock in {step.container.layer: step.container for step in steps if step.container}.values():
        blobs = {package.name: Blob(package.sha256, package.size) for package in lock.packages}
        yield (
            f"packages of container {lock.container}",
            Bundle(lock.tag.replace("/", "-").replace(":", "-"), blobs),
        )
    for step in steps:
        key, result = session.builder.key(step), session.builder.result(step)
        if key and result is None and fetch:
            result = _locked(session, step, key)
        if key is None or result is None:
            session.report.print(f"not pushed, as it was not built: {step.name}", style="yellow")
            continue
        if blobs := taken_from_outside(step):
            yield f"files for {step.name}", Bundle(f"inputs-{key}", blobs)
        signs = signer if not result.fetched else None  # nobody vouches for what another machine made
        if signs is None and key not in session.builder.locked:
            session.report.print(
                f"not pushed, as nobody vouches for it: {step.name}; `--key FILE` signs it", style="yellow"
            )
            continue
        envelope = seal(Claim(key, result.outputs, result.seconds), signs) if signs else None
        yield step.name, Bundle(key, result.outputs, envelope)


def _locked(session: Session, step: Step, key: str) -> Result | None:
    """Have it known, as the keys of others follow from it, what the lock says that the step makes."""
    outputs = session.builder.locked.get(key, {})
    if set(outputs) != set(step.outputs):
        return None
    result = Result(dict(outputs), 0.0, "", fetched=True)
    session.store.record(key, result)
    return result


def taken_from_outside(step: Step) -> dict[str, Blob]:
    """Return the inputs of a step that are downloaded, by name."""
    blobs = {}
    for name, source in step.inputs.items():
        match source:
            case LockedPackage(package):
                blobs[name] = Blob(package.sha256, package.size)
            case Pinned(blob, path=None):
                blobs[name] = blob
    return blobs
