import asyncio

import pytest

from pipeline.boot import drive
from pipeline.boot.boot_test import Scenario, boot
from pipeline.boot.outcome import Outcome
from pipeline.vm import machine, symptoms
from pipeline.vm.stages import Stage
from tests.boot.conftest import MakeScenario
from tests.vm import excerpts

SCREEN = "TruthDB Installer 0.1.0\nWelcome\n"
KERNEL = "RIP=ffffffff81a3c0de"


def result(scenario: Scenario) -> Outcome:
    return asyncio.run(boot(scenario, machine.way("cd"), "tcg"))


def test_from_power_on_to_the_reboot(make_scenario: MakeScenario) -> None:
    serial = [excerpts.LOADED, excerpts.GREETING]
    outcome = result(make_scenario(serial=serial, screen=SCREEN, resets_on="send-key"))
    assert outcome.failure is None
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
        "Welcome on screen",
        "pressed Q",
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
    outcome = result(make_scenario(timeout=1.0, **machine_does))
    assert outcome.stage is stage
    assert outcome.failure
    assert outcome.failure.cause == symptoms.STUCK[stage]
    assert outcome.failure.screenshot == "failure.png"
    assert outcome.missing == (["Welcome"] if stage is Stage.SERIAL else [])


def test_a_panic_ends_it_long_before_the_timeout(make_scenario: MakeScenario) -> None:
    outcome = result(make_scenario(timeout=600, serial=[excerpts.LOADED, excerpts.NO_ROOT]))
    assert outcome.failure
    assert outcome.failure.cause.sentence.startswith("Linux looked for a root file system")
    assert outcome.serial.endswith("unknown-block(0,0) ]---")


def test_a_panic_on_the_screen_alone_ends_it_too(
    make_scenario: MakeScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "LOOK_AFTER", 0.05)
    scenario = make_scenario(timeout=600, serial=[excerpts.LOADED], screen=excerpts.NO_ROOT_BY_OCR)
    outcome = result(scenario)
    assert outcome.failure
    assert outcome.failure.cause.sentence.startswith("Linux looked for a root file system")


def test_a_reset_before_anybody_asked(make_scenario: MakeScenario) -> None:
    outcome = result(make_scenario(timeout=600, serial=[excerpts.LOADED], resets_on="cont"))
    assert outcome.failure
    assert outcome.failure.cause == symptoms.RESET


def test_the_splash_is_photographed(make_scenario: MakeScenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "SPLASH_AFTER", 0.0)
    scenario = make_scenario(timeout=1.0, serial=[excerpts.LOADED], screen="logo")
    result(scenario)
    assert (scenario.out / "cd" / "splash.png").read_text() == "logo"
