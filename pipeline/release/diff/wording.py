"""Tells people how two versions differ: as text, and as Markdown."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pipeline.checks.quoting import shown
from pipeline.release.diff.changes import (
    ArchiveChange,
    Comparison,
    KernelChange,
    Named,
    StoredChange,
    TextChange,
    VersionChange,
)
from pipeline.release.diff.mistakes import Mistake
from pipeline.release.diff.side import Stored
from pipeline.report import size_text

MOST = 200
"""Rows of a chapter: who wants all of them asks for JSON."""

MOST_AT_FIRST = 20
"""Files of an archive that a first release tells, the largest ones."""

ANYWHERE, AT_START = re.compile(r"[\\`*_\[\]<&~|]"), re.compile(r"^(\d*)([#>+\-=.)])")
ADDED, REMOVED, CHANGED, WARNED = "+", "-", "~", "!"
WORDS = {ADDED: "added", REMOVED: "removed", CHANGED: "changed"}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing: what happened to it, what it is called, and what there is to say, "" for nothing."""

    mark: str
    name: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    """Rows of one sort; `left_out` are more of them, which JSON has."""

    title: str
    rows: tuple[Row, ...] = ()
    left_out: int = 0

    @classmethod
    def of(cls, title: str, rows: Sequence[Row], most: int = MOST) -> "Chapter":
        """Return a chapter of as many rows as anybody reads."""
        return cls(title, tuple(rows[:most]), max(len(rows) - most, 0))


def text(comparison: Comparison) -> str:
    """Return it all as plain text, a line a thing; one line where nothing differs."""
    lines = [heading(comparison)]
    for chapter in chapters(comparison):
        lines += ["", chapter.title, *(f"  {_line(row)}" for row in chapter.rows)]
        lines += [f"  … and {chapter.left_out} more; `--format json` has all"] * bool(chapter.left_out)
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    words = ": ".join(part for part in (_cut(row.name), _cut(row.said)) if part)
    return f"{row.mark} {words}" if row.mark else words


def markdown(comparison: Comparison) -> str:
    """Return it all as CommonMark: whatever a name is made of, it marks nothing up."""
    lines = [f"# {_literal(heading(comparison))}"]
    for chapter in chapters(comparison):
        lines += ["", f"## {_literal(chapter.title)}", "", *map(_item, chapter.rows)]
        lines += [f"- … and {chapter.left_out} more"] * bool(chapter.left_out)
    return "\n".join(lines) + "\n"


def _item(row: Row) -> str:
    word = f"{WORDS[row.mark]} " if row.mark in WORDS else ""
    said = [f"{word}{_code(_cut(row.name))}"] if row.name else []
    words = _literal(_cut(row.said))
    return f"- {': '.join([*said, words] if words else said)}" if said else f"- {_begun(words)}"


def _code(name: str) -> str:
    """Return a name as a code span, in more backticks than stand in it (CommonMark 0.31, 6.1)."""
    fence = "`" * (1 + max(map(len, re.findall("`+", name)), default=0))
    space = " " if "`" in name else ""
    return f"{fence}{space}{name}{space}{fence}"


def _literal(words: str) -> str:
    """Return words without what is markup anywhere (CommonMark 0.31, 2.4)."""
    return ANYWHERE.sub(r"\\\g<0>", words)


def _begun(words: str) -> str:
    """Return words without what is markup where a line begins."""
    return AT_START.sub(r"\1\\\2", words)


def _cut(words: str) -> str:
    return shown(words)


def heading(comparison: Comparison) -> str:
    """Return the first line: what is compared, and how its size changed."""
    old, new = comparison.old, comparison.new
    if old is None:
        return f"{_named(new)}: the first release, and what it is made of"
    if comparison.same:
        return f"{shown(old.name)} and {shown(new.name)} are the same"
    grown = new.size - old.size
    by = f": {'+' if grown > 0 else '-'}{size_text(abs(grown))}" if grown else ""
    return f"{_named(old)} -> {_named(new)}{by}"


def _named(one: Named) -> str:
    """Return what one of the two is called, with version and size where there are any."""
    said = [one.version] * (one.version not in ("", one.name)) + [size_text(one.size)] * bool(one.size)
    return shown(one.name) + (f" ({shown(', '.join(said))})" if said else "")


def chapters(comparison: Comparison) -> Iterator[Chapter]:
    """Yield what there is to tell, the most urgent first."""
    is_first = comparison.old is None
    counted = partial(_counted, is_first=is_first)
    if comparison.mistakes:
        yield Chapter.of("What looks like a mistake", [_mistake(one) for one in comparison.mistakes])
    for uki in comparison.ukis:
        if uki.cmdline:
            yield Chapter.of(_place("Command line", uki.path), list(_parameters(uki.cmdline)))
    yield from counted("Debian packages", map(_versions, comparison.packages or ()))
    yield from counted("Crates", map(_versions, comparison.crates or ()))
    for kernel in comparison.kernels:
        yield _kernel(kernel, is_first=is_first)
    for each in comparison.ukis:
        yield from counted(_place("UKI sections", each.path), map(_stored, each.sections))
    for archive in comparison.archives:
        yield from _archive(archive, is_first=is_first)
    yield from counted("Artifacts", (_stored(one) for one in comparison.artifacts if one.name))
    yield from counted("Settings", map(_text, comparison.settings or ()))
    if comparison.elsewhere:
        yield Chapter.of("Bytes", [Row("", "", words) for words in comparison.elsewhere])
    if comparison.untold:
        yield Chapter.of("Not compared", [Row("", "", words) for words in comparison.untold])


def _mistake(mistake: Mistake) -> Row:
    """Return it with the code of its rule, where it is one that docs/checks.md explains."""
    code = f" ({mistake.code})" if mistake.code.isupper() else ""
    return Row(WARNED, mistake.path, mistake.message + code)


def _place(what: str, path: str) -> str:
    return f"{what} of {_cut(path)}" if path else what


def _counted(title: str, rows: Iterable[Row], most: int = MOST, *, is_first: bool) -> Iterator[Chapter]:
    """Yield the chapter of some rows, with how many of each sort there are; none for no rows."""
    found = list(rows)
    counts = Counter(row.mark for row in found)
    said = ", ".join(f"{counts[mark]} {word}" for mark, word in WORDS.items() if counts[mark])
    if is_first:  # of which nobody says that all of it was added
        found = [replace(row, mark="") for row in found]
        said = str(len(found))
    if found:
        yield Chapter.of(f"{title}: {said}", found, most)


def _mark(old: object, new: object) -> str:
    return ADDED if not old and old != "" else REMOVED if not new and new != "" else CHANGED


def _versions(change: VersionChange) -> Row:
    old, new = ", ".join(change.old), ", ".join(change.new)
    where = f" ({', '.join(change.where)})" if change.where else ""
    return Row(_mark(change.old, change.new), change.name, _arrow(old, new) + where)


def _text(change: TextChange) -> Row:
    return Row(_mark(change.old, change.new), change.name, _arrow(change.old or "", change.new or ""))


def _arrow(old: str, new: str) -> str:
    return f"{_cut(old)} -> {_cut(new)}" if old and new else _cut(old or new)


def _parameters(change: TextChange) -> Iterator[Row]:
    """Yield the parameters that differ, or the lines: of none, or of the same ones in another order."""
    old, new = (change.old or "").split(), (change.new or "").split()
    if change.old is None:
        yield Row("", "", change.new or "")
        return
    if sorted(old) == sorted(new):
        yield from (Row(REMOVED, change.old or ""), Row(ADDED, change.new or ""))
        return
    for mark, words in ((REMOVED, Counter(old) - Counter(new)), (ADDED, Counter(new) - Counter(old))):
        yield from (Row(mark, word) for word in words.elements())


def _kernel(change: KernelChange, *, is_first: bool) -> Chapter:
    title, options = _place("Kernel", change.path), change.options
    if (change.old is None or change.new is None) and not is_first:
        mark = _mark(change.old, change.new)
        return Chapter(title, (Row(mark, "", f"{change.new or change.old} is {WORDS[mark]}".strip()),))
    version = _arrow(change.old or "", change.new or "") if change.old != change.new else change.new
    title += f": {version}" if version else ""
    if options is None:
        return Chapter(title, (Row("", "", "its options are not known: it has no configuration inside"),))
    if is_first:
        return Chapter(title, (Row("", "", f"{len(options)} options are on"),))
    return Chapter.of(title, [_text(option) for option in options])


def _archive(change: ArchiveChange, *, is_first: bool) -> Iterator[Chapter]:
    title = _place({"iso": "ISO 9660 files", "fat": "FAT files"}.get(change.kind, "initramfs"), change.path)
    changes: Iterable[StoredChange] = change.changes
    if is_first:
        changes = sorted(changes, key=lambda one: -(one.new.size if one.new else 0))
    most = MOST_AT_FIRST if is_first else MOST
    yield from _counted(title, map(_stored, changes), most, is_first=is_first)


def _stored(change: StoredChange) -> Row:
    old, new = change.old, change.new
    mark = _mark(old, new)
    if old is None or new is None:
        return Row(mark, change.name, _about(new or old))
    said = [_arrow(one, other) for one, other in _pairs(old, new) if one != other]
    if old.size == new.size and old.sha256 != new.sha256 and old.target == new.target:
        said.append(f"other bytes, {size_text(new.size)} as before")
    return Row(mark, change.name, ", ".join(said))


def _pairs(old: Stored, new: Stored) -> Iterator[tuple[str, str]]:
    sizes = (size_text(old.size), size_text(new.size))
    if old.size != new.size and sizes[0] == sizes[1]:
        sizes = f"{old.size} B", f"{new.size} B"
    links = old.target != new.target
    yield sizes if not links else ("", "")
    yield old.mode, new.mode
    yield old.owner, new.owner
    yield old.target, new.target


def _about(stored: Stored | None) -> str:
    if stored is None:
        return ""
    if stored.target:
        what = {"c": "character device", "b": "block device"}.get(stored.mode[:1], "link to")
        return f"{what} {stored.target}"
    return f"{size_text(stored.size)}{f', {stored.mode}' * bool(stored.mode)}"
