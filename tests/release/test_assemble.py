"""The folder of a release: what is in it, that it is the same each time, and that it stays as it is."""

import errno
import getpass
import json
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.release import assemble as module
from pipeline.release.artifacts import artifacts
from pipeline.release.assemble import assemble, differences
from pipeline.release.layout import DOCUMENTS, RUN_PAGE
from pipeline.release.trust import Trust
from pipeline.release.verify import examine
from pipeline.report import Report
from tests.fixtures import releasable
from tests.fixtures.releasable import git
from tests.fixtures.release_contents import built

NAMES = ["RUNSUMS", "SHA256SUMS", "Toy.efi", "build.json", "run.json", "toy-1.0.iso", "vmlinuz-base"]


def test_what_is_in_it(ready: Session) -> None:
    folder, new = assemble(ready)
    assert (folder, new) == (ready.root / "artifacts/release/1.0", True)
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert (folder / "toy-1.0.iso").read_text() == "toy.iso of step iso:toy\n"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    for listing in ("SHA256SUMS", "RUNSUMS"):
        command = ["sha256sum", "-c", "--strict", listing]
        assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    assert [path.name for path in folder.parent.iterdir()] == ["1.0"]


def test_all_that_tells_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All documents are made of the same build, hold together, and are the same anywhere."""
    made = []
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")  # one commit, made twice
    for place in ("here", "there"):
        monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / place / "cache"))
        session = built(tmp_path / place, backwards=place == "there")
        for image, steps in session.images.items():
            for step in steps:
                result = session.builder.result(step)
                for name, mode in step.published.items():
                    assert result
                    session.store.copy(result.outputs[name], session.folder(image) / name, mode)
        releasable.commit(session.root)
        folder, _ = assemble(session)
        verdicts = examine(folder, Trust())
        assert [verdict for verdict in verdicts if verdict.good is False] == []
        assert len([verdict for verdict in verdicts if verdict.good]) == 10
        assert {*DOCUMENTS, "SHA256SUMS", "RUNSUMS"} <= {path.name for path in folder.iterdir()}
        made.append(folder)
    assert differences(*made) == []
    assert "first release" in (made[0] / "notes.md").read_text()
    assert (made[0] / RUN_PAGE).read_text().startswith("<!doctype html>")


def test_build_json_is_of_the_commit_and_has_no_run_in_it(ready: Session) -> None:
    text = (assemble(ready)[0] / "build.json").read_text()
    record = json.loads(text)
    assert record["commit"] == git(ready.root, "rev-parse", "HEAD")
    assert record["product"] == {"name": "Toy", "version": "1.0"}
    assert [row["step"] for row in record["artifacts"]] == ["uki:toy", "iso:toy", "kernel:base"]
    assert [set(step) for step in record["steps"]] == [
        {"step", "key", "container", "inputs", "outputs"}
    ] * len(ready.images["toy"])
    assert str(ready.root.parent) not in text


def test_run_json_says_who_when_and_how_fast(ready: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "me")
    record = json.loads((assemble(ready)[0] / "run.json").read_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record["made"])
    assert record["by"].startswith("me@")
    assert record["seconds"]["iso:toy"] == 1.5
    assert record["boot_tests"]["toy"]["usb/result.json"]["seconds"] == {"rebooted": 9.0}


def test_nobody_has_a_name(ready: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert json.loads((assemble(ready)[0] / "run.json").read_text())["by"].startswith("@")


def test_two_clones_give_the_same_bytes(
    ready: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = assemble(ready)
    git(tmp_path, "clone", "-q", str(ready.root), "elsewhere")
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "another"))
    other = Session(tmp_path / "elsewhere", Report())
    releasable.build(other)
    releasable.boot(other)
    monkeypatch.setattr(getpass, "getuser", lambda: "somebody else")
    second, _ = assemble(other)
    assert differences(first, second) == []
    assert (first / "run.json").read_text() != (second / "run.json").read_text()
    for name in set(NAMES) - {"run.json", "RUNSUMS"}:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_what_is_released_stays(ready: Session) -> None:
    folder, _ = assemble(ready)
    (folder / "SHA256SUMS.sig").write_text("a signature")
    (folder / "run.json").write_text("of the first run")
    assert assemble(ready) == (folder, False)
    assert (folder / "SHA256SUMS.sig").read_text() == "a signature"
    assert (folder / "run.json").read_text() == "of the first run"


def test_another_release_of_the_version(ready: Session) -> None:
    folder, _ = assemble(ready)
    (folder / "toy-1.0.iso").write_text("x")
    (folder / "Toy.efi").unlink()
    (folder / "more").mkdir()
    before = sorted(folder.iterdir())
    with pytest.raises(PipelineError) as caught:
        assemble(ready)
    assert caught.value.message == f"{folder} is there already, and differs in Toy.efi, more, toy-1.0.iso"
    assert sorted(folder.iterdir()) == before
    assert [path.name for path in folder.parent.iterdir()] == ["1.0"]


def test_what_cannot_be_made_leaves_nothing(ready: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_draft: object) -> str:
        raise PipelineError("no")

    monkeypatch.setattr(module, "TEXTS", {"notes.txt": fail})
    with pytest.raises(PipelineError):
        assemble(ready)
    assert list((ready.root / "artifacts/release").iterdir()) == []


def test_what_cannot_be_read_is_not_called_a_right_to_write(
    ready: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_draft: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", "/before/sbom.cdx.json")

    monkeypatch.setattr(module, "TEXTS", {"notes.txt": fail})
    with pytest.raises(PipelineError) as caught:
        assemble(ready)
    assert str(caught.value) == (
        "/before/sbom.cdx.json: cannot be read: Permission denied\n"
        "  hint: make it readable for this user: notes.txt tells of it"
    )


def test_a_file_that_changed_meanwhile(ready: Session) -> None:
    iso = ready.folder("toy") / "toy.iso"
    iso.unlink()
    iso.write_text("x")
    with pytest.raises(PipelineError) as caught:
        assemble(ready)
    assert str(caught.value) == f"{iso}: is not what step iso:toy made\n  hint: run `./doit iso`"


def test_what_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(PipelineError) as caught:
        artifacts(Session(releasable.write(tmp_path / "checkout"), Report()))
    assert str(caught.value) == "step kernel:base has not been made\n  hint: run `./doit iso` first"


def test_images_share_a_kernel_and_no_other_name(ready: Session) -> None:
    shutil.copytree(ready.root / "recipes/toy", ready.root / "recipes/two")
    recipe = ready.root / "recipes/two/recipe.toml"
    recipe.write_text(recipe.read_text().replace('"Toy.efi"', '"Two.efi"'))
    two = Session(ready.root, Report())
    releasable.build(two)
    assert sorted(artifacts(two)) == ["Toy.efi", "Two.efi", "toy-1.0.iso", "two-1.0.iso", "vmlinuz-base"]
    recipe.write_text(recipe.read_text().replace('"Two.efi"', '"Toy.efi"'))
    same = Session(ready.root, Report())
    releasable.build(same)
    with pytest.raises(PipelineError) as caught:
        artifacts(same)
    assert str(caught.value) == (
        "Toy.efi of step uki:two is called like that of step uki:toy\n"
        "  hint: give one of the UKIs another name: image.uki in recipe.toml"
    )


@pytest.mark.parametrize("name", ["report.html", "notes.md", "SHA256SUMS"])
def test_a_uki_that_is_called_like_a_document(ready: Session, name: str) -> None:
    recipe = ready.root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('"Toy.efi"', f'"{name}"'))
    session = Session(ready.root, Report())
    releasable.build(session)
    with pytest.raises(PipelineError) as caught:
        artifacts(session)
    assert str(caught.value) == (
        f"{name} of step uki:toy is called like a file that tells of the release\n"
        "  hint: give the UKI another name: image.uki in recipe.toml"
    )


def test_a_folder_that_cannot_be_written(ready: Session) -> None:
    (ready.root / "artifacts/release").write_text("")
    with pytest.raises(PipelineError) as caught:
        assemble(ready)
    assert "cannot write" in caught.value.message
