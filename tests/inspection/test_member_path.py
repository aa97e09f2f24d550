"""Names of strangers' members."""

import pytest

from pipeline.checks.quoting import shown
from pipeline.inspection.member_path import closeness, path_of


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("etc/inittab", "etc/inittab"),
        ("prüfung", "prüfung"),
        ("a\x1b[2Jb\n", "a\\x1b[2Jb\\x0a"),
        ("\x9b31m", "\\x9b31m"),
        ("txt.\u202egpj", "txt.\\u202egpj"),
        (b"\xff\x1b".decode(errors="surrogateescape"), "\\xff\\x1b"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_is_odd_is_escaped(name: str, printed: str) -> None:
    assert shown(name) == printed
    assert shown(name).encode()


def test_a_path_is_one_line() -> None:
    assert path_of(("x.iso", "efi.img", "a\nb")) == "x.iso!efi.img!a\\x0ab"


@pytest.mark.parametrize(
    ("name", "wanted", "close"),
    [
        ("EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/BOOTX64.EFI", 2),
        ("EFI/BOOT/BOOTX64.EFI", "efi/boot/bootx64.efi", 1),
        ("etc/inittab", "/etc/inittab", 2),
        ("/etc/inittab", "etc/inittab", 2),
        ("etc", "etc/", 2),
        ("a\nb", "a\\x0ab", 2),
        ("a", "b", 0),
    ],
)
def test_how_well_a_name_is_meant(name: str, wanted: str, close: int) -> None:
    assert closeness(name, wanted) == close
