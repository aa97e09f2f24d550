"""The tree that Linux makes of an initramfs: members in their order, one over the other.

Specification: Linux 6.12, init/initramfs.c (`do_name`, `do_symlink`, `clean_path`), usr/default_cpio_list
"""

import stat
from collections.abc import Iterable
from dataclasses import replace

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS, Budget
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.tree import PARTS_A_STEP, Tree

BUILT_IN = ("dev", "root")
"""Directories that kernels bring along."""

KNOWN = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK, stat.S_ISCHR, stat.S_ISBLK, stat.S_ISFIFO, stat.S_ISSOCK)

Lost = tuple[tuple[Entry, str], ...]
"""Members that Linux leaves out, silently, and what is in their way: "" for a missing directory."""


def plain(name: str) -> str:
    """Return a name as paths are looked up: Linux unpacks `./a` and `/a` to `a`."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def grow(entries: Iterable[Entry], budget: Budget) -> tuple[Tree, Lost]:
    """Return the tree, its members named by where they lie, and what did not make it there.

    A file whose checksum is wrong is the last that Linux makes.
    """
    members = {name: _folder(name) for name in BUILT_IN}
    tree = Tree(members, budget)
    lost: list[tuple[Entry, str]] = []
    for entry in entries:
        leads_nowhere = stat.S_ISLNK(entry.mode) and bytes(entry.data[:1]) in (b"", b"\0")
        if leads_nowhere or not any(is_of(entry.mode) for is_of in KNOWN):
            continue
        place = _place(tree, plain(entry.name))
        if place is None:
            lost.append((entry, ""))
        elif place and (taken := members.get(place)) and _is_in_the_way(members, place, taken, entry, budget):
            lost.append((entry, place))
        elif place:
            members[place] = entry if entry.name == place else replace(entry, name=place)
            if not entry.missing and not entry.is_sound:
                break
    return tree, tuple(lost)


def _folder(name: str) -> Entry:
    return Entry(0, name, 0, stat.S_IFDIR | 0o755, 0, 0, 2, 0, (0, 0), b"")


def _place(tree: Tree, name: str) -> str | None:
    """Return where a member comes to lie, links followed, None where its directory is not there."""
    parent, _, last = name.rpartition("/")
    if last == "..":
        return None
    if not parent or stat.S_ISDIR(getattr(tree.members.get(parent), "mode", 0)):
        return name
    try:
        folder = tree.locate(f"/{parent}")
    except FormatError:
        return None
    if not folder:
        return last
    return f"{folder}/{last}" if stat.S_ISDIR(tree.members[folder].mode) else None


def _is_in_the_way(members: dict[str, Entry], place: str, taken: Entry, entry: Entry, budget: Budget) -> bool:
    """Tell whether a directory that has something in it keeps its name from being anything else."""
    if not stat.S_ISDIR(taken.mode) or stat.S_ISDIR(entry.mode):
        return False
    budget.spend(STEPS, 1 + len(members) // PARTS_A_STEP)
    return any(name.startswith(f"{place}/") for name in members)
