import bz2
import gzip
import lzma
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from pipeline.errors import FormatError
from pipeline.formats import tar_tree
from pipeline.steps import root_artifact
from tests.fixtures.elf import AARCH64, elf
from tests.fixtures.root import In, folder, hard, link, tar

THEIRS = tar(
    (
        folder("./"),
        In("./usr/bin/su", elf(), 0o4755, uid=0, gid=7),
        folder("./etc", 0o750),
        hard("./bin.hard", "./usr/bin/su"),
        link("./bin", "usr/bin"),
        In("./dev/console", kind=tarfile.CHRTYPE),
        In("./etc/x", b"x", pax={"SCHILY.xattr.security.capability": "\1\udcff", "mtime": "77.5"}),
    )
)


def rewritten(folder_: Path, image: bytes, architecture: str = "amd64") -> bytes:
    source, target = folder_ / "theirs.tar", folder_ / "ours.tar"
    source.write_bytes(image)
    root_artifact.rewrite(source, target, folder_, epoch=5, architecture=architecture)
    return target.read_bytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_an_artifact_is_written_as_ours_are(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    image = rewritten(tmp_path, pack(THEIRS))
    archive = tar_tree.read(image)
    found = [(entry.name, oct(entry.mode), entry.gid, entry.mtime) for entry in archive.entries]
    assert found == [
        ("bin", "0o120777", 0, 5),
        ("bin.hard", "0o104755", 7, 5),
        ("etc", "0o40750", 0, 5),
        ("etc/x", "0o100644", 0, 5),
        ("usr", "0o40755", 0, 5),
        ("usr/bin", "0o40755", 0, 5),
        ("usr/bin/su", "0o104755", 7, 5),
    ]
    assert archive.entries[1].inode == archive.entries[-1].inode
    assert archive.xattrs == {"etc/x": ("security.capability",)}
    assert image == rewritten(tmp_path, image)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ((In("/etc/x"),), "/etc/x: is an absolute name"),
        ((In("etc/../../x"),), "etc/../../x: leads out of its folder by '..'"),
        ((In("x"), In("./x")), "x: is there twice"),
        (
            (In("etc/sda", kind=tarfile.BLKTYPE),),
            "etc/sda: is a device or a FIFO, which an image has only in /dev",
        ),
        ((In("x", kind=tarfile.FIFOTYPE),), "x: is a device or a FIFO, which an image has only in /dev"),
        ((link("bin", "/usr/bin"), In("bin/x")), "bin/x: lies behind bin, which is the link to /usr/bin"),
        ((In("bin"), In("bin/x")), "bin/x: lies behind bin, which is a file"),
        ((folder("b"), hard("a", "b")), "a: is a hard link to 'b', which is no file of the tar"),
        ((In("bin/x", elf(machine=AARCH64)),), "bin/x: is a program for AArch64, not for x86-64"),
    ],
)
def test_a_bad_artifact_is_refused(tmp_path: Path, members: tuple[In, ...], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        rewritten(tmp_path, tar(members))
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "tar: no archive"),
        (b"no tar" * 500, "tar: there is no header at offset 0x0"),
        (THEIRS[:700], "tar: no end, at 700 bytes"),
        (gzip.compress(THEIRS)[:-20], "the tar cannot be read: "),
        (lzma.compress(THEIRS)[:-20], "the tar cannot be read: "),
        (bz2.compress(THEIRS)[:-20], "the tar cannot be read: "),
        (b"\x28\xb5\x2f\xfd" + 9 * b"x", "the tar cannot be read: "),
    ],
)
def test_what_is_no_tar(tmp_path: Path, image: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=f"^{re.escape(message)}") as caught:
        rewritten(tmp_path, image)
    assert caught.value.hint


def test_programs_of_the_architecture_that_is_wanted(tmp_path: Path) -> None:
    image = tar((In("x", elf(machine=AARCH64)), In("short", b"\x7fELF")))
    assert rewritten(tmp_path, image, "arm64")
