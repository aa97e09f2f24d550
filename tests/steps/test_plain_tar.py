import tarfile
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps.plain_tar import Member, opened, read_tree, write_tree
from tests.fixtures.tree import CAPABILITY, EPOCH, SYSTEM, File, folder, tree


def read(tmp_path: Path, *files: File) -> list[Member]:
    path = tmp_path / "root.tar"
    path.write_bytes(tree(*files))
    with opened(path) as tar:
        return read_tree(tar, EPOCH)


def written(tmp_path: Path, *files: File) -> bytes:
    path = tmp_path / "root.tar"
    path.write_bytes(tree(*files))
    with opened(path) as tar:
        write_tree(tar, read_tree(tar, EPOCH), tmp_path / "plain.tar")
    return (tmp_path / "plain.tar").read_bytes()


def test_there_is_one_order_and_every_folder_is_named(tmp_path: Path) -> None:
    members = read(tmp_path, *SYSTEM)
    assert [one.name for one in members] == [
        *("", "dev", "dev/null", "dev/sda", "etc", "etc/fifo", "etc/hello", "etc/link", "tmp"),
        *("usr", "usr/large", "usr/ping", "usr/su", "usr/\u00fc", "usr/again"),
    ]
    root, usr = members[0].plain, members[9].plain
    assert (root.name, root.mode) == ("./", 0o750)
    assert (usr.mode, usr.uid, usr.mtime, members[9].given) == (0o755, 0, EPOCH, None)


def test_the_order_of_the_tar_does_not_matter(tmp_path: Path) -> None:
    assert written(tmp_path, *SYSTEM) == written(tmp_path, *reversed(SYSTEM))


def test_all_that_a_member_has_is_written(tmp_path: Path) -> None:
    written(tmp_path, *SYSTEM)
    with tarfile.open(tmp_path / "plain.tar") as tar:
        again = {one.name: one for one in tar}
        assert tar.extractfile("usr/ping").read() == b"ping" * 5000  # type: ignore[union-attr]
    ping, link, null = again["usr/ping"], again["usr/again"], again["dev/null"]
    value = CAPABILITY.decode("utf-8", "surrogateescape")
    assert ping.pax_headers["SCHILY.xattr.security.capability"] == value
    assert (link.linkname, link.mode) == ("usr/ping", 0o755)
    assert link.pax_headers["SCHILY.xattr.user.a_b"] == "v"
    assert (null.type, null.devmajor, null.devminor, null.mode) == (tarfile.CHRTYPE, 1, 3, 0o666)
    assert (again["usr/su"].mode, again["usr/large"].uid, again["usr/large"].gid) == (0o4755, 1234, 70000)


def test_no_time_is_after_the_epoch(tmp_path: Path) -> None:
    members = read(tmp_path, File("a", mtime=EPOCH + 5), File("b", mtime=5))
    assert [one.plain.mtime for one in members] == [EPOCH, EPOCH, 5]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((File("/etc/passwd"),), "the tree's '/etc/passwd' leads out of it"),
        ((File("a/../../b"),), "the tree's 'a/../../b' leads out of it"),
        ((File("a"), File("./a")), "the tree has 'a' twice"),
        ((folder("."), folder("./")), "the tree has '/' twice"),
        ((File("a"), File("a/b")), "the tree's 'a/b' lies in 'a', which is no folder"),
        (
            (File("a", kind=tarfile.LNKTYPE, target="b"),),
            "the tree's 'a' is a hard link to 'b', which is no file in it",
        ),
        (
            (folder("b"), File("a", kind=tarfile.LNKTYPE, target="b")),
            "the tree's 'a' is a hard link to 'b', which is no file in it",
        ),
        (
            (File("a", headers={"SCHILY.acl.access": "user::rw-"}),),
            "the tree's 'a' is a member with an access control list, which not every file system keeps",
        ),
        (
            (File("a", attributes={"odd": b"x"}),),
            "the tree's 'a' has the extended attribute 'odd', which is in no namespace that Linux has",
        ),
        (
            (File("a", kind=b"V"),),
            "the tree's 'a' is a member of the type b'V', which not every file system keeps",
        ),
    ],
)
def test_what_is_no_tree_is_told(tmp_path: Path, files: tuple[File, ...], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        read(tmp_path, *files)
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"no tar at all" * 100, tree(File("a", bytes(5000)))[:2000], b""])
def test_what_is_no_tar_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"root\.tar cannot be read as a tar: "), opened(path) as tar:
        write_tree(tar, read_tree(tar, EPOCH), tmp_path / "plain.tar")
