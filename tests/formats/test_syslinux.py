"""The boot code of syslinux and its relatives: what is loaded next, and which link is named as broken."""

import struct
from collections.abc import Callable

import pytest

from pipeline.errors import FormatError
from pipeline.formats import syslinux
from tests.fixtures import patch
from tests.fixtures.boot_loaders import SECTIONS, isohybrid, isolinux, ldlinux, syslinux_boot, with_ldlinux

SYSTEM = bytes(8 * 512)
GOOD = with_ldlinux(SYSTEM, "/boot/syslinux")
SYS = 8 * 512  # where ldlinux.sys begins
LISTED = SYS + SECTIONS


def test_a_boot_sector_is_followed_to_all_of_ldlinux() -> None:
    assert syslinux.is_boot_sector(GOOD[:512])
    assert syslinux.is_boot_sector(syslinux_boot(SYSTEM, 8, b"EXTLINUX")[:512])
    assert syslinux.from_disk(GOOD).folder == "boot/syslinux"
    assert syslinux.from_disk(with_ldlinux(SYSTEM)).folder == ""


def test_a_file_in_pieces_is_put_together() -> None:
    system = GOOD + bytes(8 * 512)
    image = bytearray(patch(system, 14 * 512, GOOD[SYS + 2 * 512 :]))
    struct.pack_into("<QHQH", image, LISTED, 9, 1, 14, 2)
    image[SYS + 2 * 512 : SYS + 4 * 512] = bytes(1024)
    words = struct.unpack("<512I", bytes(image[SYS : SYS + 1024] + image[14 * 512 : 16 * 512]))
    (said,) = struct.unpack_from("<I", image, SYS + 0x28)
    difference = (syslinux.MAGIC - sum(words)) & 0xFFFF_FFFF
    struct.pack_into("<I", image, SYS + 0x28, (said + difference) & 0xFFFF_FFFF)
    assert syslinux.from_disk(bytes(image)).folder == "boot/syslinux"


def test_other_boot_sectors_are_none_of_its() -> None:
    assert not syslinux.is_boot_sector(bytes(512))
    assert not syslinux.is_boot_sector(patch(GOOD[:512], 3, b"mkfs.fat"))
    assert not syslinux.is_boot_sector(patch(GOOD[:512], 0x80, bytes(16)))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (bytes(512), "its boot sector does not say where ldlinux.sys is"),
        (syslinux_boot(GOOD, 9), "its boot sector points at block 9, where no ldlinux.sys begins"),
        (
            syslinux_boot(GOOD, 1 << 31),
            "its boot sector points at block 2147483648, where no ldlinux.sys begins",
        ),
        (patch(GOOD, SYS + 1024, b"\1"), "ldlinux.sys has another checksum than it says"),
        (patch(GOOD, SYS + 0x20, b"\0\0"), "ldlinux.sys says that it has 0 blocks"),
        (patch(GOOD, SYS + 0x20, b"\xff\xff"), "ldlinux.sys says that it has 65535 blocks"),
        (patch(GOOD, SYS + 0x2E, b"\xff\xff"), "the numbers in ldlinux.sys are damaged"),
        (
            patch(GOOD, LISTED, struct.pack("<Q", 1 << 40)),
            "ldlinux.sys goes on in block 1099511627776, which is not there",
        ),
        (patch(GOOD, LISTED + 8, b"\1\0"), "ldlinux.sys goes on in block 0, which is not there"),
        (patch(GOOD, SYS + 600 + 12, b"\0\0"), "the list in ldlinux.sys has 1 of 4 blocks"),
        (GOOD[:-512], "ldlinux.sys goes on in block 9, which is not there"),
    ],
)
def test_a_broken_way_to_ldlinux_is_named(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        syslinux.from_disk(image)
    assert caught.value.message == message
    assert caught.value.hint.startswith("install it again")


def _cd(code: bytes) -> bytes:
    return bytes(20 * 2048) + code


def test_isolinux_is_followed_to_its_end() -> None:
    for size in (5000, 5001, 6144):
        code = isolinux(20, size)
        assert syslinux.is_isolinux(code)
        syslinux.check_isolinux(_cd(code), 20)
        syslinux.check_isolinux(_cd(patch(code, 12, bytes(4))), 20)
    assert not syslinux.is_isolinux(bytes(2048))
    assert not syslinux.is_isolinux(b"ISOLINUX")


TABLE = "the boot information table of isolinux.bin says that it has {} bytes"
CHECKSUM = "isolinux.bin has another checksum than its boot information table says"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda code: patch(code, 8, bytes(16)), TABLE.format(0)),
        (lambda code: patch(code, 16, b"\xef\xbe\xad\xde"), TABLE.format(0xDEADBEEF)),
        (lambda code: patch(code, 20, b"\1"), CHECKSUM),
        (lambda code: patch(code, 4000, b"\1"), CHECKSUM),
        (lambda code: patch(code, 100, b"\1"), CHECKSUM),
        (lambda code: patch(code, 12, b"\x15"), CHECKSUM),
    ],
)
def test_a_damaged_isolinux_is_named(change: Callable[[bytes], bytes], message: str) -> None:
    code = change(isolinux(20))
    with pytest.raises(FormatError) as caught:
        syslinux.check_isolinux(_cd(code), 20)
    assert caught.value.message == message
    assert caught.value.hint == "make the ISO again, with `-boot-info-table`"


def test_the_code_in_front_of_a_stick_says_where_isolinux_is() -> None:
    assert syslinux.hybrid_block(isohybrid(80).ljust(512, b"\0")) == 80
    assert syslinux.hybrid_block(bytes(512)) is None


def test_a_checksum_counts_zeros_behind_the_end() -> None:
    assert syslinux.checksum(b"\1\0\0\0\2") == 3
    assert syslinux.checksum(struct.pack("<II", 0xFFFF_FFFF, 2)) == 1
    assert syslinux.checksum(ldlinux(8)) == syslinux.MAGIC
