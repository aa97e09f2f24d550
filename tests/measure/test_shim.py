"""What shim measures into PCR 7, and by whom it starts what lies behind it."""

import hashlib

import pytest

from pipeline.errors import FormatError
from pipeline.formats.efi_variables import Variable
from pipeline.formats.secure_boot import DATABASES, SHIM
from pipeline.measure.chain import Chain, events
from pipeline.measure.shim import newer
from tests.fixtures.firmware import OWNER, SHA256, entries, variables
from tests.fixtures.shim import shim as make_shim
from tests.fixtures.tcg_log import variable_data
from tests.measure.test_chain import UKI, digest_of, of, whats

PROGRAM = make_shim()
CHAIN = Chain(of(UKI, "GRUBX64.EFI"), of(PROGRAM, "BOOTX64.EFI"))
ORIGINAL = b"sbat,1,2021030218\n"
LEVEL = b"sbat,1,2025021800\nshim,4\ngrub,5\n"
IN_DB = entries((SHA256, digest_of(PROGRAM)))
OURS = entries((SHA256, digest_of(UKI)))


def held(name: str, data: bytes) -> dict[tuple[str, object], Variable]:
    return {(name, SHIM): Variable(7, data)}


def test_without_secure_boot_its_level_is_measured() -> None:
    found = events(CHAIN, None)
    assert whats(found, 7)[6:] == ["shim's variable SbatLevel"]
    assert [event.digest for event in found if event.pcr == 7][6:] == [
        hashlib.sha256(variable_data("SbatLevel", ORIGINAL, SHIM)).digest()
    ]


@pytest.mark.parametrize(("where", "vendor"), [("MokListRT", SHIM), ("db", DATABASES)])
def test_who_vouches_for_what_it_starts_is_measured(where: str, vendor: object) -> None:
    known = variables(PK=b"p", db=IN_DB + (OURS if where == "db" else b""))
    found = events(CHAIN, known | (held("MokList", OURS) if where == "MokListRT" else {}))  # type: ignore[arg-type]
    assert whats(found, 4)[2:] == ["the program BOOTX64.EFI", "the program GRUBX64.EFI"]
    assert whats(found, 7)[6:] == [
        "the entry of db by which BOOTX64.EFI is started",
        "shim's variable SbatLevel",
        f"the entry of {where} by which GRUBX64.EFI is started",
    ]
    data = variable_data(where, OWNER.bytes_le + digest_of(UKI), vendor)  # type: ignore[arg-type]
    assert [event.digest for event in found if event.pcr == 7][-1] == hashlib.sha256(data).digest()


def test_nobody_vouches_for_what_it_would_start() -> None:
    with pytest.raises(FormatError) as caught:
        events(CHAIN, variables(PK=b"p", db=IN_DB))
    assert caught.value.message == (
        "shim does not start GRUBX64.EFI with these variables: nothing in db or MokList vouches for it"
    )


@pytest.mark.parametrize(
    ("kept", "counts"),
    [(b"", LEVEL), (b"sbat,1,2024010100\n", LEVEL), (b"sbat,1,2026010100\nshim,5\n", None), (b"odd", LEVEL)],
)
def test_the_later_level_counts(kept: bytes, counts: bytes | None) -> None:
    assert newer(kept, LEVEL) == (counts or kept)
    known = variables(PK=b"p", db=IN_DB + OURS)
    found = events(CHAIN, known | held("SbatLevel", kept))  # type: ignore[arg-type]
    data = variable_data("SbatLevel", counts or kept, SHIM)
    assert hashlib.sha256(data).digest() in [event.digest for event in found]


def test_a_shim_without_a_level_measures_an_empty_one() -> None:
    bare = make_shim(b"", b"")
    known = variables(PK=b"p", db=entries((SHA256, digest_of(bare))) + OURS)
    found = events(Chain(of(UKI), of(bare)), known)
    data = variable_data("SbatLevel", b"", SHIM)
    assert hashlib.sha256(data).digest() in [event.digest for event in found]
