"""Turns TOML and JSON files into frozen dataclasses and collects every mistake, each with its place.

Must not know what the files mean: `recipe`, `manifest` and `lock` own the dataclasses. pydantic finds
the mistakes; this module says them in the words people use.
"""

import json
import re
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid", strict=True)
"""What every dataclass that is read from a file sets: no unknown key, no silent conversion."""


def _matches(what: str, pattern: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value!r} is not {what}")
        return value

    return AfterValidator(check)


Sha256 = Annotated[str, _matches("a SHA-256 digest (64 hex digits)", r"[0-9a-f]{64}")]
Name = Annotated[str, _matches("a name (small letters, digits, dots and dashes)", r"[a-z0-9][a-z0-9.-]*")]
DebianPackage = Annotated[str, _matches("a Debian package name", r"[a-z0-9][a-z0-9+.-]+")]
STAMP_FORMAT = "%Y%m%dT%H%M%SZ"


def _is_stamp(value: str) -> str:
    try:
        time.strptime(value, STAMP_FORMAT)
    except ValueError:
        raise ValueError(f"{value!r} is not a snapshot time stamp such as 20261121T000000Z") from None
    return value


Timestamp = Annotated[str, AfterValidator(_is_stamp)]
PlainText = Annotated[
    str, _matches("a plain text (letters, digits, blanks and . _ + ~ -)", r"[A-Za-z0-9][A-Za-z0-9 ._+~-]*")
]
"""What os-release(5), the ISO's descriptors and a screen can all show as it is."""

RelativePath = Annotated[
    str,
    _matches("a path below this file's folder", r"(?!/)(?!(.*/)?\.\.(/|$)).+"),
]
AbsolutePath = Annotated[
    str,
    _matches("an absolute path (/usr/sbin/mke2fs)", r"(?!(.*/)?\.\.(/|$))(/[^/]+)+"),
]
FileName = Annotated[str, _matches("a file name (letters, digits and . _ -)", r"[A-Za-z0-9][A-Za-z0-9._-]*")]
VolumeId = Annotated[str, _matches("a volume identifier (at most 16 of A-Z, 0-9 and _)", r"[A-Z0-9_]{1,16}")]
"""What both ISO 9660 (d-characters) and Joliet (16 characters) can hold."""

Text = Annotated[str, StringConstraints(min_length=1)]

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


def _sentence(error: ErrorDetails) -> str:
    kind, value = error["type"], error["input"]
    if kind == "missing":
        return "this key is missing"
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return "unknown key"
    if kind in KINDS:
        return f"{value!r} is not {KINDS[kind]}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return f"{value!r}: {error['msg']}"


def _key_path(error: ErrorDetails) -> str:
    return ".".join(str(part) for part in error["loc"])


def validate(kind: type[T], data: Mapping[str, Any], name: str, mistakes: list[str]) -> T | None:
    """Return `data` as a `kind`, or None after adding `name: key.path: sentence` lines to `mistakes`."""
    try:
        # Arrays come as lists in TOML and JSON; strict mode takes them for tuples only from JSON. What JSON
        # does not know are TOML's dates and times, which nothing here wants: a table is a mistake, too.
        return TypeAdapter(kind).validate_json(json.dumps(data, default=lambda value: {"date": str(value)}))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            path = _key_path(detail)
            mistakes.append(f"{name}: {path + ': ' if path else ''}{_sentence(detail)}")
        return None


def read(kind: type[T], path: Path, name: str, mistakes: list[str]) -> T | None:
    """Read a TOML or JSON file (by its suffix) as a `kind`; None after adding to `mistakes`.

    `name` is how messages call the file: its path below the repository.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        mistakes.append(f"{name}: there is no such file")
        return None
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"{name}: cannot be read: {error}")
        return None
    try:
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        mistakes.append(f"{name}: {error}")
        return None
    if not isinstance(data, dict):
        mistakes.append(f"{name}: holds {type(data).__name__}, want a table")
        return None
    return validate(kind, data, name, mistakes)
