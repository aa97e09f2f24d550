"""A check that cannot fail is a defect: every code of every table has an artifact that it rejects."""

from collections import Counter
from pathlib import Path

import pytest

from pipeline.checks.catalog import KINDS, Gate
from tests.checks import (
    test_cmdline,
    test_fat,
    test_initramfs,
    test_inittab,
    test_iso,
    test_kernel,
    test_program,
    test_uki,
)
from tests.fixtures.case import told

TESTS = {
    "kernel": test_kernel,
    "elf": test_program,
    "cmdline": test_cmdline,
    "initramfs": test_initramfs,
    "inittab": test_inittab,
    "uki": test_uki,
    "fat": test_fat,
    "iso": test_iso,
}


def codes() -> list[str]:
    """All codes of all tables."""
    return [
        code
        for kind in KINDS.values()
        for code in (kind.unreadable, *(rule.code for rule in (*kind.rules, *kind.together)))
    ]


def test_no_code_has_two_meanings() -> None:
    assert [code for code, count in Counter(codes()).items() if count > 1] == []


def test_every_code_has_a_case() -> None:
    tried = {case.code for test in TESTS.values() for case in (*test.CASES, *getattr(test, "PARTS", ()))}
    assert [code for code in codes() if code not in tried] == ["INIT000"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "inittab"])
def test_files_are_checked(kind: str, tmp_path: Path) -> None:
    test = TESTS[kind]
    path = tmp_path / "artifact"
    path.write_bytes(test.GOOD)
    assert Gate(kind)(path) == []
    path.write_bytes(test.CASES[0].image)
    assert told(Gate(kind)(path)) == test.CASES[0].expected
    with pytest.raises(FileNotFoundError):
        Gate(kind)(tmp_path / "missing")


def test_a_gate_names_the_module_of_all_rules() -> None:
    """A result's key holds the source of the module that its check says it is from."""
    assert Gate("uki").__module__ == "pipeline.checks.catalog"


@pytest.mark.parametrize(
    ("seen", "told_as"),
    [
        ("arm64 objects", {"ELF002", "UKI001"}),
        ("UEFI shell, BdsDxe … Not Found", {"ISO008", "FAT003"}),
        ("only BLK0: and BLK1:, no FS0:", {"ISO012", "ISO013"}),
        ("Disk full from mcopy", {"FAT000"}),
        ("BOOTX64.EFI returns at once, silently", {"KRN004", "CMD002"}),
        ("Unable to mount root fs", {"CMD001", "UKI008", "CPIO000", "CPIO008"}),
        ("the installer starts over and over", {"INIT006"}),
        ("the kernel input was a UKI", {"KRN001"}),
        ("an ISO of 134 MB", {"FAT006"}),
        ("another hash at each build", {"CPIO003", "CPIO005", "CPIO006", "FAT007", "ISO014", "ISO015"}),
    ],
)
def test_what_users_saw_go_wrong_has_rules(seen: str, told_as: set[str]) -> None:
    assert told_as <= set(codes()), seen
