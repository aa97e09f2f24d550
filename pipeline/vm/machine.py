"""Owns what the virtual machine is made of: firmware, devices, and QEMU's command line for them.

Must not know what runs on the machine, nor start it.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError

FIRMWARE_FOLDER = Path("/usr/share/OVMF")
CODE = "OVMF_CODE_4M.fd"
VARIABLES = "OVMF_VARS_4M.fd"
KVM = Path("/dev/kvm")
PROCESSORS = 2
MEMORY_MIB = 1024


@dataclass(frozen=True)
class Way:
    """A way of booting the medium: how it is attached, and which keyboard and screen go with it.

    Each way has exactly one keyboard and one screen, so that a missing driver cannot hide.
    """

    name: str
    medium: str
    keyboard: str
    devices: tuple[str, ...]
    ps2: bool


WAYS = {
    way.name: way
    for way in (
        Way("cd", "a CD on AHCI", "PS/2", ("ide-cd,bus=ide.0,drive=medium,bootindex=0", "VGA"), True),
        Way(
            "usb",
            "a USB stick on xHCI",
            "USB",
            (
                "qemu-xhci,id=xhci",
                "usb-storage,bus=xhci.0,drive=medium,removable=on,bootindex=0",
                "usb-kbd,bus=xhci.0",
                "VGA",
            ),
            False,
        ),
        Way(
            "disk",
            "a virtio disk",
            "virtio",
            ("virtio-blk-pci,drive=medium,bootindex=0", "virtio-keyboard-pci", "virtio-vga"),
            False,
        ),
    )
}


@dataclass(frozen=True)
class Firmware:
    """OVMF's two flash images: its program, and its variables as they leave the factory."""

    code: Path
    variables: Path


def way(name: str) -> Way:
    """Return the way of booting called `name`; raise PipelineError when there is none."""
    if name not in WAYS:
        raise PipelineError(f"{name!r} is not a way of booting", f"choose from {', '.join(WAYS)}")
    return WAYS[name]


def find_firmware(folder: Path = FIRMWARE_FOLDER) -> Firmware:
    """Return the 4 MiB OVMF build in `folder`; raise PipelineError that says what lies there instead."""
    for name in (CODE, VARIABLES):
        if not (folder / name).is_file():
            others = ", ".join(sorted(path.name for path in folder.glob("*.fd"))) or "no firmware at all"
            raise PipelineError(
                f"{folder / name}: no such firmware file; the folder has {others}",
                "Debian's package `ovmf` has it; other distributions name it differently",
            )
    return Firmware(folder / CODE, folder / VARIABLES)


def fresh_variables(firmware: Firmware, folder: Path) -> Path:
    """Return a new writable copy of the factory variables: what an earlier run left must not matter."""
    copy = folder / VARIABLES
    copy.unlink(missing_ok=True)
    shutil.copyfile(firmware.variables, copy)
    return copy


def can_open_kvm(device: Path = KVM) -> bool:
    """Say whether this process may use KVM: opening the device is the only test that counts."""
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError:
        return False
    return True


def accelerators(wanted: str, *, kvm: bool) -> tuple[str, ...]:
    """Return which of "kvm" and "tcg" to try, best first; `kvm` says whether KVM can be opened.

    Raises PipelineError for an unknown `wanted`, or when KVM is demanded and is not there.
    """
    if wanted not in ("auto", "kvm", "tcg"):
        raise PipelineError(f"{wanted!r} is not an accelerator", "choose from auto, kvm, tcg")
    if wanted == "kvm" and not kvm:
        raise PipelineError(
            f"{KVM} cannot be opened for reading and writing",
            "leave it to `--accel auto`, or do without: `--accel tcg`",
        )
    if wanted == "auto":
        return ("kvm", "tcg") if kvm else ("tcg",)
    return (wanted,)


def _image(node: str, file: Path, *, writable: bool = False) -> list[str]:
    description = {
        "driver": "raw",
        "node-name": node,
        "read-only": not writable,
        "file": {"driver": "file", "filename": str(file)},
    }
    return ["-blockdev", json.dumps(description)]


def command(
    way: Way, *, medium: Path, code: Path, variables: Path, accel: str, console: Sequence[str]
) -> list[str]:
    """Return QEMU's exact command line for a machine without a network that boots `medium`.

    `console` is where the serial port and the monitor lead: `watched` or `terminal`.
    """
    ps2 = "on" if way.ps2 else "off"
    devices = [argument for device in way.devices for argument in ("-device", device)]
    return [
        "qemu-system-x86_64",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-machine",
        f"q35,i8042={ps2},pflash0=code,pflash1=variables",
        "-accel",
        "tcg,thread=multi" if accel == "tcg" else accel,
        # The oldest x86-64 there is: what boots here needs no newer one, and KVM has no say in it.
        "-cpu",
        "qemu64",
        "-smp",
        str(PROCESSORS),
        "-m",
        f"{MEMORY_MIB}M",
        *_image("code", code),
        *_image("variables", variables, writable=True),
        *_image("medium", medium),
        *devices,
        "-nic",
        "none",
        *console,
    ]


def watched(qmp: int) -> list[str]:
    """Return a console for a program: serial on standard output, QMP on descriptor `qmp`, power off.

    The machine waits for QMP's `cont`, so nothing it says is missed and time starts at zero.
    """
    return [
        "-S",
        "-serial",
        "stdio",
        "-chardev",
        f"socket,id=qmp,fd={qmp}",
        "-mon",
        "chardev=qmp,mode=control",
    ]


def terminal() -> list[str]:
    """Return a console for a person: serial port and QEMU's monitor share the terminal."""
    return ["-serial", "mon:stdio"]
