"""What only tools other than QEMU's defaults make of qcow2; the rest is tried through its checks."""

import struct
import zlib

import pytest

from pipeline.errors import FormatError
from pipeline.formats.qcow2 import EXTENDED_L2, open_disk, read_qcow2
from tests.fixtures import patch
from tests.fixtures.disk_images import CLUSTER, qcow2

SUBCLUSTER = 1 << 11
BIG = SUBCLUSTER * 32  # bytes of a cluster


def extended(bitmap: int) -> bytes:
    """A qcow2 with one cluster of 64 KiB, of which the subclusters of the bitmap are there."""
    fields = (3, 0, 0, 16, BIG, 0, 1, BIG, 0, 0, 0, 0)
    head = (
        b"QFI\xfb" + struct.pack(">IQIIQIIQQIIQ", *fields) + struct.pack(">QQQII", EXTENDED_L2, 0, 0, 4, 104)
    )
    l1, l2 = struct.pack(">Q", 2 * BIG), struct.pack(">QQ", 3 * BIG, bitmap)
    return b"".join(part.ljust(BIG, b"\0") for part in (head, l1, l2)) + b"x" * BIG


@pytest.mark.parametrize("bitmap", [0, 1, 0xFFFF_FFFF, 0x8000_0001, 5 << 32 | 2])
def test_subclusters(bitmap: int) -> None:
    wanted = b"".join((b"x" if bitmap >> n & 1 else b"\0") * SUBCLUSTER for n in range(32))
    assert bytes(open_disk(read_qcow2(extended(bitmap)))) == wanted


def test_a_cluster_of_zeros_keeps_what_it_had() -> None:
    image = qcow2(b"x" * CLUSTER)
    entry = int.from_bytes(image[4 * CLUSTER : 4 * CLUSTER + 8], "big")
    image = patch(image, 4 * CLUSTER, struct.pack(">Q", entry | 1))
    assert bytes(open_disk(read_qcow2(image))) == bytes(CLUSTER)


@pytest.mark.parametrize(("pack", "what"), [("deflate", "deflate: "), ("zstd", "zstd: ")])
def test_a_packed_cluster_that_is_damaged(pack: str, what: str) -> None:
    image = qcow2(b"abc" * CLUSTER, pack=pack)
    at = 5 * CLUSTER
    disk = open_disk(read_qcow2(patch(image, at, b"\xff" * 8)))
    with pytest.raises(FormatError) as caught:
        bytes(disk)
    assert caught.value.message.startswith(f"block 0 of the disk, packed at offset {at:#x}: {what}")


def test_a_packed_cluster_of_which_too_little_comes_out() -> None:
    image = qcow2(b"abc" * CLUSTER, pack="deflate")
    packer = zlib.compressobj(wbits=-12)
    short = packer.compress(b"abc") + packer.flush()
    disk = open_disk(read_qcow2(patch(image, 5 * CLUSTER, short)))
    with pytest.raises(FormatError) as caught:
        bytes(disk[:CLUSTER])
    assert caught.value.message == (
        f"block 0 of the disk, packed at offset {5 * CLUSTER:#x}: 3 bytes come out of it, not {CLUSTER}"
    )
