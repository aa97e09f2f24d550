"""What a folder of a store is called: by all that is in it, as Nix and Guix name what they copy into theirs.

Names, targets of links, contents and the right to be run count; owners, times and other rights do not.

Specifications: Nix, "Nix Archive (NAR) format" https://nix.dev/manual/nix/latest/protocols/nix-archive and
"Complete Store Path Calculation" https://nix.dev/manual/nix/latest/protocols/store-path; Eelco Dolstra, "The
Purely Functional Software Deployment Model", sections 5.1 and 5.2
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipeline.errors import FormatError

DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
"""Of a number to the base of 32: no e, o, t and u, so that no word is spelled."""

HASH = 20
"""How many bytes of a SHA-256 are left when it is folded."""

NAME = re.compile(r"[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]{0,210}")


@dataclass(frozen=True, eq=False, slots=True)
class File:
    """A file; with two names in a tree it is the same object twice."""

    data: bytes
    runs: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder: what lies in it, by name."""

    entries: Mapping[str, "Node"]


Node = File | Link | Folder


def digest(node: Node) -> str:
    """Return the SHA-256 of the archive of a tree, in hexadecimal digits."""
    hashed = hashlib.sha256()
    _words(hashed.update, b"nix-archive-1")
    _write(hashed.update, node)
    return hashed.hexdigest()


def _write(put: Callable[[bytes], object], node: Node) -> None:
    if isinstance(node, File):
        runs = (b"executable", b"") if node.runs else ()
        _words(put, b"(", b"type", b"regular", *runs, b"contents", node.data)
    elif isinstance(node, Link):
        _words(put, b"(", b"type", b"symlink", b"target", _bytes(node.target))
    else:
        _words(put, b"(", b"type", b"directory")
        for name, entry in sorted((_bytes(name), entry) for name, entry in node.entries.items()):
            _words(put, b"entry", b"(", b"name", name, b"node")
            _write(put, entry)
            _words(put, b")")
    _words(put, b")")


def _words(put: Callable[[bytes], object], *words: bytes) -> None:
    """Put each word, with its length in front and zeros behind it up to eight bytes."""
    for word in words:
        put(len(word).to_bytes(8, "little"))
        put(word)
        put(bytes(-len(word) % 8))


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def base32(data: bytes) -> str:
    """Return bytes as a number to the base of 32: the first byte is the least."""
    number = int.from_bytes(data, "little")
    count = (len(data) * 8 + 4) // 5
    return "".join(DIGITS[number >> (5 * place) & 31] for place in reversed(range(count)))


def path_of(folder: str, name: str, node: Node, leads_to: Iterable[str] = ()) -> str:
    """Return where a tree called `name` lies in the store `folder`, with the paths of it that it leads to.

    Raises FormatError for a name that no store has.
    """
    if not NAME.fullmatch(name):
        raise FormatError(
            f"{name!r} cannot be the name of what lies in a store",
            "write it of letters, digits and + - . _ ? =, without a dot in front",
        )
    kind = ":".join(("source", *sorted(set(leads_to))))
    hashed = hashlib.sha256(f"{kind}:sha256:{digest(node)}:{folder}:{name}".encode()).digest()
    folded = bytearray(HASH)
    for place, byte in enumerate(hashed):
        folded[place % HASH] ^= byte
    return f"{folder}/{base32(bytes(folded))}-{name}"
