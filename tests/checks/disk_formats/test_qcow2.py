import struct

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.formats.qcow2 import CORRUPT, DIRTY
from pipeline.inspection.questions import interviewed
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.disk_images import CLUSTER, qcow2, whole_disk

DISK = whole_disk()
GOOD = qcow2(DISK)
PACKED = qcow2(DISK, pack="deflate")
L1, L2, FIRST = 3 * CLUSTER, 4 * CLUSTER, 5 * CLUSTER


def entry(number: int, value: int, image: bytes = GOOD) -> bytes:
    """The image with another entry in its L2 table."""
    return patch(image, L2 + 8 * number, struct.pack(">Q", value))


CASES = (
    Case(
        "QCOW000", b"QFI\xfb", ("qcow2: header: 72 bytes at offset 0x0 do not lie inside the 4 bytes given",)
    ),
    Case(
        "QCOW000",
        patch(GOOD, 4, struct.pack(">I", 4)),
        ("qcow2: it starts with 514649fb and version 4, not 514649fb and 2 or 3",),
    ),
    Case(
        "QCOW000",
        patch(GOOD, 20, struct.pack(">I", 8)),
        ("qcow2: clusters of 2^8 bytes; 2^9 to 2^21 are possible",),
    ),
    Case("QCOW000", qcow2(DISK, features=1 << 9), ("qcow2: incompatible features 0x200 are not known",)),
    Case(
        "QCOW000",
        patch(GOOD, 96, struct.pack(">I", 7)),
        ("qcow2: refcounts of 2^7 bits; at most 2^6 are possible",),
    ),
    Case(
        "QCOW000",
        patch(qcow2(DISK, pack="zstd"), 104, b"\2"),
        ("qcow2: compression type 2 is not known",),
    ),
    Case("QCOW000", patch(GOOD, 100, bytes(4)), ("qcow2: the header has 0 bytes, not 104 or more",)),
    Case(
        "QCOW000",
        patch(GOOD, 24, struct.pack(">Q", 1 << 63)),
        (f"the disk has {1 << 63} bytes, more than any disk ({1 << 62})",),
    ),
    Case(
        "QCOW000",
        patch(GOOD, 24, struct.pack(">Q", 1 << 60)),
        (
            f"qcow2: the L1 table has 1 entries; a disk of {1 << 60} bytes takes {1 << 39}, "
            f"and {4 << 20} are possible",
        ),
    ),
    Case(
        "QCOW000",
        patch(GOOD, 40, struct.pack(">Q", 1 << 40)),
        (f"qcow2: L1 table: 8 bytes at offset {1 << 40:#x} do not lie inside the {len(GOOD)} bytes given",),
    ),
    Case(
        "QCOW000",
        patch(GOOD, 8, struct.pack(">QI", 512, 2000)),
        ("qcow2: a file name of 2000 bytes; 1023 are possible",),
    ),
    Case(
        "QCOW001",
        qcow2(DISK, backing=b"base.qcow2"),
        ("the disk is not all in this file: its backing file is 'base.qcow2'",),
    ),
    Case(
        "QCOW001",
        qcow2(DISK, data_file=b"data.raw"),
        ("the disk is not all in this file: its data file is 'data.raw'",),
    ),
    Case("QCOW001", qcow2(DISK, encryption=2), ("the disk is encrypted (method 2), and is not looked into",)),
    Case(
        "QCOW002",
        qcow2(DISK, features=CORRUPT),
        ("the image is marked as corrupt: QEMU does not write to it",),
    ),
    Case(
        "QCOW002",
        qcow2(DISK, features=DIRTY),
        ("the image is marked as dirty: its refcounts may be wrong, as it was not closed",),
    ),
    Case(
        "QCOW003",
        entry(200, 1 << 63 | 1 << 30),
        (
            f"1 clusters or tables do not lie inside the {len(GOOD)} bytes of the file, "
            f"the first at offset {1 << 30:#x}",
        ),
    ),
    Case(
        "QCOW004",
        patch(GOOD, 2 * CLUSTER + 2 * 5, bytes(2)),
        (
            f"1 clusters are used more often than their refcounts say: the first, at offset {FIRST:#x}, "
            "1 times, and the refcount is 0",
        ),
    ),
    Case(
        "QCOW004",
        entry(200, 1 << 63 | FIRST),
        (
            f"1 clusters are used more often than their refcounts say: the first, at offset {FIRST:#x}, "
            "2 times, and the refcount is 1",
        ),
    ),
    Case(
        "QCOW004",
        patch(PACKED, 2 * CLUSTER + 2 * 5, b"\0\1"),
        (
            f"1 clusters are used more often than their refcounts say: the first, at offset {FIRST:#x}, "
            f"{int.from_bytes(PACKED[2 * CLUSTER + 10 :][:2], 'big')} times, and the refcount is 1",
        ),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_image_is_told(case: Case) -> None:
    assert told(found("qcow2", case.image)) == case.expected


@pytest.mark.parametrize("image", [GOOD, PACKED, qcow2(DISK, pack="zstd"), qcow2(DISK, version=2)])
def test_the_disk_in_it_is_looked_into(image: bytes) -> None:
    node = take_apart(image, "x")
    assert node.kind
    assert node.kind.name == "qcow2"
    (inside,) = node.children
    assert inside.kind
    assert inside.kind.name == "disk"
    assert bytes(inside.member.image) == DISK


def test_refcounts_of_any_width_are_read() -> None:
    for order, counts in (
        (0, b"\xff"),
        (1, b"\x55"),
        (2, b"\x11"),
        (3, b"\1"),
        (5, b"\0\0\0\1"),
        (6, bytes(7) + b"\1"),
    ):
        table = counts.ljust(len(counts)) * (CLUSTER // len(counts))
        image = patch(patch(GOOD, 96, struct.pack(">I", order)), 2 * CLUSTER, table)
        assert found("qcow2", image) == [], order
        image = patch(image, 2 * CLUSTER, bytes(CLUSTER))
        assert {finding.code for finding in found("qcow2", image)} == {"QCOW004"}, order


@pytest.mark.parametrize("number", [0, 8])
def test_a_block_that_is_lost_is_told_and_ends_no_inspection(number: int) -> None:
    """The one with the table, and one with the file system."""
    node, _ = interviewed(take_apart(entry(number, 1 << 63 | 1 << 30), "x"))
    assert "QCOW003" in {finding.code for finding in node.all_findings()}
    assert node.children[0].left_out or number
