"""Events that a start is going to measure, and what PCRs are after them."""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from pipeline.formats.authenticode import image_digest
from pipeline.formats.pcr import extended, initial
from pipeline.formats.pe import Pe
from pipeline.formats.tcg_events import ACTION, APPLICATION, IPL, SEPARATOR, VARIABLE

BANK = "sha256"
"""The one bank that is predicted: every TPM 2.0 has it, and Linux and systemd go by it."""

PREDICTED = (4, 7, 11, 12)
"""The PCRs that an image decides on: programs, Secure Boot, what a UKI is made of, what was added to it."""

CALLING = b"Calling EFI Application from Boot Option"
ZEROS = bytes(4)


@dataclass(frozen=True, slots=True)
class Expected:
    """One measurement to come: into which PCR, as what kind (EV_…), with which digest; `what` says it."""

    pcr: int
    kind: int
    what: str
    digest: bytes


def of_bytes(pcr: int, kind: int, what: str, data: bytes) -> Expected:
    """Return the measurement of bytes as they are."""
    return Expected(pcr, kind, what, hashlib.sha256(data).digest())


def of_program(name: str, program: Pe) -> Expected:
    """Return the measurement of a program that firmware or shim loads: signatures do not change it.

    Raises FormatError for one whose sections nobody could hash.
    """
    return Expected(4, APPLICATION, f"the program {name}", image_digest(program, BANK))


def of_variable(pcr: int, kind: int, what: str, name: str, vendor: UUID, value: bytes) -> Expected:
    """Return the measurement of a variable with its name (UEFI_VARIABLE_DATA)."""
    text = name.encode("utf-16-le")
    return of_bytes(
        pcr, kind, what, struct.pack(VARIABLE.format, vendor.bytes_le, len(name), len(value)) + text + value
    )


def of_text(pcr: int, what: str, data: bytes) -> Expected:
    """Return the measurement of what boot loaders measure (EV_IPL)."""
    return of_bytes(pcr, IPL, what, data)


def beginning() -> list[Expected]:
    """Return what firmware measures into PCR 4 before the first program that it starts."""
    return [
        of_bytes(4, ACTION, "that firmware starts the first program of its boot order", CALLING),
        separator(4),
    ]


def separator(pcr: int) -> Expected:
    """Return what ends the firmware's own measurements in a PCR."""
    return of_bytes(pcr, SEPARATOR, "the end of the firmware's own measurements", ZEROS)


def value(events: Iterable[Expected], pcr: int) -> bytes:
    """Return what a PCR is after these events."""
    return extended(BANK, initial(BANK), [event.digest for event in events if event.pcr == pcr])
