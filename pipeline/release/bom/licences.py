"""Turns what packages say of their licences into SPDX expressions (SPDX 2.3, annex D).

What is not certainly a licence of SPDX's list becomes a LicenseRef with its text.
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.release.bom.components import Licence

GNU = re.compile(r"(agpl|lgpl|gpl|gfdl)-(\d)(?:\.(\d))?(?:\.0)?(\+?)", re.IGNORECASE)
NAMES = {
    "expat": "MIT",
    "artistic-2": "Artistic-2.0",
    "mpl-2": "MPL-2.0",
    "apache-2": "Apache-2.0",
    "apache-2.0 with llvm exception": "Apache-2.0 WITH LLVM-exception",
    "gpl-2 with linux-syscall-note exception": "GPL-2.0-only WITH Linux-syscall-note",
}
"""What Debian calls differently than SPDX (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/)."""

LINUX = Licence("GPL-2.0-only WITH Linux-syscall-note")
"""Linux, COPYING."""


REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")


def of_debian(copyright_file: bytes, source: str) -> Licence:
    """Return the licences of all files of a package, as its debian/copyright says.

    One that machines cannot read is a single LicenseRef, whose text it is, called like the source package.
    """
    from debian.copyright import Copyright, Error

    logging.getLogger("debian.copyright").setLevel(logging.ERROR)  # it warns of what it puts right
    text = copyright_file.decode("utf-8", "replace")
    try:
        said = Copyright(text.splitlines(keepends=True), strict=False)
        found, alone = _in(said.all_files_paragraphs()), _in(said.all_license_paragraphs())
    except (Error, ValueError):
        found, alone = [], []
    if not found:
        name = _reference(f"{source}-copyright", text)
        return Licence(name, ((name, text),))
    texts = {each.synopsis: each.text for each in (*found, *alone) if each.text}
    terms, references = set(), dict[str, str]()
    for each in found:
        own = texts | ({each.synopsis: each.text} if each.text else {})
        term = _expression(each.synopsis, own, references)
        terms |= {term} if " OR " in term else set(re.sub(r"[()]", "", term).split(" AND "))
    joined = " AND ".join(f"({term})" if " OR " in term else term for term in sorted(terms))
    return Licence(joined, tuple(sorted(references.items())))


def _in(paragraphs: Iterable[Any]) -> list[Any]:
    """Return the License fields of paragraphs that have one; the library's types do not say what they are."""
    return [each.license for each in paragraphs if each.license]


def _expression(synopsis: str, texts: Mapping[str, str], references: dict[str, str]) -> str:
    """Return the expression of a License field's first line; a comma binds less than `and` and `or`."""
    parts = _split(r",\s*(and|or)\s+", synopsis.strip())
    if len(parts) > 1:
        inner = [_expression(part, texts, references) for part in parts[::2]]
        parts[::2] = [f"({part})" if " " in part else part for part in inner]
    else:
        parts = _split(r"\s+(and|or)\s+", synopsis.strip())
        parts[::2] = [
            f"({_expression(part[1:-1], texts, references)})"
            if (part[:1], part[-1:]) == ("(", ")")
            else _name(part, texts, references)
            for part in parts[::2]
        ]
    parts[1::2] = [part.upper() for part in parts[1::2]]
    return " ".join(parts)


def _split(words: str, text: str) -> list[str]:
    """Return what lies between words, and the words, as re.split does; what is in parentheses stays whole."""
    parts, at = [], 0
    for match in re.finditer(words, text, re.IGNORECASE):
        if text.count("(", 0, match.start()) == text.count(")", 0, match.start()):
            parts += [text[at : match.start()], match[1]]
            at = match.end()
    return [*parts, text[at:]]


def _name(name: str, texts: Mapping[str, str], references: dict[str, str]) -> str:
    """Return a licence's name in SPDX's list, or that of its text, which is added to `references`."""
    from cyclonedx.spdx import fixup_id

    if match := GNU.fullmatch(name):
        family, major, minor, later = match.groups()
        wanted = f"{family.upper()}-{major}.{minor or 0}-{'or-later' if later else 'only'}"
    else:
        wanted = NAMES.get(name.lower(), name)
    if known := wanted if wanted in {*NAMES.values()} else fixup_id(wanted):
        return known
    text = texts.get(name) or name
    reference = _reference(name, text)
    references[reference] = text
    return reference


def _reference(name: str, text: str) -> str:
    """Return the name of a text, which no other text has."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-") or "licence"
    return f"LicenseRef-{plain[:60]}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def references(expression: str) -> list[str]:
    """Return the names of texts in an expression, each once."""
    return sorted({*REFERENCE.findall(expression)})


def is_text(reference: str, text: str | None) -> bool:
    """Tell whether a text is the one of a name."""
    return text is not None and reference.endswith(f"-{_digest(text)}")


def terms(expression: str) -> set[str]:
    """Return what all holds of a package, for people: texts by their names alone."""
    plain = REFERENCE.sub(lambda match: match[0].rpartition("-")[0], expression)
    return set(re.split(r" AND (?![^(]*\))", plain))


def of_crate(said: str) -> Licence:
    """Return the licence in a Cargo.toml, which is an SPDX expression, in old ones with `/` for `OR`."""
    from cyclonedx.spdx import fixup_id, is_expression

    wanted = re.sub(r"\s*/\s*", " OR ", said.strip())
    return Licence(fixup_id(wanted) or (wanted if wanted and is_expression(wanted) else ""))
