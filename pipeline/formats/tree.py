"""The tree that Linux makes of an initramfs: members in their order, one over the other, and the paths in it.

Specification: Linux 6.12, init/initramfs.c (`do_name`, `do_symlink`, `clean_path`), usr/default_cpio_list
"""

import stat
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS, STEPS, Budget
from pipeline.formats.cpio_reader import Entry

MAX_LINKS = 40  # as Linux: MAXSYMLINKS
MAX_TARGET = 4096  # bytes, as Linux: PATH_MAX
PARTS_A_STEP = 64  # folders of a path that is looked up

BUILT_IN = ("dev", "root")
"""Directories that kernels bring along."""

KNOWN = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK, stat.S_ISCHR, stat.S_ISBLK, stat.S_ISFIFO, stat.S_ISSOCK)

Lost = tuple[tuple[Entry, str], ...]
"""Members that Linux leaves out, silently, and what is in their way: "" for a missing directory."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Members by name, without a leading `/`; the budget pays for looking them up."""

    members: Mapping[str, Entry]
    budget: Budget = field(default=ENDLESS, repr=False, compare=False)

    def locate(self, path: str) -> str:
        """Return where the absolute `path` leads to, links followed: a member's name, "" for the root.

        Raises FormatError, naming the link, when it leads to nothing or in a circle.
        """
        pending, found, links = deque(_parts(path)), list[str](), 0
        while pending:
            part = pending.popleft()
            if part == "..":
                name = "/".join(found)
                if name and not stat.S_ISDIR(self.members[name].mode):
                    raise FormatError(
                        f"{path} leads through /{name}, which is no directory", "correct the path"
                    )
                found = found[:-1]
                continue
            self.budget.spend(STEPS, 1 + len(found) // PARTS_A_STEP)
            name = "/".join([*found, part])
            member = self.members.get(name)
            if member is None:
                missing = "/".join(["", name, *pending])
                via = "" if links == 0 else f" leads to {missing}, which"
                raise FormatError(f"{path}{via} is not in the archive", f"add {missing} to the initramfs")
            if not stat.S_ISLNK(member.mode):
                found.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                raise FormatError(f"{path} leads in a circle of symbolic links", "correct the links")
            target = bytes(member.data[:MAX_TARGET]).decode(errors="surrogateescape")
            found = [] if target.startswith("/") else found
            pending.extendleft(reversed(_parts(target)))
        return "/".join(found)

    def resolve(self, path: str) -> Entry:
        """Return the member that the absolute `path` leads to. Raises FormatError as `locate` does."""
        name = self.locate(path)
        if not name:
            raise FormatError(f"{path} is the root directory, which is not in the archive", "name a file")
        return self.members[name]

    def resolve_program(self, path: str) -> Entry:
        """Return the program that `path` leads to; FormatError also when it is not an executable file."""
        member = self.resolve(path)
        if not stat.S_ISREG(member.mode) or not member.permissions & 0o111:
            raise FormatError(
                f"{path} is not an executable file: /{member.name} has mode {stat.filemode(member.mode)}",
                f"make /{member.name} a file of mode 0755",
            )
        return member


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def plain(name: str) -> str:
    """Return a name as paths are looked up: Linux unpacks `./a` and `/a` to `a`."""
    return "/".join(_parts(name))


def grow(entries: Iterable[Entry], budget: Budget) -> tuple[Tree, Lost]:
    """Return the tree, its members named by where they lie, and what did not make it there.

    A file whose checksum is wrong is the last that Linux makes.
    """
    members = {name: Entry(0, name, 0, stat.S_IFDIR | 0o755, 0, 0, 2, 0, (0, 0), b"") for name in BUILT_IN}
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
