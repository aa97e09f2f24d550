import bz2
import lzma
import random
import struct
import tracemalloc
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats import compression
from pipeline.formats.compression import compression_of, decompress, peek
from pipeline.formats.fields import Extents, open_image
from tests.fixtures import patch
from tests.fixtures.packed import PACK, lz4_legacy, xz

PLAIN = random.Random(0).randbytes(10_000) + bytes(10_000)  # noqa: S311 - bytes that do not shrink
GZIP = PACK["gzip"](PLAIN)
LZ4 = PACK["lz4"](PLAIN)
ENDED = [name for name in PACK if name != "lz4"]  # those that say where they end


@pytest.mark.parametrize("plain", [b"", b"x", PLAIN, bytes(3 << 20)], ids=len)
@pytest.mark.parametrize("name", PACK)
def test_a_stream_is_unpacked(name: str, plain: bytes) -> None:
    packed = PACK[name](plain)
    contents, consumed = decompress(packed)
    assert (bytes(contents), consumed, compression_of(packed)) == (plain, len(packed), name)


@pytest.mark.parametrize("rest", [b"x", bytes(5000), b"070701" * 500, GZIP], ids=len)
@pytest.mark.parametrize("name", ENDED)
def test_what_follows_is_left_alone(name: str, rest: bytes) -> None:
    packed = PACK[name](PLAIN)
    contents, consumed = decompress(packed + rest)
    assert (bytes(contents), consumed) == (PLAIN, len(packed))


@pytest.mark.parametrize("rest", [bytes(4), bytes(5000), struct.pack("<I", len(PLAIN))], ids=len)
def test_lz4_ends_at_zeros_or_at_the_size(rest: bytes) -> None:
    contents, consumed = decompress(LZ4 + rest)
    assert (bytes(contents), consumed) == (PLAIN, len(LZ4))


def test_lz4_streams_in_a_row_are_one() -> None:
    contents, consumed = decompress(LZ4 + LZ4)
    assert (bytes(contents), consumed) == (PLAIN + PLAIN, 2 * len(LZ4))


def test_lz4_has_blocks() -> None:
    plain = bytes(20 << 20)
    contents, _ = decompress(lz4_legacy(plain))
    assert len(contents) == len(plain)


def test_a_stream_in_a_file_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(GZIP)
    contents, consumed = decompress(open_image(tmp_path / "it"))
    assert (bytes(contents), consumed) == (PLAIN, len(GZIP))


def test_much_is_unpacked_into_a_file() -> None:
    packed = bz2.compress(bytes(150 << 20))
    tracemalloc.start()
    contents, _ = decompress(packed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(contents, Extents)
    assert (len(contents), peak < 50 << 20) == (150 << 20, True)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        *((PACK[name](PLAIN)[:-1], f"{name}: the stream is cut off, at {{}} bytes") for name in ENDED),
        (
            b"\x1f\x8b" + bytes(100),
            "gzip: the stream is damaged near offset 0x0: "
            "Error -3 while decompressing data: unknown compression method",
        ),
        (b"BZh" + bytes(100), "bzip2: the stream is damaged near offset 0x0: Invalid data stream"),
        (patch(xz(PLAIN), 7, b"\2"), "xz: the stream is damaged near offset 0x0: Corrupt input data"),
        (
            patch(PACK["zstd"](PLAIN), 5000, bytes(4)),
            "zstd: the stream is damaged near offset 0x2400: zstd decompressor error: "
            "Restored data doesn't match checksum",
        ),
        (
            b"\x28\xb5\x2f\xfd\0\x90\1\0\0",  # a window of 256 MiB
            "zstd: the stream is damaged near offset 0x0: zstd decompressor error: "
            "Frame requires too much memory for decoding",
        ),
        (
            lzma.compress(b"x", lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]),
            "xz: the stream is damaged near offset 0x0: Memory usage limit exceeded",
        ),
        (
            patch(LZ4, 4, b"\xff\xff\xff\xff"),
            "lz4: the block at offset 0x8 has 4294967295 bytes; 8421520 are possible",
        ),
        (
            LZ4[:-1],
            f"lz4: block: {len(LZ4) - 8} bytes at offset 0x8 do not lie inside "
            f"the {len(LZ4) - 1} bytes given",
        ),
        (
            lz4_legacy(b"x")[:4] + b"\4\0\0\0\xff\xff\xff\xff\xff",
            "lz4: the block at offset 0x8 is damaged: Decompression failed: corrupt input or "
            "insufficient space in destination buffer. Error code: 2",
        ),
        (
            b"\x04\x22\x4d\x18" + bytes(20),
            "lz4: this is the frame format, which Linux does not unpack",
        ),
        (b"\x89LZO\0\r\n\x1a\n", "lzo: header: 2 bytes at offset 0x9 do not lie inside the 9 bytes given"),
        (b"hello", "not a format that Linux unpacks: it starts with 'hello'"),
        (b"", "not a format that Linux unpacks: it starts with ''"),
    ],
)
def test_damage_is_told(packed: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        decompress(packed)
    assert caught.value.message == message.replace("{} bytes", f"{len(packed)} bytes")


@pytest.mark.parametrize("name", PACK)
def test_the_first_bytes_are_seen(name: str) -> None:
    assert peek(PACK[name](PLAIN), 100) == PLAIN[:100]
    assert peek(PACK[name](b"short"), 100) == b"short"
    assert peek(PACK[name](PLAIN)[:4], 100) == b""


@pytest.mark.parametrize("packed", [b"", b"hello", b"\x89LZO\0", b"\x04\x22\x4d\x18"])
def test_nothing_is_seen_of_what_cannot_be_unpacked(packed: bytes) -> None:
    assert peek(packed, 100) == b""


@pytest.mark.parametrize("name", PACK)
def test_what_expands_without_end_is_cut(name: str) -> None:
    packed = PACK[name](bytes(40 << 20))
    with pytest.raises(FormatError) as caught:
        decompress(packed, 30 << 20)
    assert caught.value.message == f"{name}: the stream unpacks to more than {30 << 20} bytes"


def test_zstd_is_read_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given at once is one block, or so few bytes that they cannot unpack to many."""
    given: list[int] = []

    class Spy(compression._Zstd):
        def decompress(self, data: bytes, most: int) -> bytes:
            given.append(len(data))
            return super().decompress(data, most)

    monkeypatch.setitem(compression.DECODERS, "zstd", Spy)
    large = random.Random(1).randbytes(1 << 20)  # noqa: S311 - bytes that do not shrink
    assert bytes(decompress(PACK["zstd"](large))[0]) == large
    assert len(given) < 2 * (1 << 20) // compression.ZSTD_PACKED
    assert max(given) <= compression.ZSTD_PACKED + compression.ZSTD_INPUT
    given.clear()
    repeats = PACK["zstd"](bytes(40 << 20))
    decompress(repeats)
    assert max(given) <= compression.ZSTD_INPUT
    lies = bytearray(repeats)
    lies[10:13] = (0xFFFFFC).to_bytes(3, "little")  # 2 MiB, which is more than a block has
    given.clear()
    with pytest.raises(FormatError):
        decompress(bytes(lies) + bytes(4 << 20))
    assert max(given) <= compression.ZSTD_PACKED + compression.ZSTD_INPUT
