"""Owns what must hold of the dynamic programs of an initramfs: all that their loader will look for is there.

Must not know what the programs do. It looks where ld.so and musl's loader look.

Specification: ld.so(8), "Dynamic string tokens" and the order of the search; musl, ldso/dynlink.c
"""

import fnmatch
import posixpath
import re
from collections.abc import Iterator

from pipeline.checks.finding import Fault
from pipeline.checks.kind import Node
from pipeline.checks.program import Program
from pipeline.errors import FormatError
from pipeline.formats.elf import Elf
from pipeline.formats.tree import Tree

FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
TRIPLETS = ("x86_64-linux-gnu", "aarch64-linux-gnu", "i386-linux-gnu", "riscv64-linux-gnu")
LD_CONF = "/etc/ld.so.conf"
MAX_CONF = 1 << 16  # bytes
MAX_INCLUDES = 64


def closure_is_complete(node: Node) -> Iterator[Fault]:
    """A program whose loader or library is missing does not start: `No such file or directory`."""
    tree: Tree = node.artifact.tree
    programs: dict[str, Elf] = {
        child.name: child.artifact.elf
        for child in node.children
        if isinstance(child.artifact, Program) and child.artifact.elf is not None
    }
    usual = _usual_folders(tree)
    wanted: dict[str, str] = {}  # what is missing, and who needs it first
    for name, program in sorted(programs.items()):
        for missing in _missing(name, program, tree, usual):
            wanted.setdefault(missing, name)
    for missing, name in wanted.items():
        yield f"/{name} needs {missing}, which is not in the archive", f"add {missing} to the initramfs"


def _missing(name: str, program: Elf, tree: Tree, usual: tuple[str, ...]) -> Iterator[str]:
    """Yield what a program asks for itself; what its libraries ask for is their own."""
    if program.interpreter and not _is_there(tree, program.interpreter):
        yield program.interpreter
    origin = posixpath.dirname(f"/{name}")
    search = [folder for path in program.search for folder in path.split(":")]
    own = [re.sub(r"\$(ORIGIN|\{ORIGIN\})", origin, folder) for folder in search]
    for library in program.needed:
        if "/" in library:
            places = [library]
        else:
            places = [f"{folder}/{library}" for folder in (*own, *usual) if folder]
        if not any(_is_there(tree, place) for place in places):
            yield library


def _is_there(tree: Tree, path: str) -> bool:
    try:
        tree.resolve(path)
    except FormatError:
        return False
    return True


def _usual_folders(tree: Tree) -> tuple[str, ...]:
    """Return where loaders look: what ld.so.conf names, the folders that they know, musl's path files."""
    known = [f"{folder}/{triplet}" for folder in ("/lib", "/usr/lib") for triplet in TRIPLETS]
    paths = [
        _text(tree, f"/{name}").replace(":", "\n").split() for name in _matching(tree, "/etc/ld-musl-*.path")
    ]
    configured = list(_configured(tree, LD_CONF, [MAX_INCLUDES]))
    return tuple(dict.fromkeys([*configured, *(one for path in paths for one in path), *FOLDERS, *known]))


def _configured(tree: Tree, path: str, room: list[int]) -> Iterator[str]:
    """Yield the folders of an ld.so.conf, those of the files that it includes among them."""
    room[0] -= 1
    for line in _text(tree, path).splitlines() if room[0] >= 0 else ():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                for name in _matching(tree, posixpath.join("/etc", pattern)):
                    yield from _configured(tree, f"/{name}", room)
        elif words:
            yield words[0]


def _matching(tree: Tree, pattern: str) -> list[str]:
    return sorted(fnmatch.filter(tree.members, pattern.lstrip("/")))


def _text(tree: Tree, path: str) -> str:
    try:
        return bytes(tree.resolve(path).data[:MAX_CONF]).decode(errors="replace")
    except FormatError:
        return ""
