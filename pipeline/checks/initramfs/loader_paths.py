"""In which folders the dynamic loaders of an initramfs look by themselves.

Specification: ld.so(8), ldconfig(8); musl, ldso/dynlink.c
"""

import fnmatch
import posixpath
from collections.abc import Iterator
from itertools import islice

from pipeline.checks.attempt import or_none
from pipeline.formats.budget import STEPS
from pipeline.formats.tree import MAX_TARGET, Tree

FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
TRIPLETS = ("x86_64-linux-gnu", "aarch64-linux-gnu", "i386-linux-gnu", "riscv64-linux-gnu")
LD_CONF = "/etc/ld.so.conf"
LD_CACHE = "/etc/ld.so.cache"
MAX_CONF = 1 << 16  # bytes
MAX_CACHE = 1 << 22  # bytes
MAX_INCLUDES = 64
NAMES_A_STEP = 16  # that a pattern is compared with
MAX_FOLDERS = 256  # of all; a real system has a dozen


def usual_folders(tree: Tree) -> tuple[str, ...]:
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
