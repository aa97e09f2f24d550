import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.devicetree import Devicetree, read_devicetree
from tests.fixtures import patch
from tests.fixtures.devicetree import dtb

GOOD = dtb("Acme Board", ["acme,board-1", "acme,soc"])
OUTSIDE = f"do not lie inside the {len(GOOD)} bytes given"


@pytest.mark.parametrize(
    ("image", "tree", "short"),
    [
        (
            GOOD + b"padding",
            Devicetree("Acme Board", ("acme,board-1", "acme,soc")),
            "Acme Board for acme,board-1, acme,soc",
        ),
        (dtb(compatible=["acme,soc"]), Devicetree("", ("acme,soc",)), "acme,soc"),
        (dtb("x", children=struct.pack(">I", 4)), Devicetree("x", ()), "x"),
        (dtb("x", children=struct.pack(">III4sI", 4, 1, 0x61000000, b"", 2)), Devicetree("x", ()), "x"),
    ],
)
def test_a_tree_is_read(image: bytes, tree: Devicetree, short: str) -> None:
    found = read_devicetree(image)
    assert (found, found.in_short) == (tree, short)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "device tree: header: 16 bytes at offset 0x0 do not lie inside the 0 bytes given"),
        (b"milk, eggs, bread", "device tree: it begins with 0x6d696c6b, not 0xd00dfeed"),
        (GOOD[:100], f"device tree: {len(GOOD)} bytes at offset 0x0 do not lie inside the 100 bytes given"),
        (patch(GOOD, 56, struct.pack(">I", 9)), "device tree: it has no root node"),
        (
            patch(GOOD, 68, struct.pack(">I", 0xFFFF)),
            f"device tree: property: 65535 bytes at offset 0x4c {OUTSIDE}",
        ),
        (
            patch(GOOD, 8, struct.pack(">I", 0xFFFFFFF0)),
            f"device tree: structure: 4 bytes at offset 0xfffffff0 {OUTSIDE}",
        ),
    ],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_devicetree(image)
    assert caught.value.message == message
