"""The layers of the program: each folder imports only from those that come after it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

LAYERS = [
    "cli",
    "release",
    "reproduce",
    "build",
    "sandbox",
    "plan",
    "project",
    "measure",
    "inspection",
    "boot",
    "vm",
    "trust",
    "checks",
    "compare",
    "steps",
    "debian",
    "store",
    "formats",
    "report",
    "config",
    "errors",
]
"""The folders and modules of `pipeline`, from the command line down to the ground."""


def _imports(path: Path) -> set[str]:
    """Return the parts of `pipeline` that a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [
        f"pipeline.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "pipeline"
        for alias in node.names
    ]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("pipeline.")}


def test_each_folder_imports_from_those_below_it_alone() -> None:
    wrong = []
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        room = path.relative_to(ROOT / "pipeline").with_suffix("").parts[0]
        if room != "__init__":
            above = LAYERS[: LAYERS.index(room)]
            wrong += [f"{path.relative_to(ROOT)} imports {up}" for up in sorted(_imports(path) & set(above))]
    assert wrong == []


def test_every_folder_has_its_layer() -> None:
    found = {path.stem for path in (ROOT / "pipeline").iterdir()} - {"__init__", "__pycache__"}
    assert sorted(found) == sorted(LAYERS)


def test_what_only_the_boot_container_has_is_not_needed_to_plan() -> None:
    code = "import sys; sys.modules['pyte'] = None; import pipeline.cli.boot_test, acceptance"
    path = os.pathsep.join([str(ROOT), str(ROOT / "recipes/truthdb-installer")])
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": path})
