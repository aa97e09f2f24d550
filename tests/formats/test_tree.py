import pytest

from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS
from pipeline.formats.cpio_reader import read
from pipeline.formats.tree import Tree, grow
from tests.fixtures.newc import DIRECTORY, FILE, LINK, Raw, newc

TREE = Tree(
    {
        entry.name: entry
        for entry in read(
            newc(
                [
                    Raw("bin", LINK, b"usr/bin"),
                    Raw("usr", DIRECTORY),
                    Raw("usr/bin", DIRECTORY),
                    Raw("usr/bin/sh", LINK, b"../../opt/./busybox"),
                    Raw("usr/bin/data", FILE),
                    Raw("usr/bin/lost", LINK, b"/usr/lib/lost"),
                    Raw("usr/bin/round", LINK, b"../../bin/round"),
                    Raw("opt", DIRECTORY),
                    Raw("opt/busybox", FILE | 0o111),
                    Raw("top", LINK, b"/../../opt/busybox"),
                ]
            )
        )
    }
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/opt/busybox", "opt/busybox"),
        ("//opt/./busybox", "opt/busybox"),
        ("/usr/bin/sh", "opt/busybox"),
        ("/bin/sh", "opt/busybox"),
        ("/bin/../bin/data", "usr/bin/data"),
        ("/top", "opt/busybox"),
    ],
)
def test_links_are_followed(path: str, name: str) -> None:
    assert TREE.resolve(path).name == name


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/sbin/init", "/sbin/init is not in the archive"),
        ("/bin/lost", "/bin/lost leads to /usr/lib/lost, which is not in the archive"),
        ("/bin/nothing", "/bin/nothing leads to /usr/bin/nothing, which is not in the archive"),
        ("/bin/round", "/bin/round leads in a circle of symbolic links"),
        ("/opt/busybox/x", "/opt/busybox/x is not in the archive"),
        ("/", "/ is the root directory, which is not in the archive"),
    ],
)
def test_a_path_to_nothing_is_told(path: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        TREE.resolve(path)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/bin/data", "/bin/data is not an executable file: /usr/bin/data has mode -rw-r--r--"),
        ("/usr/bin", "/usr/bin is not an executable file: /usr/bin has mode drwxr-xr-x"),
    ],
)
def test_what_is_no_program_is_told(path: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        TREE.resolve_program(path)
    assert caught.value.message == message


@pytest.mark.parametrize(("links", "found"), [(40, True), (41, False)])
def test_as_many_links_are_followed_as_linux_follows(links: int, found: bool) -> None:
    row = [Raw(f"l{number}", LINK, f"l{number + 1}".encode()) for number in range(links)]
    tree = Tree({entry.name: entry for entry in read(newc([*row, Raw(f"l{links}", FILE)]))})
    if found:
        assert tree.resolve("/l0").name == f"l{links}"
    else:
        with pytest.raises(FormatError):
            tree.resolve("/l0")


def test_a_program_is_found() -> None:
    assert TREE.resolve_program("/bin/sh").name == "opt/busybox"


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
