"""Whether a release is whole, what its documents say of it, and who signed it: one line each.

The folder is a stranger's: whatever is in it is answered, and nothing of it raises.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.errors import FormatError
from pipeline.release import agreement, signatures, stranger
from pipeline.release.claims import claims_in
from pipeline.release.layout import (
    BUILD,
    CYCLONEDX,
    DOCUMENTS,
    ENDINGS,
    LATER,
    PROVENANCE,
    RUN_SUMS,
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

PROVES = {SUMS: "", RUN_SUMS: "of the run "}
"""Of what nothing is proved without a list."""

Digests = Mapping[str, str]
"""SHA-256 (hex) by the names of files."""

Lists = Mapping[str, Digests]
"""What the lists of a release say, by the names of the lists."""


def examine(folder: Path, trust: Trust) -> list[Verdict]:
    """Return what holds of the release in a folder, and what does not.

    Raises PipelineError for a folder that cannot be read.
    """
    files = stranger.look(folder)
    lists, unread = _lists(files)
    if SUMS not in lists:
        return [*_strange(files), *unread]
    artifacts = {name: digest for name, digest in lists[SUMS].items() if name not in DOCUMENTS}
    about = [_document(name, files.texts[name], artifacts) for name in MARKS if name in files.texts]
    return [
        *(_strange(files) or [Verdict(FILES, True, f"are {len(files.digests)}, plain ones all of them")]),
        *unread,
        *_digests(files, lists),
        *(verdict for verdict, _ in about),
        *agreement.judge({verdict.subject: document for verdict, document in about if verdict.good}),
        *signatures.judge(files.texts, trust),
        *_unsigned(files, trust),
    ]


def _strange(files: Files) -> list[Verdict]:
    return [Verdict(name or FILES, False, sentence) for name, sentence in files.wrong]


def _lists(files: Files) -> tuple[Lists, list[Verdict]]:
    """Return the lists of digests that can be read, and what is wrong with the others."""
    lists, wrong = {}, []
    for listing, proves in PROVES.items():
        try:
            lists[listing] = read_sums(files.texts[listing], listing)
        except KeyError:
            wrong.append(
                Verdict(listing, False, f"is not there, or not to be read: nothing {proves}is proved")
            )
        except FormatError as error:
            wrong.append(Verdict(listing, False, error.message))
    return lists, wrong


def _digests(files: Files, lists: Lists) -> Iterator[Verdict]:
    """Yield whether the files are those that are listed, and all of them."""
    known = {*files.digests, *(name for name, _ in files.wrong)}
    listed = {name for digests in lists.values() for name in digests}
    wrong = [
        Verdict(name, False, f"is one too many: {SUMS} does not name it")
        for name in files.digests
        if name not in listed and name not in UNLISTED
    ]
    wrong += [
        Verdict(name, False, "is missing: every release has one")
        for name in (*DOCUMENTS, *RUNS)
        if name not in known and name not in listed and name not in LATER
    ]
    yield from wrong
    for listing, digests in lists.items():
        found = [*_differences(files, known, listing, digests)]
        yield from found
        if not (wrong or found) and digests.keys() <= files.digests.keys():  # else it is said what is no file
            yield Verdict(listing, True, f"names {len(digests)} files, none is missing, all have its digests")


def _differences(files: Files, known: set[str], listing: str, digests: Digests) -> Iterator[Verdict]:
    """Yield in what files differ from a list of them."""
    for name in (SUMS, *RUNS) if listing == RUN_SUMS else ():
        if name in known and name not in digests:
            yield Verdict(listing, False, f"does not name {name}")
    for name, digest in digests.items():
        if name not in known:
            yield Verdict(name, False, f"is missing: {listing} names it")
        elif files.digests.get(name, digest) != digest:
            yield Verdict(name, False, f"has the SHA-256 {files.digests[name]}, {listing} says {digest}")


def _document(name: str, data: bytes, artifacts: Digests) -> tuple[Verdict, object]:
    """Return whether a document says of each artifact what it is, and the document."""
    document = None
    try:
        document = json.loads(data)
        said = _said(name, document, artifacts)
    except (ValueError, RecursionError, MemoryError) as error:
        said = f"is no JSON that can be read: {error}"
    return Verdict(
        name, not said, said or f"is about all {len(artifacts)} artifacts, by these digests"
    ), document


def _said(name: str, document: object, artifacts: Digests) -> str:
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


def _others(subjects: object, artifacts: Digests) -> Iterator[str]:
    """Yield in what a list of files is not that of the artifacts."""
    claims = claims_in(subjects)
    for artifact, digest in artifacts.items():
        if claims.get(artifact) != {digest}:
            yield f"does not say of {artifact!r} that its SHA-256 is {digest}"
    for other in sorted(claims.keys() - artifacts.keys()):
        yield f"is about {other!r}, too, which {SUMS} does not name"


def _unknown(document: object, artifacts: Digests) -> Iterator[str]:
    """Yield which artifacts a document, which is about other files, too, does not know by name and digest."""
    claims = claims_in(document)
    for artifact, digest in artifacts.items():
        if digest not in claims.get(artifact, ()):
            yield f"does not say of {artifact!r} that its SHA-256 is {digest}"


def _unsigned(files: Files, trust: Trust) -> Iterator[Verdict]:
    """Yield what nobody can be blamed for: all of it may be replaced together."""
    if not any(trust.asks(tool) for tool in ENDINGS):
        why = "--key or --identity says who has to have signed it"
        if not any(name in files.texts for name in SIGNATURES):
            why = "nobody signed it"
        yield Verdict(FILES, None, f"nothing proves who made them: {why}")
