"""Reads what firmware keeps: a variable store in flash, Linux's efivarfs, or the JSON of virt-firmware.

virt-firmware reads stores too, but ends the process where one is damaged, keeps one of two variables that
have a name in common, and needs more packages: in the boot container it fills stores, and judges this reader.

Specifications: EDK II, MdeModulePkg/Include/Guid/VariableFormat.h; PI 1.8, volume 3, §3.2.1
(EFI_FIRMWARE_VOLUME_HEADER); Linux, Documentation/filesystems/efivarfs.rst
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut, unpack

NVDATA = UUID("fff12b8d-7696-4c8b-a985-2747075b4f50").bytes_le  # EFI_SYSTEM_NV_DATA_FV_GUID
AUTHENTICATED = UUID("aaf32c78-947b-439a-a180-2e144ec37792").bytes_le  # gEfiAuthenticatedVariableGuid
VOLUME_GUID, VOLUME_SIGNATURE, VOLUME_HEADER_SIZE = 16, 40, 48  # offsets in a firmware volume's header
MAX_STORE = 1 << 26  # bytes
MAX_FILE = 1 << 20  # bytes of one variable in efivarfs
MAX_FILES = 4096
STORE_HEADER = "<16sIBB6x"
STORE_HEADER_SIZE = 28
FORMATTED, HEALTHY = 0x5A, 0xFE
VARIABLE = "<HBxI28xII16s"
VARIABLE_SIZE = 60
STARTS = 0x55AA
ADDED, BEING_DELETED = 0x3F, 0x3E
"""States of a variable: it is there; it is there until its successor is complete."""

FILE = re.compile(r"(.+)-([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
HINT = (
    "give OVMF's variables (OVMF_VARS.fd), a folder such as /sys/firmware/efi/efivars, or virt-fw-vars' JSON"
)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of UEFI: its attributes (UEFI 2.10, §8.2.1), and what it holds."""

    attributes: int
    data: bytes


Variables = Mapping[tuple[str, UUID], Variable]
"""By name and vendor's GUID."""


def read_variables(path: Path) -> Variables:
    """Read a variable store, whichever of the three it is. Raises FormatError for what is none of them."""
    try:
        if path.is_dir():
            return read_folder(path)
        with path.open("rb") as file:
            image = file.read(MAX_STORE)
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", HINT) from error
    return read_json(image) if image.lstrip()[:1] == b"{" else read_volume(image)


def read_volume(image: Image) -> Variables:
    """Read the authenticated variables of a firmware volume; the area of writes under way is ignored."""
    data = bytes(image)
    found = {(name, guid, state): variable for name, guid, state, variable in _variables(data, _store(data))}
    kept = {(name, guid): variable for (name, guid, state), variable in found.items() if state != ADDED}
    return kept | {(name, guid): one for (name, guid, state), one in found.items() if state == ADDED}


def _store(image: bytes) -> tuple[int, int]:
    """Return where variables begin and end. FormatError where there is no store that firmware would read."""
    at = image.find(NVDATA)
    if at < VOLUME_GUID or image[at + VOLUME_SIGNATURE - VOLUME_GUID :][:4] != b"_FVH":
        raise FormatError("is no firmware volume with variables", HINT)
    (header,) = unpack("<H", image, at - VOLUME_GUID + VOLUME_HEADER_SIZE, "variable store: volume header")
    start = at - VOLUME_GUID + header
    guid, size, form, state = unpack(STORE_HEADER, image, start, "variable store: header")
    if guid != AUTHENTICATED:
        raise FormatError(
            "variable store: its variables are not authenticated, as Secure Boot's have to be",
            "use firmware that was built with Secure Boot: OVMF_VARS_4M.fd",
        )
    if (form, state) != (FORMATTED, HEALTHY) or size < STORE_HEADER_SIZE:
        raise FormatError(
            f"variable store: firmware would not take it (format {form:#x}, state {state:#x}, {size} bytes)",
            "copy it again, with the machine off",
        )
    cut(image, start, size, "variable store")
    return start + STORE_HEADER_SIZE, start + size


def _variables(image: bytes, place: tuple[int, int]) -> Iterator[tuple[str, UUID, int, Variable]]:
    """Yield what is there, with its state; deleted ones, and what was never written to its end, are not."""
    at, end = place
    while end - at >= VARIABLE_SIZE:
        starts, state, attributes, name_size, size, guid = unpack(VARIABLE, image, at, "variable")
        if starts != STARTS:
            return
        behind = at + VARIABLE_SIZE + name_size + size
        if behind > end:
            raise FormatError(
                f"variable store: the variable at offset {at:#x} ends behind the store",
                "copy it again, with the machine off",
            )
        if state in (ADDED, BEING_DELETED):
            name = image[at + VARIABLE_SIZE :][:name_size].decode("utf-16-le", errors="replace")
            data = image[behind - size : behind]
            yield name.rstrip("\0"), UUID(bytes_le=guid), state, Variable(attributes, data)
        at = behind + -behind % 4


def read_folder(folder: Path) -> Variables:
    """Read files as efivarfs shows them: `NAME-GUID`, four bytes of attributes before what they hold."""
    found: dict[tuple[str, UUID], Variable] = {}
    for path in sorted(folder.iterdir())[:MAX_FILES]:
        named = FILE.fullmatch(path.name)
        if not named or not path.is_file():
            continue
        with path.open("rb") as file:
            data = file.read(MAX_FILE)
        (attributes,) = unpack("<I", data, 0, f"{path.name}: attributes")
        found[named[1], UUID(named[2])] = Variable(attributes, data[4:])
    if not found:
        raise FormatError("no file in it is called as in efivarfs: NAME-GUID", HINT)
    return found


def read_json(image: bytes) -> Variables:
    """Read what `virt-fw-vars --output-json` writes."""
    try:
        told: list[dict[str, Any]] = json.loads(image)["variables"]
        return {
            (str(one["name"]), UUID(one["guid"])): Variable(int(one["attr"]), bytes.fromhex(one["data"]))
            for one in told
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"is no JSON of virt-fw-vars: {type(error).__name__}: {error}", HINT) from error
