from pathlib import Path
from typing import Any

from pipeline.formats import bios_notice
from pipeline.steps import iso
from tests.fixtures.context import played

EPOCH = 1795219200
PARAMS: dict[str, Any] = {
    "output": "toy.iso",
    "volume_id": "TOY",
    "publisher": "MAKER",
    "application": "TOY 1.0",
    "readme": "read me\n",
    "epoch": EPOCH,
}


def argv(folder: Path, image: bytes) -> list[str]:
    folder.mkdir()
    (folder / "in").mkdir()
    (folder / "in/efi.img").write_bytes(image)
    ctx = played(folder, **PARAMS)
    iso.build(ctx)
    (call,) = ctx.calls
    readme = ctx.work / "tree/README.txt"
    assert (readme.read_text(), readme.stat().st_mode & 0o777) == ("read me\n", 0o444)
    assert readme.stat().st_mtime == EPOCH
    notice = ctx.work / "tree/boot.bios"
    assert (notice.read_bytes(), notice.stat().st_mode & 0o777) == (bios_notice.CODE, 0o444)
    assert notice.stat().st_mtime == EPOCH
    return call


def test_xorriso_s_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    assert argv(folder, b"image") == [
        "xorriso",
        "-no_rc",
        *("-as", "mkisofs"),
        *("-o", f"{folder}/out/toy.iso"),
        *("-iso-level", "3"),
        "-rational-rock",
        "-joliet",
        *("-volid", "TOY"),
        *("-publisher", "MAKER"),
        *("-preparer", "MAKER"),
        *("-appid", "TOY 1.0"),
        "--modification-date=2026112100000000",
        *("--set_all_file_dates", "2026112100000000"),
        *("--gpt_disk_guid", "3fb5434c-39d7-5e3e-8b26-9e43c56609cc"),
        *("-partition_offset", "0"),
        *("-append_partition", "2", "0xef", f"{folder}/in/efi.img"),
        "-appended_part_as_gpt",
        *("-G", f"{folder}/work/tree/boot.bios"),
        *("-c", "boot.catalog"),
        *("-b", "boot.bios", "-no-emul-boot", "-boot-load-size", "4", "-eltorito-alt-boot"),
        *("-e", "--interval:appended_partition_2:all::"),
        "-no-emul-boot",
        f"{folder}/work/tree",
    ]


def test_the_disk_s_guid_derives_from_the_image(tmp_path: Path) -> None:
    first, same, other = (
        argv(tmp_path / name, image) for name, image in (("1", b"a"), ("2", b"a"), ("3", b"b"))
    )
    at = first.index("--gpt_disk_guid") + 1
    assert first[at] == same[at] != other[at]
