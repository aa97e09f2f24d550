import struct

import pytest

from pipeline.checks.catalog import take_apart
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.disk import disk
from tests.fixtures.disk_images import MIB, dynamic_vhd, fixed_vhd, whole_disk, with_checksum

DISK = whole_disk()
GOOD = fixed_vhd(DISK)
DYNAMIC = dynamic_vhd(DISK)
ODD = fixed_vhd(disk())
FOOTER = GOOD[-512:]


def changed(offset: int, data: bytes) -> bytes:
    """The good image with other bytes in its footer, and the checksum that belongs to them."""
    return DISK + with_checksum(patch(FOOTER, offset, data))


CASES = (
    Case(
        "VHD000",
        b"conectix",
        ("VHD: footer: 512 bytes at offset -0x1f8 do not lie inside the 8 bytes given",),
    ),
    Case("VHD000", DISK, ("VHD: the footer begins with 'EFI PART', not 'conectix'",)),
    Case(
        "VHD000",
        changed(60, struct.pack(">I", 6)),
        ("VHD: disk type 6; 2 (fixed), 3 (dynamic) and 4 are possible",),
    ),
    Case(
        "VHD000",
        changed(48, struct.pack(">Q", len(DISK) + 1024)),
        (
            f"VHD: the disk: {len(DISK) + 1024} bytes at offset 0x0 "
            f"do not lie inside the {len(GOOD)} bytes given",
        ),
    ),
    Case(
        "VHD000",
        patch(DYNAMIC, 512, b"X"),
        ("VHD: the header of a dynamic disk begins with 'Xxsparse', not 'cxsparse'",),
    ),
    Case(
        "VHD000",
        patch(DYNAMIC, 512 + 32, struct.pack(">I", 700)),
        ("VHD: blocks of 700 bytes, which are no sectors of 512",),
    ),
    Case(
        "VHD000",
        patch(DYNAMIC, 512 + 28, struct.pack(">I", 3)),
        (f"VHD: 3 blocks of 16384 bytes are too few for a disk of {len(DISK)}",),
    ),
    Case(
        "VHD001",
        dynamic_vhd(bytes(4 << 20), kind=4),
        ("the disk is not all in this file: it has what differs from another VHD",),
    ),
    Case(
        "VHD002",
        patch(GOOD, len(GOOD) - 512 + 68, b"\xff"),
        (
            f"the footer has checksum {int.from_bytes(FOOTER[64:68], 'big'):#010x}, "
            f"its bytes give {int.from_bytes(FOOTER[64:68], 'big') - 0xFF + FOOTER[68]:#010x}",
        ),
    ),
    Case(
        "VHD003",
        changed(8, bytes(4)),
        ("the footer is of version 0x10000 with features 0x0; it has to be 0x10000, and 0x2 is always set",),
    ),
    Case(
        "VHD003",
        changed(16, bytes(8)),
        ("the footer of a fixed disk has data offset 0x0, not 0xffffffffffffffff",),
    ),
    Case(
        "VHD003",
        DISK + bytes(MIB) + FOOTER,
        (f"the footer says that the disk has {MIB} bytes, and there are {2 * MIB} in front of it",),
    ),
    Case(
        "VHD006",
        ODD,
        (f"the disk has {len(ODD) - 512} bytes, no whole number of MiB",),
    ),
    Case(
        "VHD007",
        changed(40, struct.pack(">Q", 1 << 30)),
        (f"the original size is {1 << 30} bytes, the current size {len(DISK)}",),
    ),
    Case(
        "VHD007",
        changed(28, b"vpc "),
        (
            f"its maker 'vpc' counts cylinders: these give {30 * 4 * 17 * 512} bytes, "
            f"fewer than the {len(DISK)} of the size",
        ),
    ),
)
PARTS = (
    Case(
        "VHD004",
        patch(DYNAMIC, 1536 + 4 * 40, struct.pack(">I", 1 << 20)),
        (f"1 blocks lie behind the {len(DYNAMIC)} bytes of the file, the first is block 40",),
    ),
    Case("VHD005", DYNAMIC, ("it is a dynamic VHD, and Azure takes only fixed ones",)),
)
DAMAGED = (
    Case("VHD002", patch(DYNAMIC, 512 + 60, b"\1"), ()),
    Case("VHD003", DYNAMIC[:-512], ()),
    Case("VHD003", patch(DYNAMIC, 68, b"\1"), ()),
)
"""Of dynamic ones, each of which breaks Azure's rule, too."""


@pytest.mark.parametrize("case", [*CASES, *PARTS], ids=name)
def test_a_bad_image_is_told(case: Case) -> None:
    assert told(found("vhd", case.image)) == case.expected


@pytest.mark.parametrize("case", DAMAGED, ids=lambda case: case.code)
def test_damage_of_a_dynamic_image_is_told(case: Case) -> None:
    assert {finding.code for finding in found("vhd", case.image)} == {case.code, "VHD005"}


@pytest.mark.parametrize("image", [GOOD, DYNAMIC, DYNAMIC[:-512]])
def test_the_disk_in_it_is_looked_into(image: bytes) -> None:
    node = take_apart(image, "x")
    assert node.kind
    assert node.kind.name == "vhd"
    (inside,) = node.children
    assert inside.kind
    assert inside.kind.name == "disk"
    assert bytes(inside.member.image) == DISK
