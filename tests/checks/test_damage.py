"""Whatever a file's bytes are, a check answers with findings: it neither breaks nor hangs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.checks import cmdline, disk, kernel
from pipeline.checks import compressed as packed
from pipeline.checks import elf as program
from pipeline.checks.fat import rules as fat
from pipeline.checks.finding import Finding
from pipeline.checks.initramfs import rules as initramfs
from pipeline.checks.iso import rules as iso
from pipeline.checks.kind import Kind
from pipeline.checks.pe import efi, uki
from tests.checks import test_compressed as test_packed
from tests.checks import test_disk, test_kernel
from tests.checks import test_elf as test_program
from tests.checks.fat import test_rules as test_fat
from tests.checks.initramfs import test_rules as test_initramfs
from tests.checks.iso import test_rules as test_iso
from tests.checks.pe import test_efi, test_uki
from tests.fixtures.case import found
from tests.fixtures.elf import elf
from tests.fixtures.initramfs import members
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.uki import CMDLINE

SUBJECTS: dict[str, tuple[Kind[Any], bytes]] = {
    "kernel": (kernel.KIND, test_kernel.GOOD),
    "installer": (program.KIND, test_program.GOOD),
    "dynamic installer": (
        program.KIND,
        elf(interpreter="/lib/ld.so", needed=("libc.so",), symbols=True),
    ),
    "cmdline": (cmdline.KIND, CMDLINE),
    "initramfs": (initramfs.KIND, test_initramfs.GOOD),
    "unpacked initramfs": (
        initramfs.KIND,
        newc(members().values()),
    ),
    "initramfs with a dynamic program": (
        initramfs.KIND,
        newc(
            [
                *members().values(),
                Raw("bin/tool", FILE | 0o111, elf(interpreter="/lib/ld.so", needed=("a.so",))),
                Raw("etc/ld.so.conf", FILE, b"include ld.so.conf.d/*\n/opt\n"),
            ]
        ),
    ),
    "EFI program": (efi.KIND, test_efi.GOOD),
    "packed": (packed.KIND, test_packed.GOOD),
    "UKI": (uki.KIND, test_uki.GOOD),
    "FAT": (fat.KIND, test_fat.GOOD),
    "ISO": (iso.KIND, test_iso.GOOD),
    "disk": (disk.KIND, test_disk.GOOD),
}


@pytest.mark.parametrize("subject", SUBJECTS)
@settings(derandomize=True, deadline=None, max_examples=150)
@given(data=st.data())
def test_damage_is_always_answered(subject: str, data: st.DataObject) -> None:
    kind, good = SUBJECTS[subject]
    image = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        # most of a large image is padding or contents: aim at where headers are
        near = data.draw(st.sampled_from([len(image), min(len(image), 1024)]))
        offset = data.draw(st.integers(0, near - 1))
        image[offset : offset + 4] = data.draw(st.binary(min_size=1, max_size=4))
    size = data.draw(st.sampled_from([len(image), data.draw(st.integers(0, len(image)))]))
    assert all(isinstance(finding, Finding) for finding in found(kind, bytes(image[:size])))
