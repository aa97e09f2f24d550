import tarfile
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import efi_image, filesystem
from pipeline.steps.fat_tree import Shape, dropped, mkfs_argv, shape
from pipeline.steps.plain_tar import Member, opened, read_tree
from tests.fixtures.context import played
from tests.fixtures.tree import EPOCH, File, folder, tree

SEED = "11111111-2222-4333-8444-555555555555"
MIB = 1 << 20


def members(tmp_path: Path, *files: File) -> list[Member]:
    path = tmp_path / "tree.tar"
    path.write_bytes(tree(*files))
    with opened(path) as tar:
        return read_tree(tar, EPOCH)


@pytest.mark.parametrize(
    ("size", "room", "volume"),
    [
        (0, 0, Shape(16, 4176, 1, 1, 512)),
        (0, 40 * MIB, Shape(16, 82304, 2, 2, 512)),
        (64 * MIB, 0, Shape(16, 131072, 2, 2, 512)),
        (3 << 30, 0, Shape(32, 6291456, 8, 32, 0)),
    ],
)
def test_the_volume_for_a_size(tmp_path: Path, size: int, room: int, volume: Shape) -> None:
    assert shape(members(tmp_path, File("EFI/BOOT/BOOTX64.EFI", b"MZ")), size, room, "x") == volume


def test_a_directory_of_many_long_names_takes_room(tmp_path: Path) -> None:
    files = [File(f"a long name with a number {number}") for number in range(300)]
    assert shape(members(tmp_path, *files), 0, 0, "x").root_entries == 1504
    assert shape(members(tmp_path, File("A")), 0, 0, "x").root_entries == 512


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (MIB, "x: FAT of 1048576 bytes is less than FAT16's least, 2138112"),
        (3 * MIB, "x: FAT of 3145728 bytes is too small for its content, which takes 5308416"),
    ],
)
def test_what_does_not_fit_is_told_with_sizes(tmp_path: Path, size: int, message: str) -> None:
    found = members(tmp_path, File("A", bytes(5 * MIB if size > MIB else 5)))
    with pytest.raises(PipelineError) as caught:
        shape(found, size, 0, "x")
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("files", "name", "why"),
    [
        ((File("a:b"),), "a:b", "FAT has no name with ':' there"),
        ((File("a."),), "a.", "FAT has no name with '.' there"),
        ((File("a\x01"),), "a\x01", "FAT has no name with '\\x01' there"),
        ((File("\u00fc"),), "\u00fc", "its name is not in ASCII, which firmware shows in no way of its own"),
        ((File("x/Aux.txt"),), "x/Aux.txt", "DOS keeps that name for a device"),
        ((File(256 * "a"),), 256 * "a", "FAT has no name of more than 255 letters"),
        ((File("EFI/a"), folder("efi")), "efi", "on FAT it is the same name as 'EFI'"),
        (
            (File("a", kind=tarfile.SYMTYPE, target="b"),),
            "a",
            "FAT has files and folders only, and this is a link, a device or a pipe",
        ),
    ],
)
def test_what_fat_cannot_hold_is_told(tmp_path: Path, files: tuple[File, ...], name: str, why: str) -> None:
    with pytest.raises(PipelineError) as caught:
        shape(members(tmp_path, *files), 0, 0, "x")
    assert caught.value.message == f"the tree's {name!r} cannot be put on FAT: {why}"


def test_what_fat_does_not_keep_is_told(tmp_path: Path) -> None:
    files = (
        File("a", b"x", mode=0o4755, owner=(1, 0), attributes={"user.x": b"y"}),
        File("b", kind=tarfile.LNKTYPE, target="a"),
    )
    assert dropped(members(tmp_path, *files)) == (
        "FAT keeps no owners (2), modes (2), extended attributes (2), hard links (1)"
    )
    assert dropped(members(tmp_path, File("a/b"))) == ""


def test_mkfs_s_command_line() -> None:
    assert mkfs_argv(Shape(32, 6291456, 8, 32, 0), "", "0123abcd", "x") == [
        *(
            "mkfs.vfat",
            "--invariant",
            "-i0123abcd",
            "-a",
            "-g64/8",
            "-F32",
            "-s8",
            "-R32",
            "-C",
            "x",
            "3145728",
        )
    ]


def test_commands_in_one_order(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    files = (
        File("loader/a.conf", b"x"),
        File("EFI/B", b"b"),
        File("EFI/C", kind=tarfile.LNKTYPE, target="EFI/B", mode=0o644),
    )
    (tmp_path / "in/root.tar").write_bytes(tree(*files))
    ctx = played(tmp_path, epoch=EPOCH, output="x.img", kind="fat", label="EFI", seed=SEED)
    filesystem.build(ctx)
    image, content = f"{ctx.out}/x.img", f"{ctx.work}/content"
    assert ctx.calls == [
        mkfs_argv(Shape(16, 4176, 1, 1, 512), "EFI", "d40edc08", image),
        ["mmd", "-i", image, "::EFI"],
        ["mcopy", "-i", image, content, "::EFI/B"],
        ["mmd", "-i", image, "::loader"],
        ["mcopy", "-i", image, content, "::loader/a.conf"],
        ["mcopy", "-i", image, content, "::EFI/C"],
    ]
    assert ctx.envs[1:] == 5 * [efi_image.mtools_environment(EPOCH)]
    assert ctx.notes == ["x.img: FAT keeps no hard links (1)"]


def test_a_file_of_4_gib_is_told(tmp_path: Path) -> None:
    found = members(tmp_path, File("a"))
    found[1].plain.size = 1 << 32
    with pytest.raises(PipelineError, match="'a' cannot be put on FAT: FAT has no file of 4 GiB or more"):
        shape(found, 0, 0, "x")


def test_more_than_any_fat_holds_is_told(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        shape(members(tmp_path, File("a")), 0, 1 << 50, "x")
    assert str(caught.value) == "x: the tree is more than a FAT file system holds\n  hint: put less into it"
