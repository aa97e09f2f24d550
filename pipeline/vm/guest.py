"""Owns what an installation's machine is made of: disks, medium, network, and QEMU's command line for them.

Must not know what runs on it, nor start it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.vm.machine import watched
from pipeline.vm.monitor import THROTTLE

MEMORY_MIB = 1536
PROCESSORS = 2
APPLIANCE_PORT = 8080  # where the service answers, on the machine
HOST = "10.0.2.2"  # what QEMU calls this host's loopback, in the machine's network

BUSES = {
    "nvme": ("nvme,drive={node},serial={serial}{blocks}{boot}",),
    "virtio-blk": ("virtio-blk-pci,drive={node},serial={serial}{blocks}{boot},werror=report,rerror=report",),
    "virtio-scsi": (
        "virtio-scsi-pci,id=scsi-{node}",
        "scsi-hd,bus=scsi-{node}.0,drive={node},serial={serial}{blocks}{boot},werror=report,rerror=report",
    ),
    "scsi-paths": (
        "virtio-scsi-pci,id=first-{node}",
        "virtio-scsi-pci,id=second-{node}",
        "scsi-hd,bus=first-{node}.0,drive={node},serial={serial},wwn=0x5000c500a1b2c3d4,share-rw=on{blocks}{boot}",
        "scsi-hd,bus=second-{node}.0,drive={node},serial={serial},wwn=0x5000c500a1b2c3d4,share-rw=on{blocks}",
    ),
    "nvme-paths": (
        "nvme-subsys,id=subsystem-{node}",
        "nvme,id=first-{node},subsys=subsystem-{node},serial={serial}",
        "nvme,id=second-{node},subsys=subsystem-{node},serial={serial}",
        "nvme-ns,bus=first-{node},drive={node},shared=on{blocks}{boot}",
    ),
    "ahci": ("ide-hd,bus=ide.{port},drive={node},serial={serial}{boot}",),
    "usb": (
        "qemu-xhci,id=xhci-{node}",
        "usb-storage,id=usb-{node},bus=xhci-{node}.0,drive={node},serial={serial},removable=on{boot}",
    ),
    "cd": ("ide-cd,bus=ide.{port},serial={serial},drive={node}{boot}",),
}
"""QEMU's devices for a disk on each bus; one with `paths` is reached through two controllers; `cd` is the
optical drive of an AHCI controller."""


@dataclass(frozen=True)
class Disk:
    """A disk of the machine: a raw image on a bus. `first` puts it before all others in the boot order, and
    `second` behind that one; of several more, each has its own `turn`, from 2 on.

    `faults` are options of QEMU's blkdebug driver between disk and image, `log` is a file that takes every
    write (blklogwrites). One that `forgets` has so many bytes, all of them zero whatever is written to it;
    one that `can_hang` does so once the monitor says it.
    """

    node: str
    image: Path
    bus: str
    serial: str = ""
    block: int = 512
    read_only: bool = False
    first: bool = False
    second: bool = False
    turn: int = 0
    forgets: int = 0
    can_hang: bool = False
    faults: Mapping[str, object] = field(default_factory=dict)
    log: Path | None = None


@dataclass(frozen=True)
class Guest:
    """A machine that is off. `variables` is the firmware's store, which keeps what is written to it."""

    disks: Sequence[Disk]
    code: Path | None  # of UEFI; without it the machine starts by BIOS
    variables: Path
    accel: str
    oem_strings: Sequence[Path] = ()
    uuid: str = "6a4e1c2b-5f3d-4e8a-9b7c-0d1e2f3a4b5c"
    port: int = 0  # of this host's loopback, that leads to APPLIANCE_PORT; 0 for no network
    address: str = ""  # fixed, of a machine that also reaches this host's loopback, at HOST; else by DHCP
    processors: int = PROCESSORS
    memory: int = MEMORY_MIB  # MiB


def _blockdev(description: Mapping[str, object]) -> list[str]:
    return ["-blockdev", json.dumps(description)]


def _image(disk: Disk) -> list[str]:
    file: dict[str, object] = {"driver": "file", "filename": str(disk.image), "cache": {"no-flush": True}}
    if disk.forgets:
        file = {"driver": "null-co", "size": disk.forgets, "read-zeroes": True}
    if disk.faults:
        file = {"driver": "blkdebug", "image": file} | dict(disk.faults)
    if disk.can_hang:
        file = {"driver": "throttle", "throttle-group": THROTTLE, "file": file}
    if disk.log:
        log = {"driver": "file", "filename": str(disk.log)}
        file = {"driver": "blklogwrites", "file": file, "log": log, "log-sector-size": disk.block}
    return _blockdev({"driver": "raw", "node-name": disk.node, "read-only": disk.read_only, "file": file})


def _turn(disk: Disk) -> int | None:
    return 0 if disk.first else 1 if disk.second else disk.turn or None


def _devices(disk: Disk, port: int) -> list[str]:
    if disk.bus not in BUSES:
        raise PipelineError(f"{disk.bus!r} is not a bus", f"choose from {', '.join(BUSES)}")
    blocks = f",logical_block_size={disk.block},physical_block_size={disk.block}"
    values = {
        "node": disk.node,
        "serial": disk.serial,
        "port": port,
        "blocks": blocks,
        "boot": f",bootindex={turn}" if (turn := _turn(disk)) is not None else "",
    }
    texts = (template.format_map(values) for template in BUSES[disk.bus])
    return [argument for text in texts for argument in ("-device", text.replace("serial=,", ""))]


def _firmware(node: str, file: Path, *, writable: bool) -> list[str]:
    image = {"driver": "file", "filename": str(file)}
    return _blockdev({"driver": "raw", "node-name": node, "read-only": not writable, "file": image})


def command(guest: Guest, qmp: int) -> list[str]:
    """Return QEMU's exact command line: serial on standard input and output, QMP on descriptor `qmp`."""
    network = ["-nic", "none"]
    if guest.port:
        forward = f"hostfwd=tcp:127.0.0.1:{guest.port}-{guest.address}:{APPLIANCE_PORT}"
        user = f"user,id=net,restrict={'off' if guest.address else 'on'},{forward}"
        network = ["-netdev", user, "-device", "virtio-net-pci,netdev=net"]
    throttle = ["-object", f"throttle-group,id={THROTTLE}"] if any(it.can_hang for it in guest.disks) else []
    firmware = []
    if guest.code:
        firmware += _firmware("code", guest.code, writable=False)
        firmware += _firmware("variables", guest.variables, writable=True)
    strings = [text for path in guest.oem_strings for text in ("-smbios", f"type=11,path={path}")]
    disks = [
        argument
        for port, disk in enumerate(guest.disks)
        for argument in (*_image(disk), *_devices(disk, port))
    ]
    return [
        "qemu-system-x86_64",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-machine",
        "q35,pflash0=code,pflash1=variables" if guest.code else "q35",
        "-accel",
        "tcg,thread=multi" if guest.accel == "tcg" else guest.accel,
        "-cpu",
        "qemu64",
        "-smp",
        str(guest.processors),
        "-m",
        f"{guest.memory}M",
        "-uuid",
        guest.uuid,
        *firmware,
        *throttle,
        *disks,
        *strings,
        *network,
        "-device",
        "VGA",
        *watched(qmp),
    ]
