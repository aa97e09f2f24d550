import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.boot import interactive
from pipeline.steps.runner import Context
from pipeline.vm import machine
from pipeline.vm.machine import Disk, Firmware


@pytest.mark.parametrize("size", [0, 1 << 30])
def test_it_becomes_qemu_on_the_terminal(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    factory = tmp_path / "factory.fd"
    factory.write_bytes(b"as shipped")
    became: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(machine, "find_firmware", lambda: Firmware(tmp_path / "code.fd", factory))
    monkeypatch.setattr(os, "execvp", lambda program, argv: became.append((program, argv)))
    params = {"way": "usb", "accel": "tcg", "disk": size}
    interactive.run(Context({"iso": tmp_path / "iso"}, params, tmp_path, tmp_path))
    [(program, argv)] = became
    assert program == "qemu-system-x86_64"
    firmware = Firmware(tmp_path / "code.fd", factory)
    booting = machine.booting(machine.way("usb"), tmp_path / "iso", firmware, tmp_path, "tcg")
    if size:
        disk = Disk("target", tmp_path / "disk.img", "nvme", serial="DISK0001", turn=0)
        assert disk.image.stat().st_size == size
        medium = replace(booting.disks[0], turn=1)
        booting = replace(booting, disks=(disk, medium), memory=1536)
    assert argv == machine.argv(booting, ["-display", "none", "-serial", "mon:stdio"])
    also = f", beside an empty disk of {size} bytes that is gone afterwards" if size else ""
    said = capsys.readouterr().out
    assert said.startswith(f"Booting from a USB stick on xHCI with tcg{also}. Ctrl-A X ends the machine")
