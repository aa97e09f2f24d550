"""Files: what a partition, an ISO or an archive holds, as boot loaders and firmware look for it by path.

Readers of boot configuration work on it, whatever the file system (`boot_views`): paths have no leading `/`,
and begin at the partition's top.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.errors import FormatError
from pipeline.formats.fields import Image

MAX_LINKS = 40  # as Linux: MAXSYMLINKS
MAX_TEXT = 1 << 22  # bytes of a file with settings; GRUB's own are some KiB


@dataclass(frozen=True)
class Files:
    """Regular files, symbolic links with their targets, and folders, by path.

    `others` are device nodes, sockets and pipes. Names differ by more than their case unless `ignore_case`.
    """

    files: Mapping[str, Image] = field(repr=False)
    links: Mapping[str, str] = field(default_factory=dict)
    folders: Set[str] = frozenset()
    others: Set[str] = frozenset()
    ignore_case: bool = False

    def names(self) -> Iterator[str]:
        """Yield all paths, in no order; a folder's ends with `/`. The top is not among them."""
        yield from self.files
        yield from self.links
        yield from self.others
        for folder in self.folders:
            yield f"{folder}/"

    @cached_property
    def _cased(self) -> Mapping[str, str]:
        """The paths by what is compared of them."""
        return {self._key(path): path for paths in self._all for path in paths}

    @property
    def _all(self) -> tuple[Iterable[str], ...]:
        return self.files, self.links, self.folders, self.others

    def _key(self, path: str) -> str:
        return path.casefold() if self.ignore_case else path

    def _at(self, path: str) -> str | None:
        if self.ignore_case:
            return self._cased.get(self._key(path))
        return path if any(path in paths for paths in self._all) else None

    def find(self, path: str) -> str | None:
        """Return where a path leads to, links followed: "" is the top, None for what is not there."""
        pending, found, links = deque(parts_of(path)), list[str](), 0
        while pending:
            part = pending.popleft()
            if part == "..":
                found = found[:-1]
                continue
            name = self._at("/".join([*found, part]))
            if name is None:
                return None
            if name not in self.links:
                if pending and name not in self.folders:
                    return None
                found.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                return None
            target = self.links[name]
            found = [] if target.startswith("/") else found
            pending.extendleft(reversed(parts_of(target)))
        return self._at("/".join(found)) if found else ""

    def is_file(self, path: str) -> bool:
        """Tell whether a path leads to a regular file."""
        return self.find(path) in self.files

    def image(self, path: str) -> Image:
        """Return what a path leads to. Raises FormatError for what is no regular file, or not there."""
        found = self.find(path)
        if found is None or found not in self.files:
            why = "is not there" if found is None else "is no file"
            raise FormatError(f"/{path.lstrip('/')} {why}", "add it, or correct what names it")
        return self.files[found]

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises FormatError as `image` does, and for more than settings have."""
        image = self.image(path)
        if len(image) > MAX_TEXT:
            raise FormatError(
                f"/{path.lstrip('/')} has {len(image)} bytes, which is no file with settings",
                f"keep it below {MAX_TEXT} bytes",
            )
        return bytes(image)

    def text(self, path: str) -> str:
        """Return a file as text; what is no UTF-8 is kept as Python keeps file names."""
        return self.read(path).decode(errors="surrogateescape")


def parts_of(path: str) -> list[str]:
    """Return the folders and the name in a path, without what stands for nothing."""
    return [part for part in path.split("/") if part not in ("", ".")]


def with_parents(paths: Iterable[str]) -> frozenset[str]:
    """Return all folders that some paths lie in."""
    return frozenset(
        path[:at] for path in paths for at, letter in enumerate(path) if letter == "/" and path[:at]
    )


def of_bytes(
    files: Mapping[str, bytes], links: Mapping[str, str] | None = None, folders: Iterable[str] = ()
) -> Files:
    """Return files that are given as they are; the folders that they lie in are there, too."""
    links = links or {}
    return Files(files, links, with_parents((*files, *links, *(f"{folder}/" for folder in folders))))
