import asyncio
from pathlib import Path
from typing import Any

import pytest

from pipeline.boot.watch import Stopped, Watch
from pipeline.vm import symptoms
from pipeline.vm.stages import Stage
from pipeline.vm.symptoms import Cause
from tests.vm import excerpts

OTHERWISE = Cause("It is not known.", "look")


class Console:
    """A watch over a machine, and what it told its listener."""

    def __init__(self, folder: Path, accel: str = "tcg") -> None:
        self.log = folder / "serial.log"
        self.told: list[Stage] = []
        self.watch = Watch(self.log, accel, lambda stage, _: self.told.append(stage))

    def hear(self, text: str, *, messages: bool = False) -> None:
        async def scene() -> None:
            reader = asyncio.StreamReader()
            reader.feed_data(text.encode())
            reader.feed_eof()
            await (self.watch.overhear(reader) if messages else self.watch.hear(reader))

        asyncio.run(scene())


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


def test_serial_output_moves_the_stages_and_is_logged_to_the_byte(console: Console) -> None:
    said = excerpts.LOADED + excerpts.GREETING
    console.hear(said)
    assert console.told == [Stage.FIRMWARE, Stage.LOADER, Stage.SERIAL]
    assert console.watch.stage is Stage.SERIAL
    assert [event for _, event in console.watch.timeline] == ["firmware", "EFI program", "Welcome on serial"]
    assert console.log.read_bytes() == said.encode()
    console.watch.judge([])


def test_a_stage_is_reached_once(console: Console) -> None:
    console.watch.reach(Stage.KERNEL, 1.5)
    console.watch.reach(Stage.KERNEL, 2.5)
    assert console.watch.times[Stage.KERNEL] == 1.5
    assert console.watch.timeline == [(1.5, "kernel")]


@pytest.mark.parametrize(
    ("event", "accel", "cause"),
    [
        ("RESET", "tcg", symptoms.RESET),
        ("SHUTDOWN", "tcg", symptoms.OFF),
        ("STOP", "kvm", symptoms.KVM_BROKEN),
    ],
)
def test_events_that_end_it(tmp_path: Path, event: str, accel: str, cause: Cause) -> None:
    with pytest.raises(Stopped) as caught:
        Console(tmp_path, accel).watch.judge([{"event": event}])
    assert caught.value.cause == cause


@pytest.mark.parametrize("events", [[], [{"event": "STOP"}]])
def test_events_that_do_not(console: Console, events: list[dict[str, Any]]) -> None:
    console.watch.judge(events)
    assert console.watch.stage is Stage.POWER


def test_the_reset_that_was_asked_for(console: Console) -> None:
    console.watch.asked_to_reboot = True
    console.watch.judge([{"event": "RESET"}])
    assert console.watch.stage is Stage.REBOOT


def test_a_final_symptom_stops_wherever_it_shows(tmp_path: Path) -> None:
    on_serial, on_screen, in_messages = (Console(tmp_path) for _ in range(3))
    on_serial.hear(excerpts.NO_ROOT)
    on_screen.watch.see(excerpts.NO_ROOT_BY_OCR)
    in_messages.hear("gtk initialization failed\n", messages=True)
    for console in (on_serial, on_screen, in_messages):
        with pytest.raises(Stopped):
            console.watch.judge([])


def test_another_symptom_is_remembered_for_the_diagnosis(console: Console) -> None:
    assert console.watch.diagnose(OTHERWISE) == OTHERWISE
    console.hear(excerpts.NOT_FOUND)
    console.watch.judge([])
    assert console.watch.diagnose(OTHERWISE).sentence.startswith("The firmware found no EFI/BOOT/BOOTX64.EFI")
