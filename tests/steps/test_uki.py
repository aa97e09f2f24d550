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
    (folder / "in/splash.bmp").touch()
    (folder / "in/initramfs.cpio.zst").write_bytes(b"070701")
    return played(
        folder,
        bundled,
        output="Toy.efi",
        cmdline="rdinit=/sbin/init quiet",
        os_release="ID=toy\n",
        sbat="toy,1,Toy,Toy,1.0,-\n",
    )


def bundled(argv: list[str], _cwd: Path) -> str:
    """Do as ukify does, as far as it matters: put everything into one file."""
    given = dict(word.removeprefix("--").split("=", 1) for word in argv if "=" in word)
    parts = [Path(given[name]).read_bytes() for name in ("linux", "initrd")]
    Path(given["output"]).write_bytes(b"\0".join([*parts, given["cmdline"].encode()]))
    return ""


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
            "--sbat=sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
            "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n"
            "toy,1,Toy,Toy,1.0,-\n",
            f"--output={tmp_path}/out/Toy.efi",
        ]
    ]
    assert (tmp_path / "out/cmdline.txt").read_text() == "rdinit=/sbin/init quiet"


def test_there_is_room_for_policies_where_a_key_signs_them(tmp_path: Path) -> None:
    ctx = context(tmp_path, bzimage(b"6.12.1-installer (builder@x) #1\0"))
    (tmp_path / "in/pcr.pem").touch()
    ctx.inputs = {**ctx.inputs, "pcr.pem": tmp_path / "in/pcr.pem"}
    uki.build(ctx)
    key, room = ctx.calls[0][-3:-1]
    assert key == f"--pcrpkey={tmp_path}/in/pcr.pem"
    assert room == "--section=.pcrsig:{}" + 4094 * " "


@pytest.mark.parametrize(
    ("part", "name"),
    [(b"#1", "vmlinuz"), (b"070701", "initramfs.cpio.zst"), (b"quiet", "cmdline.txt")],
)
def test_a_uki_holds_what_it_was_made_of(tmp_path: Path, part: bytes, name: str) -> None:
    ctx = context(tmp_path, bzimage(b"6.12.1-installer (builder@x) #1\0"))
    tool = ctx.tool

    def other(argv: list[str], cwd: Path) -> str:
        said = tool(argv, cwd)
        made = ctx.out / "Toy.efi"
        made.write_bytes(made.read_bytes().replace(part, part[:-1] + b"!"))
        return said

    ctx.tool = other
    with pytest.raises(PipelineError) as caught:
        uki.build(ctx)
    assert caught.value.message == (
        f"Toy.efi does not hold {name} as it is: started in parts, over the network, it would be another "
        "system"
    )
    assert not (ctx.out / "cmdline.txt").exists()


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
