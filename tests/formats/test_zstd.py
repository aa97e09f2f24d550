import random

import pytest
import zstandard

from pipeline.errors import FormatError
from pipeline.formats.zstd import unpack_zstd
from tests.fixtures import patch

PLAIN = random.Random(0).randbytes(10_000)  # noqa: S311 - bytes that do not shrink
GOOD = zstandard.ZstdCompressor(write_checksum=True).compress(PLAIN)


@pytest.mark.parametrize("plain", [b"", b"x", PLAIN, bytes(1 << 20)], ids=len)
def test_a_frame_is_unpacked(plain: bytes) -> None:
    assert unpack_zstd(zstandard.compress(plain), 1 << 20) == plain


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "zstd: the frame is cut off, at 0 bytes"),
        (GOOD[:-1], f"zstd: the frame is cut off, at {len(GOOD) - 1} bytes"),
        (GOOD[:3], "zstd: the frame is cut off, at 3 bytes"),
        (GOOD + b"x", f"zstd: 1 bytes follow the frame, of {len(GOOD) + 1}"),
        (GOOD + bytes(5000), f"zstd: 5000 bytes follow the frame, of {len(GOOD) + 5000}"),
        (GOOD + GOOD, f"zstd: {len(GOOD)} bytes follow the frame, of {2 * len(GOOD)}"),
        (
            b"\x1f\x8b" + bytes(100),
            "zstd: the frame is damaged near offset 0x0: zstd decompressor error: Unknown frame descriptor",
        ),
        (
            patch(GOOD, 5000, bytes(4)),
            "zstd: the frame is damaged near offset 0x2400: zstd decompressor error: "
            "Restored data doesn't match checksum",
        ),
        (zstandard.compress(bytes(1025)), "zstd: the frame unpacks to more than 1024 bytes"),
    ],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        unpack_zstd(image, 10_000 if PLAIN[:100] in image else 1024)
    assert caught.value.message == message
