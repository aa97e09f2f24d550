import struct

import pytest

from pipeline.checks.catalog import take_apart
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.disk_images import descriptor_vmdk, sparse_vmdk, stream_vmdk, whole_disk

DISK = whole_disk()
GOOD = stream_vmdk(DISK)
SPARSE = sparse_vmdk(DISK)
SIZE = len(GOOD)
FOOTER = SIZE - 1024
GRAIN = 128 * 512  # where the first grain's marker is

CASES = (
    Case("VMDK000", b"KDMV", ("VMDK: header: 512 bytes at offset 0x0 do not lie inside the 4 bytes given",)),
    Case("VMDK000", patch(GOOD, FOOTER, b"X"), ("VMDK: footer: it starts with 'XDMV'",)),
    Case("VMDK000", patch(SPARSE, 4, b"\4"), ("VMDK: version 4; 1 to 3 are possible",)),
    Case(
        "VMDK000",
        patch(SPARSE, 20, struct.pack("<Q", 9)),
        ("VMDK: grains of 9 sectors; powers of 2 from 8 to 32768 are possible",),
    ),
    Case(
        "VMDK000",
        patch(SPARSE, 44, bytes(4)),
        ("VMDK: grain tables of 0 entries; 512 are usual",),
    ),
    Case("VMDK000", patch(GOOD, 77, b"\2"), ("VMDK: compression 2 is not known",)),
    Case(
        "VMDK000",
        patch(SPARSE, 56, struct.pack("<Q", 1 << 30)),
        (
            f"VMDK: grain directory: 4 bytes at offset {1 << 39:#x} "
            f"do not lie inside the {len(SPARSE)} bytes given",
        ),
    ),
    Case(
        "VMDK001",
        descriptor_vmdk(),
        ("the disk is not all in this file: what its descriptor names is 'x-flat.vmdk'",),
    ),
    Case(
        "VMDK001",
        sparse_vmdk(DISK, fields={"parentCID": "00000001", "parentFileNameHint": '"base.vmdk"'}),
        ("the disk is not all in this file: its parent is 'base.vmdk'",),
    ),
    Case(
        "VMDK002",
        sparse_vmdk(DISK, fields={"CID": "fffffffe"}),
        ("the descriptor's CID is 'fffffffe', no number of 8 hex digits that stands for content",),
    ),
    Case(
        "VMDK003",
        SPARSE.replace(b"RW 2048 ", b"RW 2049 "),
        ("the descriptor says that the extent has 2049 sectors, its header 2048",),
    ),
    Case(
        "VMDK003",
        patch(GOOD, FOOTER + 12, struct.pack("<Q", 4096)),
        ("the header says that it has 2048 sectors, the footer 4096",),
    ),
    Case(
        "VMDK004",
        patch(SPARSE, 73, b"\n  \n"),
        ("the header has 0a20200a, not 0a200d0a: it was copied as text",),
    ),
    Case(
        "VMDK005",
        patch(GOOD, FOOTER - 512 + 12, b"\1"),
        (f"the marker of the footer is missing at offset {FOOTER - 512:#x}",),
    ),
    Case(
        "VMDK005",
        patch(GOOD, SIZE - 512, b"\1"),
        (f"the marker of the end is missing at offset {SIZE - 512:#x}",),
    ),
    Case("VMDK006", patch(GOOD, GRAIN, b"\1"), (f"the marker at {GRAIN:#x} says sector 1, the table 0",)),
    Case(
        "VMDK006",
        patch(SPARSE, 22 * 512 + 4 * 100, struct.pack("<I", 1 << 20)),
        (f"grain 100, at offset {1 << 29:#x}, does not lie inside the {len(SPARSE)} bytes of the file",),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_image_is_told(case: Case) -> None:
    assert told(found("vmdk", case.image)) == case.expected


@pytest.mark.parametrize("image", [GOOD, SPARSE])
def test_the_disk_in_it_is_looked_into(image: bytes) -> None:
    node = take_apart(image, "x")
    assert node.kind
    assert node.kind.name == "vmdk"
    (inside,) = node.children
    assert inside.kind
    assert inside.kind.name == "disk"
    assert bytes(inside.member.image) == DISK
