from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pipeline.errors import ConfigError, PipelineError
from pipeline.formats import gpt, grub_boot
from pipeline.steps import disk
from tests.fixtures.context import Played, played
from tests.fixtures.disk import Part
from tests.fixtures.disk import disk as make_disk
from tests.formats.test_grub_boot import BOOT, core

SEED = "11111111-2222-4333-8444-555555555555"
ROOT_HASH = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef"
MIB = 1 << 20
FILES = {
    "10-esp.conf": "[Partition]\nType=esp\nCopyBlocks=/esp.img\nLabel=EFI\n",
    "20-root.conf": "[Partition]\nType=root\nCopyBlocks=/root.img\nSizeMinBytes=4M\nPaddingMinBytes=1M\n",
    "30-verity.conf": "[Partition]\nType=root-verity\nCopyBlocks=/root.verity\nSizeMaxBytes=12K\n",
}
PARTS = [Part(b"x"), Part(b"y"), Part(b"z")]


def context(tmp_path: Path, files: Mapping[str, str] = FILES, made: int = 3, **params: Any) -> Played:
    """A step whose systemd-repart makes so many partitions, whatever it is told."""
    folder = tmp_path / "in/repart.d"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    for name, size in {"esp.img": 3 * MIB, "root.img": 4096, "root.verity": 8192}.items():
        (tmp_path / "in" / name).write_bytes(bytes(size))
    (tmp_path / "in/root.roothash").write_text(ROOT_HASH + "\n")

    def tool(argv: list[str], _: Path) -> str:
        Path(argv[-1]).write_bytes(make_disk(PARTS[:made]))
        return ""

    given = {"output": "x.img", "seed": SEED, "size": 0, "verity": ("root.img",), "architecture": "x86-64"}
    given |= {"image": "toy", "version": "1.0"}
    return played(tmp_path, tool, **given | params)


def written(ctx: Played) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in sorted((ctx.work / "repart.d").iterdir())}


def test_what_the_least_disk_is_made_of(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    disk.build(ctx)
    assert ctx.calls == [
        [
            *(
                "systemd-repart",
                "--empty=create",
                "--offline=yes",
                "--dry-run=no",
                "--no-pager",
                "--discard=no",
            ),
            *("--architecture=x86-64", f"--seed={SEED}", f"--size={11 * MIB}"),
            *(f"--definitions={ctx.work}/repart.d", f"{ctx.out}/x.img"),
        ]
    ]
    assert ctx.envs == [{"TMPDIR": str(ctx.work)}]
    three, four = 3 * MIB, 4 * MIB
    assert written(ctx) == {
        "10-esp.conf": [
            *("[Partition]", "Type=esp", "Label=EFI", f"SizeMinBytes={three}", "PaddingMinBytes=0"),
            *(f"SizeMaxBytes={three}", "PaddingMaxBytes=0", f"CopyBlocks={tmp_path}/in/esp.img"),
        ],
        "20-root.conf": [
            *("[Partition]", "ReadOnly=yes", "GrowFileSystem=no", "Type=root", f"SizeMinBytes={four}"),
            *(f"PaddingMinBytes={MIB}", f"SizeMaxBytes={four}", f"PaddingMaxBytes={MIB}"),
            *("UUID=00112233-4455-6677-8899-aabbccddeeff", f"CopyBlocks={tmp_path}/in/root.img"),
        ],
        "30-verity.conf": [
            *("[Partition]", "ReadOnly=yes", "GrowFileSystem=no", "Type=root-verity", "SizeMaxBytes=12288"),
            *("SizeMinBytes=12288", "PaddingMinBytes=0", "PaddingMaxBytes=0"),
            *("UUID=01234567-89ab-cdef-0123-456789abcdef", f"CopyBlocks={tmp_path}/in/root.verity"),
        ],
    }


def test_a_disk_of_a_size_leaves_the_rest_to_the_weights(tmp_path: Path) -> None:
    ctx = context(tmp_path, size=64 * MIB)
    disk.build(ctx)
    assert f"--size={64 * MIB}" in ctx.calls[0]
    assert not any(line.startswith("SizeMaxBytes") for line in written(ctx)["10-esp.conf"])


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (5 * MIB, "x.img: a disk of 5242880 bytes is too small for its partitions, which take 11534336"),
        (64 * MIB + 512, "x.img: a disk of 67109376 bytes is no whole number of MiB"),
    ],
)
def test_a_size_that_cannot_be_is_told(tmp_path: Path, size: int, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        disk.build(context(tmp_path, size=size))
    assert (caught.value.message, caught.value.hint) == (
        message,
        "give it at least 11534336 bytes, in whole MiB",
    )


def test_a_uuid_that_contradicts_the_root_hash_is_told(tmp_path: Path) -> None:
    files = {**FILES, "20-root.conf": FILES["20-root.conf"] + f"UUID={SEED}\n"}
    with pytest.raises(PipelineError) as caught:
        disk.build(context(tmp_path, files))
    assert caught.value.message == (
        f"repart.d/20-root.conf: UUID={SEED}, but by the root hash of its data it is "
        "00112233-4455-6677-8899-aabbccddeeff"
    )


def test_a_partition_that_was_left_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        disk.build(context(tmp_path, made=2))
    assert caught.value.message == ("x.img has 2 partitions, not 3: systemd-repart took no notice of some")


def test_definitions_that_are_not_taken_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        disk.build(context(tmp_path, {**FILES, "a.conf.d/b.conf": "", "README": "x"}))
    assert len(caught.value.mistakes) == 2


KIND = "21686148-6449-6e6f-744e-656564454649"
WITH_GRUB = {**FILES, "05-bios.conf": f"[Partition]\nType={KIND}\nCopyBlocks=/core.img\n"}


def with_grub(tmp_path: Path, files: Mapping[str, str], kind: str) -> Path:
    """Make a disk for a BIOS, too, whose first partition is of that type; return it."""
    ctx = context(tmp_path, files)
    parts = [Part(core(2048), kind=UUID(kind)), *PARTS]
    ctx.tool = lambda argv, _: str(Path(argv[-1]).write_bytes(make_disk(parts)))
    for name, data in {"boot.img": BOOT, "core.img": core(2048)}.items():
        (tmp_path / "in" / name).write_bytes(data)
        ctx.inputs = {**ctx.inputs, name: tmp_path / "in" / name}
    disk.build(ctx)
    assert len(written(ctx)) == 4
    return ctx.out / "x.img"


def test_a_bios_starts_grub_and_the_mbr_stays_protective(tmp_path: Path) -> None:
    made = with_grub(tmp_path, WITH_GRUB, KIND).read_bytes()
    before = make_disk([Part(core(2048), kind=UUID(KIND)), *PARTS])
    (first, *_) = gpt.read_table(made, 1).partitions
    code, patched = grub_boot.patched(BOOT, core(2048), first.first_lba)
    assert made[:440] == code
    assert made[first.first_lba * 512 :][: len(patched)] == patched
    rest = first.first_lba * 512 + len(patched)
    assert (made[440 : rest - len(patched)], made[rest:]) == (
        before[440 : rest - len(patched)],
        before[rest:],
    )
    assert [(one.kind, one.bootable) for one in gpt.read_mbr(made)] == [(gpt.PROTECTIVE, False)]


def test_what_a_bios_starts_lies_in_a_partition_for_it(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        with_grub(tmp_path, WITH_GRUB, "0fc63daf-8483-4772-8e79-3d69d8477de4")
    assert caught.value.message == (
        "x.img: no partition is for what a BIOS starts, and core.img lies in one of another type"
    )
    assert caught.value.hint == f"write Type={KIND} beside CopyBlocks=/core.img"


def test_the_boot_sector_is_no_partition(tmp_path: Path) -> None:
    files = {**FILES, "05-bios.conf": f"[Partition]\nType={KIND}\nCopyBlocks=/boot.img\n"}
    with pytest.raises(ConfigError) as caught:
        with_grub(tmp_path, files, KIND)
    assert caught.value.mistakes == [
        "repart.d/05-bios.conf:3: CopyBlocks=/boot.img is no file system of the recipe; "
        "there are /core.img, /esp.img, /root.img, /root.roothash, /root.verity"
    ]
