"""Which crates a program was made of, as it says itself."""

import json
import zlib

import pytest

from pipeline.errors import FormatError
from pipeline.release.diff.audit import MAX_JSON, Package, read_audit
from tests.fixtures.elf import elf, with_section

CRATES = {"packages": [{"name": "a", "version": "1.2", "source": "crates.io"}], "format": 1}
WRONG = f".dep-v0 is not what cargo-auditable writes: JSON of at most {MAX_JSON} bytes, packed with zlib"


def audited(data: bytes) -> bytes:
    return with_section(elf(), ".dep-v0", data)


def packed(what: object) -> bytes:
    return zlib.compress(json.dumps(what).encode())


def test_crates_are_those_that_the_program_says() -> None:
    assert read_audit(audited(packed(CRATES))) == (Package("a", "1.2"),)


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
        zlib.compress(b"[" * 100_000),
        zlib.compress(bytes(MAX_JSON + 1)),
    ],
    ids=["no zlib", "cut off", "no table", "no version", "a number", "nested", "large"],
)
def test_what_is_damaged_is_refused(audit: bytes) -> None:
    with pytest.raises(FormatError) as raised:
        read_audit(audited(audit))
    assert (raised.value.message, raised.value.hint) == (
        WRONG,
        "build the program again with cargo-auditable",
    )


def test_section_headers_that_are_cut_off() -> None:
    image = audited(packed(CRATES))
    with pytest.raises(FormatError, match=r"^ELF: section headers: "):
        read_audit(image[:-1])


def test_section_headers_without_names() -> None:
    """`e_shstrndx` may be 0 where there are none, or beyond the table."""
    image = audited(packed(CRATES))
    assert read_audit(image[:62] + b"\xff\xff" + image[64:]) == ()
    assert read_audit(image[:58] + b"\x01\x00" + image[60:]) == ()
