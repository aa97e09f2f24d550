"""The ISO that GRUB starts: its command lines, its menus, and what our rules say of a real one."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.gate import Gate
from pipeline.errors import PipelineError
from pipeline.formats import iso9660
from pipeline.formats.fields import open_image
from pipeline.steps import efi_image, grub, iso_grub
from tests.fixtures.bzimage import bzimage
from tests.fixtures.context import played
from tests.fixtures.initramfs import changed
from tests.fixtures.workshop import Content, Workshop

PARAMS: dict[str, Any] = {
    "output": "x.iso",
    "volume_id": "TOY",
    "publisher": "MAKER",
    "application": "TOY 1",
    "title": "Toy 1 Installer",
    "cmdline": "rdinit=/sbin/init console=tty0 toy.medium=TOY",
    "timeout": 5,
    "readme": "read me\n",
    "epoch": 1795219200,
}
LOOPBACK = """\
set default=0
set timeout=5
set gfxpayload=1024x768x32,1024x768x24,1024x768,800x600,auto
menuentry 'Toy 1 Installer' {
  linux /boot/vmlinuz rdinit=/sbin/init console=tty0 toy.medium=TOY
  initrd /boot/initrd.img
}
"""
MENU = """\
if [ "$grub_platform" = pc ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
"""


def argv(folder: Path, **files: bytes) -> list[str]:
    contents = {"efi.img": b"fat", "vmlinuz": b"kernel", "initramfs.cpio.zst": b"archive"}
    contents |= {"eltorito.img": b"core", "boot_hybrid.img": b"code"} | files
    (folder / "in").mkdir(parents=True)
    for name, data in contents.items():
        (folder / "in" / name).write_bytes(data)
    ctx = played(folder, **PARAMS)
    iso_grub.build(ctx)
    (call,) = ctx.calls
    return call


def test_the_iso_has_kernel_initramfs_and_literal_menus_once(tmp_path: Path) -> None:
    call = argv(tmp_path)
    at = call.index("--grub2-mbr")
    assert call[at : at + 14] == [
        *("--grub2-mbr", f"{tmp_path}/in/boot_hybrid.img"),
        *("-c", "boot/boot.cat"),
        *("-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4"),
        *("-boot-info-table", "--grub2-boot-info"),
        *("-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::"),
    ]
    tree = tmp_path / "work/tree"
    files = {path.relative_to(tree).as_posix(): path for path in tree.rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in files.items()} == {
        "README.txt": b"read me\n",
        "boot/vmlinuz": b"kernel",
        "boot/initrd.img": b"archive",
        "boot/grub/eltorito.img": b"core",
        "boot/grub/grub.cfg": (MENU + LOOPBACK).encode(),
        "boot/grub/loopback.cfg": LOOPBACK.encode(),
    }
    assert {path.stat().st_mtime for path in tree.rglob("*")} == {PARAMS["epoch"]}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o444}


@pytest.mark.parametrize(
    ("title", "cmdline", "said"),
    [
        ("Bob's", "quiet", """the menu's title "Bob's" has "'" in it"""),
        ("Toy", "a=$b", "the menu's command line 'a=$b' has '$' in it"),
        ("Toy", "a=1;b", "the menu's command line 'a=1;b' has ';' in it"),
        ("Toy", "a\\b", "the menu's command line 'a\\\\b' has '\\\\' in it"),
        ("Toy é", "quiet", "the menu's title 'Toy é' has 'é' in it"),
        ("Toy", "quiet\nb", "the menu's command line 'quiet\\nb' has '\\n' in it"),
    ],
)
def test_what_is_not_literal_is_refused(title: str, cmdline: str, said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        iso_grub.menu(title, cmdline, 5)
    assert caught.value.message == f"{said}, which not all that read menus take as it is"


def test_the_disk_s_guid_derives_from_what_is_started(tmp_path: Path) -> None:
    rows = {"1": {}, "2": {}, "3": {"vmlinuz": b"other"}, "4": {"initramfs.cpio.zst": b"other"}}
    guids = []
    for name, files in rows.items():
        call = argv(tmp_path / name, **files)
        guids.append(call[call.index("--gpt_disk_guid") + 1])
    assert guids[0] == guids[1]
    assert len(set(guids)) == 3


def made(workshop: Workshop) -> bytes:
    out, said = workshop.run("grub", grub.build_iso, {}, label="TOY")
    parts: dict[str, Content] = {}
    for name in grub.ISO_PARTS:
        assert (out / name).is_file(), said
        parts[name] = (out / name).read_bytes()
    program = {"BOOTX64.EFI": parts.pop(grub.PROGRAM)}
    volume = workshop.make(efi_image.build, "efi.img", program)
    inputs = {"efi.img": volume, "vmlinuz": bzimage(), "initramfs.cpio.zst": changed(), **parts}
    return workshop.make(iso_grub.build, "x.iso", inputs, **PARAMS)


@pytest.mark.container
def test_a_real_one_obeys_the_rules_and_is_the_same_anywhere(workshop: Workshop, tmp_path: Path) -> None:
    path = tmp_path / "x.iso"
    path.write_bytes(made(workshop))
    assert [f"{found.code}: {found.message}" for found in Gate("iso", allowed=("FAT008",))(path)] == []
    files = iso9660.read_iso9660(open_image(path))
    assert {member.path for member in files.members} >= {"/boot/vmlinuz", "/boot/initrd.img"}
    assert made(workshop.elsewhere()) == path.read_bytes()
