"""Whatever a file's bytes are, a check answers with findings: it neither breaks nor hangs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.checks.finding import Finding
from tests.checks import test_compressed, test_disk, test_elf, test_kernel
from tests.checks.fat import test_rules as fat_rules
from tests.checks.initramfs import test_rules as initramfs_rules
from tests.checks.iso import test_rules as iso_rules
from tests.checks.pe import test_efi, test_uki
from tests.fixtures.case import found
from tests.fixtures.elf import elf
from tests.fixtures.initramfs import members
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.uki import CMDLINE

SUBJECTS: dict[str, tuple[str, bytes]] = {
    "kernel": ("kernel", test_kernel.GOOD),
    "installer": ("elf", test_elf.GOOD),
    "dynamic installer": (
        "elf",
        elf(interpreter="/lib/ld.so", needed=("libc.so",), symbols=True),
    ),
    "cmdline": ("cmdline", CMDLINE),
    "initramfs": ("initramfs", initramfs_rules.GOOD),
    "unpacked initramfs": (
        "initramfs",
        newc(members().values()),
    ),
    "initramfs with a dynamic program": (
        "initramfs",
        newc(
            [
                *members().values(),
                Raw("bin/tool", FILE | 0o111, elf(interpreter="/lib/ld.so", needed=("a.so",))),
                Raw("etc/ld.so.conf", FILE, b"include ld.so.conf.d/*\n/opt\n"),
            ]
        ),
    ),
    "EFI program": ("efi", test_efi.GOOD),
    "packed": ("packed", test_compressed.GOOD),
    "UKI": ("uki", test_uki.GOOD),
    "FAT": ("fat", fat_rules.GOOD),
    "ISO": ("iso", iso_rules.GOOD),
    "disk": ("disk", test_disk.GOOD),
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
