import json
from dataclasses import replace
from pathlib import Path

from pipeline.boot.outcome import Outcome, summary, write
from pipeline.vm.stages import Stage
from pipeline.vm.symptoms import Cause

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
)

FAILED = replace(
    PASSED,
    times={Stage.POWER: 0.0, Stage.FIRMWARE: 1.2},
    failure="cd: reached 'firmware'\nIt broke.",
    cause=Cause("It broke.", "mend it"),
)


def test_summary() -> None:
    line = "cd: firmware 1.2 s · kernel 3.1 s · greeting on serial 4.4 s · greeting on screen 4.9 s"
    assert summary(PASSED) == line + " · rebooted 6.2 s (tcg)"
    assert summary(FAILED) == "cd: firmware 1.2 s · failed (tcg)"


def test_what_is_written(tmp_path: Path) -> None:
    write(FAILED, tmp_path)
    assert json.loads((tmp_path / "result.json").read_text()) == {
        "way": "cd",
        "accel": "tcg",
        "passed": False,
        "stage": "firmware",
        "seconds": {"power on": 0.0, "firmware": 1.2},
        "cause": "It broke.",
        "hint": "mend it",
        "failure": ["cd: reached 'firmware'", "It broke."],
    }
    assert json.loads((tmp_path / "timeline.json").read_text()) == [
        {"seconds": 1.2, "event": "firmware"},
        {"seconds": 4.457, "event": "screenshot welcome.png"},
    ]


def test_a_pass_has_no_cause(tmp_path: Path) -> None:
    write(PASSED, tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["passed"], result["stage"], result["cause"]) == (True, "rebooted", None)
