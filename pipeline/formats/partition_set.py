"""`partitions.json`: a set of partitions that an installer puts on a disk, and the files that it consists of.

Installers have a reader of their own (`programs/installer/src/install/set`).

Specification: docs/installing-sets.md ("What a set is"); UEFI 2.10, §5.3.3 (types and names of partitions)
"""

import dataclasses
import json
import types
import uuid
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pipeline.errors import FormatError
from pipeline.formats import discoverable
from pipeline.formats.gpt import EFI_SYSTEM_PARTITION

LIST = "partitions.json"
FORMAT = 1
BIOS, ESP, BOOT, ROOT, DATA = "bios", "esp", "boot", "root", "data"
ROLES = {BIOS: discoverable.BIOS_BOOT, ESP: EFI_SYSTEM_PARTITION, BOOT: discoverable.XBOOTLDR}
"""The type that a partition of a role has, where there is one for it."""

ZSTD = "zstd"
"""How content is packed, where it is."""

AGAIN = "make the set again, with the step `partition-set`"
Made = TypeVar("Made")


@dataclass(frozen=True)
class BootCode:
    """The boot sector for a BIOS, without a place in it: an installer patches it, as `grub_boot` does."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Content:
    """What a partition holds: a file, `packed` as zstd or not at all; `bytes` and `sha256` are unpacked."""

    file: str
    packed: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Placed:
    """A file that an EFI system partition gets, at `path`; several may be one `file` of the set."""

    path: str
    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Partition:
    """One partition; `size` is the least in bytes, `type` its GUID in small letters.

    The role `esp` has `files`, which an installer puts into a file system that it makes, or finds; all others
    have `content`. One that is to `grow` takes what is left of a disk.
    """

    role: str
    label: str
    type: str
    size: int
    grow: bool
    content: Content | None = None
    files: tuple[Placed, ...] = ()


@dataclass(frozen=True)
class Entry:
    """What the menu of the boot tree has: one system; paths are from the top of its partition."""

    id: str
    title: str
    system: str
    kernel: str
    kernel_sha256: str
    initrd: str
    initrd_sha256: str
    cmdline: str


@dataclass(frozen=True)
class PartitionSet:
    """A set: `partitions` in their order on a disk, `folder` is its own below EFI on any EFI partition."""

    format: int
    name: str
    title: str
    version: str
    folder: str
    boot_code: BootCode
    partitions: tuple[Partition, ...]
    entries: tuple[Entry, ...] = field(default=())


def text_of(wanted: PartitionSet) -> bytes:
    """Return LIST; a partition has either content or files in it."""
    table = dataclasses.asdict(wanted)
    for partition in table["partitions"]:
        del partition["files" if partition["role"] != ESP else "content"]
    return (json.dumps(table, indent=2) + "\n").encode()


def read_list(data: bytes) -> PartitionSet:
    """Read LIST. Raises FormatError that says which value is missing, unknown, or of another kind."""
    try:
        table = json.loads(data)
    except ValueError as error:  # UnicodeDecodeError, too
        raise FormatError(f"{LIST} is not JSON: {error}", AGAIN) from error
    if isinstance(table, dict) and table.get("format") != FORMAT:
        raise FormatError(f"{LIST}: format is {table.get('format')!r}, not {FORMAT}", AGAIN)
    return _table(PartitionSet, table, "")


def _table(kind: type[Made], value: Any, where: str) -> Made:
    if not isinstance(value, dict):
        raise _wrong(where, value, "a table")
    wanted = get_type_hints(kind)
    fields = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in value:
        if name not in fields:
            raise FormatError(f"{LIST}: {_below(where, name)}: unknown key", AGAIN)
    for name, each in fields.items():
        needed = each.default is dataclasses.MISSING
        if needed and name not in value:
            raise FormatError(f"{LIST}: {_below(where, name)}: this key is missing", AGAIN)
    given = {name: _value(wanted[name], one, _below(where, name)) for name, one in value.items()}
    return kind(**given)


def _value(kind: Any, value: Any, where: str) -> Any:
    if isinstance(kind, types.UnionType):
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise _wrong(where, value, "a list")
        return tuple(_value(get_args(kind)[0], one, f"{where}[{at}]") for at, one in enumerate(value))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _table(kind, value, where)
    if type(value) is not kind or (kind is int and value < 0):
        raise _wrong(where, value, {str: "a string", int: "a whole number", bool: "true or false"}[kind])
    return value


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _wrong(where: str, value: Any, wanted: str) -> FormatError:
    return FormatError(f"{LIST}: {where or 'the file'}: {value!r} is not {wanted}", AGAIN)


NAMES = {
    "esp": EFI_SYSTEM_PARTITION,
    "xbootldr": discoverable.XBOOTLDR,
    "linux-generic": uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4"),
    "root": discoverable.ROOT,  # of the machine that builds
    "root-x86-64": discoverable.ROOT,
    "var": discoverable.VAR,
    "home": uuid.UUID("933ac7e1-2eb4-4f13-b844-0e14e2aef915"),
    "srv": uuid.UUID("3b8f8425-20e0-4f3b-907f-1a25a76f98e8"),
}
"""Types that repart.d(5) has names for, as far as a set may have them."""


def type_of(text: str) -> uuid.UUID:
    """Return the type that `Type=` of repart.d(5) names. Raises FormatError for one that is not in NAMES."""
    if text in NAMES:
        return NAMES[text]
    try:
        return uuid.UUID(text)
    except ValueError:
        known = ", ".join(NAMES)
        raise FormatError(
            f"Type={text} is no type that a set of partitions has", f"write {known} or a GUID"
        ) from None
