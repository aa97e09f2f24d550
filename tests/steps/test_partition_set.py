"""Sets of partitions, of hand-made inputs: what is in one, what is refused, and one by the real tools."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.gate import Gate
from pipeline.errors import ConfigError, FormatError, PipelineError
from pipeline.formats import partition_set as format_of
from pipeline.steps import filesystem_of_files, partition_set
from tests.fixtures.context import Played, played
from tests.fixtures.partition_sets import (
    BOOT,
    BOOT_CODE,
    BOOT_TYPE,
    CORE,
    DATA,
    INITRD,
    KERNEL,
    LINUX_TYPE,
    MENU,
    MIB,
    PROGRAM,
    ROOT,
    listed,
    packed,
)
from tests.fixtures.workshop import EPOCH, Content, Workshop

DEFINITIONS = {
    "10-bios.conf": "Type=21686148-6449-6e6f-744e-656564454649\nLabel=BIOSBOOT\nCopyBlocks=/core.img\n",
    "20-esp.conf": "Type=esp\nLabel=EFI\nSizeMinBytes=1M\nCopyBlocks=/efi.fat\n",
    "30-boot.conf": "Type=xbootldr\nLabel=TOY_BOOT\nCopyBlocks=/boot.ext4\n",
    "40-root.conf": "Type=linux-generic\nLabel=TOY_ROOT\nCopyBlocks=/root.ext4\n",
    "50-data.conf": "Type=linux-generic\nLabel=DATA\nCopyBlocks=/data.ext4\n",
}
FILES = {
    "EFI/BOOT/BOOTX64.EFI": PROGRAM,
    "EFI/Toy/grub.cfg": MENU,
    "EFI/Toy/grubx64.efi": PROGRAM,
}
PARAMS: dict[str, Any] = {
    "output": "toy.partitions.tar",
    "name": "toy",
    "title": "Toy",
    "version": "1.0",
    "folder": "Toy",
    "trees": {"efi.fat": "grub", "boot.ext4": "boot", "root.ext4": "root", "data.ext4": "empty"},
    "epoch": EPOCH,
}


def texts(**changes: str) -> dict[str, bytes]:
    """Definitions, some of them with other settings."""
    found = DEFINITIONS | {name.replace("_", "-") + ".conf": text for name, text in changes.items()}
    return {name: f"[Partition]\n{text}".encode() for name, text in found.items()}


def inputs(**changes: str) -> dict[str, Content]:
    return {
        "repart.d": texts(**changes),
        "esp": FILES,
        "boot.img": BOOT_CODE,
        "core.img": CORE,
        "efi.fat": bytes(MIB),
        "boot.ext4": BOOT,
        "root.ext4": ROOT,
        "data.ext4": DATA,
        "boot-tree.json": json.dumps({"entries": listed()["entries"]}).encode(),
    }


def zstd(argv: list[str], _folder: Path) -> str:
    assert argv[:-3] == ["zstd", "-T0", "-9", "--no-progress", "-q", "-f"]
    Path(argv[-1]).write_bytes(packed(Path(argv[-3]).read_bytes()))
    return ""


def run(folder: Path, given: dict[str, Content]) -> Played:
    """Make a set of these inputs."""
    for name, content in given.items():
        files = content if isinstance(content, dict) else {"": content}
        for relative, data in files.items():
            path = folder / "in" / name / relative if relative else folder / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            assert isinstance(data, bytes)
            path.write_bytes(data)
    ctx = played(folder, zstd)
    ctx.params = PARAMS
    partition_set.build(ctx)
    return ctx


def test_a_set_is_what_its_list_says(tmp_path: Path) -> None:
    ctx = run(tmp_path, inputs())
    path = ctx.out / "toy.partitions.tar"
    with tarfile.open(path) as tar:
        assert tar.getnames() == [
            *("partitions.json", "boot.ext4.zst", "boot.img", "core.img", "data.ext4.zst"),
            *("grub.cfg", "grubx64.efi", "root.ext4.zst"),
        ]
        assert {(member.mtime, member.mode, member.uid) for member in tar} == {(EPOCH, 0o644, 0)}
        file = tar.extractfile("partitions.json")
        assert file is not None
        assert json.load(file) == listed()
    assert Gate("partition-set")(path) == []


def test_the_least_size_is_what_the_definition_says_or_its_content(tmp_path: Path) -> None:
    more = "Type=esp\nLabel=EFI\nSizeMinBytes=3M\nCopyBlocks=/efi.fat\n"
    given = inputs(**{"20_esp": more}) | {"root.ext4": ROOT + bytes(2 * MIB)}
    with tarfile.open(run(tmp_path, given).out / "toy.partitions.tar") as tar:
        file = tar.extractfile("partitions.json")
        assert file is not None
        said = format_of.read_list(file.read())
    assert [one.size // MIB for one in said.partitions] == [1, 3, 1, 3, 1]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (
            {"50_data": "Type=linux-generic\nLabel=DATA\nSizeMinBytes=1M\n"},
            PipelineError,
            "repart.d/50-data.conf: the partition has no content, "
            "and an installer makes no file systems for it",
        ),
        (
            {"40_root": "Type=usr-verity\nLabel=X\nCopyBlocks=/root.ext4\n"},
            FormatError,
            "Type=usr-verity is no type that a set of partitions has",
        ),
        (
            {"40_root": "Type=linux-generic\nLabel=X\nCopyBlocks=/other\n"},
            ConfigError,
            "repart.d/40-root.conf:4: CopyBlocks=/other is no file system of the recipe; there are "
            "/boot-tree.json, /boot.ext4, /boot.img, /core.img, /data.ext4, /efi.fat, /root.ext4",
        ),
    ],
)
def test_what_is_wrong_with_the_definitions(
    tmp_path: Path, change: dict[str, str], error: type[PipelineError], said: str
) -> None:
    with pytest.raises(error) as caught:
        run(tmp_path, inputs(**change))
    assert str(caught.value).partition("\n")[0] == said


def test_two_files_of_one_name_that_differ(tmp_path: Path) -> None:
    given = inputs() | {"esp": {**FILES, "EFI/BOOT/grub.cfg": b"other"}}
    with pytest.raises(PipelineError) as caught:
        run(tmp_path, given)
    assert caught.value.message == "two files of the set are called grub.cfg"


@pytest.mark.container
def test_a_real_one_obeys_the_rules_and_is_the_same_anywhere(workshop: Workshop, tmp_path: Path) -> None:
    def image(label: str, files: dict[str, Content]) -> Path:
        params = {"kind": "ext4", "label": label, "seed": LINUX_TYPE, "size": 16 * MIB, "room": 0}
        params |= {"grows": False, "compression": "", "cluster": 0, "output": "x.ext4"}
        out, said = workshop.run("disk", filesystem_of_files.build, files, **params)
        assert (out / "x.ext4").is_file(), said
        assert (out / "x.ext4").stat().st_size == 16 * MIB, said
        return out / "x.ext4"

    given = inputs() | {
        "boot.ext4": image("TOY_BOOT", {"files/vmlinuz": KERNEL, "files/initrd.img": INITRD}),
        "root.ext4": image("TOY_ROOT", {}),
        "data.ext4": image("DATA", {}),
    }
    made = []
    for place in (workshop, workshop.elsewhere()):
        out, said = place.run("disk", partition_set.build, given, **PARAMS)
        assert (out / "toy.partitions.tar").is_file(), said
        made.append(out / "toy.partitions.tar")
    assert [f"{found.code}: {found.message}" for found in Gate("partition-set")(made[0])] == []
    assert made[0].read_bytes() == made[1].read_bytes()
    assert str(format_of.type_of("xbootldr")) == BOOT_TYPE
