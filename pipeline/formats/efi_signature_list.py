"""Reads and writes EFI signature lists: firmware's PK, KEK, db and dbx consist of them.

Specification: UEFI 2.10, §32.4.1 EFI_SIGNATURE_DATA and EFI_SIGNATURE_LIST
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Image, budget_of, unpack

X509 = UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")  # EFI_CERT_X509_GUID: a certificate in DER
SHA256 = UUID("c1c41626-504c-4092-aca9-41f936934328")  # EFI_CERT_SHA256_GUID: an image's digest
X509_SHA256 = UUID("3bd2a492-96c0-4079-b420-fcf98ef103ed")  # of what is signed of a certificate, and a time

HEADER = struct.Struct("<16sIII")  # kind, and bytes of the list, of its own header and of each entry
OWNER = 16  # bytes of a GUID, before each entry's data
AGAIN = "write it again: `./doit keys`, or cert-to-efi-sig-list"


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate or digest: `kind` says what `data` is, `owner` who put it there."""

    kind: UUID
    owner: UUID
    data: bytes


def read_signature_lists(image: Image) -> Iterator[Entry]:
    """Yield the entries of all lists, in their order. Raises FormatError for anything but lists."""
    start = 0
    while start < len(image):
        kind, size, header, entry = unpack("<16sIII", image, start, "EFI signature list")
        room = size - HEADER.size - header
        if entry <= OWNER or room < 0 or room % entry or start + size > len(image):
            raise FormatError(
                f"EFI signature list: the one at offset {start:#x} cannot have {size} bytes with a header of "
                f"{header} and entries of {entry}",
                AGAIN,
            )
        budget_of(image).spend(STEPS, 1 + room // entry)
        for at in range(start + size - room, start + size, entry):
            found = bytes(image[at : at + entry])
            yield Entry(UUID(bytes_le=kind), UUID(bytes_le=found[:OWNER]), found[OWNER:])
        start += size


def signature_lists(entries: Iterable[Entry]) -> bytes:
    """Return lists of these entries, in their order: neighbours of one kind and size share a list.

    Certificates have one each, for not all firmware reads several from one.
    """
    made = b""
    for _, some in groupby(enumerate(entries), key=_list_of):
        found = [one for _, one in some]
        size = OWNER + len(found[0].data)
        made += HEADER.pack(found[0].kind.bytes_le, HEADER.size + size * len(found), 0, size)
        made += b"".join(one.owner.bytes_le + one.data for one in found)
    return made


def _list_of(numbered: tuple[int, Entry]) -> tuple[UUID, int, int]:
    number, entry = numbered
    return entry.kind, len(entry.data), number if entry.kind == X509 else -1
