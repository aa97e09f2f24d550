"""Makes what of GRUB is put on a disk or an ISO: what a BIOS and UEFI start, whole in itself.

All modules are built in, so there is no folder of them that would have to fit. Each finds the file system
with the menu by its label: on a disk the partition with the boot tree, on an ISO the medium itself.

Source: GRUB 2.12, util/mkimage.c; GRUB's manual, "Embedded configuration file" and "Environment block"
Specifications: UEFI 2.10, §3.5.1.1 (removable media); SBAT, https://github.com/rhboot/shim/blob/main/SBAT.md
"""

import os
import shutil
import struct
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.formats.grub_boot import SECTOR
from pipeline.steps.runner import Context

FOLDER = "/usr/lib/grub"
BIOS, CD, UEFI = "i386-pc", "i386-pc-eltorito", "x86_64-efi"
"""What grub-mkimage calls what it makes."""

BOOT, HYBRID = "boot.img", "boot_hybrid.img"
"""The boot sectors of a disk and of an ISO on a stick, which come without a place."""

CORE, ELTORITO, PROGRAM = "core.img", "eltorito.img", "grubx64.efi"
STUB, BLOCK = "grub.cfg", "grubenv"
DISK_PARTS, ISO_PARTS = (BOOT, CORE, PROGRAM, STUB, BLOCK), (HYBRID, ELTORITO, PROGRAM)

MODULES = (
    # where the menu lies
    *("part_gpt", "part_msdos", "ext2", "fat", "iso9660"),
    *("search", "search_label", "search_fs_file", "search_fs_uuid"),
    # the menu
    *("normal", "configfile", "linux", "loadenv", "test", "echo", "true"),
    # what it is shown on
    *("all_video", "serial", "terminal"),
    # for a person at its prompt
    *("cat", "halt", "help", "ls", "minicmd", "reboot"),
)
OF_BIOS, OF_UEFI = ("biosdisk", "vga_text"), ("efifwsetup", "chain")

BLOCK_SIZE = 1024
BLOCK_START = "# GRUB Environment Block\n"
"""A block that holds no variable yet: GRUB writes to it, and cannot make it larger."""

ROOM = 1 << 20
"""Bytes of the partition that the core image lies in."""

MENU = "/grub"
"""The folder of the menu on the partition with the boot tree."""

ISO_MENU = "/boot/grub"


def found_by_label(label: str, folder: str) -> str:
    """Return what GRUB does before all else: it takes the file system of that name for its own."""
    return f"search --no-floppy --set=root --label {label}\nset prefix=($root){folder}\n"


def stub(label: str) -> str:
    """Return the configuration beside the program for UEFI: what it finds is what a BIOS finds."""
    return f"{found_by_label(label, MENU)}configfile ($root){MENU}/grub.cfg\n"


def empty_block() -> bytes:
    """Return an environment block without variables."""
    return BLOCK_START.encode().ljust(BLOCK_SIZE, b"#")


def mkimage_argv(kind: str, prefix: str, output: str, config: str = "", sbat: str = "") -> list[str]:
    """Return grub-mkimage's command line; `config` and `sbat` are files."""
    own = OF_UEFI if kind == UEFI else OF_BIOS
    return [
        "grub-mkimage",
        f"--directory={FOLDER}/{kind.removesuffix('-eltorito')}",
        f"--format={kind}",
        f"--prefix={prefix}",
        *([f"--config={config}"] if config else []),
        *([f"--sbat={sbat}"] if sbat else []),
        f"--output={output}",
        *own,
        *MODULES,
    ]


def sbat_of(program: bytes) -> bytes:
    """Return the section `.sbat` of an EFI program: by which generations shim revokes it.

    Raises PipelineError where it has none.
    """
    (header,) = struct.unpack_from("<I", program, 0x3C)
    count, optional = struct.unpack_from("<6xH12xH", program, header)
    for number in range(count):
        at = header + 24 + optional + number * 40
        name, size, room, start = struct.unpack_from("<8sI4xII", program, at)
        if name.rstrip(b"\0") == b".sbat":
            return program[start : start + min(size, room)].rstrip(b"\0")
    raise PipelineError("the GRUB of the container has no section .sbat", "lock the container `grub` again")


def build(ctx: Context) -> None:
    """Make DISK_PARTS for a disk whose boot tree lies in the file system `params.label`.

    `params.folder` is where the program for UEFI looks for STUB on its partition, below EFI. Raises
    PipelineError for a core image that is larger than its partition.
    """
    label = ctx.params["label"]
    shutil.copyfile(f"{FOLDER}/{BIOS}/{BOOT}", ctx.out / BOOT)
    config = _written(ctx, "early.cfg", found_by_label(label, MENU).encode())
    ctx.run(mkimage_argv(BIOS, MENU, str(ctx.out / CORE), str(config)))
    size = (ctx.out / CORE).stat().st_size
    os.truncate(ctx.out / CORE, size + -size % SECTOR)  # as it is read, and as systemd-repart places it
    if size > ROOM:
        raise PipelineError(
            f"{CORE} has {size} bytes, and its partition {ROOM}", "build fewer modules into it"
        )
    # without a configuration of its own: beside it lies one, which says the same of every copy of it
    ctx.run(mkimage_argv(UEFI, f"/EFI/{ctx.params['folder']}", str(ctx.out / PROGRAM), sbat=_sbat(ctx)))
    (ctx.out / STUB).write_text(stub(label), encoding="ascii")
    (ctx.out / BLOCK).write_bytes(empty_block())


def build_iso(ctx: Context) -> None:
    """Make ISO_PARTS for an ISO, which is found by its volume identifier, `params.label`.

    ELTORITO is what a BIOS starts of a CD, and, 2048 bytes into it, what HYBRID starts of a stick.
    """
    shutil.copyfile(f"{FOLDER}/{BIOS}/{HYBRID}", ctx.out / HYBRID)
    config = str(_written(ctx, "early.cfg", found_by_label(ctx.params["label"], ISO_MENU).encode()))
    ctx.run(mkimage_argv(CD, ISO_MENU, str(ctx.out / ELTORITO), config))
    ctx.run(mkimage_argv(UEFI, ISO_MENU, str(ctx.out / PROGRAM), config, _sbat(ctx)))


def _sbat(ctx: Context) -> str:
    """Return a file with what the distribution's own GRUB says of its generations."""
    program = Path(f"{FOLDER}/{UEFI}/monolithic/{PROGRAM}")
    return str(_written(ctx, "sbat.csv", sbat_of(program.read_bytes())))


def _written(ctx: Context, name: str, data: bytes) -> Path:
    path = ctx.work / name
    path.write_bytes(data)
    return path
