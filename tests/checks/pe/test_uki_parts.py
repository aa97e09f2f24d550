"""A UKI's smaller sections: what they are, what is said of them, and that the newer ones are no faults."""

from types import SimpleNamespace

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.pe.uki_parts import Description, read_description
from pipeline.inspection.collect import facts_of
from pipeline.inspection.facts import DevicetreeFacts, HwidsDevice, HwidsFacts
from tests.fixtures.case import Case
from tests.fixtures.devicetree import dtb, hwids
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.pcrsig import pcrsig
from tests.fixtures.pe import pe
from tests.fixtures.uki import uki

ONE, TWO = "da1da34f-f6b1-5b0f-9c4d-6f7a7a0f7f0a", "11111111-f6b1-5b0f-9c4d-6f7a7a0f7f0a"
HWIDS = hwids((1, ONE, "Bugcase one", "bugcase,board-one"), (1, TWO, "Bugcase two", "bugcase,board-two"))


TABLES = {
    "devicetree": SimpleNamespace(
        GOOD=dtb("Board", ["acme,board"]),
        CASES=(
            Case("DTB000", b"milk, eggs, bread", ("device tree: it begins with 0x6d696c6b, not 0xd00dfeed",)),
        ),
    ),
    "hwids": SimpleNamespace(
        GOOD=HWIDS, CASES=(Case("HWI000", HWIDS[:56], (".hwids: its list has no end",)),)
    ),
    "pcrsig": SimpleNamespace(
        GOOD=pcrsig([bytes(32)]),
        CASES=(
            Case(
                "PCR000",
                b"{",
                (
                    ".pcrsig: it is no JSON of signed policies: "
                    "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
                ),
            ),
        ),
    ),
    "profile": SimpleNamespace(GOOD=b"ID=main\n", CASES=()),
}


@pytest.mark.parametrize(
    ("text", "found", "short"),
    [
        (b"ID=main\nTITLE=The main one\n", Description("main", "The main one"), "main, The main one"),
        (b"VERSION=1\nID='a b'\0TITLE=x", Description("a b", ""), "a b"),
        (b"", Description("", ""), ""),
    ],
)
def test_a_profile_s_description(text: bytes, found: Description, short: str) -> None:
    assert (read_description(text), read_description(text).in_short) == (found, short)


def test_device_trees_for_several_machines_are_no_duplicates() -> None:
    trees = [dtb(f"Bugcase {name}", [f"bugcase,board-{name}", "bugcase,soc"]) for name in ("one", "two")]
    image = uki(
        {".ucode": newc([Raw("extra", FILE, b"x")])},
        more=[*((".dtbauto", tree) for tree in trees), (".hwids", HWIDS)],
    )
    node = take_apart(image, "uki")
    assert [finding.code for finding in node.all_findings()] == ["UKI019"]
    found = {child.name: facts_of(child) for child in node.children}
    for name, board in ((".dtbauto", "one"), (".dtbauto (2)", "two")):
        compatible = [f"bugcase,board-{board}", "bugcase,soc"]
        assert found[name] == DevicetreeFacts("devicetree", f"Bugcase {board}", compatible)
    assert found[".hwids"] == HwidsFacts(
        "hwids",
        [
            HwidsDevice("devicetree", ONE, "Bugcase one", "bugcase,board-one"),
            HwidsDevice("devicetree", TWO, "Bugcase two", "bugcase,board-two"),
        ],
    )
    ucode = node.child(".ucode")
    assert ucode
    assert ucode.kind
    assert ucode.kind.name == "initramfs"


def test_an_addon_s_sections_are_read_too() -> None:
    node = take_apart(pe({".dtb": dtb("Board", ["acme,board"]), ".hwids": b""}), "addon.efi")
    assert [child.kind.name if child.kind else "" for child in node.children] == ["devicetree", ""]
