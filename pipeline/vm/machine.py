"""What a virtual machine is made of, as data, and QEMU's command line for it."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.vm import disks

FIRMWARE_FOLDER = Path("/usr/share/OVMF")
CODE = "OVMF_CODE_4M.fd"
VARIABLES = "OVMF_VARS_4M.fd"
KVM = Path("/dev/kvm")
SYSTEM_MEMORY = 1536  # MiB of a machine that something is installed on
SERVICE_PORT = 8080  # where what is installed answers, on the machine
HOST = "10.0.2.2"  # what QEMU calls this host's loopback, in the machine's network
THROTTLE = "throttle"
"""The group of all disks that can hang, for the monitor."""

BUSES = {
    "nvme": ("nvme,drive={node}{serial}{blocks}{boot}",),
    "virtio-blk": ("virtio-blk-pci,drive={node}{serial}{blocks}{boot},werror=report,rerror=report",),
    "virtio-scsi": (
        "virtio-scsi-pci,id=scsi-{node}",
        "scsi-hd,bus=scsi-{node}.0,drive={node}{serial}{blocks}{boot},werror=report,rerror=report",
    ),
    "scsi-paths": (
        "virtio-scsi-pci,id=first-{node}",
        "virtio-scsi-pci,id=second-{node}",
        "scsi-hd,bus=first-{node}.0,drive={node}{serial},wwn=0x5000c500a1b2c3d4,share-rw=on{blocks}{boot}",
        "scsi-hd,bus=second-{node}.0,drive={node}{serial},wwn=0x5000c500a1b2c3d4,share-rw=on{blocks}",
    ),
    "nvme-paths": (
        "nvme-subsys,id=subsystem-{node}",
        "nvme,id=first-{node},subsys=subsystem-{node}{serial}",
        "nvme,id=second-{node},subsys=subsystem-{node}{serial}",
        "nvme-ns,bus=first-{node},drive={node},shared=on{blocks}{boot}",
    ),
    "ahci": ("ide-hd,bus=ide.{port},drive={node}{serial}{boot}",),
    "usb": (
        "qemu-xhci,id=xhci-{node}",
        "usb-storage,id=usb-{node},bus=xhci-{node}.0,drive={node}{serial},removable=on{boot}",
    ),
    "cd": ("ide-cd,bus=ide.{port},drive={node}{serial}{boot}",),
}
"""QEMU's devices for a disk on each bus; one with `paths` is reached through two controllers; `cd` is the
optical drive of an AHCI controller."""

KEYBOARDS: dict[str, tuple[str, ...]] = {
    "PS/2": (),
    "USB": ("qemu-xhci,id=keyboard", "usb-kbd,bus=keyboard.0"),
    "virtio": ("virtio-keyboard-pci",),
}


@dataclass(frozen=True)
class Disk:
    """A disk of the machine: an image on a bus. `turn` is its place in the boot order, from 0 on.

    `kind` is what the image is: raw, another format by the name of QEMU's driver (qcow2, vpc, vmdk), or a
    folder that is shown as a FAT volume, only to be read.
    `faults` are options of QEMU's blkdebug driver between disk and image, `log` is a file that takes every
    write (blklogwrites). One that `forgets` has so many bytes, all of them zero whatever is written to it;
    one that `can_hang` does so once the monitor says it.
    """

    node: str
    image: Path
    bus: str
    serial: str = ""
    block: int = 512
    kind: str = "raw"
    read_only: bool = False
    turn: int | None = None
    forgets: int = 0
    can_hang: bool = False
    faults: Mapping[str, object] = field(default_factory=dict)
    log: Path | None = None


@dataclass(frozen=True)
class Machine:
    """A machine that is off. `variables` is the firmware's store, which keeps what is written to it.

    It has exactly one keyboard and one screen, so that a missing driver cannot hide. `smm` keeps the store
    to the firmware, as Secure Boot demands. `tpm` is a descriptor that leads to swtpm's control channel, and
    `tpm_state` the folder of a TPM that a session runs by itself.
    """

    disks: Sequence[Disk]
    code: Path | None  # of UEFI; without it the machine starts by BIOS
    variables: Path
    accel: str
    keyboard: str = "PS/2"
    screen: str = "VGA"
    graphics: bool = True  # without, a BIOS talks on the serial port
    oem_strings: Sequence[Path] = ()
    uuid: str = "6a4e1c2b-5f3d-4e8a-9b7c-0d1e2f3a4b5c"
    port: int = 0  # of this host's loopback, that leads to `service_port`; 0 for no network
    service_port: int = SERVICE_PORT
    card: str = "virtio-net-pci"  # of the network
    address: str = ""  # fixed, of a machine that also reaches this host's loopback, at HOST; else by DHCP
    processors: int = 2
    memory: int = SYSTEM_MEMORY
    smm: bool = False
    tpm: int | None = None
    tpm_state: Path | None = None
    kernel: Path | None = None  # what the firmware starts without a disk
    initrd: Path | None = None
    append: str = ""
    netboot: str | None = None  # starts over the network, and reaches HOST: the boot file that DHCP names
    tftp: Path | None = None  # a folder that its network offers by TFTP


@dataclass(frozen=True)
class Way:
    """A way of booting: the bus that the medium is on, and which keyboard and screen go with it.

    What lies on the medium is the `iso`, or the `uki` alone; or it is the `disk` of a whole system. The
    machine has UEFI, or a `bios`.
    """

    name: str
    medium: str
    bus: str
    keyboard: str
    screen: str
    of: str = "iso"
    bios: bool = False


WAYS = {
    way.name: way
    for way in (
        Way("cd", "a CD on AHCI", "cd", "PS/2", "VGA"),
        Way("usb", "a USB stick on xHCI", "usb", "USB", "VGA"),
        Way("disk", "a virtio disk", "virtio-blk", "virtio", "virtio-vga"),
        Way("esp", "a FAT folder", "virtio-blk", "PS/2", "VGA", of="uki"),
    )
}
"""Of media, which are only read."""

BY_BIOS = {
    way.name: way
    for way in (
        Way("cd-bios", "a CD on AHCI, by BIOS", "cd", "PS/2", "VGA", bios=True),
        Way("usb-bios", "a USB stick on xHCI, by BIOS", "usb", "PS/2", "VGA", bios=True),
    )
}
"""Of media that a BIOS starts, too."""

DISK = "disk"
"""What a way of booting a whole system is `of`: its raw disk."""

OF_SYSTEMS = {
    way.name: way
    for way in (
        Way("virtio-blk", "its disk on virtio", "virtio-blk", "PS/2", "VGA", of=DISK),
        Way("virtio-scsi", "its disk on virtio SCSI", "virtio-scsi", "PS/2", "VGA", of=DISK),
        Way("ahci", "its disk on AHCI", "ahci", "PS/2", "VGA", of=DISK),
        Way("nvme", "its disk on NVMe", "nvme", "PS/2", "VGA", of=DISK),
    )
}
"""Of whole systems, whose disk is written to: the first is tried where nobody says which."""

LEAST_MEMORY = 1024  # MiB in which a medium has to boot


@dataclass(frozen=True)
class Firmware:
    """OVMF's two flash images: its program, and its variables as they leave the factory."""

    code: Path
    variables: Path


def way(name: str) -> Way:
    """Return the way of booting called `name`; raise PipelineError for an unknown one."""
    ways = WAYS | BY_BIOS | OF_SYSTEMS
    if name not in ways:
        raise PipelineError(f"{name!r} is an unknown way of booting", f"choose from {', '.join(ways)}")
    return ways[name]


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


def booting(way: Way, medium: Path, firmware: Firmware, folder: Path, accel: str) -> Machine:
    """Return a new machine without a network that boots `medium`; its variables lie in `folder`.

    So does what it writes to a system's disk, which itself stays as it is.
    """
    kind, system = "raw", way.of == DISK
    if way.of == "uki":
        medium, kind = esp(medium, folder), "folder"
    if system:
        medium, kind = disks.overlay(medium, "raw", folder / f"{way.name}.qcow2"), "qcow2"
    serial = "SYSTEM0001" if system else ""
    return Machine(
        (Disk("medium", medium, way.bus, serial, kind=kind, read_only=not system, turn=0),),
        None if way.bios else firmware.code,
        fresh_variables(firmware, folder),
        accel,
        keyboard=way.keyboard,
        screen=way.screen,
        memory=SYSTEM_MEMORY if system else LEAST_MEMORY,
    )


def esp(uki: Path, folder: Path) -> Path:
    """Return what an EFI system partition has to hold, as a folder: the UKI where firmware looks for it."""
    program = folder / "esp/EFI/BOOT/BOOTX64.EFI"
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(uki, program)
    return folder / "esp"


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
        raise PipelineError(f"{wanted!r} is an unknown accelerator", "choose from auto, kvm, tcg")
    if wanted == "kvm" and not kvm:
        raise PipelineError(
            f"{KVM} cannot be opened for reading and writing",
            "leave it to `--accel auto`, or do without: `--accel tcg`",
        )
    if wanted == "auto":
        return ("kvm", "tcg") if kvm else ("tcg",)
    return (wanted,)


def _blockdev(node: str, file: Mapping[str, object], *, read_only: bool, driver: str = "raw") -> list[str]:
    description = {"driver": driver, "node-name": node, "read-only": read_only, "file": file}
    return ["-blockdev", json.dumps(description)]


def _disk(disk: Disk, port: int) -> list[str]:
    """Return the words for a disk: its image, whatever lies between, and its devices on the bus."""
    if disk.bus not in BUSES:
        raise PipelineError(f"{disk.bus!r} is not a bus", f"choose from {', '.join(BUSES)}")
    file: dict[str, object] = {"driver": "file", "filename": str(disk.image), "cache": {"no-flush": True}}
    if disk.kind == "folder":
        file = {"driver": "vvfat", "dir": str(disk.image), "fat-type": 16, "rw": False}
    if disk.forgets:
        file = {"driver": "null-co", "size": disk.forgets, "read-zeroes": True}
    if disk.faults:
        file = {"driver": "blkdebug", "image": file} | dict(disk.faults)
    if disk.can_hang:
        file = {"driver": "throttle", "throttle-group": THROTTLE, "file": file}
    if disk.log:
        log = {"driver": "file", "filename": str(disk.log)}
        file = {"driver": "blklogwrites", "file": file, "log": log, "log-sector-size": disk.block}
    values = {
        "node": disk.node,
        "serial": f",serial={disk.serial}" if disk.serial else "",
        "port": port,
        "blocks": f",logical_block_size={disk.block},physical_block_size={disk.block}",
        "boot": f",bootindex={disk.turn}" if disk.turn is not None else "",
    }
    devices = (template.format_map(values) for template in BUSES[disk.bus])
    driver = "raw" if disk.kind == "folder" else disk.kind
    return [*_blockdev(disk.node, file, read_only=disk.read_only, driver=driver), *_devices(*devices)]


def _devices(*devices: str) -> list[str]:
    return [word for device in devices for word in ("-device", device)]


def _network(machine: Machine) -> list[str]:
    if machine.netboot is not None:
        user = "user,id=net"
        user += f",tftp={machine.tftp}" if machine.tftp else ""
        user += f",bootfile={machine.netboot}" if machine.netboot else ""
        # QEMU's ROM is iPXE, which a BIOS needs. OVMF has a driver, and wants random numbers for its network:
        # the processor has no instruction for them.
        rom = ",romfile=" if machine.code else ""
        return ["-netdev", user, *_devices(f"virtio-net-pci,netdev=net,bootindex=0{rom}", "virtio-rng-pci")]
    if not machine.port:
        return ["-nic", "none"]
    forward = f"hostfwd=tcp:127.0.0.1:{machine.port}-{machine.address}:{machine.service_port}"
    user = f"user,id=net,restrict={'off' if machine.address else 'on'},{forward}"
    return ["-netdev", user, *_devices(f"{machine.card},netdev=net")]


def _board(machine: Machine) -> list[str]:
    """Return the words for the board, and for the two flash images of its firmware."""
    board = ["q35"]
    board += ["i8042=off"] if machine.keyboard != "PS/2" else []
    board += ["smm=on"] if machine.smm else []
    board += ["graphics=off"] if not machine.graphics else []
    words = ["-global", "driver=cfi.pflash01,property=secure,value=on"] if machine.smm else []
    if machine.code:
        board += ["pflash0=code", "pflash1=variables"]
        for node, path in (("code", machine.code), ("variables", machine.variables)):
            words += _blockdev(node, {"driver": "file", "filename": str(path)}, read_only=node == "code")
    return ["-machine", ",".join(board), *words]


def _options(machine: Machine) -> list[str]:
    """Return the words for what few machines have."""
    words = [word for path in machine.oem_strings for word in ("-smbios", f"type=11,path={path}")]
    if machine.tpm is not None:
        words += ["-chardev", f"socket,id=tpm,fd={machine.tpm}", "-tpmdev", "emulator,id=tpm,chardev=tpm"]
        words += _devices("tpm-crb,tpmdev=tpm")
    for option, value in (("kernel", machine.kernel), ("initrd", machine.initrd), ("append", machine.append)):
        words += [f"-{option}", str(value)] if value else []
    return words


def argv(machine: Machine, console: Sequence[str]) -> list[str]:
    """Return QEMU's exact command line.

    `console` is where screen, serial port and monitor lead: `watched` or `terminal`. Raises PipelineError for
    an unknown bus.
    """
    can_hang = any(disk.can_hang for disk in machine.disks)
    return [
        "qemu-system-x86_64",
        "-nodefaults",
        "-no-user-config",
        *_board(machine),
        # One thread for all processors: with one each, QEMU 10.0 may look a device's memory up in a map that
        # another processor has just changed. It dies of an assertion then (iotlb_to_section), or an access is
        # lost, such as one to the timer that would have woken Linux. A whole boot takes no more work so.
        *("-accel", "tcg,thread=single" if machine.accel == "tcg" else machine.accel),
        # The oldest x86-64 there is: what boots here needs no newer one, and KVM has no say in it.
        *("-cpu", "qemu64"),
        *("-smp", str(machine.processors)),
        *("-m", f"{machine.memory}M"),
        *("-uuid", machine.uuid),
        *(("-object", f"throttle-group,id={THROTTLE}") if can_hang else ()),
        *(word for port, disk in enumerate(machine.disks) for word in _disk(disk, port)),
        *_options(machine),
        *_network(machine),
        *_devices(*KEYBOARDS[machine.keyboard], machine.screen),
        *console,
    ]


def watched(qmp: int) -> list[str]:
    """Return a console for a program: serial on standard output, QMP on descriptor `qmp`, power off.

    The machine waits for QMP's `cont`, so nothing it says is missed and time starts at zero.
    """
    monitor = ["-chardev", f"socket,id=qmp,fd={qmp}", "-mon", "chardev=qmp,mode=control"]
    return ["-S", "-display", "none", "-serial", "stdio", *monitor]


def terminal(display: str = "none") -> list[str]:
    """Return a console for a person: serial port and QEMU's monitor share the terminal.

    `display` is where the screen is shown, as QEMU's option of that name has it.
    """
    return ["-display", display, "-serial", "mon:stdio"]
