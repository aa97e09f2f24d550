"""Makes a medium as a short shell script does: what `bench` compares a rebuild with. Nobody gets it.

`find | cpio | zstd -19`, ukify, a FAT image of 128 MB, xorriso; from the files of an initramfs.
"""

import stat
import time
from pathlib import Path

import zstandard

from pipeline.formats import cpio_reader
from pipeline.steps.efi_image import BOOT_FILE, FOLDERS
from pipeline.steps.runner import Context
from pipeline.steps.uki import BYTECODE, ukify_argv

COMPRESS = """\
import sys, zstandard
zstandard.ZstdCompressor(level=19).copy_stream(sys.stdin.buffer, sys.stdout.buffer)
"""
"""What `zstd -19` does, by the same library: the container has no such program."""

SCRIPT = """\
cd "$1/root"
bin/busybox find . | bin/busybox cpio -o -H newc 2>/dev/null | python3 -c "$2" > "$1/initramfs.cpio.zst"
"""


def write_tree(archive: bytes, root: Path) -> None:
    """Write folders, files and links of a newc archive below `root`; only root may make devices."""
    for entry in cpio_reader.read(archive):
        path = root / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISDIR(entry.mode):
            path.mkdir(exist_ok=True)
        elif stat.S_ISLNK(entry.mode):
            path.symlink_to(bytes(entry.data).decode())
        elif stat.S_ISREG(entry.mode):
            path.write_bytes(bytes(entry.data))
            path.chmod(entry.permissions)


def build(ctx: Context) -> None:
    """Unpack the initramfs, then make the medium of it; `seconds` is how long the latter took."""
    packed = ctx.inputs["initramfs.cpio.zst"].read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
        write_tree(reader.read(), ctx.work / "root")
    tree = ctx.work / "tree"
    tree.mkdir()
    uki, image = f"{ctx.work}/uki.efi", f"{tree}/efi.img"
    again = Context(
        {**ctx.inputs, "initramfs.cpio.zst": ctx.work / "initramfs.cpio.zst"}, ctx.params, ctx.out, ctx.work
    )
    started = time.monotonic()
    ctx.run(["sh", "-c", SCRIPT, "by-hand", str(ctx.work), COMPRESS])
    ctx.run(ukify_argv(again, uki), env={"PYTHONPYCACHEPREFIX": BYTECODE})
    ctx.run(["mkfs.vfat", "-C", image, str(128 << 10)])
    for folder in FOLDERS:
        ctx.run(["mmd", "-i", image, f"::{folder}"])
    ctx.run(["mcopy", "-i", image, uki, f"::{BOOT_FILE}"])
    iso = f"{ctx.work}/made.iso"
    ctx.run(["xorriso", "-as", "mkisofs", "-o", iso, "-e", "efi.img", "-no-emul-boot", str(tree)])
    (ctx.out / "seconds").write_text(f"{time.monotonic() - started}\n")
