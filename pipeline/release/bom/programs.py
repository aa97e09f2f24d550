"""Collects what programs are made of: crates, by audit data and Cargo.lock, and static libraries."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from packageurl import PackageURL

from pipeline.errors import PipelineError
from pipeline.plan.step import Output, Source, Step
from pipeline.release.audit import Crate
from pipeline.release.bom import crate_facts, licences
from pipeline.release.bom.collection import Collection
from pipeline.release.bom.components import Kind, Licence, Part, Relation
from pipeline.steps.audit_data import SECTION

CRATES_IO = "crates.io"
LOCAL = "local"
ORIGINS = {"": "", LOCAL: "of the program's own sources", "git": "from a git repository"}

RUST_SOURCE = "rust(-web)?-src"
LINKED = rf"musl-dev|libgcc-[0-9]+-dev|{RUST_SOURCE}"
"""The packages of which code is in every static Rust program: C library, unwinder, and Rust's own library."""


@dataclass(frozen=True)
class Known:
    """What is known of crates besides their names: by name and version, or by name for those built here."""

    checksums: Mapping[tuple[str, str], str] = field(default_factory=dict)
    licences: Mapping[tuple[str, str], str] = field(default_factory=dict)
    local: Mapping[str, str] = field(default_factory=dict)


def built(found: Collection, step: Step, name: str, ref: str) -> None:
    """Take what a program that a step built is made of.

    Raises PipelineError where it does not say that, or names a crate that its Cargo.lock does not.
    """
    crates, known = crate_facts.audit_of(found.open(step, name), name), _known(found, step)
    if not crates:
        raise PipelineError(
            f"program {name!r} does not say which crates it is compiled from: it has no section {SECTION}",
            "run `./doit iso`: it builds programs that do",
        )
    for crate in crates:
        if crate.source == CRATES_IO and (crate.name, crate.version) not in known.checksums:
            raise PipelineError(
                f"program {name!r} is compiled from {crate.name} {crate.version}, which its Cargo.lock does"
                " not name",
                "run `./doit iso` again: it was built from another Cargo.lock",
            )
    _link(found, crates, known, ref)
    found.of_packages(step, ref, Relation.STATIC_LINK, LINKED)


def pinned(found: Collection, step: Step, name: str, ref: str) -> None:
    """Take what a file from outside says that it is made of, if it is a program that does."""
    _link(found, crate_facts.audit_of(found.open(step, name), name), Known(), ref)


def library(found: Collection, step: Step) -> None:
    """Take the crates that Rust's standard library, as a step built it, is made of besides its own."""
    for source in step.container.packages if step.container else ():
        if re.fullmatch(RUST_SOURCE, source.name):
            own = found.package(source, tool=False).ref
            for each in crate_facts.library_crates(found.path(step, "sysroot.tar"), found.fetched(source)):
                licence = licences.of_crate(each.licence)
                part = _public(each.name, each.version, each.sha256, licence, tool=False)
                found.link(own, Relation.STATIC_LINK, found.add(part))


def _known(found: Collection, step: Step) -> Known:
    """Return what Cargo.lock and all Cargo.toml say of the crates of a program that a step built."""
    checksums: dict[tuple[str, str], str] = {}
    manifests = []
    for place, it in step.inputs.items():
        if isinstance(it, Source) and place.endswith("/Cargo.lock"):
            checksums |= crate_facts.checksums(it.path.read_text(encoding="utf-8"))
        elif isinstance(it, Source) and place.endswith("/Cargo.toml"):
            manifests.append(it.path.read_text(encoding="utf-8"))
    archive, said = step.inputs["crates.tar"], {}
    if isinstance(archive, Output):
        said = crate_facts.licences_in(found.path(archive.step, archive.name))
    return Known(checksums, {key: said.get("-".join(key), "") for key in checksums}, _local(manifests))


def _local(manifests: Sequence[str]) -> dict[str, str]:
    """Return the licences of crates, by their names, that their Cargo.toml or the workspace's name."""
    read = [tomllib.loads(text) for text in manifests]
    workspace = next((each for each in read if "workspace" in each), {})
    return {
        each["package"]["name"]: crate_facts.licence_in(text, workspace)
        for each, text in zip(read, manifests, strict=True)
        if "package" in each
    }


def _link(found: Collection, crates: Sequence[Crate], known: Known, ref: str) -> None:
    """Take the crates of a program, which is under the licence of its own, and how they belong together."""
    refs = [found.add(_part(found, crate, known)) for crate in crates]
    for crate, own in zip(crates, refs, strict=True):
        if crate.root:
            found.parts[ref] = replace(found.parts[ref], licence=found.parts[own].licence)
        if crate.kind == "build":
            found.link(own, Relation.BUILD_DEPENDENCY_OF, ref)
        else:
            found.link(ref, Relation.GENERATED_FROM if crate.root else Relation.STATIC_LINK, own)
        for need in crate.dependencies:
            found.link(own, Relation.DEPENDS_ON, refs[need])


def _part(found: Collection, crate: Crate, known: Known) -> Part:
    key, tool = (crate.name, crate.version), crate.kind == "build"
    if crate.source == CRATES_IO:
        licence = licences.of_crate(known.licences.get(key, ""))
        return _public(*key, known.checksums.get(key, ""), licence, tool=tool)
    local = crate.source == LOCAL
    return Part(
        f"crate:{crate.name}@{crate.version}",
        Kind.CRATE,
        *key,
        found.project.manifest.product.name if local else "",  # cargo-auditable names no organization
        licence=licences.of_crate(known.local.get(crate.name, "") if local else ""),
        origin=ORIGINS.get(crate.source, "from another registry"),
        tool=tool,
    )


def _public(name: str, version: str, sha256: str, licence: Licence, *, tool: bool) -> Part:
    purl = PackageURL("cargo", None, name, version).to_string()
    return Part(purl, Kind.CRATE, name, version, CRATES_IO, sha256, licence=licence, purl=purl, tool=tool)
