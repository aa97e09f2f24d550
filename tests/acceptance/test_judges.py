import shutil
from pathlib import Path

import pytest

from acceptance import judges
from pipeline.errors import PipelineError
from pipeline.vm import disks
from pipeline.vm.disks import Place, run

MIB = 1 << 20
SIZE = 128 * MIB
EFI = Place("EFI", "", MIB, 64 * MIB)
DATA = Place("TRUTHDB_DATA", "", 65 * MIB, 62 * MIB)
TOOLS = ("sfdisk", "sgdisk", "wipefs", "blkid", "mkfs.vfat", "fsck.fat", "mmd", "mke2fs", "e2fsck")
SQUASHFS = b"hsqs" + bytes(24) + b"\4\0"


@pytest.fixture
def tools() -> None:
    """The tools of other people that judge: the boot container has them; this machine may not."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} on this machine; in the boot container there is")


@pytest.fixture
def disk(tools: None, tmp_path: Path) -> Path:
    return make_disk(tmp_path, 512)


@pytest.fixture
def disk_4096(tools: None, tmp_path: Path) -> Path:
    if "--sector-size" not in run("sfdisk", "--help"):
        pytest.skip("this sfdisk knows blocks of 512 bytes alone")
    return make_disk(tmp_path, 4096)


def make_disk(tmp_path: Path, block: int) -> Path:
    """A small disk with a table, a FAT32 volume that has a directory, and an ext4 file system."""
    image = disks.blank(tmp_path / "disk.img", SIZE)
    size = [] if block == 512 else ["--sector-size", str(block)]
    run("sfdisk", "-q", *size, str(image), stdin="label: gpt\n1M,64M,U\n65M,62M,L\n")
    system = disks.blank(tmp_path / "made.img", EFI.size)
    run("mkfs.vfat", "-F32", "-s1", str(system))
    run("mmd", "-i", str(system), "::EFI")
    write(image, EFI.start, system.read_bytes())
    run("mke2fs", "-qF", "-text4", f"-Eoffset={DATA.start}", str(image), f"{DATA.size >> 10}k")
    return image


def write(image: Path, at: int, data: bytes) -> None:
    with image.open("r+b") as file:
        file.seek(at)
        file.write(data)


def judge(image: Path, block: int = 512) -> None:
    judges.disk(image, block, (EFI, DATA), image.parent)


def test_a_sound_disk_is_let_through(disk: Path) -> None:
    judge(disk)


def test_a_sound_disk_of_large_blocks_is_let_through(disk_4096: Path) -> None:
    judge(disk_4096, 4096)


@pytest.mark.parametrize(
    "places",
    [(4096 + 24,), (SIZE - 4096 + 56,), (2 * 4096 + 16,), (4096 + 24, SIZE - 4096 + 56)],
    ids=["first header", "second header", "first list", "both headers"],
)
def test_a_bad_table_of_large_blocks_is_told(disk_4096: Path, places: tuple[int, ...]) -> None:
    for at in places:
        write(disk_4096, at, b"X")
    with pytest.raises(PipelineError, match="sfdisk --verify says"):
        judge(disk_4096, 4096)


@pytest.mark.parametrize(
    ("at", "data", "words"),
    [
        (SIZE - 512 + 56, b"X", "sfdisk --verify says"),
        (512 + 24, b"X", "sfdisk --verify says"),
        (32 << 10, b"\1CD001\1" * 200, "wipefs --no-act says of disk.img: .*iso9660"),
        (EFI.start + 64, b"\0" * 400, "fsck.fat"),
        (EFI.start + (32 << 9) + 8, b"X", "fsck.fat"),
        (DATA.start + 1024 + 16, b"X", "e2fsck"),
        (DATA.start, SQUASHFS, "blkid"),
    ],
    ids=["second table", "first table", "another mark", "boot sector", "FAT", "superblock", "two marks"],
)
def test_what_is_wrong_is_said_with_the_tool_that_finds_it(
    disk: Path, at: int, data: bytes, words: str
) -> None:
    write(disk, at, data)
    with pytest.raises(PipelineError, match=words):
        judge(disk)


@pytest.mark.usefixtures("disk")
def test_a_disk_of_leftovers_is_taken_for_much(tmp_path: Path) -> None:
    image = disks.leftovers(tmp_path / "left.img", 9 << 30)
    found = set(run("wipefs", "--no-act", "--noheadings", "--output", "TYPE", str(image)).split())
    assert found == {"gpt", "PMBR", "zfs_member", "linux_raid_member"}
