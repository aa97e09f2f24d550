"""ISOs that GRUB starts, in plans, and by what ways they are."""

from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.checks.gate import Gate
from pipeline.cli import boot_test
from pipeline.debian import lock
from pipeline.plan.image import plan
from pipeline.project.checkout import load
from pipeline.report import Report
from pipeline.vm.machine import BY_BIOS, WAYS
from tests.conftest import Compare
from tests.fixtures import checkout
from tests.plan.test_image import listing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout whose ISO is started by GRUB."""
    root = checkout.write(tmp_path)
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text() + 'loader = "grub"\n')
    intent = lock.Intent("Makes GRUB.", ("grub-common",))
    (root / "containers/grub.toml").write_text('summary = "Makes GRUB."\npackages = ["grub-common"]\n')
    lock.write(checkout.lock_of("grub", intent), root / lock.path_of("grub"))
    return root


def test_kernel_and_initramfs_lie_on_it(root: Path, golden: Compare) -> None:
    steps = plan(load(root), "toy")
    golden("plan-grub-medium.txt", listing(steps[-3:], root))
    assert steps[-1].params["cmdline"] == "rdinit=/sbin/init medium=TOY"
    volume = steps[-2].checks["efi.img"]
    assert isinstance(volume, Gate)
    assert volume.allowed == ("FAT008",)  # firmware starts GRUB, not a UKI


def test_a_bios_starts_it_too(root: Path) -> None:
    assert boot_test.ways_of(Session(root, Report()), "toy") == [*WAYS, *BY_BIOS]
