"""The parts of GRUB: command lines, what they are told, and the real ones, read by our readers."""

import struct
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.gate import Gate
from pipeline.errors import PipelineError
from pipeline.formats.grub_boot import patched
from pipeline.formats.pe import read_pe
from pipeline.formats.sbat import read_sbat
from pipeline.steps import grub
from tests.fixtures.context import Played, played
from tests.fixtures.pe import pe
from tests.fixtures.workshop import Workshop

LINES = b"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
MODULES = (
    *("part_gpt", "part_msdos", "ext2", "fat", "iso9660"),
    *("search", "search_label", "search_fs_file", "search_fs_uuid"),
    *("normal", "configfile", "linux", "loadenv", "test", "echo", "true"),
    *("all_video", "serial", "terminal", "cat", "halt", "help", "ls", "minicmd", "reboot"),
)


def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int = 4096, **params: Any) -> Played:
    """A step whose grub-mkimage makes files of a size; what a package brings is small."""
    monkeypatch.setattr(grub, "FOLDER", str(tmp_path / "grub"))
    for name, data in {
        "i386-pc/boot.img": b"boot",
        "i386-pc/boot_hybrid.img": b"hybrid",
        "x86_64-efi/monolithic/grubx64.efi": pe({".text": b"x", ".sbat": LINES}),
    }.items():
        (tmp_path / "grub" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "grub" / name).write_bytes(data)

    def tool(argv: list[str], _: Path) -> str:
        (output,) = (each.removeprefix("--output=") for each in argv if each.startswith("--output="))
        Path(output).write_bytes(bytes(size))
        return ""

    ctx = played(tmp_path, tool)
    ctx.params = params
    return ctx


def made(ctx: Played) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in ctx.out.iterdir()}


def test_the_parts_of_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = context(tmp_path, monkeypatch, label="TOY_BOOT", folder="toy")
    grub.build(ctx)
    assert ctx.calls == [
        [
            "grub-mkimage",
            f"--directory={tmp_path}/grub/i386-pc",
            "--format=i386-pc",
            "--prefix=/grub",
            f"--config={ctx.work}/early.cfg",
            f"--output={ctx.out}/core.img",
            *("biosdisk", "vga_text", *MODULES),
        ],
        [
            "grub-mkimage",
            f"--directory={tmp_path}/grub/x86_64-efi",
            "--format=x86_64-efi",
            "--prefix=/EFI/toy",
            f"--sbat={ctx.work}/sbat.csv",
            f"--output={ctx.out}/grubx64.efi",
            *("efifwsetup", "chain", *MODULES),
        ],
    ]
    search = "search --no-floppy --set=root --label TOY_BOOT\nset prefix=($root)/grub\n"
    assert (ctx.work / "early.cfg").read_text() == search
    assert (ctx.work / "sbat.csv").read_bytes() == LINES
    assert set(made(ctx)) == set(grub.DISK_PARTS)
    assert made(ctx)["boot.img"] == b"boot"
    assert made(ctx)["grub.cfg"].decode() == f"{search}configfile ($root)/grub/grub.cfg\n"
    assert made(ctx)["grubenv"] == b"# GRUB Environment Block\n" + b"#" * 999


def test_the_parts_of_an_iso(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = context(tmp_path, monkeypatch, label="TOY")
    grub.build_iso(ctx)
    assert [call[1 : -len(MODULES)] for call in ctx.calls] == [
        [
            f"--directory={tmp_path}/grub/i386-pc",
            "--format=i386-pc-eltorito",
            "--prefix=/boot/grub",
            f"--config={ctx.work}/early.cfg",
            f"--output={ctx.out}/eltorito.img",
            *("biosdisk", "vga_text"),
        ],
        [
            f"--directory={tmp_path}/grub/x86_64-efi",
            "--format=x86_64-efi",
            "--prefix=/boot/grub",
            f"--config={ctx.work}/early.cfg",
            f"--sbat={ctx.work}/sbat.csv",
            f"--output={ctx.out}/grubx64.efi",
            *("efifwsetup", "chain"),
        ],
    ]
    assert (ctx.work / "early.cfg").read_text() == (
        "search --no-floppy --set=root --label TOY\nset prefix=($root)/boot/grub\n"
    )
    assert set(made(ctx)) == set(grub.ISO_PARTS)
    assert made(ctx)["boot_hybrid.img"] == b"hybrid"


def test_a_core_image_has_to_fit_its_partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grub.build(context(tmp_path, monkeypatch, 1 << 20, label="BOOT", folder="toy"))
    with pytest.raises(PipelineError) as caught:
        grub.build(context(tmp_path, monkeypatch, (1 << 20) + 1, label="BOOT", folder="toy"))
    assert str(caught.value) == (
        "core.img has 1048577 bytes, and its partition 1048576\n  hint: build fewer modules into it"
    )


def test_a_program_without_sbat_is_refused() -> None:
    with pytest.raises(PipelineError) as caught:
        grub.sbat_of(pe({".text": b"x"}))
    assert caught.value.message == "the GRUB of the container has no section .sbat"


@pytest.mark.container
def test_the_real_parts_are_what_firmware_starts(workshop: Workshop) -> None:
    params = {"label": "TOY_BOOT", "folder": "toy"}
    out, said = workshop.run("grub", grub.build, {}, **params)
    assert (out / "grubenv").is_file(), said
    again, _ = workshop.elsewhere().run("grub", grub.build, {}, **params)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }
    code, core = patched((out / "boot.img").read_bytes(), (out / "core.img").read_bytes(), 2048)
    assert (code[:2], struct.unpack_from("<QB", code, 0x5C)) == (b"\xeb\x63", (2048, 0xFF))
    assert len(core) < 1 << 20
    assert Gate("efi", policies=())(out / "grubx64.efi") == []
    (section,) = (one for one in read_pe((out / "grubx64.efi").read_bytes()).sections if one.name == ".sbat")
    data = (out / "grubx64.efi").read_bytes()[section.raw_offset :][: section.raw_size]
    assert [one.name for one in read_sbat(data)][:2] == ["sbat", "grub"]


@pytest.mark.container
def test_the_real_parts_of_an_iso(workshop: Workshop) -> None:
    out, said = workshop.run("grub", grub.build_iso, {}, label="TOY")
    assert (out / "grubx64.efi").is_file(), said
    assert (out / "boot_hybrid.img").read_bytes()[510:] == b"\x55\xaa"
    eltorito = (out / "eltorito.img").read_bytes()
    assert struct.unpack_from("<QHH", eltorito, 2048 + 500)[1:] == (-(-len(eltorito) // 512) - 5, 0x820)
    assert Gate("efi", policies=())(out / "grubx64.efi") == []
