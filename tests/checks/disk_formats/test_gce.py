import gzip
import tarfile

import pytest

from pipeline.checks.catalog import take_apart
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.disk_images import (
    GIB,
    MIB,
    gce_tar,
    large_disk,
    pax_sparse_tar,
    sparse_tar,
    tar_of,
    whole_disk,
)

GOOD = gce_tar()
DISK = "disk.raw"
HALF = GIB // 2

CASES = (
    Case(
        "GCE000",
        GOOD[:600],
        (
            f"tar: a member: {sum(map(len, large_disk().values()))} bytes at offset 0x200 "
            "do not lie inside the 600 bytes given",
        ),
    ),
    Case(
        "GCE000",
        patch(GOOD, 0, b"D"),
        (
            "tar: the header at offset 0x0 has the checksum "
            f"{int(GOOD[148:154], 8):o}, its bytes give {int(GOOD[148:154], 8) - 32:o}",
        ),
    ),
    Case("GCE001", gce_tar("x.raw"), ("the tar has x.raw; Compute Engine takes disk.raw and nothing else",)),
    Case("GCE002", gce_tar(size=HALF), (f"the disk has {HALF} bytes, no whole number of GiB",)),
    Case(
        "GCE003",
        pax_sparse_tar(DISK, GIB, large_disk()),
        ("the header of disk.raw is not in the format oldgnu",),
    ),
)
OTHERS = (
    Case("GCE003", tar_of([(DISK, whole_disk())], tarfile.USTAR_FORMAT), ()),
    Case("GCE003", tar_of([(DISK, whole_disk())], tarfile.PAX_FORMAT), ()),
)
"""Of another format, and of one MiB alone."""
TOGETHER = (Case("GCE004", GOOD, ("the tar is not packed",)),)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_archive_is_told(case: Case) -> None:
    assert told(found("gce", case.image)) == case.expected


@pytest.mark.parametrize("case", OTHERS)
def test_another_format_is_told(case: Case) -> None:
    assert told(found("gce", case.image)) == [
        ("GCE002", f"the disk has {MIB} bytes, no whole number of GiB"),
        ("GCE003", "the header of disk.raw is not in the format oldgnu"),
    ]


def test_the_disk_in_it_is_looked_into() -> None:
    node = take_apart(gzip.compress(GOOD), "x.tar.gz")
    (archive,) = node.children
    (disk,) = archive.children
    assert (archive.kind and archive.kind.name, disk.name) == ("gce", DISK)
    assert disk.kind
    assert disk.kind.name == "disk"
    assert len(disk.member.image) == GIB
    assert node.all_findings() == []


def test_what_follows_the_last_piece_is_zeros() -> None:
    archive = sparse_tar(DISK, MIB, {0: b"x" * 512}, end=False)
    (disk,) = take_apart(archive, "x").children
    assert bytes(disk.member.image) == (b"x" * 512).ljust(MIB, b"\0")
