import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pipeline.boot import drive
from pipeline.boot.boot_test import Scenario, boot
from pipeline.boot.outcome import Outcome
from pipeline.vm import machine, symptoms
from pipeline.vm.machine import Machine
from pipeline.vm.monitor import Monitor
from pipeline.vm.session import NotSeenError, Session
from pipeline.vm.stages import Stage
from pipeline.vm.symptoms import Cause
from tests.boot.conftest import MakeScenario
from tests.vm import excerpts

SCREEN = "TruthDB Installer 0.1.0\nWelcome\n"
KERNEL = "RIP=ffffffff81a3c0de"


def result(scenario: Scenario) -> Outcome:
    return asyncio.run(boot(scenario, machine.way("cd"), "tcg"))


def test_from_power_on_to_the_reboot(make_scenario: MakeScenario) -> None:
    serial = [excerpts.LOADED, excerpts.GREETING]
    outcome = result(make_scenario(serial=serial, screen=SCREEN, resets_on="send-key"))
    assert outcome.failure == ""
    assert list(outcome.times) == [
        Stage.POWER,
        Stage.FIRMWARE,
        Stage.LOADER,
        Stage.SERIAL,
        Stage.SCREEN,
        Stage.REBOOT,
    ]
    assert [event for _, event in outcome.timeline][3:] == [
        "screenshot welcome.png",
        "greeting on screen",
        "pressed q",
        "rebooted",
    ]


@pytest.mark.parametrize(
    ("machine_does", "stage"),
    [
        ({}, Stage.POWER),
        ({"serial": [excerpts.CLEAR]}, Stage.FIRMWARE),
        ({"serial": [excerpts.LOADED]}, Stage.LOADER),
        ({"serial": [excerpts.LOADED], "registers": KERNEL}, Stage.KERNEL),
        ({"serial": [excerpts.LOADED, "init started: BusyBox v1.37.0"]}, Stage.INIT),
        ({"serial": [excerpts.GREETING], "screen": "TruthDB 0.1.0"}, Stage.SERIAL),
        ({"serial": [excerpts.GREETING], "screen": SCREEN}, Stage.SCREEN),
    ],
)
def test_stuck(make_scenario: MakeScenario, machine_does: dict[str, object], stage: Stage) -> None:
    outcome = result(make_scenario(timeout=3.0, **machine_does))
    assert max(outcome.times) is stage
    assert outcome.cause == symptoms.STUCK[stage]
    assert outcome.failure.startswith(f"cd: reached {str(stage)!r} after ")
    assert f"then failed: {outcome.cause.sentence}" in outcome.failure
    assert ("Missing on the screen: 'Welcome'." in outcome.failure) is (stage is Stage.SERIAL)


def test_a_panic_ends_it_long_before_the_timeout(make_scenario: MakeScenario) -> None:
    outcome = result(make_scenario(timeout=600, serial=[excerpts.LOADED, excerpts.NO_ROOT]))
    assert outcome.cause
    assert outcome.cause.sentence.startswith("Linux looked for a root file system")
    assert "unknown-block(0,0) ]---" in outcome.failure


def test_a_panic_on_the_screen_alone_ends_it_too(
    make_scenario: MakeScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "LOOK_AFTER", 0.05)
    scenario = make_scenario(timeout=600, serial=[excerpts.LOADED], screen=excerpts.NO_ROOT_BY_OCR)
    outcome = result(scenario)
    assert outcome.cause
    assert outcome.cause.sentence.startswith("Linux looked for a root file system")


def test_a_reset_before_anybody_asked(make_scenario: MakeScenario) -> None:
    outcome = result(make_scenario(timeout=600, serial=[excerpts.LOADED], resets_on="cont"))
    assert outcome.cause == symptoms.RESET


def test_the_splash_is_photographed(make_scenario: MakeScenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "SPLASH_AFTER", 0.0)
    scenario = make_scenario(timeout=1.0, serial=[excerpts.LOADED], screen="logo")
    result(scenario)
    assert (scenario.out / "cd" / "splash.png").read_text() == "logo"


@pytest.mark.parametrize(
    ("event", "accel", "cause"),
    [
        ("RESET", "tcg", symptoms.RESET),
        ("SHUTDOWN", "tcg", symptoms.OFF),
        ("STOP", "kvm", symptoms.KVM_BROKEN),
        ("STOP", "tcg", None),
    ],
)
def test_events_that_end_it(tmp_path: Path, event: str, accel: str, cause: Cause | None) -> None:
    vm = Session(Machine((), None, tmp_path, accel), tmp_path)
    vm.monitor = cast("Monitor", SimpleNamespace(events=lambda: [{"event": event}]))
    if cause is None:
        return drive.judge(vm)
    with pytest.raises(NotSeenError) as caught:
        drive.judge(vm)
    assert caught.value.cause == cause
    return None
