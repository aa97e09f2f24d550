"""Writes how a release was made: an in-toto statement with a SLSA provenance.

Specifications: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://slsa.dev/spec/v1.0/provenance
"""

import json
from collections.abc import Iterator
from typing import Any

from packageurl import PackageURL

from pipeline.build.session import Session
from pipeline.debian.lock import Package
from pipeline.errors import PipelineError
from pipeline.plan.step import LockedPackage, Pinned, Source, Step, distinct
from pipeline.project import git
from pipeline.project.manifest import Debian
from pipeline.release.bom import crate_facts
from pipeline.release.bom.collection import purl_of
from pipeline.release.bom.components import Contents, Kind

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:installer-iso:build:v1"
"""What externalParameters and internalParameters mean: see docs/release-contents.md."""

BUILDER = "urn:installer-iso:builder:v1"
"""Who has built it: whoever has, as it comes out the same."""

Digests = dict[str, str]


def text_of(session: Session, subjects: Digests, contents: Contents) -> str:
    """Return the statement about files, by name their SHA-256, as JSON: the same whoever writes it.

    `contents` are what is in them: of that, Rust's standard library has crates that no lock names.
    Raises PipelineError for a step that has not been made, and where no commit is checked out.
    """
    from google.protobuf.json_format import MessageToDict
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    steps = distinct(step for steps in session.images.values() for step in steps)
    manifest = session.project.manifest
    commit = git.head(session.root)
    found = {
        **dict(_packages(steps, manifest.debian)),
        **dict(_crates(steps)),
        **{part.purl: part.sha256 for part in contents.parts if part.kind is Kind.CRATE and part.sha256},
        **dict(_pinned(steps)),
    }
    predicate: dict[str, Any] = {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "product": manifest.product.name,
                "version": manifest.product.version,
                "recipes": sorted(session.images),
                "commit": commit,
            },
            "internalParameters": {
                "sourceDateEpoch": str(manifest.source_date_epoch),
                "snapshot": manifest.debian.snapshot,
                "steps": {step.name: _step(session, step) for step in steps},
            },
            "resolvedDependencies": [
                {"name": "sources", "digest": {"gitCommit": commit}},
                *({"uri": uri, "digest": {"sha256": digest}} for uri, digest in sorted(found.items())),
            ],
        },
        "runDetails": {"builder": {"id": BUILDER}},
    }
    descriptors = [
        ResourceDescriptor(name=name, digest={"sha256": digest}).pb
        for name, digest in sorted(subjects.items())
    ]
    statement = Statement(descriptors, PREDICATE, predicate)
    try:
        statement.validate()
    except ValueError as error:
        raise PipelineError(f"there is nothing to state how it was made: {error}") from error
    return json.dumps(MessageToDict(statement.pb), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _step(session: Session, step: Step) -> dict[str, Any]:
    key = session.builder.key(step)
    if key is None:
        raise PipelineError(f"step {step.name} has not been made", "run `./doit iso` first")
    container = step.container
    return {"key": key} | ({"container": container.tag, "layer": container.layer} if container else {})


def _packages(steps: tuple[Step, ...], debian: Debian) -> Iterator[tuple[str, str]]:
    """Yield the package URL and SHA-256 of each Debian package that a step's container or input is."""
    found: set[Package] = set()
    for step in steps:
        found |= set(step.container.packages) if step.container else set()
        found |= {it.package for it in step.inputs.values() if isinstance(it, LockedPackage)}
    for each in found:
        yield purl_of(each, debian), each.sha256


def _crates(steps: tuple[Step, ...]) -> Iterator[tuple[str, str]]:
    """Yield the package URL and SHA-256 of each crate that a Cargo.lock names."""
    locks = {
        it.path
        for step in steps
        for place, it in step.inputs.items()
        if isinstance(it, Source) and place.endswith("/Cargo.lock")
    }
    for path in locks:
        for (name, version), digest in crate_facts.checksums(path.read_text(encoding="utf-8")).items():
            yield PackageURL("cargo", None, name, version).to_string(), digest


def _pinned(steps: tuple[Step, ...]) -> Iterator[tuple[str, str]]:
    """Yield the address and SHA-256 of each file from outside; `urn:sha256:…` is that of one without any."""
    for step in steps:
        for it in step.inputs.values():
            if isinstance(it, Pinned):
                yield it.urls[0] if it.urls else f"urn:sha256:{it.blob.sha256}", it.blob.sha256
