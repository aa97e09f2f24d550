"""A kernel or an installer of somebody's own, for a try."""

import json
from pathlib import Path

import pytest

from pipeline.build.record import build_record
from pipeline.build.session import Session
from pipeline.cli.program import files_named
from pipeline.cli.tasks import UNPINNED
from pipeline.errors import PipelineError
from pipeline.plan.image import plan
from pipeline.plan.step import Pinned
from pipeline.project.checkout import Project
from pipeline.project.unpinned import with_unpinned
from pipeline.report import Report
from tests.fixtures import checkout as toy

IMAGE = "truthdb-installer"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    for name in ("kernel", "installer"):
        (tmp_path / name).write_bytes(name.encode())
    return {name: tmp_path / name for name in ("kernel", "installer")}


def test_they_take_the_place_of_what_is_built(checkout: Project, files: dict[str, Path]) -> None:
    project = with_unpinned(checkout, files)
    assert project.manifest.product.version == f"{checkout.manifest.product.version}+unpinned"
    steps = {step.name: step for step in plan(project, IMAGE)}
    taken = {
        source.path
        for step in steps.values()
        for source in step.inputs.values()
        if isinstance(source, Pinned)
    }
    assert taken == set(files.values())
    assert "kernel:installer" not in steps
    assert "kernel:runtime" in steps, "what is installed stays what it is"
    assert "VERSION_ID=0.1.0+unpinned" in steps[f"uki:{IMAGE}"].params["os_release"]


def test_without_them_nothing_changes(checkout: Project) -> None:
    assert with_unpinned(checkout, {}) is checkout


def test_a_file_that_is_not_there(checkout: Project, tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        with_unpinned(checkout, {"kernel": tmp_path / "gone"})
    assert str(caught.value) == (f"--kernel {tmp_path}/gone: no such file\n  hint: name an existing file")


def test_a_project_without_an_installer(tmp_path: Path, files: dict[str, Path]) -> None:
    session = Session(toy.write(tmp_path / "toy"), Report(), {"installer": files["installer"]})
    with pytest.raises(PipelineError, match="no recipe with an ISO has a program 'installer'"):
        _ = session.project


def test_the_record_says_so(checkout: Project, tmp_path: Path, files: dict[str, Path]) -> None:
    for unpinned in ({}, files):
        build_record((), Session(checkout.root, Report()).builder, tmp_path / "x.json", set(), unpinned)
        record = json.loads((tmp_path / "x.json").read_text())
        assert record["releasable"] is not bool(unpinned)
        assert record["unpinned"] == {name: str(path) for name, path in unpinned.items()}


@pytest.mark.parametrize(
    ("arguments", "files", "rest"),
    [
        (["iso"], {}, ["iso"]),
        (["iso", "--kernel", "k"], {"kernel": "k"}, ["iso"]),
        (
            ["iso", "--installer=i", "--kernel", "/k", "-n", "0"],
            {"installer": "i", "kernel": "/k"},
            ["iso", "-n", "0"],
        ),
        (["iso", "--kernel"], {}, ["iso", "--kernel"]),
    ],
)
def test_the_options(
    arguments: list[str],
    files: dict[str, str],
    rest: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    assert files_named(arguments, UNPINNED) == ({what: tmp_path / path for what, path in files.items()}, rest)
