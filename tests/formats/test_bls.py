import pytest

from pipeline.errors import FormatError
from pipeline.formats.bls import BlsEntry, entry_paths, in_order, newer, read_entry
from pipeline.formats.boot_files import of_bytes

TEXT = """# of Toy
title   Toy 1
version\t1.0
machine-id 00112233445566778899aabbccddeeff
sort-key toy
architecture x64
linux /toy/vmlinuz
initrd /toy/early.img
initrd   /toy/initrd.img
options root=LABEL=ROOT
options  quiet
devicetree /toy/board.dtb
devicetree-overlay /toy/a.dtbo /toy/b.dtbo
grub_class toy
empty
"""
PATH = "loader/entries/toy+3-1.conf"


def read(text: str, path: str = PATH) -> BlsEntry:
    return read_entry(of_bytes({path: text.encode()}), path)


def test_an_entry_is_read() -> None:
    entry = read(TEXT)
    assert entry == BlsEntry(
        PATH,
        "toy",
        {
            "title": "Toy 1",
            "version": "1.0",
            "machine-id": "00112233445566778899aabbccddeeff",
            "sort-key": "toy",
            "architecture": "x64",
            "linux": "/toy/vmlinuz",
            "devicetree": "/toy/board.dtb",
        },
        ("/toy/early.img", "/toy/initrd.img"),
        ("/toy/a.dtbo", "/toy/b.dtbo"),
        "root=LABEL=ROOT quiet",
        3,
        1,
    )
    assert entry.starts == ("linux",)
    assert entry.files == (
        "/toy/vmlinuz",
        "/toy/board.dtb",
        "/toy/early.img",
        "/toy/initrd.img",
        "/toy/a.dtbo",
        "/toy/b.dtbo",
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.conf", ("a", None, 0)),
        ("a+5.conf", ("a", 5, 0)),
        ("a+0-3.conf", ("a", 0, 3)),
        ("a+b.conf", ("a+b", None, 0)),
        ("a+1-.conf", ("a+1-", None, 0)),
        (".conf", (".conf", None, 0)),
    ],
)
def test_names_have_counters(name: str, expected: tuple[object, ...]) -> None:
    entry = read("efi /x.efi\n", f"loader/entries/{name}")
    assert (entry.id, entry.tries_left, entry.tries_done) == expected


def test_the_last_of_a_key_counts_and_is_told() -> None:
    entry = read("linux /a\nlinux /b\ntitle x\n")
    assert (entry.get("linux"), entry.get("version"), entry.repeated) == ("/b", "", ("linux",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title x\n", f"/{PATH}: it has neither linux nor efi, uki or uki-url"),
        ("linux\n", f"/{PATH}: it has neither linux nor efi, uki or uki-url"),
        ("linux /a\n\0", f"/{PATH}: it is no text: there is a NUL in it"),
    ],
)
def test_what_is_no_entry_is_refused(text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(text)
    assert caught.value.message == message


def test_entries_are_in_one_folder() -> None:
    paths = ["loader/entries/b.conf", "loader/entries/a.conf", "loader/entries/c/d.conf", "loader/e.conf"]
    assert entry_paths(of_bytes(dict.fromkeys([*paths, "loader/entries/x.txt"], b""))) == tuple(paths[1::-1])
    assert entry_paths(of_bytes({})) == ()


def order(*entries: tuple[str, str]) -> list[str]:
    made = [read(f"linux /x\n{text}", f"loader/entries/{name}.conf") for name, text in entries]
    return [entry.path[len("loader/entries/") : -5] for entry in in_order(made)]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((("a-5", ""), ("a-10", "")), ["a-10", "a-5"]),
        ((("z", ""), ("a", "sort-key x")), ["a", "z"]),
        ((("a", "sort-key b"), ("b", "sort-key a")), ["b", "a"]),
        ((("a", "sort-key x\nversion 5"), ("b", "sort-key x\nversion 10")), ["b", "a"]),
        ((("b", "sort-key x\nmachine-id 1"), ("a", "sort-key x\nmachine-id 0")), ["a", "b"]),
        ((("b", "sort-key x\nversion 1"), ("a", "sort-key x\nversion 1")), ["b", "a"]),
        ((("b+0-3", "sort-key a"), ("a", "")), ["a", "b+0-3"]),
        ((("a+1", ""), ("a+2", "")), ["a+2", "a+1"]),
        ((("a+1-2", ""), ("a+1-1", "")), ["a+1-1", "a+1-2"]),
    ],
)
def test_entries_are_sorted_as_a_menu_shows_them(
    entries: tuple[tuple[str, str], ...], expected: list[str]
) -> None:
    assert order(*entries) == expected
    assert order(*reversed(entries)) == expected


@pytest.mark.parametrize(
    ("older", "younger"),
    [
        ("1", "2"),
        ("9", "10"),
        ("1.9", "1.10"),
        ("1~rc1", "1"),
        ("1", "1-1"),
        ("1-1", "1^1"),
        ("1^1", "1.1"),
        ("122.1", "123~rc1-1"),
        ("123-a", "123-a.1"),
        ("123~rc1-1", "123"),
        ("123", "123-a"),
        ("123-a.1", "123-1"),
        ("123-1", "123^post1"),
        ("123^post1", "123.a-1"),
        ("123.a-1", "123.1-1"),
        ("123.1-1", "123a-1"),
        ("123a-1", "124-1"),
        ("A", "a"),
    ],
)
def test_versions_are_compared(older: str, younger: str) -> None:
    assert (newer(older, younger), newer(younger, older), newer(older, older)) == (-1, 1, 0)


def test_versions_that_are_written_otherwise_are_equal() -> None:
    assert newer("1.02", "1.2") == newer("1_2", "1 2") == 0
