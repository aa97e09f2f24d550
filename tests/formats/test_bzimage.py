import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.bzimage import is_bzimage, read_bzimage, unpack_kernel
from tests.fixtures import patch
from tests.fixtures.bzimage import VERSION, bzimage
from tests.fixtures.packed import PACK

GOOD = bzimage()


def test_the_boot_header_is_read() -> None:
    header = read_bzimage(GOOD)
    assert (header.protocol, header.version, header.relocatable) == ((2, 15), VERSION, True)
    assert (header.xloadflags, header.is_64_bit) == (0x7F, True)
    assert (header.compression, header.size) == ("zstd", len(GOOD))
    assert header.banner == f"{VERSION} (someone@somewhere) #1"
    assert read_bzimage(bzimage(payload=bytes(64))).payload == (0x400, 64)


@pytest.mark.parametrize("name", PACK)
def test_the_kernel_is_unpacked(name: str) -> None:
    image = bzimage(payload=PACK[name](b"kernel" * 100) + (600).to_bytes(4, "little"))
    assert bytes(unpack_kernel(image, read_bzimage(image))) == b"kernel" * 100


def test_a_kernel_without_end_is_told() -> None:
    image = bzimage(payload=PACK["zstd"](bytes(2000)))
    with pytest.raises(FormatError) as caught:
        unpack_kernel(image, read_bzimage(image), 1999)
    assert caught.value.message == "zstd: the stream unpacks to more than 1999 bytes"


def test_a_payload_that_is_cut_off_is_told() -> None:
    image = patch(GOOD, 0x24C, struct.pack("<I", 5000))
    with pytest.raises(FormatError) as caught:
        unpack_kernel(image, read_bzimage(image))
    assert (
        caught.value.message
        == "bzImage: payload: 5000 bytes at offset 0x400 do not lie inside the 1536 bytes given"
    )


def test_flags_are_told_apart() -> None:
    header = read_bzimage(bzimage(xloadflags=0x1, relocatable=0, version=""))
    assert (header.is_64_bit, header.relocatable, header.version) == (True, False, "")
    old = read_bzimage(bzimage(protocol=0x203))
    assert (old.protocol, old.relocatable, old.xloadflags, old.compression) == ((2, 3), False, 0, "")
    header = read_bzimage(bzimage(xloadflags=0x8, protocol=0x20C))
    assert (header.is_64_bit, header.protocol) == (False, (2, 12))


@pytest.mark.parametrize(
    ("magic", "compression"),
    [
        (b"\x1f\x8b", "gzip"),
        (b"BZh", "bzip2"),
        (b"\x5d\0\0", "lzma"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x89LZO\0", "lzo"),
        (b"\x02\x21\x4c\x18", "lz4"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\0\0\0\0", ""),
    ],
)
def test_the_compression_is_named(magic: bytes, compression: str) -> None:
    assert read_bzimage(bzimage(payload=magic.ljust(64, b"\0"))).compression == compression


def test_four_setup_sectors_are_meant_by_none() -> None:
    image = patch(GOOD, 0x1F1, b"\0").ljust(0x1000, b"\0")
    assert read_bzimage(image).size == 5 * 512 + len(GOOD) - 0x400


def test_a_bzimage_is_known_by_its_magic() -> None:
    assert is_bzimage(GOOD)
    assert not is_bzimage(GOOD[:0x204])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "bzImage: no boot header: b'' at offset 0x202, not b'HdrS'"),
        (patch(GOOD, 0x202, b"hdrs"), "bzImage: no boot header: b'hdrs' at offset 0x202, not b'HdrS'"),
        (GOOD[:0x24A], "bzImage: boot header: 8 bytes at offset 0x248 do not lie inside the 586 bytes given"),
        (
            patch(GOOD, 0x248, struct.pack("<I", 5000)),
            "bzImage: payload: 8 bytes at offset 0x1788 do not lie inside the 1536 bytes given",
        ),
    ],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_bzimage(image)
    assert caught.value.message == message
