import bz2
import gzip

import pytest
import zstandard

from pipeline.checks.catalog import KINDS, take_apart
from tests.fixtures.bzimage import bzimage
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.packed import xz

GOOD = gzip.compress(b"text")

CASES = (
    Case("PCK000", GOOD[:-2], (f"gzip: the stream is cut off, at {len(GOOD) - 2} bytes",)),
    Case(
        "PCK000",
        b"\x89LZO\0\r\n\x1a\n",
        ("lzo: header: 2 bytes at offset 0x9 do not lie inside the 9 bytes given",),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_file_is_told(case: Case) -> None:
    assert told(found("packed", case.image)) == case.expected


def test_what_is_packed_is_looked_into() -> None:
    node = take_apart(zstandard.compress(bzimage()), "vmlinuz.zst")
    assert node.kind is KINDS["packed"]
    (child,) = node.children
    assert (child.name, child.kind and child.kind.name) == ("contents", "bzimage")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, xz, zstandard.compress])
def test_an_archive_that_is_packed_is_an_initramfs(pack: object) -> None:
    assert callable(pack)
    node = take_apart(pack(newc([Raw("init", FILE)])), "initrd.img")
    assert node.kind
    assert node.kind.name == "initramfs"
    assert [child.name for child in node.children] == ["init"]
