"""GRUB's parts on small ones of the same layout; with the real ones a disk is started."""

import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.grub_boot import MAX_SECTORS, patched
from tests.fixtures import patch

BOOT = patch(patch(patch(bytes(510) + b"\x55\xaa", 0x5A, b"\0\x80\1"), 0x64, b"\xee"), 0x66, b"\xeb\x05")


def core(size: int, count: int | None = None, segment: int = 0x820) -> bytes:
    """A core image of so many bytes, whose first sector loads what follows it."""
    sectors = -(-size // 512)
    listed = struct.pack("<QHH", 2, sectors - 1 if count is None else count, segment)
    return patch(b"\xcc" * size, 500, listed)


def changed(old: bytes, new: bytes) -> dict[int, int]:
    return {at: new[at] for at in range(len(new)) if at >= len(old) or old[at] != new[at]}


def test_what_is_patched_and_nothing_else() -> None:
    code, image = patched(BOOT, core(2048), 0x0102030405060708)
    assert len(code) == 440
    little = [8, 7, 6, 5, 4, 3, 2, 1]
    assert changed(BOOT, code) == dict(enumerate(little, 0x5C)) | {0x64: 0xFF, 0x66: 0x90, 0x67: 0x90}
    assert changed(core(2048), image) == dict(enumerate([9, *little[1:]], 0x1F4))


def test_a_core_image_is_filled_up_to_whole_sectors() -> None:
    _, image = patched(BOOT, core(1025), 2048)
    assert (len(image), image[1024], set(image[1025:])) == (1536, 0xCC, {0})


def test_it_may_be_patched_once_more() -> None:
    code, image = patched(BOOT, core(2048), 34)
    assert patched(code + BOOT[440:], image, 2048) == patched(BOOT, core(2048), 2048)


@pytest.mark.parametrize(
    ("boot", "image", "lba", "said"),
    [
        (
            BOOT[:-1],
            core(2048),
            34,
            "boot.img: 511 bytes that end in 0055 are no boot sector: 512 that end in 55aa",
        ),
        (
            patch(BOOT, 510, b"\0\0"),
            core(2048),
            34,
            "boot.img: 512 bytes that end in 0000 are no boot sector: 512 that end in 55aa",
        ),
        (
            patch(BOOT, 0x5A, b"\0\x7c"),
            core(2048),
            34,
            "boot.img: it loads to 0x7c00, and has eb05 where it looks at the drive's number: that of GRUB "
            "loads to 0x8000, and has eb05",
        ),
        (
            patch(BOOT, 0x66, b"\0\0"),
            core(2048),
            34,
            "boot.img: it loads to 0x8000, and has 0000 where it looks at the drive's number: that of GRUB "
            "loads to 0x8000, and has eb05",
        ),
        (BOOT, bytes(512), 34, "core.img: 512 bytes are 1 sectors, and 2 to 888 can be loaded"),
        (
            BOOT,
            core((MAX_SECTORS + 1) * 512),
            34,
            "core.img: 455168 bytes are 889 sectors, and 2 to 888 can be loaded",
        ),
        (
            BOOT,
            core(2048, count=4),
            34,
            "core.img: its first sector loads 4 more to segment 0x820, and 3 follow, which belong to 0x820",
        ),
        (
            BOOT,
            core(2048, segment=0x800),
            34,
            "core.img: its first sector loads 3 more to segment 0x800, and 3 follow, which belong to 0x820",
        ),
        (BOOT, core(2048), 0, "core.img: it cannot lie from sector 0 on"),
        (BOOT, core(2048), 1 << 63, "core.img: it cannot lie from sector 9223372036854775808 on"),
    ],
)
def test_what_is_neither_is_told(boot: bytes, image: bytes, lba: int, said: str) -> None:
    with pytest.raises(FormatError) as caught:
        patched(boot, image, lba)
    assert caught.value.message == said
    assert caught.value.hint
