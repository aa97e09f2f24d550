"""A check that cannot fail is a defect: every code of every table has an artifact that it rejects."""

from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.checks import cmdline, efi_image, initramfs, inittab, installer, iso, kernel, uki
from tests.checks import (
    test_cmdline,
    test_efi_image,
    test_initramfs,
    test_inittab,
    test_installer,
    test_iso,
    test_kernel,
    test_uki,
)
from tests.fixtures.case import told

MODULES = (
    (kernel, test_kernel),
    (installer, test_installer),
    (cmdline, test_cmdline),
    (initramfs, test_initramfs),
    (uki, test_uki),
    (efi_image, test_efi_image),
    (iso, test_iso),
)


def codes() -> list[str]:
    """All codes of all tables."""
    kinds = [module.KIND for module, _ in MODULES]
    found = [code for kind in kinds for code in (kind.unreadable, *(rule.code for rule in kind.rules))]
    return found + [rule.code for rule in inittab.RULES]


def test_no_code_has_two_meanings() -> None:
    assert [code for code, count in Counter(codes()).items() if count > 1] == []


def test_every_code_has_a_case() -> None:
    tests = [test_inittab, *(test for _, test in MODULES)]
    tried = {case.code for test in tests for case in test.CASES}
    assert [code for code in codes() if code not in tried] == []


@pytest.mark.parametrize(("module", "test"), MODULES, ids=lambda module: module.__name__)
def test_files_are_checked(module: ModuleType, test: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "artifact"
    path.write_bytes(test.GOOD)
    assert module.check(path) == []
    path.write_bytes(test.CASES[0].image)
    assert told(module.check(path)) == test.CASES[0].expected
    with pytest.raises(FileNotFoundError):
        module.check(tmp_path / "missing")


@pytest.mark.parametrize(("module", "test"), MODULES, ids=lambda module: module.__name__)
def test_a_check_names_the_module_of_its_rules(module: ModuleType, test: ModuleType) -> None:
    """A result's key holds the source of the module that its check says it is from."""
    assert module.check.__module__ == module.__name__


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
