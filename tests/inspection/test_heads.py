"""Would Heads start it? Of disks, file systems and ISOs; `tests/formats/test_heads.py` has the reasons."""

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.inspection.questions import answers
from tests.fixtures.bzimage import bzimage
from tests.fixtures.fat import fat
from tests.fixtures.gpt import DATA, SECTOR, with_gpt
from tests.fixtures.initramfs import changed
from tests.fixtures.iso import iso_of

KERNEL = bzimage()
CONFIG = b"menuentry 'One' {\nlinux /KERNEL quiet\ninitrd /INITRD\n}\n"


def disk(system: bytes) -> bytes:
    return with_gpt(bytes(64 * SECTOR) + system, 64, 63 + len(system) // SECTOR, kind=DATA)


ISO = {"grub/grub.cfg": CONFIG, "KERNEL": KERNEL, "INITRD": b"x"}
LARGE = 4200  # clusters: more than the 2 MiB below which Heads looks at no partition


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (
            iso_of(ISO),
            "yes: Heads finds 1 of its entries, the first 'One', and its signature lies beside it, with .asc "
            "or .sig added to its name",
        ),
        (iso_of({"README": b""}), "no: Heads finds no entry that it can start"),
        (
            disk(fat({})),
            f"no: GPT partition 1: the partition has {len(fat({}))} bytes, and Heads looks at none below "
            "2097152",
        ),
        (disk(b"x" * SECTOR), "no: it has no file system that Heads mounts"),
        (
            disk(fat({"KERNEL": KERNEL}, kind="FAT16", clusters=LARGE)),
            "no: GPT partition 1: there is no /grub at its top, by which Heads knows a /boot",
        ),
        (changed(), "not applicable: "),
    ],
)
def test_it_is_said(image: bytes, said: str) -> None:
    answer = next(each for each in answers(take_apart(image, "artifact")) if each.question == "heads")
    assert f"{answer.verdict}: {answer.because}" == said
