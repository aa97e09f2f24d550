import stat
import tarfile

import pytest

from pipeline.errors import FormatError
from pipeline.formats import tar_tree
from pipeline.formats.budget import Budget, Spent
from pipeline.formats.fields import charged
from tests.fixtures import patch
from tests.fixtures.disk_images import sparse_tar
from tests.fixtures.root import In, folder, hard, link, tar

LONG = "a/" * 70 + "b"
MEMBERS = (
    folder("./etc/", 0o700),
    In("./etc/x", b"text", 0o4755, uid=7, gid=3_000_000, pax={"SCHILY.xattr.user.a": "1"}),
    hard("etc/y", "./etc/x"),
    link("etc/z", LONG),
    In(LONG, bytes(700)),
    In("dev", kind=tarfile.CHRTYPE),
    In("fifo", kind=tarfile.FIFOTYPE),
)


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_members_are_read_as_they_were_written(kind: int) -> None:
    archive = tar_tree.read(tar(MEMBERS, kind))
    assert [entry.name for entry in archive.entries] == [
        "etc",
        "etc/x",
        "etc/y",
        "etc/z",
        LONG,
        "dev",
        "fifo",
    ]
    etc, first, second, third, long, device, fifo = archive.entries
    assert (etc.mode, stat.filemode(first.mode)) == (stat.S_IFDIR | 0o700, "-rwsr-xr-x")
    assert (first.uid, first.gid, first.nlink, bytes(first.data)) == (7, 3_000_000, 2, b"text")
    assert (second.inode, second.mode, bytes(second.data)) == (first.inode, first.mode, b"text")
    assert (stat.S_ISLNK(third.mode), third.data) == (True, LONG.encode())
    assert (long.nlink, len(long.data)) == (1, 700)
    assert (stat.S_ISCHR(device.mode), stat.S_ISFIFO(fifo.mode)) == (True, True)
    assert archive.xattrs == ({"etc/x": ("user.a",)} if kind == tarfile.PAX_FORMAT else {})


def test_a_name_in_two_parts() -> None:
    name = "d" * 90 + "/" + "f" * 90
    assert [entry.name for entry in tar_tree.read(tar((In(name),), tarfile.USTAR_FORMAT)).entries] == [name]


def summed(image: bytes) -> bytes:
    """Correct the first header's checksum."""
    total = sum(image[:512]) - sum(image[148:156]) + 8 * 0x20
    return patch(image, 148, b"%06o\0 " % total)


PLAIN = tar((In("x", b"text"),), tarfile.USTAR_FORMAT)
PAX = tar((In("x", pax={"SCHILY.xattr.user.a": "1"}),))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "tar: no archive"),
        (bytes(512), "tar: it is empty"),
        (b"x" * 512, "tar: there is no header at offset 0x0"),
        (patch(PLAIN, 0, b"y"), "tar: the header at offset 0x0 has the checksum 6131, its bytes give 6132"),
        (PLAIN[:514], "tar: a member: 4 bytes at offset 0x200 do not lie inside the 514 bytes given"),
        (PLAIN[:1024], "tar: no end, at 1024 bytes"),
        (
            PLAIN[:1024] + b"x" * 512,
            "tar: there is no header at offset 0x400",
        ),
        (summed(patch(PLAIN, 156, b"Z")), "tar: the member at offset 0x0 is of the unknown type b'Z'"),
        (
            summed(patch(PLAIN, 124, b"9")),
            "tar: the header at offset 0x0 has no number where one has to be",
        ),
        (
            summed(patch(PLAIN, 124, b"\xff" * 12)),
            f"tar: a member: {(1 << 95) - 1} bytes at offset 0x200 do not lie inside the 10240 bytes given",
        ),
        (tar((hard("a", "b"),)), "tar: 'a' is a hard link to 'b', which is not before it"),
        (PAX.replace(b"25 SCHILY", b"24 SCHILY"), "tar: the pax header at offset 0x0 is damaged"),
        (PAX.replace(b"25 SCHILY", b"00 SCHILY"), "tar: the pax header at offset 0x0 is damaged"),
        (
            tar((In("x", pax={"uid": "-1"}),)),
            "tar: the pax header at offset 0x400 has no number where one has to be",
        ),
        (
            summed(patch(PAX, 124, b"00010000000")),
            "tar: an extended header of 2097152 bytes; 1048576 are read",
        ),
    ],
)
def test_what_is_no_tar(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        tar_tree.read(image)
    assert caught.value.message == message
    assert caught.value.hint


def test_reading_is_paid_for() -> None:
    image = charged(tar(tuple(In(str(number)) for number in range(50))), Budget({"members": 20}, 10))
    with pytest.raises(Spent):
        tar_tree.read(image)


def test_a_file_with_holes_is_whole() -> None:
    (entry,) = tar_tree.read(sparse_tar("x", 4096, {1024: b"a" * 512})).entries
    assert bytes(entry.data) == bytes(1024) + b"a" * 512 + bytes(2560)
