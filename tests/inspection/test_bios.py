"""Does a BIOS start it? Boot loaders are followed to the kernel, and what is broken on the way is named."""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.inspection.questions import answers
from tests.fixtures import patch
from tests.fixtures.boot_loaders import (
    GPT_MBR,
    MBR,
    NORMAL,
    grub_boot,
    grub_cd,
    grub_core,
    grub_kernel,
    grub_loaded,
    isohybrid,
    isolinux,
    with_ldlinux,
)
from tests.fixtures.bzimage import bzimage
from tests.fixtures.fat import fat
from tests.fixtures.gpt import DATA, SECTOR, entry, with_gpt
from tests.fixtures.iso import iso, iso_of

KERNEL, FIRST = bzimage(), 64
GRUB = b"menuentry 'One' {\nlinux /KERNEL quiet\ninitrd /INITRD\n}\n"
FILES = {"GRUB/GRUB.CFG": GRUB, "KERNEL": KERNEL, "INITRD": b"x"}
CORE = 40  # the block where the core image lies, behind the GPT


def disk(files: Mapping[str, bytes], config: str = "", prefix: str = "(,gpt1)/GRUB") -> bytes:
    """A GPT with a FAT and GRUB, whose core image lies between them."""
    system = fat(files, clusters=100, label="BOOT")
    first = CORE + 60
    core = grub_core(grub_loaded(grub_kernel(prefix, config, NORMAL)), CORE)
    assert len(core) <= 60 * SECTOR
    body = bytes(CORE * SECTOR) + core.ljust(60 * SECTOR, b"\0") + system
    image = with_gpt(body, first, first - 1 + len(system) // SECTOR, kind=DATA)
    return patch(image, 0, grub_boot(CORE)[:440])


def mbr(system: bytes, code: bytes = MBR, flag: int = 0x80) -> bytes:
    """A disk with an MBR, its code, and a partition."""
    record = struct.pack("<B3xB3xII", flag, 0x0C, FIRST, len(system) // SECTOR)
    head = code.ljust(446, b"\0") + record + bytes(48) + b"\x55\xaa"
    return head.ljust(FIRST * SECTOR, b"\0") + system


SYSLINUX = b"DEFAULT one\nLABEL one\nLINUX /KERNEL\nINITRD /INITRD\nAPPEND quiet\n"


def syslinux(config: bytes = SYSLINUX, without: str = "", folder: str = "") -> bytes:
    """A FAT that syslinux is installed in."""
    files = {"LDLINUX.C32": b"x", "SYSLINUX.CFG": config, "KERNEL": KERNEL, "INITRD": b"x"}
    return with_ldlinux(
        fat({name: data for name, data in files.items() if name != without}, clusters=100), folder
    )


def gpt_disk(attributes: int) -> bytes:
    system = syslinux()
    last = FIRST - 1 + len(system) // SECTOR
    one = entry(DATA, FIRST, last, "one", attributes)
    image = with_gpt(bytes(FIRST * SECTOR) + system, FIRST, last, kind=DATA)
    return patch(_with_entry(image, one), 0, GPT_MBR)


def _with_entry(image: bytes, one: bytes) -> bytes:
    """Put an entry in the place of the first of both tables, and make the checksums right."""
    for header in (SECTOR, len(image) - SECTOR):
        (table,) = struct.unpack_from("<Q", image, header + 72)
        image = patch(image, table * SECTOR, one)
        entries = image[table * SECTOR : table * SECTOR + 128 * 128]
        image = patch(image, header + 88, struct.pack("<I", zlib.crc32(entries)))
        image = patch(image, header + 16, bytes(4))
        crc = zlib.crc32(image[header : header + 92])
        image = patch(image, header + 16, struct.pack("<I", crc))
    return image


def bios_cd(make: str, **more: int) -> bytes:
    """An ISO whose entry for BIOS is a loader that knows in which sector it lies."""
    empty = iso(bytes(3000), platform=0, joliet=False, finish=_as_it_is)
    at = _entry_sector(empty)
    code = isolinux(at, **more) if make == "isolinux" else grub_cd(LOADED_CD, at, **more)
    return iso(code, platform=0, joliet=False, finish=_as_it_is)


def _as_it_is(image: bytes, _first: int, _last: int) -> bytes:
    return image


def _entry_sector(image: bytes) -> int:
    (catalog,) = struct.unpack_from("<I", image, 17 * 2048 + 71)
    return int(struct.unpack_from("<I", image, catalog * 2048 + 40)[0])


LOADED_CD = grub_loaded(grub_kernel("/boot/grub", "", NORMAL))
STARTS = "its master boot record starts partition 1, whose first block"
READS = f"{STARTS} starts SYSLINUX, which is whole and reads /syslinux.cfg"
CD = "El Torito's entry for BIOS is isolinux.bin"
GRUB_CODE = f"GRUB's boot code loads its core image from block {CORE}"
GRUB_READS = f"{GRUB_CODE}, it reads (hd0,gpt1)/GRUB/grub.cfg"
DISK = disk(FILES)


@dataclass(frozen=True)
class Row:
    """An image, how it is started, and what is said to that."""

    image: bytes = field(repr=False)
    said: str
    question: str = "bios_disk"

    def __str__(self) -> str:
        return self.said[:70]


ROWS = (
    Row(DISK, f"yes: {GRUB_READS}, and its entry 'One' loads /KERNEL and /INITRD"),
    Row(
        disk(FILES, "search --label --set=root BOOT\nset prefix=($root)/GRUB", "/nowhere"),
        f"yes: {GRUB_CODE}, it reads (hd0,1)/GRUB/grub.cfg, and its entry 'One' loads /KERNEL and /INITRD",
    ),
    Row(
        disk(FILES, "search --label --set=root OTHER\nset prefix=($root)/GRUB", "/nowhere"),
        f"no: {GRUB_CODE}; GRUB's prompt comes: `search` finds no file system with the label OTHER; "
        "there is no file system on (hd0), where /GRUB/grub.cfg is looked for",
    ),
    Row(
        disk({**FILES, "GRUB/GRUB.CFG": GRUB.replace(b"/KERNEL", b"/KERNAL")}),
        f"no: {GRUB_READS}; its entry 'One' loads nothing: (hd0,gpt1)/KERNAL is not there",
    ),
    Row(
        disk({name: data for name, data in FILES.items() if name != "INITRD"}),
        f"no: {GRUB_READS}; its entry 'One' loads no initramfs: (hd0,gpt1)/INITRD is not there",
    ),
    Row(
        disk({"GRUB/GRUB.CFG": GRUB.replace(b"/KERNEL", b"/INITRD"), "INITRD": b"x", "VMLINUZ": KERNEL}),
        f"no: {GRUB_READS}; (hd0,gpt1)/INITRD is no Linux kernel",
    ),
    Row(
        disk({"KERNEL": KERNEL}),
        f"no: {GRUB_CODE}; GRUB's prompt comes: (hd0,gpt1)/GRUB/grub.cfg is not there",
    ),
    Row(
        disk({"README": b""}),
        f"yes: {GRUB_CODE}; GRUB's prompt comes: (hd0,gpt1)/GRUB/grub.cfg is not there; "
        "there is no kernel on it to be started",
    ),
    Row(
        disk({**FILES, "GRUB/GRUB.CFG": b"menuentry x { chainloader +1 }"}),
        f"unknown: {GRUB_READS}; it goes on with `chainloader +1`, which is not followed",
    ),
    Row(
        patch(DISK, 0x5C, b"\x29"),
        "no: GRUB does not start: boot.img points at block 41, which has no core image of GRUB's",
    ),
    Row(
        patch(DISK, CORE * SECTOR + 500, b"\x28"),
        "no: GRUB does not start: the core image is damaged: its packed part does not begin where "
        "it is loaded",
    ),
    Row(
        patch(DISK, (CORE + 60) * SECTOR, b"XFSB".ljust(SECTOR, b"\0")),
        f"unknown: {GRUB_CODE}; what is on (hd0,gpt1), where /GRUB/grub.cfg is looked for, is not read",
    ),
    Row(mbr(syslinux()), f"yes: {READS}, and its entry 'one' loads /KERNEL and /INITRD"),
    Row(
        syslinux(),
        "yes: its first block starts SYSLINUX, which is whole and reads /syslinux.cfg, and its "
        "entry 'one' loads /KERNEL and /INITRD",
    ),
    Row(gpt_disk(1 << 2), f"yes: {READS}, and its entry 'one' loads /KERNEL and /INITRD"),
    Row(
        gpt_disk(0),
        "no: its master boot record starts the partition that the GPT marks for a BIOS, and there is none",
    ),
    Row(
        mbr(syslinux(), flag=0),
        "no: its master boot record starts the partition that is active, and there is none",
    ),
    Row(mbr(fat({})), f"no: {STARTS} has no boot code"),
    Row(
        mbr(patch(syslinux(), 0x90, b"This is not a bootable disk")),
        f"no: {STARTS} only says why it does not start",
    ),
    Row(
        mbr(patch(syslinux(), 0x80, b"\xfa\xfa\xfa BOOTMGR ")),
        f"unknown: {STARTS} has the boot code of Windows, which is not followed",
    ),
    Row(
        mbr(syslinux(without="LDLINUX.C32")),
        f"no: {STARTS} starts SYSLINUX, which is whole; ldlinux.c32 is in none of its folders",
    ),
    Row(
        mbr(syslinux(without="SYSLINUX.CFG")),
        f"no: {STARTS} starts SYSLINUX, which is whole; there is no syslinux.cfg",
    ),
    Row(mbr(syslinux(without="KERNEL")), f"no: {READS}; its entry 'one' names /KERNEL, which is not there"),
    Row(mbr(syslinux(without="INITRD")), f"no: {READS}; its entry 'one' names /INITRD, which is not there"),
    Row(
        mbr(syslinux(SYSLINUX.replace(b"/KERNEL", b"/INITRD"))),
        f"no: {READS}; /INITRD, which its entry 'one' names, is no Linux kernel",
    ),
    Row(mbr(syslinux(b"LABEL one\nLINUX /KERNEL")), f"no: {READS}; it has no default: its prompt comes"),
    Row(
        mbr(syslinux(b"UI menu.c32\nLABEL one\nLINUX /KERNEL")),
        f"no: {READS}; its menu menu.c32 is not there",
    ),
    Row(
        mbr(syslinux(b"INCLUDE MORE.CFG")),
        "no: " + STARTS + " starts SYSLINUX, which is whole; /syslinux.cfg: /MORE.CFG is not there",
    ),
    Row(
        mbr(syslinux(b"DEFAULT one\nLABEL one\nCOM32 chain.c32")),
        f"unknown: {READS}; its entry 'one' goes on with COM32 chain.c32",
    ),
    Row(
        patch(mbr(syslinux()), FIRST * SECTOR + 0x83, b"\x01"),
        f"no: {STARTS} is SYSLINUX's, which does not start: its boot sector points at block 1, where no "
        f"ldlinux.sys begins",
    ),
    Row(bios_cd("isolinux"), f"no: {CD}, which is whole; ldlinux.c32 is in none of its folders", "bios_cd"),
    Row(
        bios_cd("isolinux", checksum=7),
        f"no: {CD}; isolinux.bin has another checksum than its boot information table says",
        "bios_cd",
    ),
    Row(
        bios_cd("grub"),
        "yes: El Torito's entry for BIOS is GRUB's core image; GRUB's prompt comes: "
        "(cd)/boot/grub/grub.cfg is not there; "
        "there is no kernel on it to be started",
        "bios_cd",
    ),
    Row(
        bios_cd("grub", size=0),
        "no: GRUB does not start: cdboot.img finds no boot information table in front of its core image",
        "bios_cd",
    ),
    Row(
        patch(iso_of({}), 0, isohybrid(68).ljust(510, b"\0") + b"\x55\xaa"),
        "no: isohybrid's boot code loads block 68, where isolinux.bin does not begin",
    ),
    Row(
        patch(iso(), 0, b"\xfa Loading Memtest86+"),
        "yes: its first block has the boot code of Memtest86+",
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_is_said(row: Row) -> None:
    node = take_apart(row.image, "artifact")
    answer = next(each for each in answers(node) if each.question == row.question)
    assert f"{answer.verdict}: {answer.because}" == row.said


def test_a_whole_isolinux_is_followed() -> None:
    """An ISO with all its files, and isolinux.bin where the catalog says that it is."""
    files = {
        "isolinux/isolinux.cfg": SYSLINUX,
        "isolinux/ldlinux.c32": b"x",
        "KERNEL": KERNEL,
        "INITRD": b"x",
    }
    image = iso_of(files)
    at = -(-len(image) // 2048)
    code = isolinux(at)
    image = image.ljust(at * 2048, b"\0") + code.ljust(-(-len(code) // 2048) * 2048, b"\0")
    image = patch(image, 0, isohybrid(at * 4).ljust(510, b"\0") + b"\x55\xaa")
    answer = next(each for each in answers(take_apart(image, "x")) if each.question == "bios_disk")
    assert f"{answer.verdict}: {answer.because}" == (
        "yes: isohybrid's boot code loads isolinux.bin, which is whole and reads "
        "/isolinux/isolinux.cfg, and its entry 'one' loads /KERNEL and /INITRD"
    )
