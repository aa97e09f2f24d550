import pytest

from pipeline.errors import FormatError
from pipeline.formats.cpio_reader import read
from pipeline.formats.tree import Tree
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
