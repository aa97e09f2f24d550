"""Which crates a program was made of, as it says itself."""

import json
import zlib

import pytest

from pipeline.errors import FormatError
from pipeline.release.audit import MAX_JSON, Crate, read_audit
from tests.fixtures.elf import elf, with_section

CRATES = {"packages": [{"name": "a", "version": "1.2", "source": "crates.io"}], "format": 1}
WRONG = f".dep-v0 is not what cargo-auditable writes: JSON of at most {MAX_JSON} bytes, packed with zlib"


def audited(data: bytes) -> bytes:
    return with_section(elf(), ".dep-v0", data)


def packed(what: object) -> bytes:
    return zlib.compress(json.dumps(what).encode())


def test_crates_are_those_that_the_program_says() -> None:
    assert read_audit(audited(packed(CRATES))) == (Crate("a", "1.2", "crates.io"),)


def test_a_program_that_does_not_say_has_none() -> None:
    assert read_audit(elf()) == ()


@pytest.mark.parametrize(
    "audit",
    [
        b"no zlib",
        packed(CRATES)[:-8],
        packed([]),
        packed({"packages": [{"name": "a"}]}),
        packed({"packages": [{"name": "a", "version": 1}]}),
        packed({"packages": [{"name": "a", "version": "1", "dependencies": [1]}]}),
        zlib.compress(b"[" * 100_000),
        zlib.compress(bytes(MAX_JSON + 1)),
    ],
    ids=["no zlib", "cut off", "no table", "no version", "a number", "no such package", "nested", "large"],
)
def test_what_is_damaged_is_refused(audit: bytes) -> None:
    with pytest.raises(FormatError) as raised:
        read_audit(audited(audit))
    assert (raised.value.message, raised.value.hint) == (
        WRONG,
        "build the program again with cargo-auditable",
    )
