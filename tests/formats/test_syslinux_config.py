"""The configuration of syslinux and its relatives: what is started where nobody chooses."""

import pytest

from pipeline.errors import FormatError
from pipeline.formats.syslinux_config import Label, read_config

MENU = """\
UI menu.c32
DEFAULT first
LABEL first
  KERNEL /one
LABEL second
  MENU DEFAULT
  LINUX /two
  APPEND initrd=/a,/b quiet
"""


def chosen(text: str, included: str = "") -> Label | None:
    return read_config(text, lambda _: included).chosen


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("", None),
        ("DEFAULT x", Label("x", image="x")),
        ("DEFAULT /vmlinuz initrd=/i quiet", Label("/vmlinuz", image="/vmlinuz", append="initrd=/i quiet")),
        ("DEFAULT X\nlabel x\n\tkernel k one two\n", Label("x", "kernel", "k", "one two")),
        ("DEFAULT x\nLABEL x\nLINUX k\nAPPEND a\nINITRD i,j", Label("x", "linux", "k", "a", ("i", "j"))),
        ("APPEND all\nDEFAULT x\nLABEL x\nLINUX k", Label("x", "linux", "k", "all")),
        ("APPEND all\nDEFAULT x\nLABEL x\nLINUX k\nAPPEND -", Label("x", "linux", "k")),
        ("LABEL x\nLINUX k\n", None),
        ("UI vesamenu.c32\nLABEL x\nLINUX k\nLABEL y", Label("x", "linux", "k")),
        ("DEFAULT menu.c32\nLABEL x\nLINUX k", Label("x", "linux", "k")),
        ("DEFAULT x\nLABEL x\nCOM32 chain.c32 hd0 1", Label("x", "com32", "chain.c32", "hd0 1")),
        ("DEFAULT x\nLABEL x\nLOCALBOOT 0x80", Label("x", "localboot", "0x80")),
        (MENU, Label("second", "linux", "/two", "initrd=/a,/b quiet")),
        ("# DEFAULT y\n  DEFAULT x\n", Label("x", image="x")),
    ],
)
def test_the_default_is_chosen(text: str, label: Label | None) -> None:
    assert chosen(text) == label


def test_initramfs_archives_stand_in_two_places() -> None:
    assert Label("x", append="initrd=/a,/b quiet initrd=/c").files == ("/c",)
    assert Label("x", append="initrd=/a", initrds=("/b",)).files == ("/b",)
    assert Label("x", append="quiet").files == ()


def test_a_menu_is_a_module() -> None:
    assert read_config(MENU, str).module == "menu.c32"
    assert read_config("DEFAULT vesamenu.c32 x.cfg", str).module == "vesamenu.c32"
    assert read_config("DEFAULT x", str).module == ""


@pytest.mark.parametrize("line", ["INCLUDE more.cfg", "MENU INCLUDE more.cfg"])
def test_other_files_are_included(line: str) -> None:
    assert chosen(f"DEFAULT x\n{line}\n", "LABEL x\nLINUX k\n") == Label("x", "linux", "k")


def test_files_that_include_themselves_end() -> None:
    with pytest.raises(FormatError, match="its configurations include each other"):
        read_config("INCLUDE x", lambda _: "INCLUDE x")
    with pytest.raises(FormatError, match="it has more than 20000 lines"):
        read_config("LABEL x\n" * 20_001, str)
