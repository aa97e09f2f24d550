import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from acceptance import STORIES
from pipeline.build.session import Session
from pipeline.cli import boot_test
from pipeline.config import validate
from pipeline.errors import PipelineError
from pipeline.plan.image import plan
from pipeline.plan.step import Output, Source, Step
from pipeline.project import recipe
from pipeline.project.acceptance import Acceptance
from pipeline.project.checkout import load
from pipeline.report import Line, Report
from pipeline.sandbox.run import StepError
from pipeline.vm.machine import WAYS
from tests.conftest import ROOT
from tests.fixtures import checkout as toy

RESULTS: list[tuple[str, dict[str, object]]] = [
    ("usb", {"way": "usb", "passed": True, "seconds": {"power on": 0.0, "firmware": 1.25, "rebooted": 9.0}}),
    ("cd", {"way": "cd", "passed": False, "seconds": {"power on": 0.0}}),
    ("install/nvme", {"story": "nvme", "seconds": 40.0, "times": {"to Done": 22.0}, "failure": ""}),
    ("install/ahci", {"story": "ahci", "seconds": 3.0, "times": {}, "failure": "the machine ended"}),
]


def test_one_row_a_boot_and_a_story_in_their_order(tmp_path: Path) -> None:
    for number, (name, result) in enumerate(RESULTS):
        path = tmp_path / "boot-test" / name / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(result))
        os.utime(path, (number, number))
    assert boot_test.rows(tmp_path) == [
        ("usb", "ok", "9.0", "firmware 1.2 s, rebooted 9.0 s"),
        ("cd", "FAILED", "0.0", ""),
        ("nvme", "ok", "40.0", "to Done 22.0 s"),
        ("ahci", "FAILED", "3.0", ""),
    ]


def test_where_nothing_ran_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert boot_test.rows(tmp_path) == []


@pytest.mark.parametrize(
    ("only", "ways", "stories"),
    [
        ([], list(WAYS), list(STORIES)),
        (["usb"], ["usb"], []),
        (["nvme", "serial"], [], ["serial", "nvme"]),
        (["keyboard", "cd"], ["cd"], ["keyboard"]),
    ],
)
def test_what_is_run(only: list[str], ways: list[str], stories: list[str]) -> None:
    assert boot_test.chosen(only, list(STORIES)) == (ways, stories)


def test_a_name_that_is_neither(session: Session) -> None:
    boot_test.judge(session, "usb,nvme", "tcg")
    with pytest.raises(PipelineError) as caught:
        boot_test.judge(session, "usb,floppy", "auto")
    known = ", ".join((*WAYS, *STORIES))
    assert str(caught.value) == (
        f"'floppy' is neither a way of booting nor an installation\n  hint: choose from {known}"
    )


def test_rows_and_package_are_both_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(toy.write(tmp_path), Report())
    played: list[tuple[str, Path]] = []

    def unused(_ctx: object) -> None: ...

    def fail(step: Step, _builder: object, _out: Path, log: Path, *_: object, **__: object) -> None:
        played.append((step.name, log))
        raise StepError(f"{step.name} failed", f"its log: {log.name}")

    proofs = [Acceptance(name, (name,), unused) for name in ("play-test", "install-test")]
    monkeypatch.setattr("pipeline.project.acceptance.of", lambda *_: proofs)
    monkeypatch.setattr(boot_test, "accelerator", lambda *_: "tcg")
    monkeypatch.setattr(boot_test, "run_uncached", fail)
    assert session.images
    monkeypatch.setattr(boot_test, "container", lambda _: None)
    with pytest.raises(StepError) as caught:
        boot_test.test(session, "toy", ["play-test", "install-test"], "auto", 1, Line.silent())
    tested = session.folder("toy") / "boot-test" / boot_test.TESTED
    assert json.loads(tested.read_text()) == {"iso": None, "uki": None}  # which nobody has made
    logs = session.folder("toy") / "logs"
    assert played == [(name, logs / f"{name}.log") for name in ("play-test", "install-test")]
    assert str(caught.value) == (
        "play-test failed\ninstall-test failed\n  hint: its log: play-test.log; its log: install-test.log"
    )


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose container for machines is the imager, locked for arm64, too."""
    monkeypatch.setattr(boot_test, "CONTAINER", "imager")
    return Session(toy.for_arm64(toy.write(tmp_path), "imager"), Report())


def on(session: Session, architecture: str) -> Session:
    vars(session)["containers"] = SimpleNamespace(engine=SimpleNamespace(architecture=architecture))
    return session


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_machines_run_in_a_container_of_the_engine_s_own_architecture(
    locked: Session, architecture: str
) -> None:
    assert boot_test.container(on(locked, architecture)).architecture == architecture
    step = boot_test._step(locked, "toy", "boot-test", lambda _: None, {})
    assert step.container == locked.project.lock_of("imager", architecture)
    assert {each.container.architecture for each in locked.images["toy"] if each.container} == {"amd64"}


def test_an_engine_for_whose_architecture_there_is_no_such_container(locked: Session) -> None:
    with pytest.raises(PipelineError, match=r"'riscv64', the container engine's, is none of amd64, arm64\n"):
        boot_test.container(on(locked, "riscv64"))


def test_no_machine_runs_on_the_kvm_of_another_architecture(
    locked: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boot_test, "run_uncached", lambda *_, **__: pytest.fail("KVM was tried"))
    session, line = on(locked, "arm64"), Line("boot", locked.report)
    assert [boot_test.accelerator(session, "toy", each, line) for each in ("tcg", "auto")] == ["tcg", "tcg"]
    assert "without KVM: /dev/kvm is arm64's, and runs no x86-64 machine" in capsys.readouterr().out
    with pytest.raises(PipelineError) as caught:
        boot_test.accelerator(session, "toy", "kvm", line)
    assert str(caught.value) == (
        "/dev/kvm is arm64's, and runs no x86-64 machine\n"
        "  hint: leave it to `--accel auto`, or do without: `--accel tcg`"
    )


@pytest.mark.parametrize(("key", "good"), [("meta_l", True), ("ret", True), ("a-b", False), ("F2", False)])
def test_keys_are_called_as_qemu_has_them(key: str, *, good: bool) -> None:
    told: dict[str, object] = {
        "welcome": "Hello",
        "leave": key,
        "play": {"x": {"rows": [{"presses": [key]}]}},
    }
    mistakes: list[str] = []
    validate(recipe.Acceptance, told, "x", mistakes)
    assert len(mistakes) == (0 if good else 2), mistakes


def test_no_row_is_told_under_the_name_of_a_way() -> None:
    told: dict[str, object] = {"play": {name: {"rows": []} for name in (*WAYS, "usb-2")}}
    mistakes: list[str] = []
    validate(recipe.Acceptance, told, "x", mistakes)
    assert len(mistakes) == len(WAYS), mistakes


def test_no_story_has_the_name_of_a_way() -> None:
    assert not set(WAYS) & set(STORIES)


def test_an_installation_has_the_program_and_what_it_installs() -> None:
    steps = plan(load(ROOT), "truthdb-installer")
    parts = boot_test._parts(steps)
    made = {name: source.step.name for name, source in parts.items() if isinstance(source, Output)}
    assert made == {"installer": "installer:truthdb-installer", "payload": "uki:truthdb-runtime"}
    assert parts["product"] == Source(ROOT / "recipes/truthdb-installer/product.toml")
