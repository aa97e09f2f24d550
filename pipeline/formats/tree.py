"""Paths in an unpacked initramfs: which member a path leads to, symbolic links followed."""

import stat
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS, STEPS, Budget
from pipeline.formats.cpio_reader import Entry

MAX_LINKS = 40  # as Linux: MAXSYMLINKS
MAX_TARGET = 4096  # bytes, as Linux: PATH_MAX
PARTS_A_STEP = 64  # folders of a path that is looked up


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
                self._check_folder(path, "/".join(found))
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

    def _check_folder(self, path: str, name: str) -> None:
        if name and not stat.S_ISDIR(self.members[name].mode):
            raise FormatError(f"{path} leads through /{name}, which is no directory", "correct the path")

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
