"""Ready-made disks: what an installation leaves behind, until a machine starts it for the first time.

Then its data fill the disk, and it has an identity; from then on it is like one that was installed.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from acceptance import judges, screens
from acceptance.installation import (
    DATA,
    GOOD,
    booted,
    check_disk,
    install,
    unattended,
    with_answers,
)
from pipeline.boot.stories import SERIAL, SIZE, Lab, Story, must
from pipeline.formats import fat
from pipeline.formats.fields import open_image
from pipeline.vm import disks
from pipeline.vm.disks import Place
from pipeline.vm.machine import Disk, Machine

MIB = 1 << 20
TWIN = "0d5f8c5e-1b7a-4e0e-8f53-7a1f0a9c2b11"
"""The UUID of another machine."""

KEYBOARD, CARD = "USB", "e1000e"
"""Of a machine as Hyper-V has them in its second generation: no device of virtio, and no PS/2 keyboard.
QEMU has its bus, VMBus, with KVM alone: the disk is on AHCI instead."""

SAME = (
    "Filesystem volume name",
    "Filesystem features",
    "Filesystem flags",
    "Default mount options",
    "Errors behavior",
    "Block count",
    "Reserved block count",
    "Block size",
    "Group descriptor size",
    "Blocks per group",
    "Flex block group size",
    "Inode size",
    "Default directory hash",
    "Checksum type",
    "Total journal size",
)
"""What debugfs says of two ext4 file systems, if they are laid out alike and of one size."""


@dataclass(frozen=True)
class Found:
    """What stays as the first start left it: who the node is, the disk's two tables, the UUID of its data."""

    node: str
    tables: tuple[str, str]
    data: str


def ready_made(lab: Lab, bus: str, *, node: str = "system") -> Disk:
    """Return a raw copy of the ready-made disk, on a disk that is larger."""
    image = lab.work / f"{node}-disk.img"  # judges call a copy of its first partition system.img
    disks.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(lab.inputs["qcow2"]), str(image))
    return Disk(node, disks.grow(image, SIZE), bus, serial=SERIAL)


def _raw(lab: Lab, disk: Disk) -> Path:
    """Return what is on a disk as a raw image, which others read: a copy, where it is of another format."""
    if disk.kind == "raw":
        return disk.image
    image = lab.work / "raw.img"
    disks.run("qemu-img", "convert", "-f", disk.kind, "-O", "raw", str(disk.image), str(image))
    return image


def _super(image: Path, place: Place) -> Mapping[str, str]:
    """Return what the superblock of a data partition says."""
    said = disks.run("debugfs", "-R", "show_super_stats -h", f"{image}?offset={place.start}")
    lines = (line.partition(":") for line in said.splitlines())
    return {key: value.strip() for key, _, value in lines}


def check_grown(lab: Lab, disk: Disk) -> Found:
    """Read a disk that was started: its data fill it, all is sound, and the node has an identity."""
    image = _raw(lab, disk)
    size = image.stat().st_size
    places = disks.partitions(image, 512)
    must([place.name for place in places] == ["EFI", DATA], f"the partitions are {places}")
    data = places[1]
    end = data.start + data.size
    must(end == size // MIB * MIB - MIB, f"{DATA} ends at {end} on a disk of {size} bytes")
    facts = _super(image, data)
    there = int(facts["Block count"]) * int(facts["Block size"])
    must(there == data.size, f"the file system of {DATA} has {there} bytes, its partition {data.size}")
    judges.disk(image, 512, places, lab.work)
    tables = disks.digest(image, 0, MIB), disks.digest(image, size - MIB, MIB)
    node = disks.read_data(image, data, "/metadata/node.toml")
    must(re.search(r'^id = "[0-9a-f]{32}"$', node, re.MULTILINE) is not None, f"node.toml reads {node!r}")
    return Found(node, tables, facts["Filesystem UUID"])


async def _start(lab: Lab, machine: Machine, boots: int, name: str = "") -> None:
    """Start a machine until its service answers, and switch it off."""
    async with lab.start(machine, name or f"boot-{boots}") as vm:
        await screens.appliance(vm, boots)
        lab.took(vm, f"power-on to /healthz, boot {boots}", "/healthz")
        await vm.switch_off()


def starts(bus: str, *, hyper_v: bool = False) -> Story:
    """Return the story of a ready-made disk on some bus: it starts twice, and the second time all stays.

    One for `hyper_v` is the VHD itself, in a machine like Hyper-V's.
    """

    async def story(lab: Lab) -> None:
        disk = lab.system(bus, of="vhd", size=SIZE) if hyper_v else ready_made(lab, bus)
        found = []
        for boots in (1, 2):
            machine = lab.machine(disk, fresh=boots == 1, network=True)
            machine = replace(machine, keyboard=KEYBOARD, card=CARD) if hyper_v else machine
            await _start(lab, machine, boots)
            found.append(check_grown(lab, disk))
        must(found[0] == found[1], f"the second start has changed {found[0]} to {found[1]}")

    return story


async def twins(lab: Lab) -> None:
    """Two machines that start from one image are two nodes."""
    ids = set()
    for name, uuid in (("one", ""), ("other", TWIN)):
        disk = ready_made(lab, "virtio-blk", node=name)
        machine = lab.machine(disk, network=True)
        await _start(lab, replace(machine, uuid=uuid or machine.uuid), 1, name)
        ids |= {line for line in check_grown(lab, disk).node.splitlines() if line.startswith("id = ")}
    must(len(ids) == 2, f"both are the node {ids}")


async def laid_out_alike(lab: Lab) -> None:
    """What the installer makes of a disk, and what becomes of an image on one of that size, are the same."""
    made, installed = ready_made(lab, "virtio-blk"), lab.disk("virtio-blk")
    await install(lab, installed)
    for name, disk in (("installed", installed), ("ready-made", made)):
        await _start(lab, lab.machine(disk, network=True), 1, name)
    one, other = (_facts(disk) for disk in (installed, made))
    wrong = [key for key in one | other if one.get(key) != other.get(key)]
    said = "; ".join(f"{key}: {one.get(key)!r}, {other.get(key)!r}" for key in wrong)
    must(not wrong, f"an installed disk and a ready-made one differ in {said}")


def _facts(disk: Disk) -> dict[str, object]:
    """Return what has to be alike on two disks of one size."""
    places = disks.partitions(disk.image, 512)
    system, data = places
    image = open_image(disk.image)[system.start : system.start + system.size]
    volume = fat.read_volume(image)
    files = disks.files(disk.image, system)
    receipt = json.loads(files.pop("TRUTHDB/INSTALL-RECEIPT.JSON"))
    facts = _super(disk.image, data)
    folders = {
        folder: sorted(_listed(disk, data, folder)) for folder in ("/", "/metadata", "/wal", "/snapshots")
    }
    return {
        "partitions": [(place.name, place.kind, place.start, place.size) for place in places],
        "FAT": (
            volume.variant,
            volume.sector_size,
            volume.cluster_size,
            volume.table_count,
            volume.size,
            volume.label,
        ),
        "files": {path: hashlib.sha256(data).hexdigest() for path, data in files.items()},
        "what the receipt says": sorted(receipt.keys() - {"node"}),
        "system": [file["sha256"] for file in receipt["files"]],
        "folders": folders,
        **{key: facts.get(key) for key in SAME},
    }


def _listed(disk: Disk, place: Place, folder: str) -> set[str]:
    """Return modes, owners and names of what is in a folder of a data partition."""
    said = disks.run("debugfs", "-R", f"ls -p {folder}", f"{disk.image}?offset={place.start}")
    rows = (line.split("/") for line in said.splitlines() if line.startswith("/"))
    return {f"{mode} {user}:{group} {name}" for _, _, mode, user, group, name, *_ in rows}


async def is_maintained(lab: Lab) -> None:
    """The medium changes the settings of a machine that came from an image, and writes its system again."""
    disk = ready_made(lab, "nvme")
    await _start(lab, lab.machine(disk, network=True), 1)
    before = check_grown(lab, disk)
    text = screens.answers(GOOD, task="change-settings") + '[settings]\nnode_name = "node-7"\n'
    beside = replace(disk, turn=1)
    await unattended(lab, with_answers(lab, lab.machine(lab.medium(), beside, fresh=False), text), "settings")
    async with booted(lab, disk, boots=2) as vm:
        _, status = await vm.get("/status")
        must(status["node"]["name"] == "node-7", f"the node calls itself {status['node']}")
        await vm.switch_off()
    data = disks.partitions(disk.image, 512)[1]
    digest = disks.digest(disk.image, data.start, data.size)
    text = screens.answers(GOOD, task="keep-data")
    await unattended(
        lab, with_answers(lab, lab.machine(lab.medium(), beside, fresh=False), text), "keep-data"
    )
    check_disk(lab, disk)
    must(disks.digest(disk.image, data.start, data.size) == digest, "the data were changed")
    await _start(lab, lab.machine(disk, fresh=False, network=True), 3)
    after = check_grown(lab, disk)
    ids = [re.findall(r'^id = "(.*)"$', found.node, re.MULTILINE) for found in (before, after)]
    must(ids[0] == ids[1], f"the node was {ids[0]}, and is {ids[1]}")


IMAGES: dict[str, Story] = {
    "image-hyper-v": starts("ahci", hyper_v=True),
    "image-virtio-blk": starts("virtio-blk"),
    "image-virtio-scsi": starts("virtio-scsi"),
    "image-ahci": starts("ahci"),
    "image-nvme": starts("nvme"),
    "image-twins": twins,
    "image-layout": laid_out_alike,
    "image-maintenance": is_maintained,
}
