"""GRUB's boot code and core images: what is in them, and which link of the way is named as broken."""

import hashlib
import struct
from collections.abc import Callable

import pytest

from pipeline.errors import FormatError
from pipeline.formats.budget import UNPACKED, Budget, Spent
from pipeline.formats.grub_image import Core, core_block, from_cd, from_disk, is_from_cd, read_core
from tests.fixtures import patch
from tests.fixtures.boot_loaders import grub_boot, grub_cd, grub_core, grub_kernel, grub_loaded

MEMDISK = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(40))
KERNEL = grub_kernel("(,gpt2)/boot/grub", "search --label BOOT", ("biosdisk", "normal"), MEMDISK)
LOADED = grub_loaded(KERNEL)
DISK = grub_boot(4).ljust(4 * 512, b"\0") + grub_core(LOADED, 4)
LIST = 4 * 512 + 500


def test_boot_code_says_where_the_core_image_begins() -> None:
    assert core_block(DISK[:512]) == 4
    assert core_block(grub_boot(1 << 40, at=0x1B0)) == 1 << 40
    assert core_block(DISK[:512].replace(b"GRUB", b"LILO")) is None
    assert core_block(bytes(512)) is None


def test_a_core_image_on_a_disk_is_read() -> None:
    config, modules = b"search --label BOOT", ("biosdisk", "normal")
    assert read_core(from_disk(DISK, 4)) == Core("(,gpt2)/boot/grub", config, modules, MEMDISK)


def test_a_core_image_in_pieces_is_put_together() -> None:
    loaded = LOADED.ljust(5 * 512, b"\0")
    pieces = struct.pack("<QHH", 20, 4, 0x840) + struct.pack("<QHH", 10, 2, 0x820)
    disk = patch(bytes(32 * 512), 4 * 512, patch(grub_core(b"x", 4), 512 - 24, pieces)[:512])
    disk = patch(patch(disk, 10 * 512, loaded[:1024]), 20 * 512, loaded[512:])
    assert read_core(from_disk(disk, 4)).prefix == "(,gpt2)/boot/grub"


def test_a_core_image_on_a_cd_is_read() -> None:
    core = grub_cd(LOADED, 20)
    image = bytes(20 * 2048) + core
    assert is_from_cd(core)
    assert not is_from_cd(DISK)
    assert read_core(from_cd(image, core)).modules == ("biosdisk", "normal")


def _flip(image: bytes, at: int) -> bytes:
    return patch(image, at, bytes([image[at] ^ 1]))


@pytest.mark.parametrize(
    ("disk", "message"),
    [
        (patch(DISK, 4 * 512, bytes(512)), "boot.img points at block 4, which is empty"),
        (patch(DISK, 4 * 512, b"EFI PART".ljust(512, b"\0")), "boot.img points at block 4, which has a GPT"),
        (DISK[: 4 * 512 + 100], "boot.img points at block 4, which is outside the disk"),
        (
            patch(DISK, 4 * 512, b"x" * 512),
            "boot.img points at block 4, which has no core image of GRUB's",
        ),
        (
            patch(DISK, LIST, struct.pack("<QHH", 1 << 40, 1, 0x820)),
            "the core image's blocklist names blocks 1099511627776 to 1099511627776, outside the disk",
        ),
        (
            patch(DISK, LIST, struct.pack("<QHH", 5, 3, 0x10)),
            "the core image's blocklist loads 3 blocks to segment 0x10, where no room is",
        ),
        (
            _flip(DISK, LIST),
            "the core image is damaged: its packed part does not begin where it is loaded",
        ),
        (
            patch(DISK, LIST + 8, b"\1"),
            f"the core image is damaged: its loader says that {len(LOADED) - 80} bytes lie at 0x8250",
        ),
    ],
)
def test_a_broken_way_to_the_core_image_is_named(disk: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_core(from_disk(disk, 4))
    assert caught.value.message == message
    assert caught.value.hint == "run grub-install or grub-mkrescue again"


@pytest.mark.parametrize(
    ("core", "message"),
    [
        (grub_cd(LOADED, 20, 0), "cdboot.img finds no boot information table in front of its core image"),
        (
            grub_cd(LOADED, 2000),
            f"the boot information table names {len(grub_cd(LOADED, 0))} bytes in sector 2000, "
            "which are not there",
        ),
    ],
)
def test_a_broken_boot_information_table_is_named(core: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        from_cd(bytes(20 * 2048) + core, core)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: bytes(512), "its packed part does not begin where it is loaded"),
        (
            lambda loaded: loaded.replace(b"\xbf\0\0\x10", b"\xbf\0\0\x20"),
            "its loader is not one that is known",
        ),
        (lambda loaded: patch(loaded, 12, b"\xff\xff\xff\xff"), "its loader says that"),
        (lambda loaded: patch(loaded, 90, bytes(40)), "what is packed cannot be unpacked"),
        (lambda loaded: patch(loaded, 12, struct.pack("<I", len(KERNEL) + 9)), "what is packed has"),
        (lambda loaded: patch(loaded, 16, b"\1"), "unless its Reed-Solomon codes mend that"),
        (lambda _: grub_loaded(b"no modules here"), "no modules are behind its kernel"),
        (lambda _: grub_loaded(grub_kernel("/", damage=b"no ELF file")), "one of its modules is damaged"),
        (lambda _: grub_loaded(patch(KERNEL, 80, b"\0\0\0\0")), "one of its modules is damaged"),
    ],
)
def test_a_damaged_core_image_is_named(change: Callable[[bytes], bytes], message: str) -> None:
    loaded = change(LOADED)
    if message.startswith("unless"):
        loaded = patch(loaded, 90, bytes(40))
    with pytest.raises(FormatError) as caught:
        read_core(loaded)
    assert caught.value.message.startswith("the core image is damaged: ")
    assert message in caught.value.message


def test_what_is_unpacked_is_paid_for() -> None:
    budget = Budget({UNPACKED: len(KERNEL)}, 60)
    read_core(LOADED, budget)
    with pytest.raises(Spent):
        read_core(LOADED, budget)
