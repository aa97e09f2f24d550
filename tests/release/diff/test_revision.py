"""Git revisions of a project: what their files say, and images where the cache holds them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.project import outputs
from pipeline.project.outputs import Artifact
from pipeline.release.diff import revision
from pipeline.release.diff.changes import Comparison, TextChange, VersionChange, compare
from pipeline.release.diff.side import Component
from pipeline.store.cache import Store
from tests.fixtures import checkout, versions
from tests.fixtures.revisions import commit, git

ISO = ("iso:toy", "toy.iso")
CONFIG = ("kernel-config:base", "kernel.config")
NOT_HELD = "v2: images are not compared: the cache does not hold the bytes that both versions lock"
CARGO = 'version = 4\n[[package]]\nname = "{}"\nversion = "{}"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout whose version 1 is in git."""
    root = checkout.write(tmp_path / "project")
    commit(root, "v1", {"programs/Cargo.lock": CARGO.format("rustix", "1.0.0")})
    return root


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def compared(root: Path, store: Store) -> Comparison:
    return compare(*revision.sides(revision.find(root, "v1"), revision.find(root, "v2"), store))


def locked(root: Path, product: str, contents: Mapping[tuple[str, str], bytes]) -> None:
    outputs.write(
        root,
        product,
        [
            Artifact(step, "a" * 64, name, len(data), hashlib.sha256(data).hexdigest())
            for (step, name), data in contents.items()
        ],
    )


def keep(store: Store, data: bytes) -> None:
    with store.scratch() as folder:
        (folder / "x").write_bytes(data)
        store.add(folder / "x")


def test_what_the_files_of_a_revision_say(project: Path, store: Store) -> None:
    lock = (project / "manifests/initramfs.lock.json").read_text()
    text = (project / "manifests/manifest.toml").read_text()
    recipe = (project / "recipes/toy/recipe.toml").read_text()
    commit(
        project,
        "v2",
        {
            "manifests/manifest.toml": text.replace('version = "1.0"', 'version = "2.0"'),
            "manifests/initramfs.lock.json": lock.replace('"1-1"', '"1-2"'),
            "programs/Cargo.lock": CARGO.format("rustix", "1.1.0"),
            "recipes/kernels/base.config": "CONFIG_EFI_STUB=y\n# CONFIG_TTY is not set\n",
            "recipes/toy/recipe.toml": recipe.replace("rdinit=/sbin/init", "rdinit=/init"),
        },
    )
    (project / "manifests/manifest.toml").write_text("what lies in the folder is not asked for")
    said = compared(project, store)
    assert said.packages == [VersionChange("busybox-static", ["1-1"], ["1-2"], ["initramfs"])]
    assert said.crates == [VersionChange("rustix", ["1.0.0"], ["1.1.0"], ["programs/Cargo.lock"])]
    assert [(one.path, one.options) for one in said.kernels] == [
        ("recipes/kernels/base.config", [TextChange("TTY", None, "n")])
    ]
    assert said.settings == [
        TextChange("product.version", "1.0", "2.0"),
        TextChange(
            "recipes/toy: image.cmdline",
            "rdinit=/sbin/init medium={volume_id}",
            "rdinit=/init medium={volume_id}",
        ),
    ]
    assert said.old
    assert (said.old.version, said.new.version, said.untold, said.mistakes) == ("1.0", "2.0", [], [])


def test_two_revisions_with_the_same_pins(project: Path, store: Store) -> None:
    commit(project, "v2", {"README.md": "another one"})
    assert compared(project, store).same


def test_a_package_in_several_locks(project: Path, store: Store) -> None:
    commit(project, "v2", {"README.md": "another one"})
    old, _ = revision.sides(revision.find(project, "v1"), revision.find(project, "v2"), store)
    assert old.packages
    assert old.packages["apt"] == Component(("1-1",), ("resolver",))


def test_images_are_compared_where_the_cache_holds_both(project: Path, store: Store) -> None:
    old, new = {ISO: versions.old(), CONFIG: b"CONFIG_A=y\n"}, {ISO: versions.new(), CONFIG: b"CONFIG_A=m\n"}
    locked(project, "Toy 1.0", old)
    commit(project, "v1.1", {})
    git(project, "tag", "-f", "v1")
    locked(project, "Toy 2.0", new)
    commit(project, "v2", {})
    keep(store, old[ISO])
    said = compared(project, store)
    assert (said.ukis, said.untold, said.new.size) == ([], [NOT_HELD], len(new[ISO]))
    assert [one.name for one in said.artifacts] == ["iso:toy/toy.iso", "kernel-config:base/kernel.config"]
    keep(store, old[CONFIG])
    keep(store, new[CONFIG])
    said = compared(project, store)
    assert [(one.path, one.options) for one in said.kernels] == [
        ("kernel-config:base/kernel.config", [TextChange("A", "y", "m")])
    ]
    keep(store, new[ISO])
    said = compared(project, store)
    assert [one.path for one in said.kernels] == [f"{versions.PATH}!.linux"]
    assert said.untold == []
    assert "setuid" in {one.code for one in said.mistakes}


@pytest.mark.parametrize(
    ("files", "untold"),
    [
        (
            {"manifests/initramfs.lock.json": "{"},
            "manifests/initramfs.lock.json: Expecting property name",
        ),
        (
            {"manifests/outputs.lock.json": '{"version": 2}'},
            "manifests/outputs.lock.json: product: this key is missing",
        ),
        ({"manifests/outputs.lock.json": "[" * 100_000}, "manifests/outputs.lock.json: is nested too deeply"),
        (
            {"programs/Cargo.lock": "x"},
            "programs/Cargo.lock: Expected '='",
        ),
    ],
)
def test_a_file_that_this_version_does_not_read(
    files: Mapping[str, str], untold: str, project: Path, store: Store
) -> None:
    commit(project, "v2", files)
    assert [text for text in compared(project, store).untold if text.startswith(f"v2: {untold}")]


@pytest.mark.parametrize("name", ["v3", "-x", "--all", "v1 v2", "a\0b", "v1:README.md"])
def test_what_is_no_revision(name: str, project: Path) -> None:
    with pytest.raises(PipelineError) as raised:
        revision.find(project, name)
    assert raised.value.message.endswith(": neither a file, nor a folder, nor a git revision of this project")
    assert raised.value.hint == "`git tag` and `git log --oneline` list revisions"


def test_a_revision_of_another_project(project: Path, store: Store) -> None:
    git(project, "rm", "-q", "manifests/manifest.toml")
    commit(project, "v2", {})
    with pytest.raises(PipelineError) as raised:
        compared(project, store)
    assert raised.value.message == "v2: there is no manifests/manifest.toml"
