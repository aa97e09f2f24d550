"""What the documents of a release say of files, of parts and of the build, whatever their format.

They are a stranger's: anything may be anywhere in them, and what is not understood says nothing.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

NAMES = ("name", "fileName", "packageFileName")
"""What in-toto, CycloneDX and SPDX call a name."""

PARTS = ("components", "packages", "files")
"""What CycloneDX and SPDX call their lists of parts."""

Claims = dict[str, set[str]]
"""What a document says of files: their SHA-256 (hex), by their names."""

Facts = dict[str, str | None]
"""What a document says of a build, by what people call it; None for what it does not say."""


class Part(NamedTuple):
    """A part as a bill of materials names it; "" for what it does not say."""

    purl: str
    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        version, purl = self.version and f" {self.version}", self.purl and f" ({self.purl})"
        return f"{self.name!r}{version}{purl} with the SHA-256 {self.sha256 or '(none)'}"


def at(document: object, *path: str) -> Any:
    """Return what lies at a path of keys, None for nothing."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def objects_in(document: object) -> Iterator[dict[str, Any]]:
    """Yield each object in a document, however deep it lies."""
    left = [document]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            left += part.values()
            yield part


def claims_in(document: object) -> Claims:
    """Return what a document says of files, wherever in it: objects with a name and a SHA-256."""
    claims: Claims = {}
    for part in objects_in(document):
        names = {part[key].removeprefix("./") for key in NAMES if isinstance(part.get(key), str)}
        for name in names if (digests := set(_digests_of(part))) else ():
            claims.setdefault(name, set()).update(digests)
    return claims


def parts_in(bill: object) -> set[Part]:
    """Return the parts that a bill of materials names, also those within others."""
    lists = (value for each in objects_in(bill) for key, value in each.items() if key in PARTS)
    rows = (row for rows in lists if isinstance(rows, list) for row in rows)
    return {_part(row) for row in rows if isinstance(row, dict)}


def dependencies_in(provenance: object) -> set[tuple[str, str]]:
    """Return URI and SHA-256 (hex) of what something was made of."""
    rows = at(provenance, "predicate", "buildDefinition", "resolvedDependencies")
    return {
        (row["uri"], digest)
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and isinstance(row.get("uri"), str)
        for digest in _digests_of(row)
    }


def facts_of_build(build: object) -> Facts:
    """Return what build.json says of a release."""
    steps = at(build, "steps")
    about = {
        "the release": _release(at(build, "product", "name"), at(build, "product", "version")),
        "the commit": at(build, "commit"),
        "the commit of the sources": at(build, "commit"),
        "the date of files": str(at(build, "source_date_epoch")),
    }
    for step in steps if isinstance(steps, list) else ():
        container = at(step, "container")
        about |= _of_step(at(step, "step"), at(step, "key"), at(container, "image"), at(container, "layer"))
    return _texts(about)


def facts_of_provenance(provenance: object) -> Facts:
    """Return what a provenance says of the same."""
    definition = at(provenance, "predicate", "buildDefinition")
    outside, inside = (at(definition, f"{which}Parameters") for which in ("external", "internal"))
    rows, steps = at(definition, "resolvedDependencies"), at(inside, "steps")
    commits = (at(row, "digest", "gitCommit") for row in (rows if isinstance(rows, list) else ()))
    about = {
        "the release": _release(at(outside, "product"), at(outside, "version")),
        "the commit": at(outside, "commit"),
        "the commit of the sources": next((each for each in commits if each), None),
        "the date of files": at(inside, "sourceDateEpoch"),
    }
    for name, step in steps.items() if isinstance(steps, dict) else ():
        about |= _of_step(name, at(step, "key"), at(step, "container"), at(step, "layer"))
    return _texts(about)


def facts_of_cyclonedx(bill: object) -> Facts:
    """Return what a bill of materials says: of which release it is."""
    about = at(bill, "metadata", "component")
    return {"the release": _release(at(about, "name"), at(about, "version"))}


def facts_of_spdx(bill: object) -> Facts:
    """Return what a bill of materials says: of which release it is."""
    return _texts({"the release": at(bill, "name")})


def _release(product: object, version: object) -> str | None:
    return f"{product}-{version}" if isinstance(product, str) and isinstance(version, str) else None


def _of_step(name: object, key: object, container: object, layer: object) -> dict[str, object]:
    named = repr(name) if isinstance(name, str) else "(none)"
    of_step = {"key": key, "container": container, "container's digest": layer}
    return {f"the {what} of step {named}": value for what, value in of_step.items()}


def _texts(about: dict[str, object]) -> Facts:
    return {fact: value if isinstance(value, str) else None for fact, value in about.items()}


def _part(row: dict[str, Any]) -> Part:
    name = _text(row, "name", "fileName").removeprefix("./")
    references = row.get("externalRefs")
    locators = [
        _text(each, "referenceLocator")
        for each in (references if isinstance(references, list) else ())
        if at(each, "referenceType") == "purl"
    ]
    purl = _text(row, "purl") or next(iter(locators), "")
    return Part(purl, name, _text(row, "version", "versionInfo"), " ".join(sorted(set(_digests_of(row)))))


def _text(row: dict[str, Any], *keys: str) -> str:
    """Return the first of some values that is a text, "" for none."""
    return next((row[key] for key in keys if isinstance(row.get(key), str)), "")


def _digests_of(part: dict[str, object]) -> Iterator[str]:
    """Yield the SHA-256 that an object says of what it names."""
    match part:
        case {"digest": {"sha256": str(digest)}} | {"sha256": str(digest)}:
            yield digest
        case {"hashes": list(rows)} | {"checksums": list(rows)}:
            for row in rows:
                match row:
                    case {"alg": "SHA-256", "content": str(digest)}:
                        yield digest
                    case {"algorithm": "SHA256", "checksumValue": str(digest)}:
                        yield digest
