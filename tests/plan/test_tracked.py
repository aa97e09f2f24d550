"""Files that git does not know: named, and refused where CI is set."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.plan import tracked
from pipeline.plan.step import Source
from tests.conftest import lacking

KNOWN = ("recipes/toy/rootfs/etc/inittab", "programs/disks/Cargo.toml")
STRANGE = (
    "containers/toy.toml",
    "manifests/manifest.toml",
    "manifests/toy.lock.json",
    "programs/disks/src/.lib.rs.swp",
    "recipes/toy/installer/.cargo/config.toml",
    "recipes/toy/recipe.toml",
    "recipes/toy/rootfs/etc/.inittab.swp",
    "recipes/toy/rootfs/etc/ä b",
    "roots/toy.toml",
)
LEFT = (
    "containers/README",
    "manifests/.manifest.toml.swp",
    "recipes/toy/installer/target/debug/x",
    "elsewhere",
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if shutil.which("git") is None:
        lacking("git is not installed")
    monkeypatch.delenv("CI", raising=False)
    for name in (*KNOWN, *STRANGE, *LEFT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("*.swp\n")
    for command in (["init", "-q"], ["add", *KNOWN]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def taken(root: Path) -> list[Source]:
    """What steps would take of it."""
    crates = ("recipes/toy/installer", "programs/disks")
    return [
        Source(root / "recipes/toy/rootfs"),
        *(Source(root / path, exclude=("target", ".git")) for path in crates),
    ]


def told(root: Path) -> list[str]:
    notes: list[str] = []
    tracked.tell(root, taken(root), notes.append)
    return notes


def test_they_are_named_ignored_ones_too(root: Path) -> None:
    assert told(root) == [f"the image contains {name!r}, which git does not track" for name in STRANGE]


def test_a_checkout_in_the_checkout_knows_its_own_files(root: Path) -> None:
    crate = root / "recipes/toy/installer"
    (crate / "Cargo.toml").touch()
    for command in (["init", "-q"], ["add", "Cargo.toml"]):
        subprocess.run(["git", *command], cwd=crate, check=True)
    assert tracked.untracked(root, taken(root)) == list(STRANGE)


def test_other_repositories_variables_do_not_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, "/nowhere")
    assert tracked.untracked(root, taken(root)) == list(STRANGE)


def test_a_checkout_that_somebody_else_owns_may_be_trusted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    [said] = told(root)
    assert "dubious ownership" in said
    assert f"`git config --global --add safe.directory {root}`" in said
    for name, value in (("COUNT", "1"), ("KEY_0", "safe.directory"), ("VALUE_0", str(root))):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert tracked.untracked(root, taken(root)) == list(STRANGE)


def test_they_are_refused_where_ci_is_set(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(PipelineError) as caught:
        told(root)
    assert caught.value.message == (
        "the image contains files that git does not track:\n    " + "\n    ".join(STRANGE)
    )
    for name in STRANGE:
        (root / name).unlink()
    assert told(root) == []


def test_without_git_nothing_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert told(root) == []
    monkeypatch.undo()
    shutil.rmtree(root / ".git")
    assert tracked.untracked(root, taken(root)) == []


def test_a_git_that_does_not_answer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(root / ".git")
    (root / ".git").write_text("gitdir: nowhere\n")
    [said] = told(root)
    assert said.startswith("git does not say what is in the checkout: fatal: ")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(PipelineError):
        told(root)
