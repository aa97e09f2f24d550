"""What lies where when Linux is done."""

import pytest

from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS
from pipeline.formats.cpio_reader import read
from pipeline.formats.rootfs import grow
from tests.fixtures.newc import DIRECTORY, FILE, LINK, Raw, newc

LIB = (Raw("usr", DIRECTORY), Raw("usr/lib", DIRECTORY), Raw("lib", LINK, b"usr/lib"))


def grown(*members: Raw) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    tree, lost = grow(read(newc(members)), ENDLESS)
    files = {name: bytes(entry.data) for name, entry in tree.members.items() if name not in ("dev", "root")}
    return files, [(entry.name, taken) for entry, taken in lost]


@pytest.mark.parametrize(
    ("members", "files", "lost"),
    [
        ([Raw("a", FILE, b"1"), Raw("a", FILE, b"2")], {"a": b"2"}, []),
        ([Raw("./a", FILE, b"1"), Raw("/b", FILE), Raw(".", DIRECTORY)], {"a": b"1", "b": b""}, []),
        ([Raw("dev/x", FILE)], {"dev/x": b""}, []),
        ([Raw("etc/x", FILE), Raw("etc", DIRECTORY)], {"etc": b""}, [("etc/x", "")]),
        ([Raw("a", FILE), Raw("a/b", FILE)], {"a": b""}, [("a/b", "")]),
        (
            [*LIB, Raw("lib/x", FILE, b"x")],
            {"usr": b"", "usr/lib": b"", "lib": b"usr/lib", "usr/lib/x": b"x"},
            [],
        ),
        (
            [*LIB, Raw("lib", DIRECTORY), Raw("lib/x", FILE, b"x")],
            {"usr": b"", "usr/lib": b"", "lib": b"", "lib/x": b"x"},
            [],
        ),
        ([Raw("a", DIRECTORY), Raw("a", LINK, b"b")], {"a": b"b"}, []),
        (
            [Raw("a", DIRECTORY), Raw("a/x", FILE), Raw("a", LINK, b"b")],
            {"a": b"", "a/x": b""},
            [("a", "a")],
        ),
        ([Raw("a", LINK, b"gone"), Raw("a/x", FILE)], {"a": b"gone"}, [("a/x", "")]),
        ([Raw("a", LINK, b"gone"), Raw("a", FILE, b"x")], {"a": b"x"}, []),
        ([Raw("a", 0o644), Raw("b", LINK)], {}, []),
        ([Raw("a/..", FILE)], {}, [("a/..", "")]),
        ([Raw("a", DIRECTORY), Raw("a/../b", FILE)], {"a": b"", "b": b""}, []),
        ([Raw("a", FILE), Raw("a/../b", FILE)], {"a": b""}, [("a/../b", "")]),
    ],
)
def test_members_come_one_over_the_other(
    members: list[Raw], files: dict[str, bytes], lost: list[tuple[str, str]]
) -> None:
    assert grown(*members) == (files, lost)


def test_nothing_follows_a_file_whose_checksum_is_wrong() -> None:
    archive = newc([Raw("a", FILE, b"x"), Raw("b", DIRECTORY)]).replace(b"070701", b"070702", 1)
    tree, lost = grow(read(archive), ENDLESS)
    assert (sorted(tree.members), lost) == (["a", "dev", "root"], ())


def test_members_are_named_by_where_they_lie() -> None:
    tree, _ = grow(read(newc([*LIB, Raw("./lib/x", FILE)])), ENDLESS)
    assert tree.resolve("/lib/x").name == "usr/lib/x"
    with pytest.raises(FormatError):
        tree.resolve("/lib/y")
