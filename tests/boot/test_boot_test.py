import asyncio
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.boot.boot_test import Scenario, boot_all, run
from pipeline.boot.outcome import Outcome
from pipeline.errors import PipelineError
from pipeline.steps.runner import Context
from pipeline.vm import disks, machine, symptoms
from pipeline.vm.stages import Stage
from tests.boot.conftest import MakeScenario
from tests.boot.test_drive import SCREEN
from tests.vm import excerpts
from tests.vm.test_processes import is_gone

GOOD = {"serial": [excerpts.GREETING], "screen": SCREEN, "resets_on": "send-key"}
BROKEN_KVM = {"complains_under": "kvm", "complaint": "KVM internal error. Suberror: 1"}


def boots(scenario: Scenario, ways: Sequence[str], accelerators: Sequence[str]) -> list[Outcome]:
    return asyncio.run(boot_all(scenario, [machine.way(way) for way in ways], accelerators))


def test_each_way_leaves_its_folder(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(**GOOD)
    outcomes = boots(scenario, ["cd", "usb", "disk"], ["tcg"])
    assert [(outcome.way, outcome.failure) for outcome in outcomes] == [("cd", ""), ("usb", ""), ("disk", "")]
    for way in ("cd", "usb", "disk"):
        files = sorted(path.name for path in (scenario.out / way).iterdir())
        assert files == ["qemu.log", "result.json", "serial.log", "timeline.json", "welcome.png"]


def test_each_boot_gets_fresh_variables_and_an_empty_folder(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(**GOOD)
    (scenario.work / machine.VARIABLES).write_bytes(b"yesterday")
    (scenario.out / "cd").mkdir()
    (scenario.out / "cd" / "failure.png").write_bytes(b"yesterday")
    boots(scenario, ["cd"], ["tcg"])
    assert (scenario.work / machine.VARIABLES).read_bytes() == b"as shipped"
    assert not (scenario.out / "cd" / "failure.png").exists()


def test_a_broken_kvm_gives_way_to_tcg_for_good(make_scenario: MakeScenario) -> None:
    notes: list[str] = []
    scenario = replace(make_scenario(**GOOD, **BROKEN_KVM), note=notes.append)
    outcomes = boots(scenario, ["cd", "usb"], ["kvm", "tcg"])
    assert [(outcome.accel, outcome.failure) for outcome in outcomes] == [("tcg", ""), ("tcg", "")]
    going_on = "cd: KVM on this machine opens, but cannot run this virtual machine. Going on with tcg."
    assert [note for note in notes if "KVM" in note] == [going_on]


def test_a_broken_kvm_that_was_demanded_is_the_failure(make_scenario: MakeScenario) -> None:
    [outcome] = boots(make_scenario(**GOOD, **BROKEN_KVM), ["cd"], ["kvm"])
    assert outcome.cause is symptoms.KVM_BROKEN
    assert "QEMU says:\n    KVM internal error. Suberror: 1\n" in outcome.failure


@pytest.mark.parametrize(
    "machine_does",
    [
        {"complains_under": "tcg,thread=single", "complaint": "could not open the medium"},
        {"ends_on": "cont"},
        {"ends_on": "screendump", "serial": [excerpts.GREETING]},
    ],
)
def test_qemu_ends_by_itself(make_scenario: MakeScenario, machine_does: dict[str, Any]) -> None:
    [outcome] = boots(make_scenario(timeout=600, **machine_does), ["cd"], ["tcg"])
    assert outcome.failure.startswith("cd: reached ")
    assert outcome.cause == symptoms.OFF


def test_sigterm_ends_qemu_too(make_scenario: MakeScenario, programs: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    qemu = programs / "qemu-system-x86_64"
    qemu.write_text(qemu.read_text().replace("exec", f"echo $$ > {pid}\nexec", 1))
    scenario = make_scenario(timeout=600, serial=[excerpts.LOADED])

    def interrupt(note: str) -> None:
        if "EFI program" in note:
            os.kill(os.getpid(), signal.SIGTERM)

    scenario = replace(scenario, note=interrupt)
    with pytest.raises(asyncio.CancelledError):
        boots(scenario, ["cd"], ["tcg"])
    assert is_gone(int(pid.read_text()))


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(scenario: Scenario, **params: Any) -> Context:
        monkeypatch.setattr(machine, "find_firmware", lambda: scenario.firmware)
        given = {
            "ways": ["cd", "disk"],
            "accel": "tcg",
            "timeout": 10,
            "folder": "boot-test",
        }
        greeting = {"welcome": "Welcome", "words": ["Welcome", "TruthDB", "Installer"], "leave": "q"}
        return Context(scenario.media, given | greeting | params, scenario.out, scenario.work)

    return make


def test_run_passes(make_scenario: MakeScenario, context: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(context(make_scenario(**GOOD)))
    notes = [json.loads(line[1:])["text"] for line in capsys.readouterr().out.split("\n") if line]
    assert [note.partition(" ")[0] for note in notes if "·" in note] == ["cd:", "disk:"]


@pytest.mark.parametrize(("words", "missing"), [((), ""), (("TruthDB",), ""), (("login",), "'login'")])
def test_a_system_has_to_show_only_what_is_asked_of_its_screen(
    make_scenario: MakeScenario, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], missing: str
) -> None:
    monkeypatch.setattr(disks, "overlay", lambda image, *_: image)
    monkeypatch.setattr("pipeline.boot.boot_test.SLOWER", 1)
    scenario = make_scenario(timeout=1.0, serial=[excerpts.GREETING], screen="TruthDB")
    scenario = replace(scenario, greeting=replace(scenario.greeting, words=words))
    [outcome] = boots(scenario, ["virtio-blk"], ["tcg"])
    assert (outcome.way, Stage.SERIAL in outcome.times) == ("virtio-blk", True)
    assert bool(outcome.failure) == bool(missing)
    assert missing in outcome.failure


def test_run_reports_every_failed_way(make_scenario: MakeScenario, context: Any) -> None:
    scenario = make_scenario(serial=[excerpts.LOADED, excerpts.NO_ROOT], screen=SCREEN)
    with pytest.raises(PipelineError) as caught:
        run(context(scenario))
    message = caught.value.message
    for way in ("cd", "disk"):
        assert f"{way}: reached 'kernel' after " in message
    assert message.count("Linux looked for a root file system") == 2
    assert caught.value.hint.startswith("put rdinit=/sbin/init on the recipe's cmdline")
    assert caught.value.hint.endswith("; logs and screenshots: boot-test/cd")


def test_run_demands_the_words_of_the_recipe(make_scenario: MakeScenario, context: Any) -> None:
    with pytest.raises(PipelineError) as caught:
        run(
            context(make_scenario(**GOOD), ways=["usb"], timeout=1.0, words=["OtherDB", "Installer", "0.2.0"])
        )
    assert "Missing on the screen: 'OtherDB', '0.2.0'." in caught.value.message


def test_run_refuses_an_unknown_way(make_scenario: MakeScenario, context: Any) -> None:
    with pytest.raises(PipelineError) as caught:
        run(context(make_scenario(**GOOD), ways=["floppy"]))
    assert caught.value.message == "'floppy' is an unknown way of booting"
