"""Reads entries of the Boot Loader Specification, type #1, and puts them into the order of a menu.

Specification: UAPI.1 The Boot Loader Specification, "Type #1 Boot Loader Specification Entries" and
"Sorting"; UAPI.10 Version Format Specification
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import zip_longest

from pipeline.errors import FormatError
from pipeline.formats.boot_files import Files
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import budget_of

FOLDER = "loader/entries"
SUFFIX = ".conf"
STARTS = ("linux", "efi", "uki", "uki-url")
"""Keys that say what is started; an entry has one of them."""

SEVERAL = frozenset({"initrd", "options", "devicetree-overlay", "extra"})
"""Keys that may be there more than once."""

KEYS = SEVERAL | {
    *STARTS,
    "title",
    "version",
    "machine-id",
    "sort-key",
    "devicetree",
    "architecture",
    "profile",
}
ARCHITECTURES = frozenset({"ia32", "x64", "arm", "aa64", "riscv32", "riscv64", "riscv128", "loongarch64"})
"""Names as UEFI has them; case does not count."""

NAME = re.compile(r"(.+?)(?:\+(\d{1,9})(?:-(\d{1,9}))?)?\.conf", re.ASCII)


@dataclass(frozen=True, slots=True)
class BlsEntry:
    """An entry: `id` is the file's name without counters and `.conf`; keys that nobody knows are left out.

    `tries_left` is None where boots are not counted. `repeated` are keys that are there more often than they
    may, of which the last one counts.
    """

    path: str
    id: str
    values: Mapping[str, str]
    initrds: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ()
    options: str = ""
    tries_left: int | None = None
    tries_done: int = 0
    repeated: tuple[str, ...] = ()

    def get(self, key: str) -> str:
        """Return what a key that is there once says, "" where it is not there."""
        return self.values.get(key, "")

    @property
    def starts(self) -> tuple[str, ...]:
        """What it names to be started: the keys, one of which there should be."""
        return tuple(key for key in STARTS if key in self.values)

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all that it needs of its partition, from the partition's top."""
        single = (self.get(key) for key in ("linux", "efi", "uki", "devicetree"))
        return (*filter(None, single), *self.initrds, *self.overlays)


def entry_paths(files: Files) -> tuple[str, ...]:
    """Return the paths of all entries, in the order of their names."""
    folder = files.find(FOLDER)
    if not folder:
        return ()
    inside = (path for path in files.files if path.rpartition("/")[0] == folder)
    return tuple(sorted(path for path in inside if path.endswith(SUFFIX)))


def read_entry(files: Files, path: str) -> BlsEntry:
    """Return an entry. Raises FormatError for a file that is no text, and one that starts nothing."""
    text = files.text(path)
    budget_of(files.image(path)).spend(STEPS, 1 + len(text) // 64)
    if "\0" in text:
        raise FormatError(f"/{path}: it is no text: there is a NUL in it", "write it again")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.strip().replace("\t", " ").partition(" ")
        if key in KEYS and value.strip():
            found.setdefault(key, []).append(value.strip())
    match = NAME.fullmatch(path.rpartition("/")[2])
    name, left, done = match.groups() if match else (path.rpartition("/")[2], None, None)
    entry = BlsEntry(
        path,
        name,
        {key: values[-1] for key, values in found.items() if key not in SEVERAL},
        tuple(found.get("initrd", ())),
        tuple(word for value in found.get("devicetree-overlay", ()) for word in value.split()),
        " ".join(found.get("options", ())),
        int(left) if left else None,
        int(done or 0),
        tuple(key for key, values in found.items() if key not in SEVERAL and len(values) > 1),
    )
    if not entry.starts:
        raise FormatError(f"/{path}: it has neither linux nor efi, uki or uki-url", "name what it starts")
    return entry


def in_order(entries: Iterable[BlsEntry]) -> list[BlsEntry]:
    """Return entries as a menu shows them: the newest of a system first, bad ones last."""
    return sorted(entries, key=cmp_to_key(_compare))


def _compare(one: BlsEntry, other: BlsEntry) -> int:
    bad = (one.tries_left == 0) - (other.tries_left == 0)
    keys = (one.get("sort-key"), other.get("sort-key"))
    found = bad or (not keys[0]) - (not keys[1])
    if not found and all(keys):
        machines = one.get("machine-id"), other.get("machine-id")
        found = _order(*keys) or _order(*machines) or -newer(one.get("version"), other.get("version"))
    found = found or -newer(one.id, other.id)
    if found or one.tries_left is None or other.tries_left is None:
        return found
    return other.tries_left - one.tries_left or one.tries_done - other.tries_done


def _order(one: str, other: str) -> int:
    return (one > other) - (one < other)


def newer(one: str, other: str) -> int:
    """Return 1 if a version is newer than another, -1 if it is older, 0 for none of both (UAPI.10)."""
    for left, right in zip_longest(_parts(one), _parts(other), fillvalue=END):
        if left != right:
            return 1 if left > right else -1
    return 0


END = (3, 0, "")


def _parts(version: str) -> Iterator[tuple[int, int, str]]:
    """Yield a version's parts, which compare as versions do.

    A `~` is older than the end, and what goes on is newer; `-` comes before `^`, that before `.`, then
    letters, then digits.
    """
    for match in re.finditer(r"(\d+)|([A-Za-z]+)|([~^.-])", version, re.ASCII):
        digits, letters, mark = match.groups()
        if mark:
            yield {"~": 0, "-": 4, "^": 5, ".": 6}[mark], 0, ""
        elif letters:
            yield 7, 0, letters
        else:
            yield 8, len(digits.lstrip("0")), digits.lstrip("0")
