"""A check that cannot fail is a defect: every code of every table has an artifact that it rejects."""

import inspect
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.checks import netboot, whole
from pipeline.checks.catalog import KINDS, take_apart
from pipeline.checks.finding import Rule
from pipeline.checks.gate import Gate
from pipeline.checks.medium import starting
from pipeline.plan.step import modules_of
from tests.checks import (
    test_cmdline,
    test_compressed,
    test_disk,
    test_elf,
    test_filesystem,
    test_inittab,
    test_kernel,
    test_netboot,
    test_partition_set,
    test_update,
    test_verity,
)
from tests.checks.boot import test_rules as boot_rules
from tests.checks.disk_formats import test_gce, test_ova, test_qcow2, test_vhd, test_vmdk
from tests.checks.fat import test_rules as fat_rules
from tests.checks.initramfs import test_rules as initramfs_rules
from tests.checks.iso import test_rules as iso_rules
from tests.checks.pe import test_efi, test_uki, test_uki_parts
from tests.checks.root import test_rules as root_rules
from tests.conftest import lacking
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.initramfs import PROGRAMS
from tests.inspection import test_limits, test_media, test_text

TESTS: dict[str, Any] = {
    "kernel": test_kernel,
    "bzimage": test_kernel,
    "efi": test_efi,
    "packed": test_compressed,
    "elf": test_elf,
    "cmdline": test_cmdline,
    "initramfs": initramfs_rules,
    "inittab": test_inittab,
    "uki": test_uki,
    "fat": fat_rules,
    "iso": iso_rules,
    "disk": test_disk,
    "root": root_rules,
    "boot-tree": boot_rules,
    **test_filesystem.TABLES,
    "qcow2": test_qcow2,
    "vhd": test_vhd,
    "vmdk": test_vmdk,
    "ova": test_ova,
    "gce": test_gce,
    "update": test_update,
    "partition-set": test_partition_set,
    "verity": test_verity,
    **test_uki_parts.TABLES,
}


# of a kernel that nobody starts less is asked than of one in a UKI, and the cases are the same
LESS = {"bzimage": {rule.code for rule in KINDS["bzimage"].rules} | {KINDS["bzimage"].unreadable}}

CASES = [
    (kind, case)
    for kind, test in TESTS.items()
    for table in ("CASES", "PARTS", "TOGETHER")
    for case in getattr(test, table, ())
    if case.code in LESS.get(kind, {case.code})
]
CASES += [("ext", case) for case in boot_rules.ON_EXT]


def codes() -> list[str]:
    """All codes of all tables."""
    rules = [rule.code for kind in KINDS.values() for rule in kind.all_rules]
    return sorted({code for code in (*rules, *(kind.unreadable for kind in KINDS.values())) if code})


def test_every_kind_has_tests() -> None:
    assert set(TESTS) == set(KINDS)


OTHERS: tuple[Rule[Any], ...] = (*whole.rule.table, *starting.rule.table, *netboot.rule.table)
"""The rules that are of no kind."""


def test_no_code_has_two_meanings() -> None:
    rules = {rule for kind in KINDS.values() for rule in kind.all_rules}
    unreadable = {kind.unreadable for kind in KINDS.values() if kind.unreadable}
    counts = Counter([*(rule.code for rule in (*rules, *OTHERS)), *unreadable])
    assert [code for code, count in counts.items() if count > 1] == []


ELSEWHERE = {
    "BOOT001": test_text,
    "BOOT002": test_media,
    "INS001": test_limits,
    **dict.fromkeys(("NET000", "NET001", "NET002"), test_netboot),
}
"""Codes of no kind's table: the tests that provoke them."""


def test_every_code_has_a_case() -> None:
    tried = {case.code for _, case in CASES}
    assert [code for code in codes() if code not in tried] == []
    assert {rule.code for rule in OTHERS} == ELSEWHERE.keys()
    assert [code for code, test in ELSEWHERE.items() if code not in inspect.getsource(test)] == []


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}: {name(case)}" for kind, case in CASES])
def test_a_fault_is_told_by_its_code_and_by_no_other(kind: str, case: Case) -> None:
    place = "initramfs" if kind == "inittab" else kind
    # what is told of anybody's parts that do not go together, rules of a policy tell too
    is_together = case in getattr(TESTS[kind], "TOGETHER", ())
    findings = (
        take_apart(case.image, "artifact", place).all_findings() if is_together else found(place, case.image)
    )
    assert {finding.code for finding in findings} == {case.code}


@pytest.mark.container
def test_what_is_built_here_breaks_no_rule(session: Session) -> None:
    for image, steps in session.images.items():
        for step in steps:
            result = session.builder.result(step)
            for output, gate in step.checks.items():
                path = session.store.find(result.outputs[output]) if result else None
                if path is None:
                    lacking(f"{output} of {image} has not been built: run `./doit iso`")
                assert gate(path) == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "inittab"])
def test_files_are_checked(kind: str, tmp_path: Path) -> None:
    test = TESTS[kind]
    path = tmp_path / "artifact"
    path.write_bytes(test.GOOD)
    assert Gate(kind, programs=PROGRAMS)(path) == []
    for case in test.CASES[:1]:
        path.write_bytes(case.image)
        assert told(Gate(kind, programs=PROGRAMS)(path)) == case.expected
    with pytest.raises(FileNotFoundError):
        Gate(kind)(tmp_path / "missing")


def test_a_gate_names_the_module_of_all_rules() -> None:
    """A result's key holds the source of the module that its check says it is from."""
    taken = modules_of([Gate("uki").__module__])
    faults = [getattr(rule.faults, "func", rule.faults) for kind in KINDS.values() for rule in kind.rules]
    assert {each.__module__ for each in faults} <= taken.keys()


@pytest.mark.parametrize(
    ("seen", "told_as"),
    [
        ("arm64 objects", {"ELF002", "UKI001"}),
        ("UEFI shell, BdsDxe … Not Found", {"ISO008", "FAT003"}),
        ("only BLK0: and BLK1:, no FS0:", {"ISO012", "ISO013"}),
        ("Disk full from mcopy", {"FAT000"}),
        ("BOOTX64.EFI returns at once, silently", {"KRN004", "CMD002"}),
        ("Unable to mount root fs", {"CMD001", "UKI008", "CPIO000", "CPIO008"}),
        ("the kernel input was a UKI", {"KRN001"}),
        ("an ISO of 134 MB", {"FAT006"}),
        ("another hash at each build", {"CPIO003", "CPIO005", "CPIO006", "FAT007", "ISO014", "ISO015"}),
    ],
)
def test_what_users_saw_go_wrong_has_rules(seen: str, told_as: set[str]) -> None:
    assert told_as <= set(codes()), seen
