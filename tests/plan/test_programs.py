"""Programs of other people's projects that come with the pipeline."""

import shutil
from pathlib import Path

import pytest

from pipeline.plan.programs import program_steps
from pipeline.plan.step import Output, Source
from pipeline.project import engine
from pipeline.project.checkout import load
from tests.fixtures import checkout


def test_a_builtin_program_is_built_where_the_pipeline_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "site-packages/pipeline"
    for path, text in {
        "programs/Cargo.toml": '[workspace]\nmembers = ["clock"]\n',
        "programs/Cargo.lock": "version = 4\n",
        "programs/clock/Cargo.toml": '[package]\nname = "clock"\n',
        "programs/clock/src/main.rs": "fn main() {}\n",
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    monkeypatch.setattr(engine, "TREE", tree)
    monkeypatch.setattr(engine, "PROGRAMS", tree / "programs")
    root = checkout.write(tmp_path / "acme")
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace("[programs.toy]\ncrate =", "[programs.clock]\nbuiltin ="))
    recipe.write_text(recipe.read_text().replace('builtin = "installer"', 'builtin = "clock"'))
    steps = program_steps(load(root), "toy", "clock")
    assert [step.name for step in steps] == [
        "rust-std",
        "crates:builtin/programs",
        "dependencies:builtin/programs",
        "clock:toy",
    ]
    made = steps[-1]
    assert made.params["crate"] == "programs/clock"
    assert made.inputs["sources/programs/clock"] == Source(
        tree / "programs/clock", exclude=("target", ".git")
    )


def test_a_crate_may_lie_in_a_folder_called_crates(tmp_path: Path) -> None:
    root = checkout.write(tmp_path)
    shutil.move(root / "recipes/toy/installer", root / "crates")
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('"installer"', '"../../crates"'))
    manifest = root / "crates/Cargo.toml"
    manifest.write_text(manifest.read_text().replace("../../../programs", "../programs"))
    dependencies, program = program_steps(load(root), "toy", "toy")[-2:]
    assert dependencies.outputs == ("crates.tar", "target/crates.tar")
    assert {name: each.name for name, each in program.inputs.items() if isinstance(each, Output)} == {
        "sysroot.tar": "sysroot.tar",
        "crates.tar": "crates.tar",
        "target.tar": "target/crates.tar",
    }
