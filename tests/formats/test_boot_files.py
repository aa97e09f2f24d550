import pytest

from pipeline.errors import FormatError
from pipeline.formats.boot_files import MAX_TEXT, Files, of_bytes, with_parents

FILES = of_bytes(
    {"boot/vmlinuz": b"kernel", "grub/grub.cfg": b"\xffx", "grub/a/b": b""},
    {
        "kernel": "boot/vmlinuz",
        "boot/up": "../grub",
        "absolute": "/boot/up/grub.cfg",
        "round": "round",
        "nowhere": "/x",
        "top": "/",
    },
)


def test_names_are_all_paths() -> None:
    assert sorted(FILES.names()) == sorted(
        ["boot/", "grub/", "grub/a/", "boot/vmlinuz", "grub/grub.cfg", "grub/a/b", *FILES.links],
    )
    assert sorted(Files({}, others={"null"}).names()) == ["null"]
    assert with_parents(["/a/b/c", "d/e"]) == {"/a", "/a/b", "d"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/boot/vmlinuz", "boot/vmlinuz"),
        ("//boot/./vmlinuz", "boot/vmlinuz"),
        ("kernel", "boot/vmlinuz"),
        ("boot/up/grub.cfg", "grub/grub.cfg"),
        ("absolute", "grub/grub.cfg"),
        ("../boot", "boot"),
        ("grub/a/../a/b", "grub/a/b"),
        ("/", ""),
        ("top", ""),
        ("top/boot", "boot"),
        ("round", None),
        ("nowhere", None),
        ("boot/vmlinuz/x", None),
        ("BOOT/vmlinuz", None),
    ],
)
def test_paths_are_followed(path: str, found: str | None) -> None:
    assert FILES.find(path) == found


def test_case_counts_where_it_does() -> None:
    files = Files({"EFI/Boot.cfg": b"x"}, folders=frozenset({"EFI"}), ignore_case=True)
    assert files.find("/efi/BOOT.CFG") == "EFI/Boot.cfg"
    assert files.read("efi/boot.cfg") == b"x"


def test_text_keeps_what_is_no_utf_8() -> None:
    assert FILES.text("absolute") == "\udcffx"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("x", "/x is not there"),
        ("/boot", "/boot is no file"),
        ("large", f"/large has {MAX_TEXT + 1} bytes, which is no file with settings"),
    ],
)
def test_what_cannot_be_read_is_named(path: str, message: str) -> None:
    files = of_bytes({"large": bytes(MAX_TEXT + 1), "boot/a": b""})
    with pytest.raises(FormatError) as caught:
        files.read(path)
    assert caught.value.message == message
