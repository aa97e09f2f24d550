import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.boot import interactive
from pipeline.steps.runner import Context
from pipeline.vm import disks, machine
from pipeline.vm.machine import Firmware

GIVEN: dict[str, Any] = {"way": "usb", "accel": "tcg", "disk": 0, "keep": False, "display": "none", "port": 0}
LEAVE = "Ctrl-A X ends the machine"

ROWS: list[tuple[dict[str, Any], bool, str, list[str]]] = [
    # parameters, whether there is a kept disk, what is said, devices in the order in which they are tried
    ({}, False, "Booting from a USB stick on xHCI with tcg.", ["medium"]),
    ({"way": "esp"}, False, "Booting from a FAT folder with tcg.", ["medium"]),
    (
        {"disk": 1 << 30},
        False,
        "Booting from a USB stick on xHCI, beside an empty disk of 1073741824 bytes that is gone afterwards",
        ["target", "medium"],
    ),
    (
        {"disk": 1 << 30, "keep": True},
        False,
        "Booting from a USB stick on xHCI, beside an empty disk of 1073741824 bytes that is kept afterwards",
        ["target", "medium"],
    ),
    (
        {"disk": 1 << 30, "keep": True},
        True,
        "Booting from a USB stick on xHCI, beside the disk that was kept",
        ["medium", "target"],
    ),
    (
        {"way": "nvme"},
        False,
        "Booting from its disk on NVMe; what is written to it is gone afterwards with tcg.",
        ["medium"],
    ),
    ({"way": "ahci", "disk": 1 << 30}, False, "Booting from its disk on AHCI; what is written", ["medium"]),
    ({"way": "", "keep": True}, True, "Booting from the disk that was kept with tcg.", ["target"]),
    (
        {"display": "vnc", "port": 5907},
        False,
        "Its screen is at vnc://127.0.0.1:5907.\nBooting from a USB stick on xHCI with tcg.",
        ["medium"],
    ),
]


@pytest.mark.parametrize(("params", "is_kept", "said", "order"), ROWS)
def test_it_becomes_qemu_on_the_terminal(
    params: dict[str, Any],
    is_kept: bool,
    said: str,
    order: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for folder in ("in", "out", "work"):
        (tmp_path / folder).mkdir()
    for name in ("factory.fd", "iso", "uki", "disk", *interactive.KEPT):
        (tmp_path / "in" / name).write_text(name)
    became: list[list[str]] = []
    made: list[tuple[str, ...]] = []
    firmware = Firmware(tmp_path / "code.fd", tmp_path / "in/factory.fd")
    monkeypatch.setattr(machine, "find_firmware", lambda: firmware)
    monkeypatch.setattr(os, "execvp", lambda _, argv: became.append(argv))
    monkeypatch.setattr(disks, "run", lambda *argv: made.append(argv))
    inputs = {
        name: tmp_path / "in" / name
        for name in ("iso", "uki", "disk", *(interactive.KEPT if is_kept else ()))
    }
    params = GIVEN | params
    interactive.run(Context(inputs, params, tmp_path / "out", tmp_path / "work"))

    assert capsys.readouterr().out.startswith(said)
    [argv] = became
    turns = {int(word.partition("bootindex=")[2][0]): word for word in argv if ",bootindex=" in word}
    assert [name for turn in sorted(turns) for name in order if f"drive={name}," in turns[turn]] == order
    display = f"vnc=0.0.0.0:{params['port'] - 5900}" if params["port"] else "none"
    assert argv[-4:] == ["-display", display, "-serial", "mon:stdio"]

    place = tmp_path / ("out" if params["keep"] else "work")
    disk = place / interactive.DISK
    create = ("qemu-img", "create", "-q", "-f", "qcow2")
    commands: list[tuple[str, ...]] = []
    if params["disk"] and not is_kept:
        commands = [(*create, str(disk), str(params["disk"]))]
    if params["way"] in machine.OF_SYSTEMS:
        written = str(tmp_path / f"work/{params['way']}.qcow2")
        resize = ("qemu-img", "resize", "-q", written, str(params["disk"]))
        over = (*create, "-F", "raw", "-b", str(inputs["disk"]), written)
        commands = [over, *([resize] if params["disk"] else [])]
    assert made == commands
    variables = (place / machine.VARIABLES).read_text()
    assert variables == (machine.VARIABLES if is_kept else "factory.fd")
    assert f'"{place / machine.VARIABLES}"' in " ".join(argv)
    if is_kept:
        assert disk.read_text() == interactive.DISK
    if params["way"] == "esp":
        assert (tmp_path / "work/esp/EFI/BOOT/BOOTX64.EFI").read_text() == "uki"


def test_a_copy_that_is_cut_short_is_nothing_to_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {name: tmp_path / "in" / name for name in interactive.KEPT}
    for folder in ("in", "out", "work"):
        (tmp_path / folder).mkdir()
    for path in (*inputs.values(), tmp_path / "factory.fd"):
        path.write_text(path.name)
    copy = shutil.copyfile

    def cut(source: Path, target: Path) -> Path:
        if source.name == interactive.DISK:
            target.write_text("half")
            raise KeyboardInterrupt
        return copy(source, target)

    monkeypatch.setattr(machine, "find_firmware", lambda: Firmware(tmp_path, tmp_path / "factory.fd"))
    monkeypatch.setattr(shutil, "copyfile", cut)
    with pytest.raises(KeyboardInterrupt):
        interactive.run(
            Context(inputs, GIVEN | {"way": "", "keep": True}, tmp_path / "out", tmp_path / "work")
        )
    left = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert left == {machine.VARIABLES: machine.VARIABLES}
