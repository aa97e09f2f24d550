"""Owns `versions` of the manifest: what a release consists of, as people say it, checked against what it is.

Must not know steps, engines or doit.
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline.debian import lock
from pipeline.debian.lock import Lock
from pipeline.project import manifest
from pipeline.project.crates import Crate, crate_of, manifest_of
from pipeline.project.recipe import Recipe

LINUX = "linux"
CONTAINER = "kernel"


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
    """Return what `said` in the manifest is not so."""
    wrong = []
    for name, version in said.items():
        if name not in there:
            known = ", ".join(sorted(there)) or "none"
            wrong.append(f"{manifest.PATH}: versions.{name}: nothing here is called so (known: {known})")
        elif version != there[name][0]:
            actual, where = there[name]
            wrong.append(f"{manifest.PATH}: versions.{name}: {version!r} is not {actual!r}, as {where} says")
    return wrong
