"""The versions that a manifest names are those of what is there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import commands
from pipeline.errors import ConfigError
from pipeline.project import engine, versions
from pipeline.project.checkout import Project, load
from pipeline.report import Report
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
        (
            f'linux = "{"0" * 40}"',
            f"versions.linux: '{'0' * 40}' is not '1', as manifests/kernel.lock.json says",
        ),
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


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


OTHER = "0" * 40
TOOL = "vendor/tool"


@pytest.mark.parametrize(
    ("touched", "said", "wrong"),
    [
        ("", "", ""),
        ("target/debug/x", "", ""),
        ("../elsewhere", "", ""),
        ("", OTHER, f"'{OTHER}' is not '{{commit}}', which is checked out in {TOOL}"),
        ("src/target/x.rs", "", f"src/target/ in {TOOL} is not as it is in '{{commit}}'"),
        ("src/main.rs", "", f"src/main.rs in {TOOL} is not as it is in '{{commit}}'"),
        ("src/new.rs", "", f"src/new.rs in {TOOL} is not as it is in '{{commit}}'"),
        (".env", "", f".env in {TOOL} is not as it is in '{{commit}}'"),
    ],
)
def test_a_crate_in_a_checkout_of_its_own_is_at_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, touched: str, said: str, wrong: str
) -> None:
    (tmp_path / "gitconfig").write_text("[status]\nshowUntrackedFiles = no\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    root, tool = checkout.write(tmp_path), tmp_path / TOOL
    shutil.copytree(root / CRATE, tool)
    manifest = '[package]\nname = "toy"\n[dependencies]\ndisks = { path = "../../programs/disks" }\n'
    (tool / "Cargo.toml").write_text(manifest)  # which takes a crate of the project, too
    (tool / ".gitignore").write_text("target\n.env\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        git(tool, *command)
    commit = git(tool, "rev-parse", "HEAD")
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('"installer"', f'"../../{TOOL}"'))
    path = root / "manifests/manifest.toml"
    path.write_text(f'{path.read_text()}\n[versions]\ntoy = "{said or commit}"\n')
    if touched:
        (tool / touched).parent.mkdir(parents=True, exist_ok=True)
        (tool / touched).write_text("changed")
    session = Session(root, Report())
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    if not wrong:
        commands.tell_untracked(session)
        return
    with pytest.raises(ConfigError) as caught:
        commands.tell_untracked(session)
    assert caught.value.mistakes == [
        f"manifests/manifest.toml: versions.toy: {wrong.format(commit=commit)}",
    ]


def test_a_crate_of_the_project_is_at_no_commit(tmp_path: Path) -> None:
    found = load(checkout.write(tmp_path))
    assert versions.commit_mistakes(tmp_path, found.recipes, {"toy": OTHER}) == []  # of an archive
    git(tmp_path, "init", "-q")
    assert versions.commit_mistakes(tmp_path, found.recipes, {"toy": OTHER}) == [
        f"manifests/manifest.toml: versions.toy: '{OTHER}' is a commit, but {CRATE} is in no git checkout of "
        "its own: name its version"
    ]


def test_a_crate_of_the_pipeline_is_at_no_commit_of_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, root = tmp_path / "site-packages", checkout.write(tmp_path / "project")
    monkeypatch.setattr(engine, "TREE", tree)
    monkeypatch.setattr(engine, "PROGRAMS", tree / "programs")
    shutil.copytree(root / CRATE, tree / "programs/installer")
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace("crate =", "builtin ="))
    assert versions.commit_mistakes(root, load(root).recipes, {"toy": OTHER}) == [
        f"manifests/manifest.toml: versions.toy: '{OTHER}' is a commit, but programs/installer is in no git "
        "checkout of its own: name its version"
    ]


def test_a_crate_that_says_none(tmp_path: Path) -> None:
    root = checkout.write(tmp_path)
    (root / CRATE / "Cargo.toml").write_text('[package]\nname = "toy"\n')
    assert mistakes(root, 'toy = "1"') == [
        f"manifests/manifest.toml: versions.toy: '1' is not '', as {CRATE}/Cargo.toml says"
    ]


def test_this_manifest_names_them_all(checkout: Project) -> None:
    there = versions.found(checkout.root, checkout.recipes, checkout.locks)
    assert checkout.manifest.versions.keys() == there.keys()
