"""What must hold of the dynamic programs of an initramfs: all that their loader will look for is there.

Specification: ld.so(8), the order of the search and "Dynamic string tokens"; ldconfig(8); musl,
ldso/dynlink.c
"""

import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, islice

from pipeline.checks.attempt import or_none
from pipeline.checks.elf import Program
from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Node
from pipeline.formats.budget import STEPS, Budget
from pipeline.formats.elf import Elf
from pipeline.formats.tree import MAX_TARGET, Tree

LIB = ("lib", "lib64")  # what $LIB may stand for
MAX_FOLDERS = 256  # that loaders know, or one program's search is handed; a real one has a dozen
MUSL = "ld-musl-"
MUSL_ITSELF = re.compile(r"lib(c|pthread|rt|m|dl|util|xnet)\.")  # musl's loader is these libraries
FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
TRIPLETS = ("x86_64-linux-gnu", "aarch64-linux-gnu", "i386-linux-gnu", "riscv64-linux-gnu")
LD_CONF = "/etc/ld.so.conf"
LD_CACHE = "/etc/ld.so.cache"
MAX_CONF = 1 << 16  # bytes
MAX_CACHE = 1 << 22  # bytes
MAX_INCLUDES = 64
NAMES_A_STEP = 16  # that a pattern is compared with


@dataclass(frozen=True, slots=True)
class _Archive:
    """The ELF files of an initramfs by name, without a leading `/`, and the folders that loaders know.

    `led_to` returns the name of what a path leads to, "" for nothing; the budget pays for every look-up.
    """

    led_to: Callable[[str], str]
    programs: Mapping[str, Elf]
    usual: tuple[str, ...]
    budget: Budget

    def find(self, places: Iterable[str], like: Elf) -> tuple[str, Elf | None] | None:
        """Return the first of the places that has a file for the same machine, and what is known of it."""
        for place in places:
            self.budget.spend(STEPS)
            name = self.led_to(place)
            found = self.programs.get(name)
            if name and (found is None or (found.bits, found.machine) == (like.bits, like.machine)):
                return name, found
        return None


together = Rules[Node]()


@together(
    "CPIO017",
    "its programs have their loaders and libraries",
    lenient=True,
    spec="ld.so(8); System V ABI, gABI, Dynamic Linking (DT_NEEDED, DT_RUNPATH)",
    fix="add the library, or link the program statically",
)
def closure_is_complete(node: Node) -> Iterator[Fault]:
    """A program whose loader or library is missing does not start: `No such file or directory`."""
    programs = _programs(node)
    if all(program.is_static for program in programs.values()):
        return
    tree: Tree = node.artifact.tree
    archive = _archive(tree, programs)
    reached: set[str] = set()
    wanted: dict[str, str] = {}  # what is missing, and who needs it
    for name, program in sorted(programs.items()):
        if program.interpreter:
            for needs, missing in _started(name, program, archive, reached):
                wanted.setdefault(missing, needs)
    known = {one for name, elf in programs.items() for one in (posixpath.basename(name), elf.soname)}
    for name in sorted(programs.keys() - reached):
        # what no program names is opened by one at run time, which may have the rest already
        for needs, missing in _loaded(name, programs[name], archive, known, reached):
            wanted.setdefault(missing, needs)
    names = {posixpath.basename(name) for name in tree.members}
    for missing, name in wanted.items():
        if posixpath.basename(missing) in names:
            yield (
                f"/{name} needs {missing}, which lies where its loader does not look, or leads nowhere, "
                "or is for another machine",
                f"add {missing} for {programs[name].machine} in one of {', '.join(archive.usual[:4])}",
            )
        else:
            yield f"/{name} needs {missing}, which is not in the archive", f"add {missing} to the initramfs"


def missing_for(node: Node, name: str) -> tuple[str, str] | None:
    """Return who needs what is missing first when a program is started, and what; None where nothing is."""
    programs = _programs(node)
    program = programs.get(name)
    if program is None or program.is_static:
        return None
    return next(_started(name, program, _archive(node.artifact.tree, programs), set()), None)


def _programs(node: Node) -> dict[str, Elf]:
    """Return the ELF files by where they lie; what another member replaced is not there."""
    found = {
        id(child.member.image): child.artifact.elf
        for child in node.children
        if isinstance(child.artifact, Program) and child.artifact.elf is not None
    }
    members = node.artifact.tree.members
    return {name: found[id(entry.data)] for name, entry in members.items() if id(entry.data) in found}


def _archive(tree: Tree, programs: Mapping[str, Elf]) -> _Archive:
    return _Archive(cache(partial(_led_to, tree)), programs, _usual_folders(tree), tree.budget)


def _led_to(tree: Tree, path: str) -> str:
    entry = or_none(tree.resolve, path)
    return entry.name if entry else ""


def _started(name: str, program: Elf, archive: _Archive, reached: set[str]) -> Iterator[tuple[str, str]]:
    """Yield who needs what is missing when a program is started; `reached` gets what is loaded."""
    known = {posixpath.basename(program.interpreter)}
    loader = archive.find([program.interpreter], program)
    if loader is None:
        yield name, program.interpreter
    else:
        reached.add(loader[0])
        known.add(loader[1].soname if loader[1] else "")
    yield from _loaded(name, program, archive, known, reached)


def _loaded(
    name: str, program: Elf, archive: _Archive, known: Iterable[str], reached: set[str]
) -> Iterator[tuple[str, str]]:
    """Yield who needs what is missing when a file and all its libraries are loaded, in the loader's order.

    What has been loaded under a name, or has it as its DT_SONAME, is not looked for again: `known` to begin.
    """
    known = set(known)
    musl = posixpath.basename(program.interpreter).startswith(MUSL)
    pending: list[tuple[str, Elf, tuple[str, ...]]] = [(name, program, ())]
    while pending:
        needs, elf, handed = pending.pop(0)
        reached.add(needs)
        own = _own_folders(needs, elf)
        handed = (*own, *handed)[:MAX_FOLDERS] if elf.hands_down or musl else handed
        first = own if elf.search and not elf.hands_down and not musl else handed
        for library in elf.needed:
            if library in known or (musl and MUSL_ITSELF.match(library)):
                continue
            known.add(library)
            folders = (".",) if "/" in library else chain(first, archive.usual)
            found = archive.find((posixpath.join(folder, library) for folder in folders), elf)
            if found is None:
                yield needs, library
            elif found[1] is not None:
                known.add(found[1].soname)
                pending.append((found[0], found[1], handed))


def _own_folders(name: str, elf: Elf) -> tuple[str, ...]:
    """Return the folders of DT_RUNPATH or DT_RPATH, the tokens replaced."""
    origin = posixpath.dirname(f"/{name}")
    folders: list[str] = []
    for folder in (folder for path in elf.search for folder in path.split(":") if folder):
        here = re.sub(r"\$(ORIGIN\b|\{ORIGIN\})", lambda _: origin, folder)
        folders += dict.fromkeys(re.sub(r"\$(LIB\b|\{LIB\})", lib, here) for lib in LIB)
    return tuple(folders)


def _usual_folders(tree: Tree) -> tuple[str, ...]:
    """Return the folders that glibc's loader and musl's know or are told of by files in the archive."""
    known = [f"{folder}/{triplet}" for folder in ("/lib", "/usr/lib") for triplet in TRIPLETS]
    told = (
        folder
        for folder in dict.fromkeys([*_cached(tree), *_configured(tree), *_of_musl(tree)])
        if len(folder) <= MAX_TARGET
    )
    return tuple(dict.fromkeys([*islice(told, MAX_FOLDERS), *FOLDERS, *known]))


def _cached(tree: Tree) -> Iterator[str]:
    """Yield the folders of what ldconfig found: its paths stand in the cache, each with a NUL behind it."""
    for text in _content(tree, LD_CACHE, MAX_CACHE).split(b"\0")[:-1]:
        start = text.find(b"/", text.rfind(b"//") + 1)
        if start >= 0 and not text.endswith(b"/"):
            yield posixpath.dirname(text[start:].decode(errors="replace"))


def _of_musl(tree: Tree) -> Iterator[str]:
    """Yield the folders of musl's path files, which `:` or line feeds part."""
    for name in _matching(tree, "/etc/ld-musl-*.path"):
        yield from _text(tree, f"/{name}").replace(":", "\n").split()


def _configured(tree: Tree) -> Iterator[str]:
    """Yield the folders of ld.so.conf and of what it includes, each file once, up to MAX_INCLUDES."""
    pending, read = [LD_CONF], list[str]()
    while pending and len(read) < MAX_INCLUDES:
        read.append(pending.pop(0))
        for line in _text(tree, read[-1]).splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["include"]:
                patterns = dict.fromkeys(posixpath.join("/etc", pattern) for pattern in words[1:])
                for pattern in islice(patterns, MAX_INCLUDES - len(pending)):
                    found = [f"/{name}" for name in _matching(tree, pattern)][:MAX_INCLUDES]
                    pending += [name for name in found if name not in (*read, *pending)]
            elif words:
                yield words[0]


def _matching(tree: Tree, pattern: str) -> list[str]:
    tree.budget.spend(STEPS, 1 + len(tree.members) // NAMES_A_STEP)
    return sorted(fnmatch.filter(tree.members, pattern.lstrip("/")))


def _text(tree: Tree, path: str) -> str:
    return _content(tree, path, MAX_CONF).decode(errors="replace")


def _content(tree: Tree, path: str, limit: int) -> bytes:
    entry = or_none(tree.resolve, path)
    return bytes(entry.data[:limit]) if entry else b""
