"""File systems, trees of dm-verity and disks made with the real tools, judged by other ones."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.gate import Gate
from pipeline.formats import gpt
from pipeline.formats.erofs import read_erofs
from pipeline.formats.fields import open_image
from pipeline.formats.verity import verify
from pipeline.steps import disk, filesystem, verity
from tests.fixtures.disk_tools import ask, judge_there
from tests.fixtures.tree import SYSTEM, File, folder, tree
from tests.fixtures.uki import uki
from tests.fixtures.workshop import Content as Given
from tests.fixtures.workshop import Workshop

pytestmark = pytest.mark.container

SEED = "11111111-2222-4333-8444-555555555555"
CONTAINER = "disk"
ESP = (File("EFI/BOOT/BOOTX64.EFI", uki()), File("loader/A long name.conf", b"x"))
MANY = tuple(
    File(f"usr/share/{number % 40}/file with a name of some length {number}", b"x") for number in range(3000)
)
LARGE = (File("large", bytes(range(256)) * (4096 * 60)), *(folder(f"d{number}") for number in range(200)))

EXT4: dict[str, Any] = {"kind": "ext4", "label": "DATA"}
EROFS: dict[str, Any] = {"kind": "erofs", "label": "ROOT", "compression": "lz4hc,12"}
SQUASHFS: dict[str, Any] = {"kind": "squashfs", "label": "", "compression": "zstd,15"}
FAT: dict[str, Any] = {"kind": "fat", "label": "EFI"}


def make(workshop: Workshop, files: tuple[File, ...] = SYSTEM, **params: Any) -> Path:
    content: Given = tree(*files)
    out, said = workshop.run(
        CONTAINER, filesystem.build, {"root.tar": content}, output="x.img", seed=SEED, **params
    )
    assert (out / "x.img").stat().st_size, said
    return out / "x.img"


def answers(workshop: Workshop, inputs: Mapping[str, Given], **questions: list[str]) -> dict[str, str]:
    """Return what commands say in the container, by name; "FAILED: …" for one that does."""
    out, said = workshop.run(CONTAINER, ask, inputs, questions=questions)
    assert (out / "answers").is_file(), said
    found: dict[str, str] = json.loads((out / "answers").read_text())
    return found


@pytest.mark.parametrize(
    ("files", "params"),
    [(SYSTEM, EXT4), (SYSTEM, EROFS), (SYSTEM, SQUASHFS), (ESP, FAT)],
    ids=["ext4", "erofs", "squashfs", "fat"],
)
def test_it_comes_out_the_same_elsewhere(
    workshop: Workshop, files: tuple[File, ...], params: Mapping[str, Any]
) -> None:
    first = make(workshop, files, **params)
    again = make(workshop.elsewhere(), tuple(reversed(files)), **params)
    assert again.read_bytes() == first.read_bytes()


def test_elsewhere_is_another_day_for_tools(workshop: Workshop) -> None:
    """The control of all that is compared so: a clock that is not ahead would prove nothing."""
    now = ["/usr/bin/python3", "-c", "import time; print(int(time.time()))"]
    here, there = (int(answers(place, {}, it=now)["it"]) for place in (workshop, workshop.elsewhere()))
    assert there - here > 199 * 86400


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_ext4_has_all_of_the_tree(workshop: Workshop) -> None:
    image = make(workshop, **EXT4, grows=True)
    said = answers(
        workshop,
        {"i": image},
        fsck=["e2fsck", "-fn", "{i}"],
        usr=["debugfs", "-R", "ls -l /usr", "{i}"],
        dev=["debugfs", "-R", "ls -l /dev", "{i}"],
        ping=["debugfs", "-R", "stat /usr/ping", "{i}"],
        null=["debugfs", "-R", "stat /dev/null", "{i}"],
        facts=["debugfs", "-R", "stats -h", "{i}"],
    )
    assert said["fsck"].splitlines()[-1].startswith("DATA: ")
    modes = {line[-1]: line[1:5] for line in words(said["usr"]) if len(line) > 8}
    assert modes["su"] == ["104755", "(1)", "0", "0"]
    assert modes["large"] == ["100644", "(1)", "1234", "70000"]
    assert "Links: 2" in said["ping"]
    assert "security.capability (20) = 01 00 00 02 80 20 ff 80" in said["ping"]
    assert 'user.a_b (1) = "v"' in said["ping"]
    assert "Mode:  0755" in said["ping"]
    assert "mtime: 0x6b00df00" in said["ping"]
    assert "Device major/minor number: 01:03" in said["null"]
    assert ["60660", "(4)", "0", "6"] in [line[1:5] for line in words(said["dev"])]
    assert "Inodes per group:         8192" in said["facts"]


@pytest.mark.parametrize(
    ("files", "more"),
    [(MANY, {}), (LARGE, {}), (MANY, {"grows": True, "room": 3 << 20})],
    ids=["many", "large", "growing"],
)
def test_the_least_ext4_holds_any_tree_and_has_the_room(
    workshop: Workshop, files: tuple[File, ...], more: Mapping[str, Any]
) -> None:
    image = make(workshop, files, **EXT4, **more)
    said = answers(
        workshop, {"i": image}, fsck=["e2fsck", "-fn", "{i}"], facts=["debugfs", "-R", "stats -h", "{i}"]
    )
    assert said["fsck"].splitlines()[-1].startswith("DATA: ")
    free = next(int(line[-1]) for line in words(said["facts"]) if line[:2] == ["Free", "blocks:"])
    blocks = next(int(line[-1]) for line in words(said["facts"]) if line[:2] == ["Block", "count:"])
    room = more.get("room", 0) // 4096
    assert room <= free < room + 600 + blocks // 10


@pytest.mark.parametrize("size", [4096, 1 << 20, 8 << 20, 40 << 20, 64 << 20])
def test_an_ext4_that_is_too_small_is_told_with_sizes(workshop: Workshop, size: int) -> None:
    _, said = workshop.run(
        CONTAINER,
        filesystem.build,
        {"root.tar": tree(*LARGE)},
        output="x.img",
        seed=SEED,
        size=size,
        **EXT4,
    )
    told = f"x.img: ext4 of {size} bytes is too small for its content, which takes "
    assert told in said
    assert "give it at least" in said


def test_an_attribute_that_ext4_has_no_room_for_is_told(workshop: Workshop) -> None:
    content = tree(File("a", attributes={"user.large": b"x" * 5000}))
    _, said = workshop.run(
        CONTAINER, filesystem.build, {"root.tar": content}, output="x.img", seed=SEED, **EXT4
    )
    assert "debugfs could not set an extended attribute:" in said


def test_erofs_has_all_of_the_tree(workshop: Workshop) -> None:
    image = make(workshop, **EROFS)
    said = answers(
        workshop,
        {"i": image},
        fsck=["fsck.erofs", "--extract=tree", "--preserve-perms", "--no-preserve-owner", "{i}"],
        su=["/usr/bin/python3", "-c", "import os; print('%o' % os.stat('tree/usr/su').st_mode)"],
        ping=["dump.erofs", "--path=/usr/ping", "{i}"],
        large=["dump.erofs", "--path=/usr/large", "{i}"],
        root=["dump.erofs", "--path=/", "{i}"],
    )
    assert not said["fsck"].startswith("FAILED")
    assert said["su"].strip() == "104755"
    assert "Links: 2" in said["ping"]
    assert "Xattr size: 0" not in said["ping"]
    assert "Uid: 1234   Gid: 70000" in said["large"]
    assert "Access: 0750" in said["root"]
    assert read_erofs(open_image(image)).superblock.label == "ROOT"


def test_squashfs_has_all_of_the_tree(workshop: Workshop) -> None:
    said = answers(
        workshop,
        {"i": make(workshop, **SQUASHFS)},
        ls=["unsquashfs", "-lln", "{i}"],
        pseudo=["unsquashfs", "-pf", "pseudo", "{i}"],
        read=["/usr/bin/python3", "-c", "print(open('pseudo','rb').read().split(b'# START')[0])"],
    )
    lines = {line[-1]: line for line in words(said["ls"])}
    assert lines["squashfs-root"][:2] == ["drwxr-x---", "0/0"]
    assert lines["squashfs-root/usr/su"][0] == "-rwsr-xr-x"
    assert lines["squashfs-root/usr/large"][1] == "1234/70000"
    assert lines["squashfs-root/dev/null"][:4] == ["crw-rw-rw-", "0/0", "1,", "3"]
    assert "security.capability" in said["read"]
    assert "user.a_b" in said["read"]


def test_fat_has_all_of_the_tree(workshop: Workshop) -> None:
    for more in ({}, {"size": 48 << 20}):
        image = make(workshop, ESP, **FAT, **more)
        said = answers(workshop, {"i": image}, fsck=["fsck.fat", "-n", "{i}"])
        assert not said["fsck"].startswith("FAILED"), said
        assert Gate("fat", allowed=("FAT006",), policies=("strict", "reproducible"))(image) == []


def test_a_large_fat_is_sound(workshop: Workshop) -> None:
    questions = {
        "fsck": ["fsck.fat", "-nv", "{i}"],
        "type": ["mdir", "-i", "{i}", "-b", "::EFI/BOOT"],
    }
    params = {"output": "x.img", "seed": SEED, "size": 520 << 20, "questions": questions, **FAT}
    out, said = workshop.run(CONTAINER, judge_there, {"root.tar": tree(*ESP)}, **params)
    answered = json.loads((out / "answers").read_text())
    assert "2 FATs, 32 bit entries" in answered["fsck"], said
    assert not answered["fsck"].startswith("FAILED")
    assert "BOOTX64.EFI" in answered["type"]


def verified(workshop: Workshop, image: Path) -> dict[str, Path]:
    out, said = workshop.run(CONTAINER, verity.build, {"root.img": image}, data="root.img")
    assert (out / "root.roothash").is_file(), said
    return {"root.img": image, **{path.name: path for path in out.iterdir()}}


def test_veritysetup_and_our_reader_agree(workshop: Workshop) -> None:
    parts = verified(workshop, make(workshop, LARGE, kind="erofs", label="ROOT"))
    root = parts["root.roothash"].read_text()
    assert len(root) == 65
    verify(open_image(parts["root.img"]), open_image(parts["root.verity"]), bytes.fromhex(root))
    data = bytearray(parts["root.img"].read_bytes())
    data[-1] ^= 1
    command = ["veritysetup", "verify", "{data}", "{tree}", root.strip()]
    good = answers(workshop, {"data": parts["root.img"], "tree": parts["root.verity"]}, it=command)
    bad = answers(workshop, {"data": bytes(data), "tree": parts["root.verity"]}, it=command)
    assert not good["it"].startswith("FAILED")
    assert bad["it"].startswith("FAILED: veritysetup failed")
    again = verified(workshop.elsewhere(), parts["root.img"])
    assert {name: path.read_bytes() for name, path in again.items()} == {
        name: path.read_bytes() for name, path in parts.items()
    }


REPART = {
    "10-esp.conf": "Type=esp\nLabel=EFI\nCopyBlocks=/esp.img",
    "20-root.conf": "Type=root-x86-64\nLabel=ROOT\nCopyBlocks=/root.img",
    "21-verity.conf": "Type=root-x86-64-verity\nLabel=ROOT_VERITY\nCopyBlocks=/root.verity",
    "30-next.conf": "Type=root-x86-64\nLabel=NEXT\nSizeMinBytes=4M",
    "40-var.conf": "Type=var\nLabel=VAR\nCopyBlocks=/var.img\nGrowFileSystem=yes",
}


@pytest.mark.parametrize("size", [0, 64 << 20])
def test_a_disk_of_them_breaks_no_rule_and_comes_out_the_same_elsewhere(
    workshop: Workshop, size: int
) -> None:
    inputs: dict[str, Given] = {
        "repart.d": {name: f"[Partition]\n{text}\n".encode() for name, text in REPART.items()},
        "esp.img": make(workshop, ESP, **FAT),
        "var.img": make(workshop, (folder("log"),), kind="ext4", label="VAR", grows=True),
        **verified(workshop, make(workshop, **EROFS)),
    }
    params = {
        "output": "x.img",
        "seed": SEED,
        "size": size,
        "verity": ("root.img",),
        "architecture": "x86-64",
        "image": "toy",
        "version": "1.0",
    }
    out, said = workshop.run(CONTAINER, disk.build, inputs, **params)
    assert (out / "x.img").stat().st_size, said
    assert Gate("disk", allowed=("FAT006",), policies=("strict", "reproducible"))(out / "x.img") == []
    image = open_image(out / "x.img")
    used = gpt.read_table(image, 1).partitions
    assert [one.name for one in used] == ["EFI", "ROOT", "ROOT_VERITY", "NEXT", "VAR"]
    root = inputs["root.roothash"]
    assert isinstance(root, Path)
    assert used[1].guid.hex + used[2].guid.hex == root.read_text().strip()
    judged = answers(workshop, {"i": out / "x.img"}, it=["sfdisk", "--verify", "{i}"])
    assert "No errors detected" in judged["it"]
    again, said = workshop.elsewhere().run(CONTAINER, disk.build, inputs, **params)
    assert (again / "x.img").read_bytes() == (out / "x.img").read_bytes(), said
