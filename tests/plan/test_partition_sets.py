"""Sets of partitions in plans: what one is made of, and what carries it."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.plan.image import plan
from pipeline.project.checkout import load
from tests.conftest import Compare
from tests.fixtures import boot_system
from tests.fixtures.checkout import RECIPE
from tests.plan.test_image import listing


def carrying(root: Path) -> Path:
    """Add the recipe `installer`, an ISO that carries the toy."""
    shutil.copytree(
        root / "recipes/toy", root / "recipes/installer", ignore=shutil.ignore_patterns("repart.d")
    )
    text = RECIPE.replace("[image]", '[image]\ncarries = "toy"').replace("Toy.efi", "Installer.efi")
    (root / "recipes/installer/recipe.toml").write_text(text)
    return root


def test_a_set_is_made_of_what_is_on_the_disk(tmp_path: Path, golden: Compare) -> None:
    root = boot_system.write(tmp_path)
    step = plan(load(root), "toy")[-1]
    golden("plan-partition-set.txt", listing((step,), root))
    assert step.params["folder"] == "toy"
    assert step.params["trees"] == {"root.ext4": "root", "boot.ext4": "boot", "esp.fat": "grub"}


def test_an_installer_carries_the_set_and_makes_no_disk(tmp_path: Path) -> None:
    steps = {step.name: step for step in plan(load(carrying(boot_system.write(tmp_path))), "installer")}
    initramfs = steps["initramfs:installer"]
    payload = initramfs.inputs["payload"]
    assert payload == steps["partition-set:toy"].output("toy.partitions.tar")
    assert initramfs.params["carried"] == "payload/"
    assert "filesystem:toy:root" in steps
    assert not {"disk:toy", "uki:toy"} & steps.keys()
    assert not steps["partition-set:toy"].published


def test_one_whose_disk_is_not_started_by_grub_is_not_carried(tmp_path: Path) -> None:
    root = carrying(boot_system.write(tmp_path))
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().partition("[disk]")[0])
    with pytest.raises(ConfigError) as caught:
        plan(load(root), "installer")
    assert caught.value.mistakes == ["recipes/installer/recipe.toml: image.carries: toy has no [disk]"]
