import json
import os
from pathlib import Path

import pytest

from acceptance import STORIES
from pipeline.build.session import Session
from pipeline.cli import boot_test
from pipeline.config import validate
from pipeline.errors import PipelineError
from pipeline.plan.image import plan
from pipeline.plan.step import Output, Source
from pipeline.project.checkout import load
from pipeline.project.recipe import Acceptance
from pipeline.vm.machine import WAYS
from tests.conftest import ROOT

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
    boot_test.judge(session, ["usb", "nvme"], "tcg")
    with pytest.raises(PipelineError) as caught:
        boot_test.judge(session, ["usb", "floppy"], "auto")
    known = ", ".join((*WAYS, *STORIES))
    assert str(caught.value) == (
        f"'floppy' is neither a way of booting nor an installation\n  hint: choose from {known}"
    )


def test_no_row_is_told_under_the_name_of_a_way() -> None:
    told: dict[str, object] = {"play": {name: {"rows": []} for name in (*WAYS, "usb-2")}}
    mistakes: list[str] = []
    validate(Acceptance, told, "x", mistakes)
    assert len(mistakes) == len(WAYS), mistakes


def test_no_story_has_the_name_of_a_way() -> None:
    assert not set(WAYS) & set(STORIES)


def test_an_installation_has_the_program_and_what_it_installs() -> None:
    steps = plan(load(ROOT), "truthdb-installer")
    parts = boot_test._parts(steps)
    made = {name: source.step.name for name, source in parts.items() if isinstance(source, Output)}
    assert made == {"installer": "installer:truthdb-installer", "payload": "uki:truthdb-runtime"}
    assert parts["product"] == Source(ROOT / "recipes/truthdb-installer/product.toml")
