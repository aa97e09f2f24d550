import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.vm import monitor
from pipeline.vm.monitor import Monitor, MonitorError, attached

GREETING = {
    "QMP": {"version": {"qemu": {"major": 10, "minor": 0, "micro": 0}, "package": ""}, "capabilities": []}
}
STAMP = {"seconds": 0, "microseconds": 0}


async def serve(channel: socket.socket, answers: dict[str, Any], heard: list[dict[str, Any]]) -> None:
    """Speak QMP: greet, answer what `answers` knows, hang up at anything else."""
    reader, writer = await asyncio.open_connection(sock=channel)

    def say(message: object) -> None:
        writer.write(json.dumps(message).encode() + b"\n")

    say(GREETING)
    while sent := await reader.read(1 << 16):  # one command at a time, without a line feed
        command = json.loads(sent)
        heard.append(command)
        if command["execute"] not in answers:
            break
        answer = answers[command["execute"]]
        for event in answer.get("events", []):
            say({"event": event, "timestamp": STAMP})
        say({key: value for key, value in answer.items() if key != "events"} | {"id": command.get("id")})
    writer.close()


def converse(
    scene: Callable[[Monitor], Awaitable[Any]], answers: dict[str, Any]
) -> tuple[Any, list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []

    async def both() -> Any:
        ours, theirs = socket.socketpair()
        server = asyncio.create_task(serve(theirs, {"qmp_capabilities": {"return": {}}} | answers, heard))
        async with attached(ours) as monitor:
            result = await scene(monitor)
        await server
        return result

    result = asyncio.run(both())
    return result, [{key: value for key, value in command.items() if key != "id"} for command in heard[1:]]


def test_a_key_is_pressed_by_its_qcode() -> None:
    _, heard = converse(lambda monitor: monitor.press("q"), {"send-key": {"return": {}}})
    assert heard == [{"execute": "send-key", "arguments": {"keys": [{"type": "qcode", "data": "q"}]}}]


def test_a_screenshot_is_a_png() -> None:
    _, heard = converse(lambda monitor: monitor.screenshot(Path("/o/s.png")), {"screendump": {"return": {}}})
    assert heard == [{"execute": "screendump", "arguments": {"filename": "/o/s.png", "format": "png"}}]


def test_power_on_continues_the_stopped_machine() -> None:
    _, heard = converse(lambda monitor: monitor.power_on(), {"cont": {"return": {}}})
    assert heard == [{"execute": "cont"}]


def test_a_device_is_pulled_out_and_plugged_in() -> None:
    async def scene(monitor: Monitor) -> None:
        await monitor.unplug("usb-target")
        await monitor.plug_in("target", "S1")

    _, heard = converse(scene, {"device_del": {"return": {}}, "device_add": {"return": {}}})
    assert heard == [
        {"execute": "device_del", "arguments": {"id": "usb-target"}},
        {
            "execute": "device_add",
            "arguments": {
                "driver": "usb-storage",
                "removable": True,
                "id": "usb-target",
                "bus": "xhci-target.0",
                "drive": "target",
                "serial": "S1",
            },
        },
    ]


def test_another_image_below_a_disk() -> None:
    commands = ("blockdev-add", "blockdev-reopen")
    answers: dict[str, dict[str, object]] = {name: {"return": {}} for name in commands}
    _, heard = converse(lambda monitor: monitor.replace_image("target", Path("/w/x.img")), answers)
    file = {"driver": "file", "node-name": "target-image", "filename": "/w/x.img"}
    options = {"driver": "raw", "node-name": "target", "file": "target-image"}
    assert heard == [
        {"execute": "blockdev-add", "arguments": file},
        {"execute": "blockdev-reopen", "arguments": {"options": [options]}},
    ]


def test_a_disk_grows_and_hangs() -> None:
    async def scene(monitor: Monitor) -> None:
        await monitor.hang()
        await monitor.resize("late", 512)

    _, heard = converse(scene, {"qom-set": {"return": {}}, "block_resize": {"return": {}}})
    limits = {"path": "/objects/throttle", "property": "limits", "value": {"bps-total": 1}}
    assert [command["arguments"] for command in heard] == [limits, {"node-name": "late", "size": 512}]


def test_the_power_button() -> None:
    _, heard = converse(lambda monitor: monitor.press_power_button(), {"system_powerdown": {"return": {}}})
    assert heard == [{"execute": "system_powerdown"}]


@pytest.mark.parametrize(
    ("registers", "kernel"),
    [
        ("RAX=0\r\nRIP=ffffffff81a3c0de RFL=00000246", True),
        ("RAX=0\r\nRIP=ffff888001234567 RFL=00000246", True),
        ("RAX=ffffffff81a3c0de\r\nRIP=000000007e5d3b2a RFL=00000246", False),
        ("RIP=00007ffd734292f8 RFL=00000202", False),
        ("EAX=0\r\nEIP=0000fff0 EFL=00000002", False),
    ],
)
def test_the_kernel_shows_in_the_instruction_pointer(registers: str, kernel: bool) -> None:
    answers = {"human-monitor-command": {"return": registers}}
    seen, heard = converse(lambda monitor: monitor.in_kernel(), answers)
    assert seen is kernel
    assert heard == [{"execute": "human-monitor-command", "arguments": {"command-line": "info registers"}}]


def test_what_the_processors_do() -> None:
    registers = (
        "\r\nCPU#0\r\nRAX=0\r\nRIP=ffffffff81a3c0de RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n"
        "CPU#1\r\nRAX=0\r\nRIP=00007ffd734292f8 RFL=00000202 [-------] CPL=3 II=0 A20=1 SMM=0 HLT=0\r\n"
    )
    said, heard = converse(Monitor.processors, {"human-monitor-command": {"return": registers}})
    assert said == "0 at ffffffff81a3c0de (ring 0, halted), 1 at 00007ffd734292f8 (ring 3)"
    assert heard[0]["arguments"] == {"command-line": "info registers -a"}


def test_an_error_that_hardware_cannot_correct() -> None:
    _, heard = converse(Monitor.machine_check, {"human-monitor-command": {"return": ""}})
    assert heard[0]["arguments"] == {"command-line": "mce 0 0 0xb200000000000000 0x5 0 0"}


def test_events_are_told_once_and_only_those_that_matter() -> None:
    async def scene(monitor: Monitor) -> list[list[object]]:
        await monitor.power_on()
        return [[event["event"] for event in monitor.events()] for _ in range(2)]

    answers = {"cont": {"return": {}, "events": ["RESUME", "RESET", "STOP"]}}
    assert converse(scene, answers)[0] == [["RESET", "STOP"], []]


def test_a_refusal() -> None:
    answers = {"send-key": {"error": {"class": "GenericError", "desc": "no such key"}}}
    with pytest.raises(MonitorError) as caught:
        converse(lambda monitor: monitor.press("q"), answers)
    assert caught.value.message == "QEMU's monitor refused 'send-key': no such key"


def test_qemu_hangs_up() -> None:
    with pytest.raises(MonitorError) as caught:
        converse(lambda monitor: monitor.press("q"), {})
    assert caught.value.message.startswith("QEMU's monitor refused 'send-key': ")


def test_nobody_answers() -> None:
    async def scene() -> None:
        ours, theirs = socket.socketpair()
        theirs.close()
        async with attached(ours):
            pass

    with pytest.raises(MonitorError) as caught:
        asyncio.run(scene())
    assert caught.value.message.startswith("QEMU does not answer on its monitor: ")


def test_a_qemu_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "PATIENCE", 0.05)

    async def scene() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            async with attached(ours):
                pass

    with pytest.raises(MonitorError) as caught:
        asyncio.run(scene())
    assert caught.value.message == "QEMU does not answer on its monitor: no greeting within 0.05 s"
