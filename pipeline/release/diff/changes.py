"""How two versions differ: the JSON that `./doit diff --format json` writes, and finding what stands in it.

`docs/diff.schema.json` is made from these classes. A field that goes, or means something else, makes another
version; a new one does not.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from pipeline.release.diff.mistakes import Mistake, mistakes
from pipeline.release.diff.side import Archive, Component, Kernel, Side, Stored, Uki

VERSION: Literal[1] = 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Named:
    """One of the two: what it was called, its version, "" where it names none, the bytes of its images."""

    name: str
    version: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A file, a section or an image: `old` is null for one that is new, `new` for one that is gone."""

    name: str
    old: Stored | None
    new: Stored | None


@dataclass(frozen=True, slots=True)
class TextChange:
    """An option, a setting or a command line; null stands for one that is not there."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A Debian package or a crate: all its versions, none where it is not there; the locks that name it."""

    name: str
    old: list[str]
    new: list[str]
    where: list[str]


@dataclass(frozen=True, slots=True)
class KernelChange:
    """A kernel; versions are null where there is no kernel, options where one side does not say them."""

    path: str
    old: str | None
    new: str | None
    options: list[TextChange] | None


@dataclass(frozen=True, slots=True)
class UkiChange:
    """A UKI; `cmdline` is null where that is the same."""

    path: str
    sections: list[StoredChange]
    cmdline: TextChange | None


@dataclass(frozen=True, slots=True)
class ArchiveChange:
    """The files of an initramfs or of a file system that differ, of `members` in the new one."""

    path: str
    kind: str
    members: int
    changes: list[StoredChange]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it. Only what differs is listed; without `old`, which is null then, all that there is.

    Sizes are bytes. Paths are those of `./doit inspect` inside the image, "" for the image itself. Null
    instead of a list says that one of the two does not tell; `untold` says why, and what else was not
    compared. `elsewhere` names the first structure of images that differ in nothing that is listed.
    """

    version: Literal[1]
    old: Named | None
    new: Named
    same: bool
    mistakes: list[Mistake]
    artifacts: list[StoredChange]
    packages: list[VersionChange] | None
    crates: list[VersionChange] | None
    kernels: list[KernelChange]
    ukis: list[UkiChange]
    archives: list[ArchiveChange]
    settings: list[TextChange] | None
    elsewhere: list[str]
    untold: list[str]


def compare(old: Side | None, new: Side, first: Callable[[], Iterable[str]] = tuple) -> Comparison:
    """Return how `new` differs from `old`; without one, what it is made of.

    `first` says where images differ, for those in which nothing else is found.
    """
    before = old or Side("", packages={}, crates={}, settings={})
    artifacts = _stored(before.artifacts, new.artifacts)
    packages = _versions(before.packages, new.packages)
    crates = _versions(before.crates, new.crates)
    kernels = [_kernel(*row) for row in paired(before.kernels, new.kernels) if row[1] != row[2]]
    kernels = [one for one in kernels if one.options != [] or one.old != one.new]
    ukis = [_uki(*row) for row in paired(before.ukis, new.ukis) if row[1] != row[2]]
    archives = [_archive(*row) for row in paired(before.archives, new.archives) if row[1] != row[2]]
    settings = None
    if before.settings is not None and new.settings is not None:
        settings = _texts(before.settings, new.settings)
    told = bool(packages or crates or kernels or ukis or archives or settings)
    elsewhere = list(first()) if old and artifacts and not told else []
    same = old is not None and not (told or artifacts)
    untold = [] if same and new.artifacts else _untold(before, new)
    return Comparison(
        VERSION,
        Named(old.name, old.version, old.size) if old else None,
        Named(new.name, new.version, new.size),
        same,
        mistakes(old, new, paired(old.archives, new.archives), paired(old.ukis, new.ukis)) if old else [],
        artifacts,
        packages,
        crates,
        kernels,
        ukis,
        archives,
        settings,
        elsewhere,
        untold,
    )


def _untold(old: Side, new: Side) -> list[str]:
    """Return why some of it is not compared; of artifacts that are the same there is nothing to ask."""
    untold = [f"{side.name}: {text}" for side in (old, new) for text in side.untold]
    for what, known in (("packages", (old.packages, new.packages)), ("crates", (old.crates, new.crates))):
        silent = [side.name for side, has in zip((old, new), known, strict=True) if has is None]
        if silent:
            untold.append(
                f"{what}: {' and '.join(silent)} {'does' if len(silent) == 1 else 'do'} not say them"
            )
    return untold


def paired(old: Mapping[str, T], new: Mapping[str, T]) -> list[tuple[str, T | None, T | None]]:
    """Return things of one sort by where they lie, those of the new side first, each with its counterpart.

    A single one of a kind that is left on either side is the same thing in another place.
    """
    gone, come = _left(old, new), _left(new, old)
    moved = {
        come[kind][0]: paths[0] for kind, paths in gone.items() if len(paths) == len(come.get(kind, ())) == 1
    }
    rows: list[tuple[str, T | None, T | None]] = [
        (path, old.get(moved.get(path, path)), here) for path, here in new.items()
    ]
    return rows + [(path, one, None) for path, one in old.items() if path not in {*new, *moved.values()}]


def _left(some: Mapping[str, T], others: Mapping[str, T]) -> dict[str, list[str]]:
    """Return where those lie of which there is nothing in that place on the other side, by their kind."""
    found: dict[str, list[str]] = {}
    for path, one in some.items():
        if path not in others:
            found.setdefault(getattr(one, "kind", ""), []).append(path)
    return found


def _changed(old: Mapping[str, T], new: Mapping[str, T]) -> list[tuple[str, T | None, T | None]]:
    names = sorted(old.keys() | new.keys())
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _stored(old: Mapping[str, Stored], new: Mapping[str, Stored]) -> list[StoredChange]:
    return [StoredChange(*row) for row in _changed(old, new)]


def _texts(old: Mapping[str, str], new: Mapping[str, str]) -> list[TextChange]:
    return [TextChange(*row) for row in _changed(old, new)]


def _versions(
    old: Mapping[str, Component] | None, new: Mapping[str, Component] | None
) -> list[VersionChange] | None:
    if old is None or new is None:
        return None
    nothing = Component(())
    found = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, nothing), new.get(name, nothing)
        if before.versions != after.versions:
            where = (after if after.versions else before).where
            found.append(VersionChange(name, list(before.versions), list(after.versions), list(where)))
    return found


def _kernel(path: str, old: Kernel | None, new: Kernel | None) -> KernelChange:
    before = old.options if old else {}
    after = new.options if new else {}
    options = None
    if before is not None and after is not None:
        is_open = any(one.asked for one in (old, new) if one)
        off = None if is_open else "n"  # what Linux takes a missing one for
        options = [
            TextChange(*row)
            for row in _changed(before, after)
            if before.get(row[0], off) != after.get(row[0], off)
        ]
    return KernelChange(path, old.version if old else None, new.version if new else None, options)


def _uki(path: str, old: Uki | None, new: Uki | None) -> UkiChange:
    lines = old.cmdline if old else None, new.cmdline if new else None
    return UkiChange(
        path,
        _stored(old.sections if old else {}, new.sections if new else {}),
        TextChange(".cmdline", *lines) if lines[0] != lines[1] else None,
    )


def _archive(path: str, old: Archive | None, new: Archive | None) -> ArchiveChange:
    present = new or old
    changes = _stored(old.members if old else {}, new.members if new else {})
    return ArchiveChange(path, present.kind if present else "", len(new.members) if new else 0, changes)
