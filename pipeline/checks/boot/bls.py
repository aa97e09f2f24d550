"""What must hold of entries of the Boot Loader Specification, type #1: systemd-boot's, and Fedora's GRUB's.

Specification: UAPI.1 The Boot Loader Specification
"""

import re
from collections import Counter
from collections.abc import Iterator

from pipeline.checks.boot.view import Boot
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.errors import FormatError
from pipeline.formats.bls import ARCHITECTURES, BlsEntry

ENTRIES = 'UAPI.1, "Type #1 Boot Loader Specification Entries"'
KEYS = 'UAPI.1, "Type #1 Boot Loader Entry Keys"'
NAME = re.compile(r"[A-Za-z0-9+_.-]{1,250}\.conf")
MACHINE = re.compile(r"[0-9a-f]{32}")
WORD = re.compile(r"[A-Za-z0-9._-]+")
VERSION = re.compile(r"[A-Za-z0-9.,_^~+-]+")

rule = Rules[Boot]()


@rule("BLS001", "entries can be read, and start something", lenient=True, spec=KEYS, fix="correct the entry")
def can_be_read(boot: Boot) -> Iterator[Fault]:
    """Boot loaders leave out what they cannot read, and what names nothing to be started."""
    for _, entry in boot.bls:
        if isinstance(entry, FormatError):
            yield entry.message, entry.hint


@rule(
    "BLS002",
    "entries' files have valid names",
    severity=Severity.WARNING,
    spec=ENTRIES,
    fix="name it with ASCII letters, digits, `+`, `-`, `_` and `.`, and .conf behind",
)
def names_are_valid(boot: Boot) -> Iterator[Fault]:
    """A boot loader may leave out a file with another name; the name is also the entry's id."""
    for path, _ in boot.bls:
        name = path.rpartition("/")[2]
        if not NAME.fullmatch(name):
            yield f"/{path}: {name!r} is no name for an entry"


@rule(
    "BLS003",
    "what entries start is there",
    lenient=True,
    spec=KEYS,
    fix="correct the path, which begins at the top of the entry's partition, or add the file",
)
def programs_are_there(boot: Boot) -> Iterator[Fault]:
    """systemd-boot does not show an entry whose kernel or program is not there."""
    yield from _missing(boot, ("linux", "efi", "uki"))


@rule(
    "BLS004",
    "initramfs and device trees of entries are there",
    lenient=True,
    spec=KEYS,
    fix="correct the path, which begins at the top of the entry's partition, or add the file",
)
def others_are_there(boot: Boot) -> Iterator[Fault]:
    """The boot loader shows an error when the entry is chosen, and does not start it."""
    yield from _missing(boot, ("devicetree",), of_lists=True)


def _missing(boot: Boot, keys: tuple[str, ...], *, of_lists: bool = False) -> Iterator[Fault]:
    for entry in boot.bls_entries if boot.complete else ():
        paths = [entry.get(key) for key in keys if entry.get(key)]
        for path in (*paths, *((*entry.initrds, *entry.overlays) if of_lists else ())):
            if not boot.files.is_file(path):
                yield f"/{entry.path}: {path} is not there"


@rule(
    "BLS005",
    "keys that count once are there once",
    severity=Severity.WARNING,
    spec=KEYS,
    fix="leave one of them out",
)
def keys_are_there_once(boot: Boot) -> Iterator[Fault]:
    """Boot loaders differ in which of two they take."""
    for entry in boot.bls_entries:
        for key in entry.repeated:
            yield f"/{entry.path}: {key} is there more than once"
        if len(entry.starts) > 1:
            yield f"/{entry.path}: it has {' and '.join(entry.starts)}, where one of them can be started"


@rule(
    "BLS006",
    "machine-id, sort-key and version are what they have to be",
    severity=Severity.WARNING,
    spec=KEYS,
    fix="write machine-id as 32 hexadecimal digits, the others with letters, digits, `.`, `_` and `-`",
)
def identifiers_are_valid(boot: Boot) -> Iterator[Fault]:
    """By them entries are sorted and told from those of other systems, and old ones removed."""
    for entry in boot.bls_entries:
        for key, pattern in (("machine-id", MACHINE), ("sort-key", WORD), ("version", VERSION)):
            value = entry.get(key)
            if value and not pattern.fullmatch(value):
                yield f"/{entry.path}: {key} is {value!r}"


@rule(
    "BLS007",
    "architectures are known",
    severity=Severity.WARNING,
    spec=f"{KEYS} (architecture)",
    fix=f"name one of {', '.join(sorted(ARCHITECTURES))}, in capitals or not",
)
def architectures_are_known(boot: Boot) -> Iterator[Fault]:
    """A boot loader of another architecture does not show the entry: none is of one that is unknown."""
    for entry in boot.bls_entries:
        value = entry.get("architecture")
        if value and value.lower() not in ARCHITECTURES:
            yield f"/{entry.path}: architecture is {value!r}"


@rule(
    "BLS008",
    "paths begin at the partition's top",
    severity=Severity.WARNING,
    spec=f"{KEYS} (linux)",
    fix="write it with `/` in front, and without `..`",
)
def paths_are_absolute(boot: Boot) -> Iterator[Fault]:
    """A path is not looked for beside the entry; Fedora's GRUB puts it behind the partition's name."""
    for entry in boot.bls_entries:
        for path in entry.files:
            if not path.startswith("/") or ".." in path.split("/"):
                yield f"/{entry.path}: {path!r} does not begin at the partition's top"


@rule(
    "BLS009",
    "entries can be told apart",
    severity=Severity.WARNING,
    spec=f"{KEYS} (title, version, machine-id)",
    fix="give one of them another title or version",
)
def entries_differ(boot: Boot) -> Iterator[Fault]:
    """A menu shows the title, with version and machine-id where two have it: these look the same."""
    for shown, count in Counter(map(_shown, boot.bls_entries)).items():
        if count > 1:
            yield f"{count} entries are shown as {' '.join(filter(None, shown))!r}"


def _shown(entry: BlsEntry) -> tuple[str, str, str]:
    return entry.get("title") or entry.id, entry.get("version"), entry.get("machine-id")
