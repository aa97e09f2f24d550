"""The archive of `./doit vendor`: every input that the locks name, in one file, to build without network.

It is a tar (POSIX pax) of regular files: first the index, which says of each that follows its path, size,
SHA-256 and what it is; then the files, by their paths. Debian's lie as they do on a mirror.
"""

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError

from pipeline import config
from pipeline.config import RelativePath, Sha256, Text
from pipeline.errors import PipelineError
from pipeline.store.cache import Blob
from pipeline.store.files import Digesting, explained, replacing
from pipeline.store.remote import ABSENT_REASONS, Get, copied

INDEX = "index.json"
VERSION = 1
MOST_INDEX = 1 << 26  # bytes: a hundred times what this project's has
MOST_NAME = 1 << 12  # bytes of a header for a long name
CHUNK = 1 << 20

WHEELS = "wheels"
"""The folder of Python's packages; `make_venv.py` knows it, too."""

ANEW = "`./doit vendor FILE` makes one of the present locks"


@dataclass(frozen=True)
class Member:
    """A file of the archive: its path there, its size in bytes, its digest, and what it is for people."""

    path: RelativePath
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256
    what: Text


@dataclass(frozen=True)
class Index:
    """What the archive's index says."""

    version: int
    members: tuple[Member, ...]


def member(path: str, blob: Blob, what: str) -> Member:
    """Return the member that holds `blob`."""
    return Member(path, blob.size, blob.sha256, what)


def write(target: Path, files: Mapping[Member, Path], progress: Callable[[int], None]) -> int:
    """Write the archive of these files in one rename; return its size in bytes. It depends on nothing else.

    `progress` gets the bytes so far. Raises PipelineError for a file that is not what its member says.
    """
    members = sorted(files, key=lambda each: each.path)
    lines = ",\n    ".join(json.dumps(asdict(each)) for each in members)
    index = f'{{\n  "version": {VERSION},\n  "members": [\n    {lines}\n  ]\n}}\n'.encode()
    with explained(target, "write", cache=False), replacing(target) as out:
        with tarfile.TarFile(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, copybufsize=CHUNK) as tar:
            tar.addfile(_header(INDEX, len(index)), io.BytesIO(index))
            for each in members:
                _add(tar, each, files[each])
                progress(tar.offset)
        return out.tell()


def _header(path: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(path)
    header.size = size
    return header


def _add(tar: tarfile.TarFile, wanted: Member, path: Path) -> None:
    with path.open("rb") as file:
        reader = Digesting(file)
        if path.stat().st_size == wanted.size:
            tar.addfile(_header(wanted.path, wanted.size), reader)
    if reader.sha256 != wanted.sha256:
        raise PipelineError(f"{wanted.what}: the cache spoiled {path}", "run the same command again")


class _Plain(tarfile.TarInfo):
    """A member as `write` writes it: anything else could take memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if not (found.isreg() or (found.type == tarfile.XHDTYPE and found.size < MOST_NAME)):
            raise tarfile.ReadError(f"{found.name!r} is no file")
        return found


class Inputs:
    """An archive to build from, asked as a cache elsewhere is (`Remote`), and trusted as little.

    Raises PipelineError where there is none.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise PipelineError(f"{path}: no such file", ANEW)
        self.path = path

    @cached_property
    def places(self) -> dict[Blob, int]:
        """Where the content of each file begins. Raises PipelineError for what is no such archive."""
        with explained(self.path, "read", cache=False):
            try:
                with tarfile.open(self.path, "r:", tarinfo=_Plain) as tar:
                    index = _index(tar)
                    starts = _starts(tar)
            except (tarfile.TarError, EOFError, ValidationError, ValueError) as error:
                reason = str(error).splitlines()[0]
                raise PipelineError(f"{self.path}: is no archive of inputs: {reason}", ANEW) from error
        found = {}
        for each in index.members:
            if (start := starts.get((each.path, each.size))) is None:
                raise PipelineError(f"{self.path}: lacks {each.path}, which its index names", ANEW)
            found[Blob(each.sha256, each.size)] = start
        return found

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self.path)

    def offers(self, blob: Blob) -> bool:
        """Tell whether the archive has a blob."""
        return blob in self.places

    def bring(self, blob: Blob, part: Path, get: Get) -> str:
        """Copy a blob; see `Remote`. Raises PipelineError where it has other bytes than its index says."""
        del get
        if blob not in self.places:
            return ABSENT_REASONS[0]
        if not copied(self.path, blob, part, self.places[blob]):
            raise PipelineError(f"{self.path}: is damaged: SHA-256 {blob.sha256} is not what it holds", ANEW)
        return ""

    def claim(self, key: str) -> bytes | None:
        """Return None: it vouches for nothing."""
        del key
        return None


def _starts(tar: tarfile.TarFile) -> dict[tuple[str, int], int]:
    """Return where each file begins, by path and size. Raises ReadError for one that leads back."""
    found, last = {}, -1
    for each in tar:
        if each.offset <= last or each.size < 0:
            raise tarfile.ReadError(f"{each.name!r} leads back")
        last = each.offset
        found[each.name, each.size] = each.offset_data
    return found


def _index(tar: tarfile.TarFile) -> Index:
    """Return the index, the first member of the archive. Raises ValueError for what is none."""
    first = tar.next()
    if first is None or first.name != INDEX or first.size > MOST_INDEX:
        raise ValueError(f"its first member is not {INDEX}")
    file = tar.extractfile(first)
    found: Index | None = config.adapter(Index).validate_json(file.read() if file else b"")
    if found is None or found.version != VERSION:
        raise ValueError(f"{INDEX} is of version {found.version if found else None}, not {VERSION}")
    return found
