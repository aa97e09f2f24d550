from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError, PipelineError
from pipeline.steps import filesystem
from pipeline.steps.ext4_size import GROWN, Layout, layout
from pipeline.steps.filesystem import (
    Wanted,
    attribute_commands,
    erofs_argv,
    ext4_argv,
    mistakes,
    squashfs_argv,
)
from pipeline.steps.plain_tar import Member, opened, read_tree
from tests.fixtures.context import Played, played
from tests.fixtures.tree import EPOCH, SYSTEM, File, folder, tree

SEED = "11111111-2222-4333-8444-555555555555"
IDENTIFIER = "d40edc08-06fc-562c-86f6-3d920f70309b"
HASH_SEED = "827c0126-9d6e-55dd-81ca-01daa44e7a83"


def members(tmp_path: Path, *files: File) -> list[Member]:
    path = tmp_path / "tree.tar"
    path.write_bytes(tree(*files))
    with opened(path) as tar:
        return read_tree(tar, EPOCH)


def test_mke2fs_s_command_line() -> None:
    shape = Layout(blocks=4000, needed=3999, inodes=8192, journal=4 << 20, grown_blocks=GROWN)
    features = "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file"
    more = "huge_file,dir_nlink,extra_isize,metadata_csum,resize_inode"
    extended = f"hash_seed={HASH_SEED},lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0"
    assert ext4_argv(Wanted("ext4", "VAR", SEED), shape, "t.tar", "x.img") == [
        *("mke2fs", "-q", "-t", "ext4", "-T", "default", "-O", f"{features},{more}"),
        *("-b", "4096", "-I", "256", "-N", "8192", "-J", "size=4", "-m", "0", "-L", "VAR", "-U", IDENTIFIER),
        *("-E", f"{extended},resize=268435456", "-d", "t.tar", "x.img", "4000"),
    ]


def test_what_does_not_grow_keeps_no_descriptors() -> None:
    argv = ext4_argv(Wanted("ext4", "VAR", SEED), Layout(4000, 3999, 8192, 4 << 20, 0), "t.tar", "x.img")
    assert not any("resize" in one for one in argv)


@pytest.mark.parametrize(
    ("wanted", "options"),
    [
        (Wanted("erofs", "ROOT", SEED), ["-L", "ROOT"]),
        (Wanted("erofs", "", SEED, compression="lz4hc,12"), ["-zlz4hc,level=12"]),
        (Wanted("erofs", "", SEED, compression="zstd", cluster=65536), ["-zzstd", "-C65536"]),
    ],
)
def test_mkfs_erofs_s_command_line(wanted: Wanted, options: list[str]) -> None:
    assert erofs_argv(wanted, EPOCH, "t.tar", "x.img") == [
        *("mkfs.erofs", "--quiet", f"-T{EPOCH}", "--mkfs-time", f"-U{IDENTIFIER}", *options),
        *("--tar=f", "x.img", "t.tar"),
    ]


@pytest.mark.parametrize(
    ("wanted", "options"),
    [
        (Wanted("squashfs", "", SEED), ["-no-compression"]),
        (Wanted("squashfs", "", SEED, compression="zstd,15"), ["-comp", "zstd", "-Xcompression-level", "15"]),
        (Wanted("squashfs", "", SEED, compression="xz", cluster=1 << 20), ["-comp", "xz", "-b", "1048576"]),
    ],
)
def test_sqfstar_s_command_line(tmp_path: Path, wanted: Wanted, options: list[str]) -> None:
    root = members(tmp_path, *SYSTEM)[0].plain
    assert squashfs_argv(wanted, root, "x.img") == [
        *("sqfstar", "-quiet", "-no-progress", "-root-mode", "750", "-root-time", str(EPOCH)),
        *("-root-uid", "0", "-root-gid", "0", *options, "x.img"),
    ]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            Wanted("btrfs", "", SEED),
            ["kind: 'btrfs' is no file system that is made here: ext4, erofs, squashfs, fat"],
        ),
        (
            Wanted("ext4", 17 * "x", SEED),
            [f"label: '{17 * 'x'}' is longer than the 16 bytes that ext4 has for it"],
        ),
        (Wanted("squashfs", "A", SEED), ["label: 'A' is longer than the 0 bytes that squashfs has for it"]),
        (
            Wanted("fat", "esp", SEED),
            ["label: 'esp' has 'esp', and a label of FAT is of capitals, digits, - and _"],
        ),
        (Wanted("ext4", "", "x"), ["seed: 'x' is no UUID"]),
        (Wanted("ext4", "", SEED, size=5000), ["size: 5000 bytes are no multiple of 4096"]),
        (
            Wanted("erofs", "", SEED, room=4096),
            ["room: 4096 bytes cannot be kept free: nobody writes to erofs"],
        ),
        (
            Wanted("ext4", "", SEED, size=4096, room=4096),
            ["room: 4096 bytes cannot be kept free: it has a size already"],
        ),
        (Wanted("fat", "", SEED, grows=True), ["grows: fat cannot grow; ext4 can"]),
        (
            Wanted("ext4", "", SEED, compression="zstd"),
            ["compression: ext4 cannot be packed with 'zstd', but with nothing"],
        ),
        (
            Wanted("erofs", "", SEED, compression="xz"),
            ["compression: erofs cannot be packed with 'xz', but with lz4, lz4hc, zstd"],
        ),
        (
            Wanted("erofs", "", SEED, compression="lz4hc,13"),
            ["compression: lz4hc has no level '13'; there are 0 to 12"],
        ),
        (
            Wanted("erofs", "", SEED, compression="lz4,1"),
            ["compression: lz4 has no level '1'; there are none"],
        ),
        (
            Wanted("erofs", "", SEED, compression="lz4", cluster=5000),
            ["cluster: 5000 is no power of two from 4096 to 1048576"],
        ),
        (
            Wanted("erofs", 16 * "x", "y", cluster=4096),
            [
                f"label: '{16 * 'x'}' is longer than the 15 bytes that erofs has for it",
                "seed: 'y' is no UUID",
                "cluster: 4096 needs a compression",
            ],
        ),
    ],
)
def test_all_that_cannot_be_wanted_is_told(wanted: Wanted, said: list[str]) -> None:
    assert mistakes(wanted) == said


def test_attributes_that_mke2fs_leaves_out_are_set_afterwards(tmp_path: Path) -> None:
    commands = attribute_commands(members(tmp_path, *SYSTEM), tmp_path)
    assert commands == [f'ea_set -f {tmp_path}/0 "/usr/ping" "user.a_b"']
    assert (tmp_path / "0").read_bytes() == b"v"


def test_a_path_that_debugfs_does_not_take_is_told(tmp_path: Path) -> None:
    found = members(tmp_path, File('a"b', attributes={"user.x": b"v"}))
    with pytest.raises(PipelineError) as caught:
        attribute_commands(found, tmp_path)
    assert caught.value.message == (
        "the tree's 'a\"b' has the extended attribute 'user.x', and cannot have one on ext4 with that name"
    )


def test_a_layout_has_inodes_for_a_large_disk_where_it_grows(tmp_path: Path) -> None:
    found = members(tmp_path, folder("a"), File("a/b", bytes(10_000)))
    small, growing = layout(found, 0, 0, grows=False), layout(found, 0, 0, grows=True)
    found_small = (small.blocks * 4096, small.inodes, small.journal, small.grown_blocks)
    assert found_small == (8581120, 523, 4 << 20, 0)
    assert (growing.inodes, growing.grown_blocks) == (8192, 1 << 28)
    assert layout(found, 0, 1 << 30, grows=False).blocks * 4096 > 1 << 30
    given = layout(found, 1 << 30, 0, grows=False)
    assert (given.blocks * 4096, given.inodes, given.journal) == (1 << 30, 1 << 16, 64 << 20)


def context(tmp_path: Path, **params: Any) -> Played:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/root.tar").write_bytes(tree(*SYSTEM))

    def tool(argv: list[str], _: Path) -> str:
        if argv[0] == "mkfs.erofs":
            Path(argv[-2]).write_bytes(bytes(5000))
        return ""

    return played(tmp_path, tool, epoch=EPOCH, output="x.img", seed=SEED, label="", **params)


def test_an_image_is_whole_blocks_or_as_large_as_it_is_wanted(tmp_path: Path) -> None:
    ctx = context(tmp_path, kind="erofs")
    filesystem.build(ctx)
    assert (ctx.out / "x.img").stat().st_size == 8192
    assert list(ctx.work.iterdir()) == []
    ctx.params = {**ctx.params, "size": 1 << 20}
    filesystem.build(ctx)
    assert (ctx.out / "x.img").stat().st_size == 1 << 20


def test_what_does_not_fit_is_told_with_sizes(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        filesystem.build(context(tmp_path, kind="erofs", size=4096))
    assert str(caught.value) == (
        "x.img: erofs of 4096 bytes is too small for its content, which takes 8192\n"
        "  hint: give it at least 8192 bytes, or leave `size` out for the least that fits"
    )


def test_what_a_recipe_has_wrong_is_told_with_the_output_s_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        filesystem.build(context(tmp_path, kind="erofs", size=1))
    assert caught.value.mistakes == ["x.img: size: 1 bytes are no multiple of 4096"]


def test_one_environment_for_e2fsprogs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):  # nothing made the file
        filesystem.build(ctx := context(tmp_path, kind="ext4"))
    config = f"{ctx.work}/mke2fs.conf"
    assert ctx.envs == 2 * [{"MKE2FS_CONFIG": config, "E2FSPROGS_FAKE_TIME": str(EPOCH)}]
    assert ctx.calls[1] == ["debugfs", "-w", "-f", f"{ctx.work}/debugfs", f"{ctx.out}/x.img"]
    assert Path(config).read_text() == "[fs_types]\next4 = {\n inode_size = 256\n}\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Total journal size too big for filesystem.",
            "x.img: ext4 of 16777216 bytes is too small for its content",
        ),
        (
            "Could not allocate block in ext2 filesystem",
            "x.img: ext4 of 16777216 bytes is too small for its content",
        ),
        ("Input/output error", "mke2fs failed with status 1: Input/output error"),
    ],
)
def test_only_a_lack_of_room_is_told_as_one(tmp_path: Path, said: str, told: str) -> None:
    ctx = context(tmp_path, kind="ext4", size=16 << 20)

    def fails(_argv: list[str], _cwd: Path) -> str:
        raise PipelineError(f"mke2fs failed with status 1: {said}")

    ctx.tool = fails
    with pytest.raises(PipelineError) as caught:
        filesystem.build(ctx)
    assert caught.value.message.startswith(told)
