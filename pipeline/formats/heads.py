"""Reads, makes and verifies the lists of Heads: the hashes of a /boot's files, and the names of all in it.

Heads is firmware that starts Linux by kexec. Before that it compares what is in /boot with two lists, which
its owner signed: `kexec_hashes.txt`, as sha256sum writes it, and `kexec_tree.txt`, what
`find ./ ! -path './kexec*' -print0 | sort -z` says in the C locale. What is called `kexec*` at the top is in
neither; the signature in `kexec.sig` is of the hashes of all `kexec*.txt`.

Specification: Heads, initrd/etc/functions.sh (`print_tree`, `verify_checksums`, `assert_signable`) and
initrd/bin/kexec-sign-config.sh, https://github.com/linuxboot/heads
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.boot_files import Files
from pipeline.formats.fields import Image, chunks
from pipeline.formats.heads_scan import Found, scan

HASHES, TREE, SIGNATURE = "kexec_hashes.txt", "kexec_tree.txt", "kexec.sig"
OWN = "kexec"
"""What the names at the top begin with that Heads leaves out of its lists."""

LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
SIGNABLE = re.compile(r"[\x20-\x5b\x5d-\x7e]*")
"""Names that Heads signs: printable ASCII without the backslash, which sha256sum would escape."""

AGAIN = "make the lists again, of the finished file system"


def sha256(image: Image) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    state = hashlib.sha256()
    for chunk in chunks(image):
        state.update(chunk)
    return state.hexdigest()


def unsignable(files: Files) -> list[str]:
    """Return the paths that Heads signs nothing with: it ends in its recovery shell instead."""
    return sorted(path for path in files.names() if not SIGNABLE.fullmatch(path))


def make_hashes(files: Files) -> bytes:
    """Return `kexec_hashes.txt`: the digest of each regular file but Heads' own, by path in the C locale.

    Raises FormatError for a name that Heads does not sign.
    """
    _check(files)
    return "".join(f"{sha256(files.files[path])}  ./{path}\n" for path in _listed(files.files)).encode()


def make_tree(files: Files) -> bytes:
    """Return `kexec_tree.txt`: the top, `./`, and all that is below it but Heads' own, each with a NUL.

    Raises FormatError for a name that Heads does not sign.
    """
    _check(files)
    return b"".join(f"{path}\0".encode() for path in _tree(files))


def signed_text(lists: Mapping[str, bytes], folder: str = "/boot") -> bytes:
    """Return what the signature in `kexec.sig` is of: `sha256sum kexec*.txt`, of lists by name.

    `folder` is where Heads has them: /boot, or for an ISO /media/kexec_iso and its path.
    """
    names = sorted(name for name in lists if name.startswith(OWN) and name.endswith(".txt"))
    return "".join(f"{sha256(lists[name])}  {folder}/{name}\n" for name in names).encode()


def read_hashes(data: bytes) -> dict[str, str]:
    """Return the digests in a `kexec_hashes.txt`, by path without `./` in front.

    Raises FormatError for a line that sha256sum would not check, for a path twice, and for none at all.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(data.decode(errors="surrogateescape").splitlines(), start=1):
        match = LINE.fullmatch(line)
        if match is None:
            raise FormatError(f"{HASHES}: line {number} is no digest and path: {line[:80]!r}", AGAIN)
        path = match[2].removeprefix("./")
        if path in found:
            raise FormatError(f"{HASHES}: line {number}: ./{path} is there twice", AGAIN)
        found[path] = match[1].lower()
    if not found:
        raise FormatError(f"{HASHES}: it is empty", AGAIN)
    return found


def read_tree(data: bytes) -> tuple[str, ...]:
    """Return the paths in a `kexec_tree.txt`, as they stand there: `./`, `./grub`, `./grub/grub.cfg`.

    Raises FormatError for one that does not end with a NUL, or has a path that is no path below the top.
    """
    if not data.endswith(b"\0"):
        raise FormatError(f"{TREE}: it does not end with a NUL", AGAIN)
    paths = data[:-1].decode(errors="surrogateescape").split("\0")
    for path in paths:
        if not path.startswith("./"):
            raise FormatError(f"{TREE}: {path[:80]!r} does not begin with ./", AGAIN)
    return tuple(paths)


@dataclass(frozen=True, slots=True)
class Difference:
    """What Heads finds otherwise than a list says: the path, and a sentence about it."""

    path: str
    message: str


def differences(files: Files, hashes: bytes, tree: bytes) -> Iterator[Difference]:
    """Yield how files differ from their lists: changed, missing and added ones, as Heads would notice.

    Raises FormatError for a list that cannot be read.
    """
    for path, digest in read_hashes(hashes).items():
        if not files.is_file(path):
            yield Difference(path, f"./{path} is in {HASHES}, and there is no such file")
        elif sha256(files.image(path)) != digest:
            yield Difference(path, f"./{path} has another digest than {HASHES} says: it was changed")
    said, found = read_tree(tree), _tree(files)
    for path in sorted(set(found) - set(said), key=_bytes):
        yield Difference(path[2:], f"{path} is not in {TREE}: it was added")
    for path in sorted(set(said) - set(found), key=_bytes):
        yield Difference(path[2:], f"{path} is in {TREE}, and is not there")
    if sorted(said) == sorted(found) and said != found:
        yield Difference("", f"{TREE} is not in the order of the C locale")


LEAST = 2 << 20  # bytes of a partition that Heads mounts: smaller ones are for boot code


@dataclass(frozen=True, slots=True)
class Start:
    """Whether Heads would start something of a partition or an ISO, and why not: sentences with hints.

    `because` is a clause that says what decides. A yes holds where all `conditions` are met. `reasons` are
    all that is missed, of a yes as well; `found` is what its menu has, whether it starts or not.
    """

    starts: bool
    because: str
    conditions: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    found: tuple[Found, ...] = ()


def would_start(files: Files, *, size: int | None = None, is_iso: bool = False) -> Start:
    """Say whether Heads would start a system from these files, at the top of a partition or of an ISO.

    `size` is the partition's, in bytes, None or 0 where it is not known. Of an ISO, which it mounts as /boot,
    no more is asked than that it has entries; its signature lies beside it.
    """
    if not is_iso and size and size < LEAST:
        small = f"the partition has {size} bytes, and Heads looks at none below {LEAST}"
        return Start(False, small, reasons=((small, "make it larger"),))
    result = scan(files)
    missed = tuple((f"/{each.source}: {each.message}", each.hint) for each in result.missed)
    faults = tuple((f"{each.name!r}: {fault}", "") for each in result.found for fault in each.faults)
    reasons = missed + faults
    if not is_iso and not any(path.startswith("grub") for path in files.names()):
        lacks = "there is no /grub at its top, by which Heads knows a /boot"
        return Start(False, lacks, (), ((lacks, "put grub.cfg into /grub"), *reasons), result.found)
    good = [each for each in result.found if not each.faults]
    if not good:
        because = "Heads finds no entry that it can start" + (f": {reasons[0][0]}" if reasons else "")
        return Start(False, because, (), reasons, result.found)
    because = f"Heads finds {len(good)} of its entries, the first {good[0].name!r}"
    if is_iso:
        beside = "its signature lies beside it, with .asc or .sig added to its name"
        return Start(True, because, (beside,), reasons, result.found)
    wrong = list_faults(files)
    if wrong:
        return Start(False, wrong[0][0], (), (*wrong, *reasons), result.found)
    signed = files.is_file(SIGNATURE) and files.is_file(HASHES)
    condition = "the signature in kexec.sig is its owner's" if signed else "its owner signs it first"
    return Start(True, because, (condition,), reasons, result.found)


def list_faults(files: Files) -> tuple[tuple[str, str], ...]:
    """Return why Heads refuses a /boot by its lists, sentences with hints; nothing where it has no lists."""
    if not files.is_file(HASHES) and not files.is_file(TREE):
        return ()
    try:
        for name in (HASHES, TREE):
            if not files.is_file(name):
                return ((f"/{name} is not there, and the other list is", AGAIN),)
        found = differences(files, files.read(HASHES), files.read(TREE))
        return tuple((each.message, AGAIN) for each in found)
    except FormatError as error:
        return ((error.message, error.hint),)


def _check(files: Files) -> None:
    for path in unsignable(files):
        raise FormatError(
            f"/{path}: Heads signs no /boot with this name in it",
            "name it with printable ASCII, without a backslash",
        )


def _bytes(path: str) -> bytes:
    return path.encode(errors="surrogateescape")


def _listed(paths: Mapping[str, Image]) -> list[str]:
    return sorted((path for path in paths if not path.startswith(OWN)), key=_bytes)


def _tree(files: Files) -> tuple[str, ...]:
    found = (path.rstrip("/") for path in files.names() if not path.startswith(OWN))
    return tuple(sorted(("./", *(f"./{path}" for path in found)), key=_bytes))
