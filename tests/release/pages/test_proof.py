"""What is proved of a medium: each rule is told with what it found, and no fault is lost."""

from dataclasses import replace

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import POLICIES, Finding, Severity
from pipeline.inspection.questions import interviewed
from pipeline.release.pages.proof import Judged, Way, judged, ways
from tests.fixtures.fat import fat
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.release_pages import medium
from tests.fixtures.uki import uki

GOOD = medium()


def proof(image: bytes) -> tuple[dict[str, Judged], dict[str, Way]]:
    node, answers = interviewed(take_apart(image, "x", policies=tuple(POLICIES)))
    found = ways(node, answers)
    return {each.kind: each for each in judged(node, tuple(POLICIES))}, {each.title: each for each in found}


def faults(groups: dict[str, Judged]) -> dict[str, tuple[str, ...]]:
    return {rule.code: rule.faults for each in groups.values() for rule in each.rules if rule.faults}


def test_of_a_good_one_all_rules_hold_and_say_of_what() -> None:
    groups, _ = proof(GOOD)
    assert faults(groups) == {}
    assert list(groups)[:3] == ["ISO 9660 image", "FAT file system", "UKI"]
    assert groups["UKI"].artifacts == ("x!efi.img!EFI/BOOT/BOOTX64.EFI",)
    assert len(groups["ELF program"].artifacts) == 2
    rules = {rule.code: rule for rule in groups["ISO 9660 image"].rules}
    assert (rules["ISO000"].holds, rules["ISO014"].policy) == ("it can be read", "reproducible")
    assert rules["INS001"].holds == "all of it is looked at"
    assert "INS001" not in {rule.code for rule in groups["UKI"].rules}


@pytest.mark.parametrize(
    ("image", "codes"),
    [
        (iso(boots=False), {"ISO016"}),
        (iso(efi_image().replace(b"rdinit=/sbin/init", b"rdinit=/sbin/nono")), {"CMD001", "UKI013"}),
        (GOOD[:-1], {"ISO011"}),
    ],
)
def test_every_finding_is_told_with_its_artifact(image: bytes, codes: set[str]) -> None:
    node, _ = interviewed(take_apart(image, "x", policies=tuple(POLICIES)))
    groups, _ = proof(image)
    found = faults(groups)
    assert codes <= set(found)
    assert sum(map(len, found.values())) == sum(len(each.findings) for _, each in node.walk() if each.kind)
    assert all(fault.startswith("x") for each in found.values() for fault in each)
    assert sum(each.faults for each in groups.values()) == sum(map(len, found.values()))


def test_what_firmware_finds_nothing_to_start_in_is_told() -> None:
    groups, found = proof(iso(fat({"EFI/BOOT/NOTHING.EFI": uki()})))
    assert set(faults(groups)) == {"BOOT001", "FAT003"}
    assert found["UEFI, from CD"].answer.verdict == "no"


def test_a_finding_of_no_known_rule_is_told_all_the_same() -> None:
    node = take_apart(GOOD, "x")
    odd = replace(node, findings=(Finding("ODD001", Severity.ERROR, "odd", "mend it"),))
    (rule,) = (rule for rule in judged(odd, ())[0].rules if rule.code == "ODD001")
    assert (rule.holds, rule.faults) == ("", ("x: odd",))


def test_the_ways_of_starting_a_medium_are_told_step_by_step() -> None:
    _, found = proof(GOOD)
    assert list(found) == ["UEFI, from CD", "UEFI, from USB"]
    cd = found["UEFI, from CD"]
    assert cd.answer.verdict == "yes"
    assert cd.steps[-1].text.endswith(": started")


def test_what_is_no_medium_has_no_such_ways() -> None:
    _, found = proof(uki())
    assert found == {}
