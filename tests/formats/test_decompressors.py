"""What Linux refuses of a stream that tools unpack, and what it keeps of one that is damaged."""

import gzip
import lzma
import random
import struct

import lz4.frame
import pytest

from pipeline.formats.decompressors import method_of, unpack
from tests.fixtures import patch
from tests.fixtures.packed import PACK, lz4_legacy, windowed, xz

NOISE = random.Random(0).randbytes(300_000)  # noqa: S311 - bytes that do not shrink
GZIP = PACK["gzip"](NOISE)
LZMA2 = {"id": lzma.FILTER_LZMA2, "preset": 1}


def filtered(*filters: int) -> bytes:
    chain = [*({"id": one} for one in filters), LZMA2]
    return lzma.compress(NOISE, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=chain)


def with_fields(flags: int, fields: bytes) -> bytes:
    return patch(GZIP[:10], 3, bytes([flags])) + fields + GZIP[10:]


@pytest.mark.parametrize("name", PACK)
def test_what_is_sound_comes_out(name: str) -> None:
    packed = PACK[name](NOISE)
    rest = b"" if name == "lz4" else b"rest"
    found = unpack(packed + rest)
    assert (bytes(found.contents), found.size) == (NOISE, len(packed))
    assert (found.fault, found.doubt, method_of(packed)) == (None, None, name)


@pytest.mark.parametrize(
    "packed",
    [
        xz(NOISE, lzma.CHECK_NONE),
        filtered(lzma.FILTER_X86),
        windowed(NOISE, 27),
        with_fields(1, b""),
        with_fields(4, b""),  # the flag alone does not disturb Linux
        with_fields(8, b"name\0"),
        lz4_legacy(NOISE) + bytes(9),
        lz4_legacy(NOISE) + bytes(2),
        lz4_legacy(NOISE[:1000]) + lz4_legacy(NOISE[1000:]),
    ],
)
def test_linux_takes_it(packed: bytes) -> None:
    found = unpack(packed)
    assert (bytes(found.contents), found.fault, found.doubt) == (NOISE, None, None)


@pytest.mark.parametrize(
    ("packed", "message", "hint"),
    [
        (xz(NOISE, lzma.CHECK_CRC64), "xz: its checksums are CRC64; Linux takes CRC32 or none", "pack it"),
        (xz(NOISE, lzma.CHECK_SHA256), "xz: its checksums are SHA-256; Linux takes CRC32", "pack it again: "),
        (
            patch(xz(NOISE), 7, b"\2"),
            "xz: its checksums are of type 2; Linux takes",
            "pack it again: `xz -dc",
        ),
        (filtered(lzma.FILTER_DELTA), "xz: its filters are 0x3, 0x21; Linux takes LZMA2 (0x21)", "pack it"),
        (
            filtered(lzma.FILTER_ARM),
            "xz: its filters are 0x7, 0x21; Linux takes LZMA2 (0x21), and",
            "pack it",
        ),
        (filtered(lzma.FILTER_X86, lzma.FILTER_ARM), "xz: its filters are 0x4, 0x7, 0x21; Linux", "pack it"),
        (
            windowed(NOISE, 28),
            "zstd: its window has 256 MiB; Linux takes up to 128",
            "pack it again: `zstd -dc",
        ),
        (
            b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", 1 << 28) + bytes(20),
            "zstd: its window has 256 MiB; Linux takes up to 128",
            "pack it again",
        ),
        (
            b"\x28\xb5\x2f\xfd\x01\x58\x07" + bytes(20),
            "zstd: it needs a dictionary, which Linux does not have",
            "pack it again",
        ),
        (
            lz4.frame.compress(NOISE),
            "lz4: this is the frame format, which Linux does not",
            "pack it with `lz4",
        ),
        (
            with_fields(4, b"\2\0xx"),
            "gzip: the header has fields that Linux does not skip (flags 0x04)",
            "pack",
        ),
        (
            with_fields(16, b"why\0"),
            "gzip: the header has fields that Linux does not skip (flags 0x10)",
            "pack",
        ),
        (
            patch(GZIP, 2, b"\7"),
            "gzip: the header 1f8b0700 is not one that Linux takes",
            "pack it again: `gz",
        ),
        (b"\x1f\x9e" + GZIP[2:], "gzip: the header 1f9e0800 is not one that Linux takes", "pack it again"),
        (b"hello", "not a format that Linux unpacks: it starts with 'hello'", "pack it with zstd"),
    ],
)
def test_linux_refuses_it(packed: bytes, message: str, hint: str) -> None:
    found = unpack(packed)
    assert found.fault
    assert found.fault.message.startswith(message)
    assert found.fault.hint.startswith(hint)
    assert bytes(found.contents) == b""


AT_ONCE = {"gzip": 1, "xz": 4096, "bzip2": 4096, "zstd": 1 << 17, "lzma": 8 << 20}
WHOLE = {"gzip", "xz", "zstd"}  # those that hand on all that they have when the input ends
TEXT = b"".join(b"%d\n" % number for number in range(200_000))


@pytest.mark.parametrize("name", AT_ONCE)
def test_of_what_is_damaged_so_much_is_kept(name: str) -> None:
    packed = PACK[name](TEXT)
    found = unpack(patch(packed, len(packed) * 2 // 3, NOISE[:1000]))
    kept = len(found.contents)
    assert found.fault
    assert kept % AT_ONCE[name] == 0
    assert kept < len(TEXT)
    assert bool(kept) == (AT_ONCE[name] < len(TEXT))


@pytest.mark.parametrize("name", PACK)
def test_of_what_is_cut_off_so_much_is_kept(name: str) -> None:
    packed = PACK[name](NOISE)
    found = unpack(packed[: len(packed) // 2])
    kept = bytes(found.contents)
    assert found.fault
    assert NOISE.startswith(kept)
    assert bool(kept) == (name in WHOLE)


def test_all_that_came_before_the_damage_is_found() -> None:
    """A decoder that fails has handed out nothing of what it was given last."""
    text = b"".join(b"%d\n" % number for number in range(20_000))
    found = unpack(patch(gzip.compress(text, mtime=0), 20_000, bytes(200)))
    kept = bytes(found.contents)
    assert found.fault
    assert 40_000 < len(kept) < len(text)
    assert text.startswith(kept[:40_000])


def test_linux_does_not_look_at_gzips_checksum() -> None:
    found = unpack(patch(GZIP, len(GZIP) - 8, bytes(4)))
    assert (bytes(found.contents), found.fault) == (NOISE, None)
    assert found.doubt
    assert found.doubt.message == "gzip: the checksum is wrong, and Linux does not look at it"


def test_without_gzips_trailer_linux_reads_on_behind_the_end() -> None:
    found = unpack(GZIP[:-3])
    assert found.fault
    assert (bytes(found.contents), found.fault.message) == (
        b"",
        f"gzip: the stream is cut off in its last bytes, at {len(GZIP) - 3}",
    )
