"""Whatever a file's bytes are, a check answers with findings: it neither breaks nor hangs."""

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.checks import cmdline, efi_image, initramfs, installer, iso, kernel, uki
from pipeline.checks.finding import Finding
from tests.checks import test_efi_image, test_initramfs, test_installer, test_iso, test_kernel, test_uki
from tests.fixtures.elf import elf
from tests.fixtures.initramfs import members
from tests.fixtures.newc import newc
from tests.fixtures.uki import CMDLINE

SUBJECTS = {
    "kernel": (kernel.KIND.findings, test_kernel.GOOD),
    "installer": (installer.KIND.findings, test_installer.GOOD),
    "dynamic installer": (
        installer.KIND.findings,
        elf(interpreter="/lib/ld.so", needed=("libc.so",), symbols=True),
    ),
    "cmdline": (cmdline.KIND.findings, CMDLINE),
    "initramfs": (initramfs.KIND.findings, test_initramfs.GOOD),
    "unpacked initramfs": (
        lambda archive: initramfs.KIND.findings(zstandard.compress(archive)),
        newc(members().values()),
    ),
    "UKI": (uki.KIND.findings, test_uki.GOOD),
    "FAT": (efi_image.KIND.findings, test_efi_image.GOOD),
    "ISO": (iso.KIND.findings, test_iso.GOOD),
}


@pytest.mark.parametrize("subject", SUBJECTS)
@settings(derandomize=True, deadline=None, max_examples=150)
@given(data=st.data())
def test_damage_is_always_answered(subject: str, data: st.DataObject) -> None:
    findings, good = SUBJECTS[subject]
    image = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        # most of a large image is padding or contents: aim at where headers are
        near = data.draw(st.sampled_from([len(image), min(len(image), 1024)]))
        offset = data.draw(st.integers(0, near - 1))
        image[offset : offset + 4] = data.draw(st.binary(min_size=1, max_size=4))
    size = data.draw(st.sampled_from([len(image), data.draw(st.integers(0, len(image)))]))
    assert all(isinstance(finding, Finding) for finding in findings(bytes(image[:size])))
