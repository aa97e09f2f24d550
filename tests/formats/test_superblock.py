import pytest

from pipeline.errors import FormatError
from pipeline.formats.superblock import Content, Superblock, read_superblock
from tests.fixtures import patch
from tests.fixtures.fat import fat
from tests.fixtures.verity import IDENTIFIER, erofs, ext4, squashfs, verity

UUID = str(IDENTIFIER)
TREE, _ = verity()
FAT = fat({"A": b"x"})


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (ext4(), Superblock(Content.EXT4, "DATA", UUID, 16384)),
        (ext4(8, b"sixteen letters.", bits=0), Superblock(Content.EXT4, "sixteen letters.", UUID, 8192)),
        (ext4(1, high=1), Superblock(Content.EXT4, "DATA", UUID, 4096 * ((1 << 32) + 1))),
        (patch(ext4(), 1024 + 104, bytes(16)), Superblock(Content.EXT4, "DATA", "", 16384)),
        (erofs(3), Superblock(Content.EROFS, "ROOT", UUID, 12288)),
        (squashfs(), Superblock(Content.SQUASHFS, "", "", 4000)),
        (TREE, Superblock(Content.VERITY, "", UUID, len(TREE))),
        (b"", None),
        (bytes(5000), None),
        (b"hsq", None),
    ],
)
def test_a_superblock_is_read(image: bytes, found: Superblock | None) -> None:
    assert read_superblock(image) == found


def test_fat_has_a_serial_number() -> None:
    found = read_superblock(FAT)
    assert found is not None
    assert (found.content, found.size) == (Content.FAT, len(FAT))
    assert len(found.uuid) == 9


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (ext4()[:1100], "ext4: superblock: 40 bytes at offset 0x460 do not lie inside the 1100 bytes given"),
        (ext4(bits=40), "ext4: blocks of 2 to the power of 50 bytes are not possible"),
        (
            erofs()[:1040],
            "erofs: superblock: 40 bytes at offset 0x400 do not lie inside the 1040 bytes given",
        ),
        (erofs(bits=200), "erofs: blocks of 2 to the power of 200 bytes are not possible"),
        (
            squashfs()[:44],
            "squashfs: superblock: 8 bytes at offset 0x28 do not lie inside the 44 bytes given",
        ),
        (TREE[:90], "dm-verity: superblock: 344 bytes at offset 0x0 do not lie inside the 90 bytes given"),
    ],
)
def test_one_that_is_cut_off_or_cannot_be_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_superblock(image)
    assert caught.value.message == message
