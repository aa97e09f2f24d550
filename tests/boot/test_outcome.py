import json
from dataclasses import replace
from pathlib import Path

from pipeline.boot import outcome as report
from pipeline.boot.outcome import Failure, Outcome
from pipeline.vm.stages import Stage
from pipeline.vm.symptoms import Cause

FAILURE = Failure(Cause("It broke.", "mend it"), "failure.png", "")

PASSED = Outcome(
    way="cd",
    accel="tcg",
    times={
        Stage.POWER: 0.0,
        Stage.KERNEL: 3.1,
        Stage.FIRMWARE: 1.2,
        Stage.SERIAL: 4.4,
        Stage.SCREEN: 4.9,
        Stage.REBOOT: 6.2,
    },
    timeline=[(1.2, "firmware"), (4.45678, "screenshot welcome.png")],
    serial="",
    screen="Welcome\n",
    missing=[],
    failure=None,
)

FAILED = replace(
    PASSED,
    times={Stage.POWER: 0.0, Stage.FIRMWARE: 1.2},
    serial="\n".join(f"line {number}" for number in range(50)),
    screen="a word\n\nanother\n",
    missing=["Welcome", "0.1.0"],
    failure=FAILURE,
)

TEXT = """\
cd: reached 'firmware' after 1.2 s (tcg), then failed: It broke.
missing on the screen: 'Welcome', '0.1.0'
the screen reads:
    a word
    another
serial console, last 40 lines:
    line 10
"""


def test_summary() -> None:
    line = "cd: firmware 1.2 s · kernel 3.1 s · Welcome on serial 4.4 s · Welcome on screen 4.9 s"
    assert report.summary(PASSED) == line + " · rebooted 6.2 s (tcg)"
    assert report.summary(FAILED) == "cd: firmware 1.2 s · failed (tcg)"


def test_a_failure_is_explained() -> None:
    text = report.explain(FAILED, FAILURE, "artifacts/boot-test")
    assert text.startswith(TEXT)
    assert text.endswith("    line 49\nscreenshot: artifacts/boot-test/cd/failure.png")


def test_a_failure_of_qemu_itself() -> None:
    failure = replace(FAILURE, screenshot=None, complaints="\n".join(f"register {n}" for n in range(20)))
    dead = replace(FAILED, times={Stage.POWER: 0.0}, serial="", screen="", missing=[])
    assert report.explain(dead, failure, "out") == (
        "cd: reached 'power on' after 0.0 s (tcg), then failed: It broke.\nQEMU says:\n"
        + "".join(f"    register {n}\n" for n in range(8))
        + "the serial console said nothing"
    )


def test_what_is_written(tmp_path: Path) -> None:
    report.write(FAILED, tmp_path)
    assert json.loads((tmp_path / "result.json").read_text()) == {
        "way": "cd",
        "accel": "tcg",
        "passed": False,
        "stage": "firmware",
        "seconds": {"power on": 0.0, "firmware": 1.2},
        "cause": "It broke.",
        "hint": "mend it",
        "complaints": [],
        "screenshot": "failure.png",
        "missing": ["Welcome", "0.1.0"],
        "screen": ["a word", "", "another"],
    }
    assert json.loads((tmp_path / "timeline.json").read_text()) == [
        {"seconds": 1.2, "event": "firmware"},
        {"seconds": 4.457, "event": "screenshot welcome.png"},
    ]


def test_a_pass_has_no_cause(tmp_path: Path) -> None:
    report.write(PASSED, tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["passed"], result["stage"], result["cause"]) == (True, "rebooted", None)
