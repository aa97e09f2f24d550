import hashlib
import io
import os
import shutil
import stat
import subprocess
from dataclasses import replace

import pytest

from pipeline.errors import FormatError
from pipeline.formats import cpio
from pipeline.formats.cpio import CharDevice, Directory, File, Member, Symlink
from pipeline.formats.cpio_reader import Entry, read
from tests.fixtures.gnu_cpio import ARCHIVE as GNU_ARCHIVE

EPOCH = 1_700_000_000

MEMBERS: tuple[Member, ...] = (
    Directory("bin"),
    File("bin/busybox", b"\x7fELF", 0o755),
    Symlink("bin/sh", "busybox"),
    Directory("bin.d"),
    Directory("dev"),
    CharDevice("dev/console", 5, 1),
    CharDevice("dev/null", 1, 3, 0o666),
    Directory("etc"),
    File("etc/inittab", b"::respawn:/bin/sh\n"),
    Directory("etc/init.d"),
    File("etc/motd", b""),
    Directory("tmp", 0o1777),
)

LISTING = """\
  1 drwxr-xr-x 2 0:0 1700000000   0      bin
  2 -rwxr-xr-x 1 0:0 1700000000   4      bin/busybox
  3 lrwxrwxrwx 1 0:0 1700000000   7      bin/sh
  4 drwxr-xr-x 2 0:0 1700000000   0      bin.d
  5 drwxr-xr-x 2 0:0 1700000000   0      dev
  6 crw------- 1 0:0 1700000000   0 5:1  dev/console
  7 crw-rw-rw- 1 0:0 1700000000   0 1:3  dev/null
  8 drwxr-xr-x 3 0:0 1700000000   0      etc
  9 drwxr-xr-x 2 0:0 1700000000   0      etc/init.d
 10 -rw-r--r-- 1 0:0 1700000000  18      etc/inittab
 11 -rw-r--r-- 1 0:0 1700000000   0      etc/motd
 12 drwxrwxrwt 2 0:0 1700000000   0      tmp
"""


def written(members: tuple[Member, ...], epoch: int = EPOCH) -> bytes:
    archive = io.BytesIO()
    cpio.write(members, archive, epoch)
    return archive.getvalue()


def listing(archive: bytes) -> str:
    lines = []
    for entry in read(archive):
        device = f"{entry.device[0]}:{entry.device[1]}" if stat.S_ISCHR(entry.mode) else ""
        lines.append(
            f"{entry.inode:3} {stat.filemode(entry.mode)} {entry.nlink} {entry.uid}:{entry.gid} "
            f"{entry.mtime} {len(entry.data):3} {device:4} {entry.name}\n"
        )
    return "".join(lines)


def test_members_stand_as_they_should() -> None:
    assert listing(written(MEMBERS)) == LISTING


def test_the_bytes_stay_the_same() -> None:
    digest = hashlib.sha256(written(MEMBERS)).hexdigest()
    assert digest == "4113e7e7eefbc735781f9fa90431f0ba6311eb13715adc1d7dc1eca05e12e20b"


def test_the_order_of_the_input_does_not_matter() -> None:
    assert written(tuple(reversed(MEMBERS))) == written(MEMBERS)


def test_another_epoch_gives_other_bytes() -> None:
    assert written(MEMBERS, EPOCH + 1) != written(MEMBERS)


def test_the_first_header_is_as_specified() -> None:
    fields = "00000001 000041ED 00000000 00000000 00000002 6553F100 00000000"
    fields += " 00000000 00000000 00000000 00000000 00000004 00000000"
    assert written((Directory("bin"),))[:116] == b"070701" + fields.replace(" ", "").encode() + b"bin\0\0\0"


def test_an_archive_ends_with_a_trailer_and_fills_its_block() -> None:
    archive = written(())
    assert len(archive) == 512
    assert archive[110:121] == b"TRAILER!!!\0"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ((File("", b""),), "cpio: '' is not a normalised relative path"),
        ((File("/etc", b""),), "cpio: '/etc' is not a normalised relative path"),
        ((File("./etc", b""),), "cpio: './etc' is not a normalised relative path"),
        ((File("etc/", b""),), "cpio: 'etc/' is not a normalised relative path"),
        ((Directory("a"), File("a/../b", b"")), "cpio: 'a/../b' is not a normalised relative path"),
        ((File("a\0b", b""),), "cpio: 'a\\x00b' is not a normalised relative path"),
        (
            (File("TRAILER!!!", b""),),
            "cpio: a member may not be called 'TRAILER!!!', the name that ends an archive",
        ),
        (
            (File("x" * 4096, b""),),
            f"cpio: '{'x' * 40}'…: a path of 4096 bytes is longer than Linux takes (4095)",
        ),
        (
            (Symlink("l", "x" * 4096),),
            "cpio: 'l'…: a path of 4096 bytes is longer than Linux takes (4095)",
        ),
        ((Symlink("l", ""),), "cpio: l: '' is no target for a symbolic link"),
        ((Symlink("l", "a\0"),), "cpio: l: 'a\\x00' is no target for a symbolic link"),
        ((File("a", b"", 0o100644),), "cpio: a: mode: 33188 is not between 0 and 4095"),
        ((Directory("a", -1),), "cpio: a: mode: -1 is not between 0 and 4095"),
        ((CharDevice("a", 1, 1, 0o10000),), "cpio: a: mode: 4096 is not between 0 and 4095"),
        ((CharDevice("a", -1, 0),), "cpio: a: major: -1 is not between 0 and 4294967295"),
        ((CharDevice("a", 0, 1 << 32),), "cpio: a: minor: 4294967296 is not between 0 and 4294967295"),
        ((File("a", b""), Directory("a")), "cpio: 'a' is there twice"),
        ((File("a/b", b""),), "cpio: 'a/b': its parent 'a' is missing"),
        ((File("a", b""), File("a/b", b"")), "cpio: 'a/b': its parent 'a' is a File"),
        ((Symlink("a", "c"), File("a/b", b"")), "cpio: 'a/b': its parent 'a' is a Symlink"),
    ],
)
def test_a_member_that_linux_would_not_take_is_refused(members: tuple[Member, ...], message: str) -> None:
    archive = io.BytesIO()
    with pytest.raises(FormatError) as caught:
        cpio.write(members, archive, EPOCH)
    assert caught.value.message == message
    assert archive.getvalue() == b""


@pytest.mark.parametrize("epoch", [-1, 1 << 32])
def test_an_epoch_that_does_not_fit_is_refused(epoch: int) -> None:
    with pytest.raises(FormatError) as caught:
        written((), epoch)
    assert caught.value.message == f"cpio: epoch: {epoch} is not between 0 and 4294967295"


def test_gnu_cpio_made_the_same() -> None:
    """But for inode numbers, which it counts from 0, and a directory's links, which file systems count."""

    def comparable(archive: bytes) -> list[Entry]:
        return [replace(entry, inode=0, nlink=0) for entry in read(archive)]

    assert comparable(written(MEMBERS)) == comparable(GNU_ARCHIVE)
    assert len(written(MEMBERS)) == len(GNU_ARCHIVE)


def test_gnu_cpio_lists_the_same() -> None:
    tool = shutil.which("cpio")
    if tool is None:
        pytest.skip("there is no cpio on this machine")
    environment = os.environ | {"LC_ALL": "C", "TZ": "UTC"}
    run = subprocess.run(
        [tool, "--quiet", "--list", "--verbose", "--numeric-uid-gid"],
        input=written(MEMBERS),
        capture_output=True,
        check=True,
        env=environment,
    )
    lines = [line.split() for line in run.stdout.decode().splitlines()]
    # mode, links, owner and group, as cpio and as our listing show them
    theirs = [(line[0], line[1], f"{line[2]}:{line[3]}") for line in lines]
    ours = [tuple(line.split()[1:4]) for line in LISTING.splitlines()]
    assert theirs == ours
    assert [line[-1] for line in lines if line[0][0] != "l"] == [
        line.split()[-1] for line in LISTING.splitlines() if "lrwx" not in line
    ]
