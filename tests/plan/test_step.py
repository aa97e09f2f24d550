"""Steps as data: what they consist of, and which modules travel with them."""

import ast
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import pipeline
from pipeline.checks.finding import Check
from pipeline.checks.gate import Gate
from pipeline.errors import PipelineError
from pipeline.plan.step import RUNNER, Output, Source, Step, digest, modules_of, read_source
from tests.fixtures.toy_step import spotless

FIRST = Step(name="first", summary="", inputs={}, outputs=("a", "b"))


def test_an_output_must_be_declared() -> None:
    assert FIRST.output("a") == Output(FIRST, "a")
    with pytest.raises(ValueError, match="step first has no output 'c'"):
        FIRST.output("c")


def test_what_a_step_needs_is_named_once() -> None:
    second = Step(
        name="second",
        summary="",
        inputs={"x": FIRST.output("a"), "y": FIRST.output("b"), "z": Source(Path("z"))},
        outputs=(),
    )
    assert second.needs() == (FIRST,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "sub" / "b").write_text("bb")
    (tmp_path / "target" / "big").write_text("x" * 100)
    (tmp_path / "a").write_text("a")
    (tmp_path / "link").symlink_to("a")
    return tmp_path


def test_a_folder_s_files_in_order_without_what_is_excluded(folder: Path) -> None:
    source = Source(folder, exclude=("target",))
    assert list(source.files()) == ["a", "link", "sub/b"]
    assert read_source(source, "x").size == 4
    assert Source(folder / "a").files() == {"": folder / "a"}


def test_what_a_source_s_digest_sees(folder: Path) -> None:
    source = Source(folder, exclude=("target",))
    seen = {read_source(source, "x").sha256}
    (folder / "a").write_text("A")
    seen.add(read_source(source, "x").sha256)
    (folder / "a").chmod(0o755)
    seen.add(read_source(source, "x").sha256)
    (folder / "a").rename(folder / "c")
    seen.add(read_source(source, "x").sha256)
    (folder / "link").unlink()
    (folder / "link").symlink_to("c")
    seen.add(read_source(source, "x").sha256)
    (folder / "link").unlink()
    seen.add(read_source(source, "x").sha256)
    assert len(seen) == 6
    (folder / "target" / "big").write_text("other")
    (folder / "c").chmod(0o711)
    assert read_source(source, "x").sha256 in seen


def test_a_source_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        read_source(Source(tmp_path / "x"), "step y")
    assert str(caught.value) == f"{tmp_path}/x: no such file or folder; step y needs it"


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": (2,)}) == digest({"b": [2], "a": 1})


def test_the_rules_digest_knows_which_rules_apply() -> None:
    def digest_of(**checks: Check) -> str:
        return replace(FIRST, checks=checks).checks_digest()

    gates = [Gate("elf"), Gate("elf", ("ELF003",)), Gate("kernel")]
    found = {digest_of(a=gate) for gate in gates} | {digest_of(b=gates[0]), digest_of(a=spotless)}
    assert len(found) == 5
    assert digest_of(a=Gate("elf")) in found


def test_modules_are_found_through_imports_of_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "travelling_toy"
    (package / "sub").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "a.py": "import os, travelling_toy.b\nfrom travelling_toy import c, NAME\n",
        "b.py": "def late():\n    from .sub import d\n",
        "c.py": "import requests\n",
        "sub/__init__.py": "from . import e\n",
        "sub/d.py": "",
        "sub/e.py": "from ..f import x\n",
        "f.py": "x = 1\n",
        "unused.py": "",
    }.items():
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("pipeline.plan.step.TRAVELLING", ("travelling_toy",))
    assert {
        name: str(it.path.relative_to(package)) for name, it in modules_of(["travelling_toy.a"]).items()
    } == {
        "travelling_toy": "__init__.py",
        "travelling_toy.a": "a.py",
        "travelling_toy.b": "b.py",
        "travelling_toy.c": "c.py",
        "travelling_toy.f": "f.py",
        "travelling_toy.sub": "sub/__init__.py",
        "travelling_toy.sub.d": "sub/d.py",
        "travelling_toy.sub.e": "sub/e.py",
    }


def test_a_module_that_is_not_there_is_none() -> None:
    assert modules_of(["pipeline.no_such_module"]) == {}


PIPELINE = Path(pipeline.__file__).parent
TRAVELS = {
    "kernel": ("errors.py", "formats/__init__.py", "formats/kconfig.py", "steps/runner.py"),
    "rust": (
        "errors.py",
        "steps/runner.py",
        "steps/archive.py",
        "steps/audit_data.py",
        "steps/cargo_config.py",
        "steps/cargo_units.py",
    ),
}
"""Modules that go into a container besides the step's own; each costs a build of it when it changes."""


@pytest.mark.parametrize("step", TRAVELS)
def test_a_comment_in_a_module_of_the_host_changes_no_key(step: str, tmp_path: Path) -> None:
    shutil.copytree(PIPELINE, tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    program = f"""\
from pipeline.plan.step import Step
from pipeline.steps import {step}
run = vars({step}).get("build") or {step}.program
print(Step(name="x", summary="", inputs={{}}, outputs=(), run=run).key({{}}))
"""

    def key() -> str:
        command = [sys.executable, "-B", "-c", program]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    before = key()
    travels = {"__init__.py", "steps/__init__.py", f"steps/{step}.py", *TRAVELS[step]}
    for path in (tmp_path / "pipeline").rglob("*.py"):
        if path.relative_to(tmp_path / "pipeline").as_posix() not in travels:
            path.write_text(path.read_text() + "# a comment\n")
    assert key() == before
    with (tmp_path / "pipeline/errors.py").open("a") as file:
        file.write("# a comment\n")
    assert key() != before


def test_no_exception_of_the_host_travels() -> None:
    errors = ast.parse((PIPELINE / "errors.py").read_text())
    defined = {node.name for node in errors.body if isinstance(node, ast.ClassDef)}
    steps = [f"pipeline.steps.{path.stem}" for path in (PIPELINE / "steps").glob("*.py")]
    used = {
        alias.name
        for module in modules_of([RUNNER, *steps]).values()
        for node in ast.walk(ast.parse(module.path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "pipeline.errors"
        for alias in node.names
    }
    assert defined == used
