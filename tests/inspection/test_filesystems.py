"""The file systems of Linux, alone and in partitions of a disk: what is said of them, and what comes out."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.errors import PipelineError
from pipeline.inspection import document, text
from pipeline.inspection.cli import main
from pipeline.inspection.collect import facts_of
from pipeline.inspection.extract import find, write
from pipeline.inspection.facts import FilesystemFacts
from pipeline.inspection.questions import answers
from tests.fixtures import patch
from tests.fixtures.bzimage import bzimage
from tests.fixtures.disk import Part, disk
from tests.fixtures.erofs import erofs
from tests.fixtures.ext4 import ext4
from tests.fixtures.gpt import DATA
from tests.fixtures.iso import efi_image, iso_of
from tests.fixtures.squashfs import squashfs
from tests.fixtures.uki import CMDLINE, uki

KERNEL = bzimage(version="6.1.9")
TREE = {
    "boot/": b"",
    "boot/vmlinuz": KERNEL,
    "boot/os.efi": uki(),
    "etc/": b"",
    "etc/motd": b"hello\n" * 3000,
    "motd->etc/motd": b"",
}
MAKE: Mapping[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "ext4": ext4,
    "erofs": erofs,
    "squashfs": squashfs,
}
ID = "11111111-2222-4333-8444-555555555555"


def padded(image: bytes) -> bytes:
    return image + bytes(-len(image) % 4096)


def on_disk(kind: str) -> bytes:
    return disk([Part(efi_image(), name="EFI"), Part(padded(MAKE[kind](TREE)), kind=DATA, name="root")])


@pytest.mark.parametrize("kind", MAKE)
def test_members_are_taken_out(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    (tmp_path / "root.img").write_bytes(MAKE[kind](TREE))
    (tmp_path / "disk.raw").write_bytes(on_disk(kind))
    for around in ("root.img", "disk.raw!GPT partition 2"):
        assert bytes(find(f"{around}!etc/motd").image) == TREE["etc/motd"]
        assert bytes(find(f"{around}!/boot/os.efi!.cmdline").image) == CMDLINE
        write(find(f"{around}!boot/vmlinuz"), "out")
        assert (tmp_path / "out").read_bytes() == KERNEL
        (tmp_path / "out").unlink()
        with pytest.raises(PipelineError, match=r"motd: is a symbolic link to etc/motd\n"):
            find(f"{around}!motd")
        with pytest.raises(PipelineError, match=r"etc: is a directory\n"):
            find(f"{around}!etc")


def test_what_nobody_looks_into_is_looked_into_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    inner = squashfs({"deep": b"down"})
    (tmp_path / "root").write_bytes(ext4({"kept": inner}))
    assert bytes(find("root!kept!deep").image) == b"down"
    (tmp_path / "live.iso").write_bytes(iso_of({"live/filesystem.squashfs": inner}))
    assert bytes(find("live.iso!live/filesystem.squashfs!deep").image) == b"down"


def test_damage_of_a_packed_file_is_told_when_it_is_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    (tmp_path / "x").write_bytes(patch(squashfs({"a": b"what is packed"}), 100, b"\xff\xff\xff"))
    assert main(["--extract", "x!a", "out"]) == 2
    assert "gzip: the block at offset 0x60 is damaged: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "label", "uuid", "compression", "written"),
    [
        ("ext4", "root", ID, [], 1_700_000_000),
        ("erofs", "root", ID, ["lz4"], None),
        ("squashfs", "", None, ["gzip"], 1_700_000_000),
    ],
)
def test_facts(kind: str, label: str, uuid: str | None, compression: list[str], written: int | None) -> None:
    image = MAKE[kind](TREE)
    found = facts_of(take_apart(image, "root"))
    assert isinstance(found, FilesystemFacts)
    assert (found.variant, found.label, found.uuid, found.size) == (kind, label, uuid, len(image))
    assert (found.compression, found.written, found.names) == (compression, written, len(TREE) + 1)


@pytest.mark.parametrize("kind", MAKE)
def test_a_disk_with_one_says_what_kernels_are_in_it(kind: str) -> None:
    node = take_apart(on_disk(kind), "disk.raw")
    said = {answer.question: answer for answer in answers(node)}
    assert said["uefi_disk"].verdict == "yes"
    assert said["kernel"].value == "6.12.1-test, 6.1.9"
    assert said["kernel"].because.endswith(", GPT partition 2!boot/vmlinuz")
    lines = [line for line, _ in text.tree(node, whole=True)]
    short = {
        "ext4": "ext file system, ext4, label root",
        "erofs": "EROFS file system, label root, lz4",
    }
    assert any(short.get(kind, "squashfs file system, gzip") in line for line in lines)
    file = document.written_file("x", error=None, answers=said.values(), node=node)
    told = json.loads("".join(document.written([file])))["files"][0]["tree"]
    (root,) = (part for part in told["parts"] if part["name"] == "GPT partition 2")
    (motd,) = (part for part in root["parts"] if part["name"] == "motd")
    assert motd["attributes"]["target"] == "etc/motd"
