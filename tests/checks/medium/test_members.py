"""What of a CD is looked into, and what only named."""

import gzip
import struct

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.kind import Node
from tests.checks.test_disk import GOOD as DISK
from tests.fixtures.elf import elf
from tests.fixtures.fat import fat
from tests.fixtures.initramfs import changed
from tests.fixtures.iso import iso, iso_of
from tests.fixtures.pe import pe
from tests.fixtures.uki import uki

FAT = fat({"A.TXT": b"hello"})


def look(image: bytes) -> Node:
    return take_apart(image, "iso")


@pytest.mark.parametrize(
    ("path", "contents", "kind"),
    [
        ("EFI/BOOT/BOOTX64.EFI", uki(), "uki"),
        ("EFI/Linux/entry.efi", uki(), "uki"),
        ("sources/setup.exe", pe({".text": b"x"}), None),
        ("boot/initrd", changed(), "initramfs"),
        ("install.amd/initrd.zst", changed(), "initramfs"),
        ("dists/Packages.gz", gzip.compress(b"Package: a", mtime=0), None),
        ("dists/pool.zst", changed(), None),
        ("images/rescue", FAT, "fat"),
        ("images/rescue.img", FAT, "fat"),
        ("images/rescue.iso", iso(), "iso"),
        ("images/stick.img", DISK, "disk"),
        ("boot/mbr.bin", DISK, None),
        ("bin/program", elf(), None),
        ("README.txt", b"hello", None),
        ("empty.efi", b"", None),
    ],
)
def test_what_may_boot_is_looked_into(path: str, contents: bytes, kind: str | None) -> None:
    child = look(iso_of({path: contents})).child(path)
    assert child is not None
    assert bytes(child.member.image) == contents
    assert (child.kind.name if child.kind else None) == kind


def test_of_two_names_of_one_file_the_first_is_looked_into() -> None:
    image = iso_of({"a.img": FAT, "b.img": bytes(len(FAT))})
    ours, theirs = (struct.pack("<I", (child.member.offset or 0) // 2048) for child in look(image).children)
    node = look(image.replace(theirs, ours))
    assert [(child.name, bool(child.kind)) for child in node.children] == [("a.img", True), ("b.img", False)]
    assert len({child.member.offset for child in node.children}) == 1


def test_directories_and_links_say_what_they_are() -> None:
    node = look(iso_of({"boot/vmlinuz-1": b"x"}, {"boot/vmlinuz": "vmlinuz-1"}))
    facts = {child.name: dict(child.member.facts) for child in node.children}
    assert facts == {
        "boot": {"mode": "dr-xr-xr-x"},
        "boot/vmlinuz-1": {"mode": "-r--r--r--"},
        "boot/vmlinuz": {"mode": "lr-xr-xr-x", "target": "vmlinuz-1"},
    }
