"""`versions` of the manifest: what a release consists of, as people say it, checked against what it is."""

import re
from collections.abc import Mapping
from pathlib import Path

from pipeline.debian import lock
from pipeline.debian.lock import Lock
from pipeline.project import git, manifest
from pipeline.project.crates import Crate, built_from, crate_of, manifest_of
from pipeline.project.recipe import Recipe

LINUX = "linux"
CONTAINER = "kernel"
COMMIT = re.compile("[0-9a-f]{40}")
"""What names a commit: shorter ones may name another one tomorrow."""

STATUS = ("status", "--porcelain", "-z", "--no-renames", "--ignored")
EVERYTHING = ("--untracked-files=normal", "--ignore-submodules=none")
"""What the settings of whoever asks may have git leave out."""


def found(root: Path, recipes: Mapping[str, Recipe], locks: Mapping[str, Lock]) -> dict[str, tuple[str, str]]:
    """Return what has a version here: by name, the version and the file that says it.

    That is Linux, by its upstream version (deb-version(7)) in the lock, and each program that is built
    from a crate, by its Cargo.toml.
    """
    versions = {}
    for package in locks[CONTAINER].packages if CONTAINER in locks else ():
        if package.name.startswith("linux-source-"):
            upstream = package.version.partition(":")[2] or package.version
            versions[LINUX] = (upstream.rpartition("-")[0] or upstream, lock.path_of(CONTAINER))
    for name, recipe in recipes.items():
        for called, program in recipe.programs.items():
            if crate := crate_of(root, name, program):
                versions[called] = (_crate_version(crate), f"{crate.place(crate.folder)}/Cargo.toml")
    return versions


def _crate_version(crate: Crate) -> str:
    """Return the version in a Cargo.toml, or that of its workspace where it inherits it; "" for none."""
    version = manifest_of(crate.tree, crate.folder).get("package", {}).get("version", "")
    if isinstance(version, dict):
        workspace = manifest_of(crate.tree, crate.workspace).get("workspace", {})
        version = workspace.get("package", {}).get("version", "")
    return str(version)


def mistakes(said: Mapping[str, str], there: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return what `said` in the manifest is not so, but for commits: see `commit_mistakes`."""
    wrong = []
    for name, version in said.items():
        if name not in there:
            known = ", ".join(sorted(there)) or "none"
            wrong.append(f"{manifest.PATH}: versions.{name}: nothing here is called so (known: {known})")
        elif version != there[name][0] and (name == LINUX or not COMMIT.fullmatch(version)):
            actual, where = there[name]
            wrong.append(f"{manifest.PATH}: versions.{name}: {version!r} is not {actual!r}, as {where} says")
    return wrong


def commit_mistakes(root: Path, recipes: Mapping[str, Recipe], said: Mapping[str, str]) -> list[str]:
    """Return for which crates not the commit that `said` in the manifest names is checked out, and clean.

    Of a project's crate in no checkout at all, as in an archive of its sources, nobody can say that. Raises
    PipelineError where git does not answer.
    """
    wrong = []
    for name, recipe in recipes.items():
        for called, program in recipe.programs.items():
            crate, commit = crate_of(root, name, program), said.get(called, "")
            if crate and COMMIT.fullmatch(commit) and (why := _not_at(root, crate, commit)):
                wrong.append(f"{manifest.PATH}: versions.{called}: {why}")
    return wrong


def _not_at(root: Path, crate: Crate, commit: str) -> str:
    """Return why what a crate is built from is not that of a commit; "" where it is."""
    top, place = git.checkout_of(crate.folder), crate.place(crate.folder)
    if top is None and crate.tree == root:
        return ""
    if top is None or top == root or not top.is_relative_to(root):
        return f"{commit!r} is a commit, but {place} is in no git checkout of its own: name its version"
    head = git.head(top)
    if head != commit:
        return f"{commit!r} is not {head!r}, which is checked out in {crate.place(top)}"
    crates = {crate.workspace, *built_from(crate.tree, crate.folder)}
    taken = [folder for folder in crates if folder.is_relative_to(top)]
    made = {folder / "target" for folder in taken}
    states = git.ask(top, *STATUS, *EVERYTHING, "--", *map(str, taken))
    strange = [state[3:] for state in states if top / state[3:] not in made]
    return f"{strange[0]} in {crate.place(top)} is not as it is in {commit!r}" if strange else ""
