import re
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.vm import machine

CD = r"""
qemu-system-x86_64
-nodefaults
-no-user-config
-display none
-machine q35,i8042=on,pflash0=code,pflash1=variables
-accel tcg,thread=multi
-cpu qemu64
-smp 2
-m 1024M
-blockdev {"driver": "raw", "node-name": "code", "read-only": true, "file": {"driver": "file", "filename": "/c"}}
-blockdev {"driver": "raw", "node-name": "variables", "read-only": false, "file": {"driver": "file", "filename": "/v"}}
-blockdev {"driver": "raw", "node-name": "medium", "read-only": true, "file": {"driver": "file", "filename": "/a,b"}}
-device ide-cd,bus=ide.0,drive=medium,bootindex=0
-device VGA
-nic none
-S
-serial stdio
-chardev socket,id=qmp,fd=7
-mon chardev=qmp,mode=control
"""  # noqa: E501 - QEMU's own words

DEVICES = {
    "cd": ["ide-cd,bus=ide.0,drive=medium,bootindex=0", "VGA"],
    "usb": [
        "qemu-xhci,id=xhci",
        "usb-storage,bus=xhci.0,drive=medium,removable=on,bootindex=0",
        "usb-kbd,bus=xhci.0",
        "VGA",
    ],
    "disk": ["virtio-blk-pci,drive=medium,bootindex=0", "virtio-keyboard-pci", "virtio-vga"],
}


def command(way: str, accel: str = "tcg", console: list[str] | None = None) -> list[str]:
    return machine.command(
        machine.way(way),
        medium=Path("/a,b"),
        code=Path("/c"),
        variables=Path("/v"),
        accel=accel,
        console=machine.watched(7) if console is None else console,
    )


def listing(argv: list[str]) -> str:
    return re.sub(r"\n(?!-)", " ", "\n".join(argv))


def test_command_line_is_exactly_this() -> None:
    assert listing(command("cd")) == CD.strip()


@pytest.mark.parametrize("way", machine.WAYS)
def test_each_way_has_its_devices_and_one_keyboard(way: str) -> None:
    argv = command(way)
    devices = [value for flag, value in pairwise(argv) if flag == "-device"]
    assert devices == DEVICES[way]
    ps2 = "i8042=on" in argv[argv.index("-machine") + 1]
    assert ps2 + sum("kbd" in device or "keyboard" in device for device in devices) == 1
    assert sum("vga" in device.lower() for device in devices) == 1


def test_kvm_and_a_terminal() -> None:
    argv = command("usb", "kvm", machine.terminal())
    assert argv[argv.index("-accel") + 1] == "kvm"
    assert argv[-2:] == ["-serial", "mon:stdio"]


def test_firmware_is_found(tmp_path: Path) -> None:
    for name in (machine.CODE, machine.VARIABLES):
        (tmp_path / name).touch()
    assert machine.find_firmware(tmp_path) == machine.Firmware(
        tmp_path / "OVMF_CODE_4M.fd", tmp_path / "OVMF_VARS_4M.fd"
    )


@pytest.mark.parametrize(
    ("there", "missing", "has"),
    [
        ([], "OVMF_CODE_4M.fd", "no firmware at all"),
        (["OVMF_CODE.fd", "OVMF_VARS.fd"], "OVMF_CODE_4M.fd", "OVMF_CODE.fd, OVMF_VARS.fd"),
        (["OVMF_CODE_4M.fd"], "OVMF_VARS_4M.fd", "OVMF_CODE_4M.fd"),
    ],
)
def test_missing_firmware_says_what_was_looked_for(
    tmp_path: Path, there: list[str], missing: str, has: str
) -> None:
    for name in there:
        (tmp_path / name).touch()
    with pytest.raises(PipelineError) as caught:
        machine.find_firmware(tmp_path)
    assert caught.value.message == f"{tmp_path / missing}: no such firmware file; the folder has {has}"


def test_variables_are_fresh_whatever_an_earlier_run_left(tmp_path: Path) -> None:
    factory = tmp_path / "factory.fd"
    factory.write_bytes(b"as shipped")
    factory.chmod(0o444)
    (tmp_path / machine.VARIABLES).write_bytes(b"boot entries of yesterday")
    copy = machine.fresh_variables(machine.Firmware(tmp_path / "code", factory), tmp_path)
    assert copy.read_bytes() == b"as shipped"
    assert copy.stat().st_mode & 0o200


def test_kvm_counts_only_when_it_opens(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    assert not machine.can_open_kvm(device)
    device.touch()
    assert machine.can_open_kvm(device)


@pytest.mark.parametrize(
    ("wanted", "kvm", "tried"),
    [
        ("auto", True, ("kvm", "tcg")),
        ("auto", False, ("tcg",)),
        ("kvm", True, ("kvm",)),
        ("tcg", True, ("tcg",)),
    ],
)
def test_accelerators(wanted: str, kvm: bool, tried: tuple[str, ...]) -> None:
    assert machine.accelerators(wanted, kvm=kvm) == tried


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("kvm", "/dev/kvm cannot be opened for reading and writing"),
        ("xen", "'xen' is not an accelerator"),
    ],
)
def test_rejected_accelerators(wanted: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        machine.accelerators(wanted, kvm=False)
    assert caught.value.message == message


def test_unknown_way() -> None:
    with pytest.raises(PipelineError) as caught:
        machine.way("floppy")
    assert str(caught.value) == "'floppy' is not a way of booting\n  hint: choose from cd, usb, disk"
