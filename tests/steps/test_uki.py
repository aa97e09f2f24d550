from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import uki
from tests.fixtures.context import Played, played


def bzimage(version: bytes, pointer: int = 0x100, magic: bytes = b"HdrS") -> bytes:
    """Return as much of a bzImage as tells its version, which `pointer` is counted to from 0x200."""
    image = bytearray(0x200 + pointer + len(version))
    image[0x202:0x206] = magic
    image[0x20E:0x210] = pointer.to_bytes(2, "little")
    image[0x200 + pointer :] = version
    return bytes(image)


def context(folder: Path, kernel: bytes) -> Played:
    (folder / "in").mkdir()
    (folder / "in/vmlinuz").write_bytes(kernel)
    for name in ("initramfs.cpio.zst", "splash.bmp"):
        (folder / "in" / name).touch()
    return played(folder, output="Toy.efi", cmdline="rdinit=/sbin/init quiet", os_release="ID=toy\n")


def test_every_choice_is_explicit(tmp_path: Path) -> None:
    ctx = context(tmp_path, bzimage(b"6.12.1-installer (builder@x) #1\0"))
    uki.build(ctx)
    assert ctx.calls == [
        [
            "ukify",
            "build",
            "--efi-arch=x64",
            "--config=/dev/null",
            "--stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
            f"--linux={tmp_path}/in/vmlinuz",
            f"--initrd={tmp_path}/in/initramfs.cpio.zst",
            "--cmdline=rdinit=/sbin/init quiet",
            "--os-release=ID=toy\n",
            "--uname=6.12.1-installer",
            f"--splash={tmp_path}/in/splash.bmp",
            f"--output={tmp_path}/out/Toy.efi",
        ]
    ]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "vmlinuz is not a bzImage: no HdrS at offset 0x202"),
        (bzimage(b"6.12\0", magic=b"MZ??"), "vmlinuz is not a bzImage: no HdrS at offset 0x202"),
        (bzimage(b"\0"), "vmlinuz names no version at offset 0x300"),
        (bzimage(b"6.12\0", pointer=0x40)[:0x240], "vmlinuz names no version at offset 0x240"),
    ],
)
def test_a_kernel_that_names_no_version(tmp_path: Path, image: bytes, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        uki.build(context(tmp_path, image))
    assert caught.value.message == message
