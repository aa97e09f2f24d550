"""What the readers of file systems have in common; tests/world has them against their own tools."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pipeline.checks.attempt import attempt
from pipeline.errors import FormatError
from pipeline.formats import filesystem
from pipeline.formats.budget import MEMBERS, READ, STEPS, UNPACKED, Budget
from pipeline.formats.erofs import read_erofs
from pipeline.formats.ext4 import read_ext4
from pipeline.formats.fields import Image, charged, chunks, stream
from pipeline.formats.filesystem import Cache, FileSystem, Inode, Superblock, read_tree, sparse
from pipeline.formats.squashfs import read_squashfs
from tests.fixtures.erofs import erofs
from tests.fixtures.ext4 import ext4
from tests.fixtures.squashfs import squashfs

TREE = {
    "boot/": b"",
    "boot/vmlinuz": b"kernel %d\n" * 2000,
    "etc/": b"",
    "etc/motd": b"hello\n",
    "empty": b"",
    "link->etc/motd": b"",
}
KINDS: dict[str, tuple[Callable[..., bytes], Callable[[Image], FileSystem]]] = {
    "ext4": (ext4, read_ext4),
    "erofs": (erofs, read_erofs),
    "squashfs": (squashfs, read_squashfs),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tree_is_read(kind: str) -> None:
    make, read = KINDS[kind]
    found = read(make(TREE))
    files = {file.path: file.inode for file in found.files}
    assert found.faults == ()
    assert found.complete
    assert files.keys() == {"", *(name.rstrip("/").partition("->")[0] for name in TREE)}
    for name, data in TREE.items():
        path, _, target = name.rstrip("/").partition("->")
        inode = files[path]
        wanted = stat.S_IFDIR if name.endswith("/") else stat.S_IFLNK if target else stat.S_IFREG
        assert (stat.S_IFMT(inode.mode), inode.target, inode.mtime) == (wanted, target, 1_700_000_000)
        if wanted == stat.S_IFREG:
            assert b"".join(chunks(inode.data, 1000)) == data
            with stream(inode.data) as opened:
                opened.seek(5000)
                assert opened.read(20) == data[5000:5020]


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_cut_off_at_any_place_is_told(kind: str) -> None:
    make, read = KINDS[kind]
    good = make(TREE)
    for length in range(0, len(good), max(len(good) // 200, 1)):
        found = attempt(read, good[:length])
        if isinstance(found, FormatError):
            assert found.hint
            continue
        for file in found.files:
            data = attempt(bytes, file.inode.data)
            assert data.hint if isinstance(data, FormatError) else len(data) == len(file.inode.data)
        assert all(fault.message.startswith("/") and fault.hint for fault in found.faults)


@pytest.mark.parametrize("kind", KINDS)
def test_all_is_paid_for(kind: str) -> None:
    make, read = KINDS[kind]
    budget = Budget({STEPS: 10_000, READ: 1 << 20, UNPACKED: 1 << 20}, 60)
    found = read(charged(make(TREE), budget))
    before = dict(budget.left)
    kernel = next(file for file in found.files if file.path == "boot/vmlinuz")
    assert len(bytes(kernel.inode.data)) == len(TREE["boot/vmlinuz"])
    assert budget.left[READ] < before[READ]
    assert kind == "ext4" or budget.left[UNPACKED] < before[UNPACKED]
    small = Budget({STEPS: 12}, 60)
    found = read(charged(make(TREE), small))
    assert (found.complete, small.spent) == (False, [STEPS])


RUNS = [(0, 10, 4), (8, 20, 4)]


def test_holes_are_zeros() -> None:
    image = bytes(range(100))
    file = sparse(image, RUNS, 15)
    whole = image[10:14] + bytes(4) + image[20:24] + bytes(3)
    assert bytes(file) == whole
    for start in range(16):
        for end in range(start, 16):
            assert bytes(file[start:end]) == whole[start:end]
    assert bytes(sparse(image, RUNS, 6)) == whole[:6]
    assert sparse(image, [(0, 10, 4), (4, 30, 9)], 7) == image[10:14] + image[30:33]
    assert bytes(sparse(image, [], 3)) == bytes(3)
    assert bytes(sparse(image, [], 0)) == b""


def test_what_was_unpacked_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "KEPT", 100)
    cache = Cache()
    for number in range(3):
        cache.put((number,), bytes(40))
        cache.get((0,))
    assert [cache.get((number,)) is not None for number in range(3)] == [True, False, True]


class Made:
    """A volume of inodes that are named."""

    image: Image = b""
    root = 1

    def __init__(self, names: dict[int, list[tuple[bytes, int]]]) -> None:
        self.names = names

    def inode(self, number: int) -> Inode:
        kind = stat.S_IFDIR if number in self.names else stat.S_IFREG
        return Inode(number, kind | 0o755, 0, 0, 2, 0, b"")

    def entries(self, directory: Inode) -> Iterator[tuple[bytes, int]]:
        yield from self.names[directory.number]


BLOCK = Superblock("ext4", "", "", 0, 1024, ())


@pytest.mark.parametrize(
    ("names", "files", "faults"),
    [
        ({1: [(b".", 1), (b"..", 1), (b"a", 2)]}, ["", "a"], []),
        ({1: [(b"a", 2)], 2: [(b"b", 1)]}, ["", "a"], ["/a/b: is a directory that has another name, too"]),
        ({1: [(b"a", 2), (b"b", 2)], 2: []}, ["", "a"], ["/b: is a directory that has another name, too"]),
        ({1: [(b"a/b", 2), (b"c", 3)]}, [""], ["/: has an entry named b'a/b'"]),
        ({1: [(b"", 2)]}, [""], ["/: has an entry named b''"]),
        ({1: [(b"a\0", 2)]}, [""], ["/: has an entry named b'a\\x00'"]),
        ({1: [(b"\xff", 2)]}, ["", "\udcff"], []),
    ],
)
def test_what_directories_name(
    names: dict[int, list[tuple[bytes, int]]], files: list[str], faults: list[str]
) -> None:
    found = read_tree(BLOCK, Made(names))
    assert [file.path for file in found.files] == files
    assert [fault.message for fault in found.faults] == faults


def test_hard_links_are_one_inode() -> None:
    found = read_tree(BLOCK, Made({1: [(b"a", 2), (b"b", 2)]}))
    assert found.files[1].inode is found.files[2].inode


def test_a_root_that_is_no_directory_is_told() -> None:
    volume = Made({})
    with pytest.raises(FormatError, match=r"^the root is no directory: its mode is -rwxr-xr-x"):
        read_tree(BLOCK, volume)


def test_there_is_an_end_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "MAX_MEMBERS", 2)
    volume = Made({1: [(b"%d" % number, 5 + number) for number in range(9)]})
    found = read_tree(BLOCK, volume)
    assert [fault.message for fault in found.faults] == [
        "/: /2: here end the 2 names and 33554432 bytes of paths, targets and extended attributes "
        "that are read"
    ]
    budget = Budget({MEMBERS: 9}, 60)
    volume.image = charged(b"x", budget)
    found = read_tree(replace(BLOCK, label="x"), volume)
    assert (found.complete, budget.spent, len(found.files)) == (False, [MEMBERS], 3)
