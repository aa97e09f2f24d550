"""Store-shaped roots in plans."""

from pathlib import Path

import pytest

from pipeline.checks.gate import Gate
from pipeline.errors import ConfigError
from pipeline.plan.image import plan
from pipeline.plan.step import Source
from pipeline.project.checkout import load
from tests.plan.test_roots import with_root
from tests.plan.test_systems import A_ROOT, with_system

ROOT_TABLE = """
[root]
packages = "bare"
setuid = ["/usr/bin/su"]
"""
STORE = """
[store]
folder = "/gnu/store"
profile = "/var/guix/profiles/system"
generations = [["quiet"], []]
"""


def test_a_store_is_made_of_a_root_and_of_what_starts_it(tmp_path: Path) -> None:
    root = with_system(tmp_path, (A_ROOT, ROOT_TABLE + STORE))
    steps = {one.name: one for one in plan(load(root), "toy")}
    store = steps["store:toy"]
    assert [step.name for step in store.needs()] == ["root:toy", "kernel:base", "initramfs:toy"]
    assert store.params == {
        "recipe": "recipes/toy/recipe.toml",
        "name": "toy",
        "store": "/gnu/store",
        "profile": "/var/guix/profiles/system",
        "generations": (("quiet",), ()),
    }
    assert (steps["root:toy"].published, store.published) == ({}, {"root.tar": 0o644})
    gate = store.checks["root.tar"]
    assert isinstance(gate, Gate)
    assert (gate.kind, gate.setuid) == ("root", ())
    assert store in steps["filesystem:toy:root"].needs()
    order = list(steps)
    assert order.index("initramfs:toy") < order.index("store:toy") < order.index("filesystem:toy:root")


def test_a_recipe_without_a_store_has_no_such_step(tmp_path: Path) -> None:
    names = [one.name for one in plan(load(with_root(tmp_path, ROOT_TABLE)), "toy")]
    assert "store:toy" not in names


@pytest.mark.parametrize(
    ("tables", "mistake"),
    [
        (STORE, "store: it is made of a root of packages, and there is no root.packages"),
        (
            '\n[root]\nartifact = "a-program"\n' + STORE,
            "store: it is made of a root of packages, and there is no root.packages",
        ),
        (
            ROOT_TABLE + STORE.replace('[["quiet"], []]', "[]"),
            "store: generations: there is none, and the profile has to lead to one",
        ),
        (
            ROOT_TABLE + STORE.replace('"/gnu/store"', '"gnu"'),
            "store.folder: 'gnu' is not an absolute path (/usr/sbin/mke2fs)",
        ),
    ],
)
def test_what_is_wrong_with_the_table_of_a_store(tmp_path: Path, tables: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(with_root(tmp_path, tables))
    assert caught.value.mistakes == [f"recipes/toy/recipe.toml: {mistake}"]


def test_files_of_a_recipe_beside_it(tmp_path: Path) -> None:
    root = with_root(tmp_path, ROOT_TABLE + 'rootfs = "../other/root"\n')
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [
        "recipes/toy/recipe.toml: root.rootfs: there is no recipes/toy/../other/root"
    ]
    (root / "recipes/other/root").mkdir(parents=True)
    source = {one.name: one for one in plan(load(root), "toy")}["root:toy"].inputs["rootfs"]
    assert source == Source(root / "recipes/other/root")
