"""What shim measures: the level of SBAT that it asks for, and who vouches for what it starts.

Specification: shim 16.1, mok.c (mok_state_variables) and shim.c (verify_buffer_authenticode)
"""

from collections.abc import Iterator

from pipeline.errors import FormatError
from pipeline.formats.efi_variables import Variables
from pipeline.formats.pe import Pe
from pipeline.formats.secure_boot import DATABASES, RUNTIME, SHIM
from pipeline.formats.shim import level_text
from pipeline.formats.tcg_events import AUTHORITY
from pipeline.measure.event import Expected, of_variable
from pipeline.measure.secure_boot import LEVEL, MOK_LIST, authority, vouching

ORIGINAL = b"sbat,1,2021030218\n"
"""The level without Secure Boot (SBAT_VAR_ORIGINAL): shim raises it only where it counts."""


def events(
    shim: Pe, name: str, started: Pe, variables: Variables | None, *, checks: bool
) -> Iterator[Expected]:
    """Yield what shim measures into PCR 7 until it starts another program; FormatError if it does not."""
    there = variables or {}
    kept = there[LEVEL, SHIM].data if (LEVEL, SHIM) in there else b""
    level = newer(kept, level_text(shim) if checks else ORIGINAL)
    yield of_variable(7, AUTHORITY, f"shim's variable {LEVEL}", LEVEL, SHIM, level)
    if not checks:
        return
    mok = there.get((MOK_LIST, SHIM))
    db = there.get(("db", DATABASES))
    lists = (
        ("db", DATABASES, db.data if db else b""),
        (MOK_LIST + RUNTIME, SHIM, mok.data if mok else b""),
    )
    for where, vendor, data in lists:
        if entry := vouching(started, data):
            yield authority(where, vendor, entry, name)
            return
    raise FormatError(
        f"shim does not start {name} with these variables: nothing in db or MokList vouches for it",
        "`./doit inspect --secure-boot` says more",
    )


def newer(one: bytes, other: bytes) -> bytes:
    """Return which of two levels of SBAT counts: the one of the later date."""
    return max(other, one, key=_date)


def _date(level: bytes) -> bytes:
    fields = level.partition(b"\n")[0].split(b",")
    return fields[2] if len(fields) > 2 else b""
