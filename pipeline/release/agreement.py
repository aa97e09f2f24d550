"""Whether the documents of a release, each of which is about its artifacts, say the same of all else.

Bills of materials name the same parts, the provenance what those are made of, and all are of one version,
built of one commit by the same steps.
"""

from collections.abc import Collection, Iterator, Mapping

from pipeline.release.claims import (
    Part,
    dependencies_in,
    facts_of_build,
    facts_of_cyclonedx,
    facts_of_provenance,
    facts_of_spdx,
    parts_in,
)
from pipeline.release.layout import BUILD, CYCLONEDX, PROVENANCE, SPDX
from pipeline.release.signatures import Verdict

DEBIAN = "pkg:deb/"
"""What the package URLs of Debian packages begin with, of which bills and provenance name the same.

Of crates a provenance also names those that Cargo.lock does, and no program is compiled from.
"""

OTHERS = {PROVENANCE: facts_of_provenance, CYCLONEDX: facts_of_cyclonedx, SPDX: facts_of_spdx}
"""How it is read what documents say of the build that build.json is of."""


def judge(documents: Mapping[str, object]) -> Iterator[Verdict]:
    """Yield what of these documents, by their names, is said by the others, too, and what is not.

    What is not there is compared with nothing.
    """
    bills = {name: parts_in(documents[name]) for name in (CYCLONEDX, SPDX) if name in documents}
    if len(bills) > 1:
        yield from _same_parts(bills)
    if bills and PROVENANCE in documents:
        yield _same_dependencies(dependencies_in(documents[PROVENANCE]), bills.values())
    if BUILD in documents:
        yield from _same_release(documents)


def _same_parts(bills: Mapping[str, set[Part]]) -> Iterator[Verdict]:
    wrong = [
        Verdict(name, False, f"names {min(alone)}, {other} does not{_more(alone)}")
        for name, other in ((CYCLONEDX, SPDX), (SPDX, CYCLONEDX))
        if (alone := bills[name] - bills[other])
    ]
    yield from wrong or [Verdict(SPDX, True, f"names the same {len(bills[SPDX])} parts as {CYCLONEDX}")]


def _same_dependencies(said: set[tuple[str, str]], bills: Collection[set[Part]]) -> Verdict:
    """Return whether a provenance names the packages and crates of which bills have digests, and no other."""
    named = [{(part.purl, part.sha256) for part in parts if part.purl and part.sha256} for parts in bills]
    in_all, in_any = set.intersection(*named), set.union(*named)
    known = {purl for purl, _ in in_any}
    alone = {each for each in said - in_any if each[0].startswith(DEBIAN) or each[0] in known}
    for sentence, found in (
        ("does not name {} with the SHA-256 {}, which bills of materials name", in_all - said),
        ("names {} with the SHA-256 {}, which no bill of materials names", alone),
    ):
        if found:
            return Verdict(PROVENANCE, False, sentence.format(*min(found)) + _more(found))
    return Verdict(
        PROVENANCE,
        True,
        f"names the {len(in_all)} packages and crates of bills of materials, by their digests",
    )


def _same_release(documents: Mapping[str, object]) -> Iterator[Verdict]:
    build, wrong = facts_of_build(documents[BUILD]), []
    for name, facts_of in ((name, read) for name, read in OTHERS.items() if name in documents):
        said = facts_of(documents[name])
        asked = build | said if name == PROVENANCE else said
        if other := [fact for fact in asked if build.get(fact) != said.get(fact)]:
            one, two = (_quoted(each.get(other[0])) for each in (said, build))
            wrong.append(Verdict(name, False, f"says {one} of {other[0]}, {BUILD} {two}{_more(other)}"))
    yield from wrong
    if not wrong and documents.keys() >= OTHERS.keys():
        keys = sum(fact.startswith("the key of ") for fact in build)
        yield Verdict(BUILD, True, f"is of the version, the commit and the {keys} steps that the others name")


def _quoted(value: str | None) -> str:
    return "nothing" if value is None else repr(value)


def _more(found: Collection[object]) -> str:
    """Return how many differ besides the first."""
    more = len(found) - 1
    return f"; {more} more differ{'s' if more == 1 else ''}" if more else ""
