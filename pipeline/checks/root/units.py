"""Units of systemd in a root file system: which start by themselves, and what they need to.

Specification: systemd.unit(5), systemd.service(5), systemd.exec(5)
"""

import re
import stat
from collections.abc import Iterator

from pipeline.checks.attempt import or_none
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Image
from pipeline.formats.tree import Tree

FOLDERS = (
    "etc/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
"""Where units are looked for, first one first."""

WANTED = re.compile(r"(?:etc|usr/lib)/systemd/system/[^/]+\.(?:wants|requires|upholds)/([^/]+)")
STARTS = ("socket", "timer", "path")
"""Kinds of units that start the service of their name."""

PREFIXES = "@:+!|"
"""What stands before a command and leaves it one that has to be there; `-` does not."""

MAX_UNIT = 1 << 16  # bytes
MAX_LINES = 4096


def faults(tree: Tree) -> Iterator[str]:
    """Give a sentence for each enabled service whose program, user or group is not there."""
    users, groups = _names(tree, "etc/passwd"), _names(tree, "etc/group")
    known: dict[int, list[str]] = {}  # by its contents, as one unit may have many names
    for unit in _enabled(tree):
        data = _contents(tree, unit)
        if id(data) not in known:
            known[id(data)] = list(_lacks(tree, _settings(data), users, groups))
        yield from (f"{unit}: {lack}" for lack in known[id(data)])


def _lacks(tree: Tree, settings: list[tuple[str, str]], users: set[str], groups: set[str]) -> Iterator[str]:
    """Give what a service with these settings lacks."""
    guarded = {value.lstrip("|!") for key, value in settings if key.startswith("Condition")}
    dynamic = any(key == "DynamicUser" and value in ("yes", "true", "1", "on") for key, value in settings)
    for key, value in settings:
        if key == "ExecStart" and value:
            program = value.split()[0].lstrip(PREFIXES)
            skipped = not program.startswith("/") or "%" in program or program in guarded
            if not skipped and or_none(tree.resolve, program) is None:
                yield f"ExecStart={program}: there is no such program"
        elif (key == "User" and not dynamic and not _known(value, users)) or (
            key == "Group" and not dynamic and not _known(value, groups)
        ):
            yield f"{key}={value}: there is no such {key.lower()}"


def _known(value: str, names: set[str]) -> bool:
    return not value or value.isdigit() or "%" in value or value in names


def _names(tree: Tree, name: str) -> set[str]:
    entry = tree.members.get(name)
    text = bytes(entry.data[: 1 << 20]).decode(errors="replace") if entry else ""
    return {line.partition(":")[0] for line in text.splitlines()}


def _enabled(tree: Tree) -> list[str]:
    """Return the services that a boot starts, or that sockets, timers and paths do which it starts."""
    found: set[str] = set()
    tree.budget.spend(STEPS, 1 + len(tree.members) // 16)
    for name in tree.members:
        if match := WANTED.fullmatch(name):
            stem, _, kind = match[1].rpartition(".")
            if kind == "service" or kind in STARTS:
                found.add(f"{stem}.service")
    return sorted(found)


def _contents(tree: Tree, unit: str) -> Image:
    """Return the file of a unit, or of its template; nothing for one that is masked or not there."""
    names = dict.fromkeys((unit, re.sub(r"@[^@]*\.service$", "@.service", unit)))
    for path in (f"/{folder}/{name}" for name in names for folder in FOLDERS):
        entry = or_none(tree.resolve, path)
        if entry is not None and stat.S_ISREG(entry.mode):
            return entry.data
        if tree.members.get(path.lstrip("/")):
            break  # a link to /dev/null
    return b""


def _settings(data: Image) -> list[tuple[str, str]]:
    """Return the assignments of a unit, in their order."""
    text = bytes(data[:MAX_UNIT]).decode(errors="replace").replace("\\\n", " ")
    pairs = (line.partition("=") for line in text.splitlines()[:MAX_LINES] if line[:1] not in "#;[")
    return [(key.strip(), value.strip()) for key, equals, value in pairs if equals]
