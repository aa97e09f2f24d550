"""Turns TOML and JSON files into frozen dataclasses and collects every mistake, each with its place.

pydantic finds the mistakes; this module says them in the words people use.
"""

import calendar
import datetime
import functools
import json
import re
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid", strict=True)
"""How every dataclass is read from a file, and those in it: no unknown key, no silent conversion."""


def _fits(what: str, test: Callable[[str], object]) -> AfterValidator:
    def check(value: str) -> str:
        if not test(value):
            raise ValueError(f"{value!r} is not {what}")
        return value

    return AfterValidator(check)


def _matches(what: str, pattern: str) -> AfterValidator:
    return _fits(what, re.compile(pattern).fullmatch)


Sha256 = Annotated[str, _matches("a SHA-256 digest (64 hex digits)", r"[0-9a-f]{64}")]
A_NAME = "a name (small letters, digits, dots and dashes)"
NAME = r"[a-z0-9][a-z0-9.-]*"
Name = Annotated[str, _matches(A_NAME, NAME)]
DebianPackage = Annotated[str, _matches("a Debian package name", r"[a-z0-9][a-z0-9+.-]+")]
STAMP_FORMAT = "%Y%m%dT%H%M%SZ"


def _is_stamp(value: str) -> bool:
    try:
        return bool(time.strptime(value, STAMP_FORMAT))
    except ValueError:
        return False


Timestamp = Annotated[str, _fits("a snapshot time stamp such as 20261121T000000Z", _is_stamp)]
PLAIN_TEXT = r"[A-Za-z0-9][A-Za-z0-9 ._+~-]*"
PlainText = Annotated[str, _matches("a plain text (letters, digits, blanks and . _ + ~ -)", PLAIN_TEXT)]
"""What os-release(5), the ISO's descriptors and a screen can all show as it is."""

SHORT_TEXT = r"[A-Za-z0-9][A-Za-z0-9 ._+~-]{0,29}"
ShortText = Annotated[
    str, _matches("a plain text (at most 30 letters, digits, blanks and . _ + ~ -)", SHORT_TEXT)
]
"""Names that a screen's title has to have room for."""

RelativePath = Annotated[
    str,
    _matches("a path below this file's folder", r"(?!/)(?!(.*/)?\.\.(/|$)).+"),
]
SharedPath = Annotated[
    str,
    _matches(
        "a path below this file's folder, or below one beside it (../other/rootfs)",
        r"(\.\./(?=[^/.]))?(?!/)(?!(.*/)?\.\.(/|$)).+",
    ),
]
AnyRelativePath = Annotated[str, _matches("a path from this file's folder", r"[^/].*")]
AbsolutePath = Annotated[
    str,
    _matches("an absolute path (/usr/sbin/mke2fs)", r"(?!(.*/)?\.\.(/|$))(/[^/]+)+"),
]
FileName = Annotated[str, _matches("a file name (letters, digits and . _ -)", r"[A-Za-z0-9][A-Za-z0-9._-]*")]
PackageName = Annotated[
    str, _matches("a Python package's name (small letters, digits and _)", r"[a-z][a-z0-9_]*")
]
UNIT_KINDS = "service|socket|device|mount|automount|swap|target|path|timer|slice|scope"
UnitName = Annotated[
    str,
    _matches("a unit of systemd (sshd.service, getty@tty2.service)", rf"[A-Za-z0-9:_.\\@-]+\.({UNIT_KINDS})"),
]
StoryName = Annotated[
    str,
    _matches(
        "the name of a story (small letters, digits and dashes, no way of booting)",
        r"(?!(cd|usb|disk|esp|cd-bios|usb-bios|virtio-blk)$)[a-z0-9][a-z0-9-]*",
    ),
]
Keys = Annotated[
    str, _matches("keys without Shift (small letters, digits, blank . - \\n)", r"[a-z0-9 .\n-]+")
]
KeyName = Annotated[str, _matches("a key's name as QEMU has it (small letters, digits and _)", r"[a-z0-9_]+")]


def _generation(value: int) -> int:
    if not 1 <= value <= MOST_GENERATIONS:
        raise ValueError(f"{value} is not a generation (1 to {MOST_GENERATIONS})")
    return value


MOST_GENERATIONS = 0xFFFF
Generation = Annotated[int, AfterValidator(_generation)]
"""Of a component in SBAT, which shim reads as 16 bits."""

Size = Annotated[str, _matches("the size of a disk (20G, 512M)", r"[1-9][0-9]{0,5}[MGT]")]
VolumeId = Annotated[str, _matches("a volume identifier (at most 16 of A-Z, 0-9 and _)", r"[A-Z0-9_]{1,16}")]
"""What both ISO 9660 (d-characters) and Joliet (16 characters) can hold."""

HostName = Annotated[
    str,
    _matches("a host name (1 to 63 small letters, digits and dashes)", r"(?!-)[a-z0-9-]{1,63}(?<!-)"),
]
PartitionName = Annotated[
    str,
    _matches("a partition's name (at most 15 of A-Z, 0-9 and _, no digit last)", r"[A-Z0-9_]{0,14}[A-Z_]"),
]
"""With a digit behind it, what an ext4 file system can be called (16 bytes)."""

GptName = Annotated[str, _matches("a name in a GPT (at most 36 of A-Z, 0-9 and _)", r"[A-Z0-9_]{1,36}")]
FatLabel = Annotated[str, _matches("a FAT label (at most 11 of A-Z, 0-9 and _)", r"[A-Z0-9_]{1,11}")]
LogoName = Annotated[str, _matches("the name of a .bmp file", r"[A-Za-z0-9][A-Za-z0-9._-]*\.bmp")]
FontName = Annotated[str, _matches("the name of a .psf file", r"[A-Za-z0-9][A-Za-z0-9._-]*\.psf")]
Sentence = Annotated[str, _matches("a text of at most 200 printable ASCII characters", r"[!-~][ -~]{0,199}")]
"""What a serial console shows as it is."""

Colour = Annotated[str, _matches("a colour such as #0f151d", r"#[0-9A-Fa-f]{6}")]
DebianVersion = Annotated[str, _matches("a Debian version", r"([0-9]+:)?[A-Za-z0-9.+~-]+")]
Suite = Annotated[str, _matches("a suite (trixie, trixie-updates)", r"[a-z][a-z0-9.-]*(/[a-z0-9.-]+)*")]
PoolPath = Annotated[
    str, _matches("a .deb file in pool/", r"(?!(.*/)?\.\.?/)pool(/[A-Za-z0-9%.+:_~-]+)+\.deb")
]


def is_url(text: str) -> bool:
    """Tell whether something can be fetched from there, and whether it stays one word of one line."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an address that is none
        return False
    return good and text.isascii() and text.isprintable() and not set(text) & set(" \"'<>\\")


Url = Annotated[str, _fits("a URL (https://host/path)", is_url)]

REPOSITORY = re.compile(
    r"oci(\+http)?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+"
)
"""A repository of a registry, as the OCI distribution specification names them."""


def is_cache(text: str) -> bool:
    """Tell whether this names a cache: a folder, a web server's, or a repository of a registry."""
    if text.startswith("file:"):
        return len(text) > len("file:") and text.isprintable()
    return REPOSITORY.fullmatch(text) is not None or (is_url(text) and not set(text) & {"?", "#"})


CacheName = Annotated[
    str, _fits("a cache (file:FOLDER, https://host/path, oci://registry/repository)", is_cache)
]
PublicKey = Annotated[
    str,
    _matches(
        "a public key (ssh-ed25519 AAAA…)",
        r"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-P][A-Za-z0-9+/]{42}( .*)?",
    ),
]
Text = Annotated[str, _fits("a line of text", lambda text: text and text.isprintable())]
"""What stays one line wherever it is written: no line feed makes a second one of it."""

KINDS = {
    "string_type": "a string",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "dataclass_exact_type": "a table",
}


DATE = "TOML's date"
"""The key of what stands for a date or a time of TOML, which nothing here wants and JSON does not know."""


def _wrong_date(date: str, wanted: str) -> str:
    try:
        when = datetime.datetime.fromisoformat(date)
    except ValueError:  # a time without a date
        return f"{date} is a time, not {wanted}"
    if wanted == KINDS["int_type"]:
        seconds = calendar.timegm(when.utctimetuple())
        return f"{date} is a date, not {wanted}: the seconds since 1970 are {seconds}"
    return f"{date} is a date, not {wanted}" + (
        ": put it in quotes" if wanted == KINDS["string_type"] else ""
    )


def _sentence(error: ErrorDetails) -> str:
    kind, value = error["type"], error["input"]
    if isinstance(value, dict) and list(value) == [DATE]:
        return _wrong_date(value[DATE], KINDS.get(kind, "what belongs here"))
    if kind == "missing":
        return "this key is missing"
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return "unknown key"
    if kind == "literal_error":
        return f"{value!r} is not {error['ctx']['expected']}"
    if kind in KINDS:
        return f"{value!r} is not {KINDS[kind]}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return f"{value!r}: {error['msg']}"


@functools.cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what reads a dataclass; `kind | None`, as pydantic takes no settings beside a dataclass."""
    return TypeAdapter(kind | None, config=STRICT)


def validate(kind: type[T], data: Mapping[str, Any], name: str, mistakes: list[str]) -> T | None:
    """Return `data` as a `kind`, or None after adding `name: key.path: sentence` lines to `mistakes`."""
    found: T | None = None
    try:
        # Arrays come as lists in TOML and JSON; strict mode takes them for tuples only from JSON.
        text = json.dumps(data, default=lambda date: {DATE: str(date)})
        found = adapter(kind).validate_json(text)  # type: ignore[arg-type]
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            path = ".".join(map(str, detail["loc"]))
            mistakes.append(f"{name}: {path + ': ' if path else ''}{_sentence(detail)}")
    return found


CONFLICT = "has a mark of a merge conflict"
TAKE_ONE_SIDE = "take one side of the file whole: `git checkout --ours` or `--theirs`, and its name"


def in_conflict(mistakes: Iterable[str]) -> bool:
    """Tell whether one of these mistakes is a merge that nobody finished: a new file would hide it."""
    return any(mistake.endswith(CONFLICT) for mistake in mistakes)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found


def _table(path: Path) -> dict[str, Any]:
    """Return what a file holds. Raises ValueError for a sentence without the file's name."""
    text = path.read_text(encoding="utf-8")
    if text.startswith("\ufeff"):
        raise ValueError("begins with a byte order mark: save it as UTF-8 without one")
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("<<<<<<< "):
            raise ValueError(f"line {number} {CONFLICT}")
    data = json.loads(text, object_pairs_hook=_once) if path.suffix == ".json" else tomllib.loads(text)
    if not isinstance(data, dict):
        raise ValueError(f"holds {type(data).__name__}, want a table")  # noqa: TRY004
    return data


def read(kind: type[T], path: Path, name: str, mistakes: list[str]) -> T | None:
    """Read a TOML or JSON file (by its suffix) as a `kind`; None after adding to `mistakes`.

    `name` is how messages call the file: its path below the repository. Of JSON, a key that is there twice
    is a mistake, as it is of TOML.
    """
    try:
        return validate(kind, _table(path), name, mistakes)
    except FileNotFoundError:
        mistakes.append(f"{name}: no such file")
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"{name}: cannot be read: {error}")
    except RecursionError:
        mistakes.append(f"{name}: is nested too deeply")
    except ValueError as error:  # ours, json's, tomllib's, and that of a number with thousands of digits
        mistakes.append(f"{name}: {error}")
    return None
