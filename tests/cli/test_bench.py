"""The parts of the benchmark that measure nothing."""

import contextlib
import json
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from acceptance import STORIES
from pipeline.build.session import Session
from pipeline.checks.catalog import take_apart
from pipeline.cli import bench, bench_edits, boot_test
from pipeline.cli.bench import write_large_iso
from pipeline.cli.bench_edits import Checkout, Figure
from pipeline.cli.tasks import COMMANDS, named
from pipeline.errors import PipelineError
from pipeline.formats.fields import open_image
from pipeline.project.manifest import Artifact
from pipeline.sandbox.run import StepError
from pipeline.vm.machine import WAYS
from tests.conftest import ROOT
from tests.fixtures.iso import efi_image


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure("x", 0.954, "seconds"), "0.95 seconds"),
        (Figure("x", 5_900_000, "bytes"), "5.9 MB"),
        (Figure("x", 123.4, "MiB"), "123.40 MiB"),
    ],
)
def test_figures_as_people_read_them(figure: Figure, text: str) -> None:
    assert figure.text() == text


def checkout(folder: Path, script: str, cache: Path | None = None) -> Checkout:
    (folder / "doit").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "doit").chmod(0o755)
    return Checkout(folder, "toy", cache)


def test_doit_is_called_in_the_copy_with_its_cache(tmp_path: Path) -> None:
    copy = checkout(tmp_path, 'echo "$PWD $INSTALLER_ISO_CACHE $*" > said', tmp_path / "cache")
    assert copy.doit("iso", "-x") >= 0
    assert (tmp_path / "said").read_text() == f"{tmp_path} {tmp_path}/cache iso -x\n"
    assert copy.artifacts == tmp_path / "artifacts/toy"


def test_a_command_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        checkout(tmp_path, "echo out; echo err >&2; exit 1").doit("iso", "x")
    assert str(caught.value) == "./doit iso x failed:\nout\nerr\n"


def test_a_line_is_added(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a\n")
    checkout(tmp_path, "").append("x", "b\n")
    assert (tmp_path / "x").read_text() == "a\nb\n"


def test_the_large_iso_is_large_and_boots_but_takes_no_room(tmp_path: Path) -> None:
    (tmp_path / "efi.img").write_bytes(efi_image())
    path = tmp_path / "large.iso"
    write_large_iso(tmp_path / "efi.img", path)
    assert path.stat().st_size > 1 << 32
    assert path.stat().st_blocks * 512 < 1 << 24
    node = take_apart(open_image(path), "large.iso")
    kinds = [node.kind.name for _, node in node.walk() if node.kind]
    assert kinds[:3] == ["iso", "fat", "uki"]


IMAGE = "truthdb-installer"
KERNELS = ("kernel:runtime", "kernel:installer")


class Said:
    """A session whose engine has one of its images; copies of its checkout note what is asked of doit."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder, self.removed = folder, list[str]()
        self.loaded = session.project.locks["rust"].tag
        engine = SimpleNamespace(
            image_id=lambda tag, *_: "sha256:0" if tag == self.loaded else "",
            remove_image=self.removed.append,
        )
        containers = SimpleNamespace(engine=engine)
        self.session = cast(
            Session, SimpleNamespace(images=session.images, project=session.project, containers=containers)
        )

    @contextlib.contextmanager
    def copy(self, _session: Session, image: str, *, empty_cache: bool = False) -> Iterator[Checkout]:
        checkout(self.folder, 'echo "$*" >> asked', self.folder / "cache" if empty_cache else None)
        shutil.copytree(ROOT / "recipes", self.folder / "recipes", dirs_exist_ok=True)
        (self.folder / "artifacts/truthdb-installer/boot-test").mkdir(parents=True, exist_ok=True)
        for crate in ("installer", "appliance", "node"):
            (self.folder / "programs" / crate / "src").mkdir(parents=True, exist_ok=True)
            assert (ROOT / "programs" / crate / "src/main.rs").is_file()
        artifacts = self.folder / "artifacts/truthdb-installer"
        (artifacts / "truthdb-installer.iso").write_bytes(b"iso")
        (artifacts / "efi.img").write_bytes(efi_image())
        yield Checkout(self.folder, image)

    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()


@pytest.fixture
def said(tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> Said:
    made = Said(tmp_path, session)
    monkeypatch.setattr(bench, "copied", made.copy)
    monkeypatch.setattr(bench_edits, "copied", made.copy)
    monkeypatch.setattr(bench_edits, "_by_hand", lambda *_: 1e9)
    return made


def test_a_first_build_is_all_kernels_and_then_the_rest(said: Said) -> None:
    figures = [figure.what for figure in bench._cold(said.session, IMAGE)]
    assert figures == [
        "kernels, from an empty cache",
        "everything else, from an empty cache",
        "a second product with the same kernels and programs",
        "ratio of two products to one",
        "peak memory of a Python process",
    ]
    at_first = " ".join(["--from-source", *KERNELS])
    assert said.asked() == [at_first, "iso --from-source", "iso --from-source"]
    assert said.removed == [said.loaded]


def test_each_edit_is_of_a_file_that_goes_into_the_image(said: Said) -> None:
    figures = list(bench_edits.edits(said.session, IMAGE))
    changed = [figure.what for figure in figures if "changed, to" in figure.what]
    programs = ("installer", "appliance", "service")
    assert changed == [f"{what} changed, to the ISO" for what in ("a file of the rootfs", *programs)]
    assert said.asked() == ["iso"] * 6
    assert (said.folder / f"recipes/{IMAGE}/rootfs/edited").read_text()
    [ratio] = [figure.value for figure in figures if figure.unit == "times"]
    assert 0 < ratio < 1e-6
    project = said.session.project
    recipe = project.recipes[IMAGE]
    library = replace(recipe, programs={"installer": replace(recipe.programs["installer"], builtin="common")})
    said.session.project = replace(project, recipes=project.recipes | {IMAGE: library})
    assert not any("installer" in figure.what for figure in bench_edits.edits(said.session, IMAGE))
    pins = replace(project.manifest, payload={"service": Artifact("0" * 64, 1, path="x")})
    said.session.project = replace(project, manifest=pins)
    assert not any("service" in figure.what for figure in bench_edits.edits(said.session, IMAGE))


def test_a_second_product_is_a_copy_of_the_recipes_of_the_first(said: Said) -> None:
    recipes = said.folder / "recipes"
    list(bench._cold(said.session, IMAGE))
    second = tomllib.loads((recipes / f"{IMAGE}-second/recipe.toml").read_text())["image"]
    assert (second["carries"], second["product"]) == ("truthdb-runtime-second", "product.toml")
    carried = tomllib.loads((recipes / "truthdb-runtime-second/recipe.toml").read_text())["image"]
    assert carried["product"] == f"../{IMAGE}-second/product.toml"


@pytest.mark.parametrize(
    ("only", "parts"),
    [("", list(bench.PARTS)), ("cold, edits", ["edits", "cold"]), ("boot", ["boot"])],
)
def test_parts_are_chosen_by_name(session: Session, only: str, parts: list[str]) -> None:
    assert bench.judge(session, only) == parts


def test_an_unknown_part(session: Session) -> None:
    with pytest.raises(PipelineError) as caught:
        named(COMMANDS["bench"].judge)(session, only="edits,all")
    assert str(caught.value) == (
        "--only: 'all' is not measured\n  hint: choose from edits, inspect, boot, reproduce, systems, cold"
    )


def test_what_else_is_asked_of_doit(said: Said) -> None:
    assert [figure.what for figure in bench._reproduce(said.session, IMAGE)] == ["reproduce --without kernel"]
    assert [figure.unit for figure in bench._inspect(said.session, IMAGE)] == ["seconds"] * 2
    iso = said.folder / "artifacts/truthdb-installer/truthdb-installer.iso"
    large = said.folder / "large.iso"
    assert said.asked() == ["iso", "reproduce --without kernel", "iso", f"inspect {iso}", f"inspect {large}"]


def test_boots_are_measured_by_what_the_boot_test_leaves(said: Said) -> None:
    seconds = {"EFI program": 2.0, "greeting on serial": 4.0, "greeting on screen": 5.0}
    results = {
        "cd": {"way": "cd", "accel": "tcg", "seconds": seconds},
        "usb": {"way": "usb", "accel": "tcg", "seconds": {"EFI program": 2.0}},
        "install/nvme": {"story": "nvme", "times": {"Done": 9.0}},
    }
    for name, result in results.items():
        path = said.folder / "artifacts/truthdb-installer/boot-test" / name / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(result))
    boots = [
        ("power-on to EFI program, cd, tcg", 2.0),
        ("power-on to greeting on serial, cd, tcg", 4.0),
        ("power-on to greeting on screen, cd, tcg", 5.0),
        ("ratio of greeting on serial to EFI program, cd, tcg", 2.0),
        ("power-on to EFI program, usb, tcg", 2.0),
    ]
    figures = [(figure.what, figure.value) for figure in bench._boot(said.session, IMAGE)]
    assert figures == [*boots, ("Done, nvme", 9.0)]
    recipe = said.session.project.recipes[IMAGE]
    said.session.project = replace(said.session.project, recipes={IMAGE: replace(recipe, acceptance=None)})
    figures = [(figure.what, figure.value) for figure in bench._boot(said.session, IMAGE)]
    assert figures == boots
    first, second = (asked.removeprefix("boot-test --only ") for asked in said.asked())
    for asked, expected in ((first, ["nvme"]), (second, [])):
        assert boot_test.names(asked) == [*WAYS, *expected]
        assert set(expected) <= set(STORIES)
