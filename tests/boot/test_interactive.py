import os
from pathlib import Path

import pytest

from pipeline.boot import interactive
from pipeline.steps.runner import Context
from pipeline.vm import machine
from pipeline.vm.machine import Firmware


def test_it_becomes_qemu_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    factory = tmp_path / "factory.fd"
    factory.write_bytes(b"as shipped")
    became: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(machine, "find_firmware", lambda: Firmware(tmp_path / "code.fd", factory))
    monkeypatch.setattr(os, "execvp", lambda program, argv: became.append((program, argv)))
    params = {"way": "usb", "accel": "tcg"}
    interactive.run(Context({"iso": tmp_path / "iso"}, params, tmp_path, tmp_path))
    [(program, argv)] = became
    assert program == "qemu-system-x86_64"
    firmware = Firmware(tmp_path / "code.fd", factory)
    booting = machine.booting(machine.way("usb"), tmp_path / "iso", firmware, tmp_path, "tcg")
    assert argv == machine.argv(booting, ["-display", "none", "-serial", "mon:stdio"])
    said = capsys.readouterr().out
    assert said.startswith("Booting from a USB stick on xHCI with tcg. Ctrl-A X ends the machine")
