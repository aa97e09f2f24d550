"""Takes files out of the builder container for an image: what packages brought, and programs' libraries.

Must not know what the files are for.

Specification: ld.so(8); System V ABI, "Dynamic Linking". Which libraries a library needs stands in it.
"""

from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import FormatError, PipelineError
from pipeline.formats import cpio
from pipeline.formats.elf import read_elf

ROOT = Path("/")
LIBRARIES = "usr/lib/x86_64-linux-gnu"
"""Where Debian has its libraries, in the container and in the image: its loader looks there by itself."""


def with_libraries(programs: Iterable[cpio.File], paths: Iterable[str]) -> list[cpio.Member]:
    """Return programs, the files at `paths` of this container, and all libraries that they are linked with.

    Raises PipelineError for a path or a library that no package of the container brings.
    """
    named = [_file(path, f"the recipe's packaged file {path}") for path in paths]
    found: dict[str, cpio.Member] = {}
    waiting = [*programs, *named]
    while waiting:
        member = waiting.pop(0)
        if member.name not in found:
            found[member.name] = member
            waiting += [_file(path, f"/{member.name} needs it: {path}") for path in _linked(member)]
    return list(found.values())


def _linked(member: cpio.File) -> list[str]:
    """Return the paths of the loader and the libraries that an ELF file asks for; nothing for other files."""
    if not member.data.startswith(b"\x7fELF"):
        return []
    try:
        elf = read_elf(member.data)
    except FormatError as error:
        raise PipelineError(f"/{member.name}: {error.message}", "is the file whole?") from error
    loader = [elf.interpreter] if elf.interpreter else []
    # libc is linked with the loader, too, which is there already under the path that programs ask for
    libraries = [name for name in elf.needed if not name.startswith("ld-linux")]
    return [*loader, *(f"/{LIBRARIES}/{name}" for name in libraries)]


def _file(path: str, why: str) -> cpio.File:
    """Return a file of the container under its own path, whatever links lead to it."""
    name = path.removeprefix("/")
    source = ROOT / name
    if not source.is_file():
        raise PipelineError(
            f"{path} is not in the builder container ({why})",
            "name the Debian package that has it in containers/imager.toml, then run `./doit lock imager`",
        )
    mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
    return cpio.File(name, source.read_bytes(), mode)
