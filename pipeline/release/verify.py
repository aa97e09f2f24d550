"""Whether a release is whole, what its documents say of it, and who signed it: one line each.

The folder is a stranger's: whatever is in it is answered, and nothing of it raises.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.errors import FormatError
from pipeline.release import signatures, stranger
from pipeline.release.layout import (
    BUILD,
    CYCLONEDX,
    DOCUMENTS,
    PROVENANCE,
    RUNS,
    SIGNATURES,
    SPDX,
    SUMS,
    UNLISTED,
    read_sums,
)
from pipeline.release.signatures import Verdict
from pipeline.release.stranger import Files
from pipeline.release.trust import Trust

FILES = "files"
"""What a verdict on the folder as a whole is about."""

MARKS: dict[str, dict[str, object]] = {
    PROVENANCE: {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
    },
    CYCLONEDX: {"bomFormat": "CycloneDX", "specVersion": "1.6"},
    SPDX: {"spdxVersion": "SPDX-2.3"},
    BUILD: {"version": 1},
}
"""By what each document says what it is, and by which version of its format."""

SUBJECTS = {PROVENANCE: "subject", BUILD: "artifacts"}
"""What is, in some of them, about the artifacts by their names, and about nothing else."""

NAMES = ("name", "fileName", "packageFileName")
"""What in-toto, CycloneDX and SPDX call a name."""

Claims = dict[str, set[str]]
"""What a document says of files: their SHA-256 (hex), by their names."""


def examine(folder: Path, trust: Trust) -> list[Verdict]:
    """Return what holds of the release in a folder, and what does not.

    Raises PipelineError for a folder that cannot be read.
    """
    files = stranger.look(folder)
    if SUMS not in files.texts:
        return [*_strange(files), Verdict(SUMS, False, "is not there, or not to be read: nothing is proved")]
    try:
        sums = read_sums(files.texts[SUMS])
    except FormatError as error:
        return [*_strange(files), Verdict(SUMS, False, error.message)]
    artifacts = {name: digest for name, digest in sums.items() if name not in DOCUMENTS}
    return [
        *(_strange(files) or [Verdict(FILES, True, f"are {len(files.digests)}, plain ones all of them")]),
        *_digests(files, sums),
        *(_document(name, files.texts[name], artifacts) for name in MARKS if name in files.texts),
        *_outside(files),
        *signatures.judge(files.texts, trust),
        *_unsigned(files, trust),
    ]


def _strange(files: Files) -> list[Verdict]:
    return [Verdict(name or FILES, False, sentence) for name, sentence in files.wrong]


def _digests(files: Files, sums: Mapping[str, str]) -> Iterator[Verdict]:
    """Yield whether the files are those that are listed, and all of them."""
    known = {*files.digests, *(name for name, _ in files.wrong)}
    wrong = [Verdict(name, False, f"is missing: {SUMS} names it") for name in sums if name not in known]
    wrong += [
        Verdict(name, False, f"is one too many: {SUMS} does not name it")
        for name in files.digests
        if name not in sums and name not in UNLISTED
    ]
    wrong += [
        Verdict(name, False, f"has the SHA-256 {digest}, {SUMS} says {sums[name]}")
        for name, digest in files.digests.items()
        if sums.get(name, digest) != digest
    ]
    wrong += [
        Verdict(name, False, "is missing: every release has one")
        for name in DOCUMENTS
        if name not in known and name not in sums
    ]
    yield from wrong
    if not wrong and sums.keys() <= files.digests.keys():  # else it has been said which are no files
        yield Verdict(SUMS, True, f"names {len(sums)} files, none is missing, all have its digests")


def _document(name: str, data: bytes, artifacts: Mapping[str, str]) -> Verdict:
    """Return whether a document says of each artifact what it is."""
    try:
        said = _said(name, json.loads(data), artifacts)
    except (ValueError, RecursionError, MemoryError) as error:
        said = f"is no JSON that can be read: {error}"
    return Verdict(name, not said, said or f"is about all {len(artifacts)} artifacts, by these digests")


def _said(name: str, document: object, artifacts: Mapping[str, str]) -> str:
    """Return what is wrong with a document, "" for nothing."""
    if not isinstance(document, dict):
        document = {}
    for key, value in MARKS[name].items():
        if document.get(key) != value:
            return f"is not what it is called: its {key} is not {value!r}"
    if not artifacts:
        return f"is about nothing: {SUMS} names documents alone"
    subjects = SUBJECTS.get(name)
    wrong = _others(document.get(subjects), artifacts) if subjects else _unknown(document, artifacts)
    return next(wrong, "")


def _others(subjects: object, artifacts: Mapping[str, str]) -> Iterator[str]:
    """Yield in what a list of files is not that of the artifacts."""
    claims = claims_in(subjects)
    for artifact, digest in artifacts.items():
        if claims.get(artifact) != {digest}:
            yield f"does not say of {artifact!r} that its SHA-256 is {digest}"
    for other in sorted(claims.keys() - artifacts.keys()):
        yield f"is about {other!r}, too, which {SUMS} does not name"


def _unknown(document: object, artifacts: Mapping[str, str]) -> Iterator[str]:
    """Yield which artifacts a document, which is about other files, too, does not know by name and digest."""
    claims = claims_in(document)
    for artifact, digest in artifacts.items():
        if digest not in claims.get(artifact, ()):
            yield f"does not say of {artifact!r} that its SHA-256 is {digest}"


def claims_in(document: object) -> Claims:
    """Return what a document says of files, wherever in it: objects with a name and a SHA-256."""
    claims: Claims = {}
    left = [document]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            left += part.values()
            names = {part[key].removeprefix("./") for key in NAMES if isinstance(part.get(key), str)}
            for name in names if (digests := set(_digests_of(part))) else ():
                claims.setdefault(name, set()).update(digests)
    return claims


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


def _outside(files: Files) -> Iterator[Verdict]:
    for name in RUNS:
        if name in files.digests:
            yield Verdict(name, None, "is about one making of it, and proved by nothing: do not rely on it")


def _unsigned(files: Files, trust: Trust) -> Iterator[Verdict]:
    """Yield what nobody can be blamed for: all of it may be replaced together."""
    if not any(trust.asks(tool) for tool in SIGNATURES):
        why = "--key or --identity says who has to have signed it"
        if not any(name in files.texts for name in SIGNATURES.values()):
            why = "nobody signed it"
        yield Verdict(FILES, None, f"are not proved to be anybody's: {why}")
