"""The versions that a manifest names are those of what is there."""

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.project import versions
from pipeline.project.checkout import Project, load
from tests.fixtures import checkout

CRATE = "recipes/toy/installer"


def mistakes(root: Path, said: str) -> list[str]:
    path = root / "manifests/manifest.toml"
    path.write_text(f"{path.read_text()}\n[versions]\n{said}\n")
    try:
        load(root)
    except ConfigError as error:
        return error.mistakes
    return []


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ('linux = "1"', ""),
        ('toy = "0.3.0"', ""),
        ('linux = "6.1"', "versions.linux: '6.1' is not '1', as manifests/kernel.lock.json says"),
        ('toy = "0.3.1"', f"versions.toy: '0.3.1' is not '0.3.0', as {CRATE}/Cargo.toml says"),
        ('dos = "5"', "versions.dos: nothing here is called so (known: linux, toy)"),
    ],
)
@pytest.mark.parametrize("inherited", [False, True])
def test_what_the_manifest_says_is_so(tmp_path: Path, said: str, wrong: str, inherited: bool) -> None:
    root = checkout.write(tmp_path)
    own = '[package]\nname = "toy"\nversion = "0.3.0"\n'
    if inherited:
        own = '[package]\nname = "toy"\nversion.workspace = true\n[workspace]\npackage.version = "0.3.0"\n'
    (root / CRATE / "Cargo.toml").write_text(own)
    assert mistakes(root, said) == ([f"manifests/manifest.toml: {wrong}"] if wrong else [])


def test_a_crate_that_says_none(tmp_path: Path) -> None:
    root = checkout.write(tmp_path)
    (root / CRATE / "Cargo.toml").write_text('[package]\nname = "toy"\n')
    assert mistakes(root, 'toy = "1"') == [
        f"manifests/manifest.toml: versions.toy: '1' is not '', as {CRATE}/Cargo.toml says"
    ]


def test_this_manifest_names_them_all(checkout: Project) -> None:
    there = versions.found(checkout.root, checkout.recipes, checkout.locks)
    assert checkout.manifest.versions.keys() == there.keys()
