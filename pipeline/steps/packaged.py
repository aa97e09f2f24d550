"""Takes files out of the unpacked packages of a set for an image, with the libraries that programs need.

Specification: ld.so(8); System V ABI, "Dynamic Linking". Which libraries a library needs stands in it.
"""

import posixpath
import tarfile
from collections.abc import Iterable

from pipeline.errors import FormatError, PipelineError
from pipeline.formats import cpio
from pipeline.formats.elf import read_elf

LIBRARIES = "usr/lib/x86_64-linux-gnu"
"""Where Debian has its libraries, in the packages and in the image: its loader looks there by itself."""

LINKS = 40
"""How many links lead to one file at most (path_resolution(7))."""


class Packages:
    """The files of the set `name`, in the tar that the step `packages` made of it."""

    def __init__(self, tar: tarfile.TarFile, name: str) -> None:
        self.tar, self.members = tar, {member.name: member for member in tar}
        self.intent, self.lock = f"roots/{name}.toml", f"./doit lock {name}"

    def file(self, path: str, why: str) -> cpio.File:
        """Return the file at a path, under that path, whatever links lead to it.

        Raises PipelineError, which begins with `why` it is wanted, where no package has it.
        """
        member = self._member(path)
        data = self.tar.extractfile(member) if member and (member.isreg() or member.islnk()) else None
        if member is None or data is None:
            raise PipelineError(
                f"{why}: {path} is in no package of {self.intent}",
                f"name the Debian package that has it in {self.intent}, then run `{self.lock}`",
            )
        return cpio.File(path.removeprefix("/"), data.read(), 0o755 if member.mode & 0o100 else 0o644)

    def has(self, path: str) -> bool:
        """Whether a package has something at a path."""
        return self._member(path) is not None

    def _member(self, path: str) -> tarfile.TarInfo | None:
        """Return what a path leads to, links followed as below a root of their own; None for nothing."""
        place, waiting, links = "", path.split("/"), 0
        while waiting and links <= LINKS:
            here = posixpath.normpath(posixpath.join("/", place, waiting.pop(0))).lstrip("/")
            member = self.members.get(here)
            if member and member.issym():
                links += 1
                waiting = [*member.linkname.split("/"), *waiting]
                place = "" if member.linkname.startswith("/") else posixpath.dirname(here)
            else:
                place = here
        return None if waiting else self.members.get(place)


def with_libraries(programs: Iterable[cpio.File], packages: Packages) -> list[cpio.Member]:
    """Return programs, and of `packages` the libraries that they are linked with, and these in turn.

    Raises PipelineError for a library that no package has.
    """
    found: dict[str, cpio.Member] = {}
    waiting = list(programs)
    while waiting:
        member = waiting.pop(0)
        if member.name not in found:
            found[member.name] = member
            linked = _linked(member, packages)
            waiting += [packages.file(path, f"/{member.name} needs a library") for path in linked]
    return list(found.values())


def _linked(member: cpio.File, packages: Packages) -> list[str]:
    """Return the paths of the loader and the libraries that an ELF file asks for; nothing for other files.

    What it loads while it runs stands nowhere that could be relied on: systemd's notes of it (UAPI.11, "ELF
    dlopen() metadata") name the libraries of all that it can do. A recipe names those that are wanted.
    """
    if not member.data.startswith(b"\x7fELF"):
        return []
    try:
        elf = read_elf(member.data)
    except FormatError as error:
        raise PipelineError(f"/{member.name}: {error.message}", "is the file whole?") from error
    loader = [elf.interpreter] if elf.interpreter else []
    # libc is linked with the loader, too, which is there already under the path that programs ask for
    libraries = [name for name in elf.needed if not name.startswith("ld-linux")]
    folders = [folder for text in elf.search for folder in text.split(":") if folder.startswith("/")]
    return [*loader, *(_place(name, folders, packages) for name in libraries)]


def _place(name: str, folders: Iterable[str], packages: Packages) -> str:
    """Return where a library is: in the first of the file's own `folders` that has it, else where all are."""
    own = (f"{folder.rstrip('/')}/{name}" for folder in folders)
    return next((path for path in own if packages.has(path)), f"/{LIBRARIES}/{name}")
