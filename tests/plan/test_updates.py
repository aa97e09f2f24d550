"""What a recipe that boots by systemd-boot has more: an ESP with a loader, and updates; in plans."""

from pathlib import Path

import pytest

from pipeline.debian import lock
from pipeline.debian.lock import SetIntent
from pipeline.errors import ConfigError
from pipeline.plan import updates
from pipeline.plan.image import plan
from pipeline.plan.step import Output, Source, Step
from pipeline.project.checkout import load
from tests.conftest import Compare
from tests.fixtures import checkout
from tests.plan.test_image import keys, listing
from tests.plan.test_systems import REPART, with_system

LOADER = ('tree = "uki"', 'tree = "uki"\nboot = "systemd-boot"')
A_B = {
    "20-root.conf": "[Partition]\nType=root\nLabel=%M_%A\nCopyBlocks=/root.erofs\n",
    "30-root-verity.conf": "[Partition]\nType=root-verity\nLabel=%M_%A_verity\nCopyBlocks=/root.verity\n",
    "50-root.conf": "[Partition]\nType=root\nLabel=_empty\nSizeMinBytes=64M\n",
    "60-root-verity.conf": "[Partition]\nType=root-verity\nLabel=_empty\nSizeMinBytes=1M\n",
}


def with_updates(
    root: Path, *changes: tuple[str, str], packages: tuple[str, ...] = ("systemd-boot",)
) -> Path:
    """Write a checkout whose recipe is a whole system that is updated."""
    with_system(root, LOADER, *changes)
    for name, text in (REPART | A_B).items():
        (root / "recipes/toy/repart.d" / name).write_text(text)
    intent = SetIntent("Bare.", ("systemd", *packages), links={"usr/bin/b": "a"})
    named = ", ".join(f'"{each}"' for each in intent.packages)
    (root / "roots/bare.toml").write_text(
        f'summary = "Bare."\npackages = [{named}]\nlinks = {{ "usr/bin/b" = "a" }}\n'
    )
    lock.write(checkout.set_lock_of("bare", intent), root / lock.path_of("bare"))
    return root


def steps_of(root: Path) -> dict[str, Step]:
    return {step.name: step for step in plan(load(root), "toy")}


def test_the_plan_of_what_is_updated(tmp_path: Path, golden: Compare) -> None:
    root = with_updates(tmp_path)
    more = ("systemd-boot:toy", "filesystem:toy:esp", "update:toy", "disk:toy")
    steps = steps_of(root)
    golden("plan-updates.txt", listing(tuple(steps[name] for name in more), root))
    assert steps["update:toy"].params == {
        "output": "toy_1.0.update.tar",
        "image": "toy",
        "version": "1.0",
        "data": "root.erofs",
        "epoch": checkout.EPOCH,
    }
    said = steps["uki:toy"].params["os_release"]
    assert said.startswith('NAME="toy"\nPRETTY_NAME="toy 1.0')  # not the project's product
    assert said.endswith("IMAGE_ID=toy\nIMAGE_VERSION=1.0\n")
    assert {steps[name].params["version"] for name in ("root:toy", "disk:toy")} == {"1.0"}


def test_a_loader_is_told_what_the_recipe_says(tmp_path: Path) -> None:
    root = with_updates(tmp_path, ('label = "ESP"', 'label = "ESP"\nloader = "loader.conf"'))
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [
        "recipes/toy/recipe.toml: filesystems.esp.loader: there is no loader.conf in the recipe's folder"
    ]
    own = root / "recipes/toy/loader.conf"
    own.write_text("timeout 9\n")
    assert steps_of(root)["systemd-boot:toy"].inputs == {"loader.conf": Source(own)}


def test_the_version_that_follows_is_another_image_of_the_same_programs(tmp_path: Path) -> None:
    project = load(with_updates(tmp_path))
    now, then = (
        {step.name: step for step in plan(each, "toy")} for each in (project, updates.following(project))
    )
    assert then["update:toy"].outputs == ("toy_1.0.1.update.tar",)
    assert isinstance(then["update:toy"].inputs["uki"], Output)
    key_of = [keys(tuple(steps.values())) for steps in (now, then)]
    same = {name.partition(":")[0] for name in now if key_of[0][name] == key_of[1][name]}
    assert same.isdisjoint({"root", "initramfs", "uki", "update", "disk"})
    assert {"kernel", "packages", "systemd-boot"} <= same


WHERE = "recipes/toy/recipe.toml: "
MISTAKES = [
    (
        ('tree = "empty"', 'tree = "empty"\nboot = "systemd-boot"'),
        'filesystems.var.boot: firmware finds a boot loader on FAT, and this one boots what tree = "uki" is',
    ),
    (
        ('tree = "empty"', 'tree = "empty"\nloader = "splash.bmp"'),
        'filesystems.var.loader: it is read by a boot loader: write boot = "systemd-boot"',
    ),
    (
        ('boot = "systemd-boot"', 'boot = "grub"'),
        "filesystems.esp.boot: 'grub' is not 'uki' or 'systemd-boot'",
    ),
    (
        ('boot = "systemd-boot"', ""),
        "acceptance.updates: there is no update without a file system with boot = "
        '"systemd-boot" and one with verity = true',
    ),
]


@pytest.mark.parametrize(("change", "said"), MISTAKES)
def test_mistakes_of_loaders_and_updates(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    root = with_updates(tmp_path)
    recipe = root / "recipes/toy/recipe.toml"
    assert change[0] in recipe.read_text()
    recipe.write_text(recipe.read_text().replace(*change) + '\n[acceptance]\nupdates = ["x"]\n')
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert f"{WHERE}{said}" in caught.value.mistakes


def test_a_version_that_names_cannot_hold(tmp_path: Path) -> None:
    root = with_updates(tmp_path)
    manifest = root / "manifests/manifest.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0"', 'version = "1.0+dirty"'))
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes[0] == (
        f"{WHERE}filesystems.esp.boot: the product's version '1.0+dirty' cannot be told from what stands "
        "behind it in the names of UKIs: write it of small letters, digits, dots, ~ and -"
    )


def test_a_set_that_finds_no_version_good(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(with_updates(tmp_path, packages=()))
    assert caught.value.mistakes == [
        f"{WHERE}root.packages: manifests/bare.lock.json lacks systemd-boot, whose systemd-bless-boot finds "
        "a version good: without it each is given up after three boots"
    ]
