"""What must hold of an installed disk, by other readers than the installer's; and that it starts."""

import json
import tarfile
from collections.abc import Mapping
from typing import Any

from installs.installer import Firmware, booted_by
from pipeline.boot.stories import Lab, must
from pipeline.formats.grub_boot import patched
from pipeline.vm import disks
from pipeline.vm.disks import Place
from pipeline.vm.machine import Disk

LIST = "partitions.json"
LABELS = ["BIOSBOOT", "EFI", "GUIX_BOOT", "GUIX_ROOT", "DATA"]
FOLDER = "EFI/STORE-APPLIANCE/"
LOGIN = "login:"
SECTOR = 512
START_TIMEOUT = 600.0


def carried(lab: Lab) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what the medium's set says, and its small files."""
    with tarfile.open(lab.inputs["payload"]) as tar:
        files = {}
        for member in tar:
            file = tar.extractfile(member)
            if file is not None and member.size < 1 << 22:
                files[member.name] = file.read()
    return json.loads(files[LIST]), files


def place_of(disk: Disk, label: str) -> Place:
    """Return the partition of that name. Raises NotSeenError unless there is exactly one."""
    found = [one for one in disks.partitions(disk.image, disk.block) if one.name == label]
    must(len(found) == 1, f"{len(found)} partitions are called {label}")
    return found[0]


def check_whole(lab: Lab, disk: Disk) -> None:
    """The disk has the set's partitions in its order, from the first MiB to the end of the disk."""
    places = disks.partitions(disk.image, disk.block)
    must([place.name for place in places] == LABELS, f"the partitions are {[one.name for one in places]}")
    size = disk.image.stat().st_size
    last = places[-1]
    must(last.start + last.size > size - (3 << 20), f"the last partition ends at {last.start + last.size}")
    check_partitions(lab, disk)
    listed, files = carried(lab)
    esp = disks.files(disk.image, place_of(disk, "EFI"))
    for placed in listed["partitions"][1]["files"]:
        must(esp.get(placed["path"].upper()) == files[placed["file"]], f"{placed['path']} is another file")


def check_partitions(lab: Lab, disk: Disk, *, has_code: bool = True) -> None:
    """What is on the partitions is what the set has, grown where it has to; boot code leads to its core.

    Beside another system, UEFI leaves the first sector without code, as it was: `has_code` is False.
    """
    listed, files = carried(lab)
    for said in listed["partitions"]:
        if said["role"] == "esp":
            continue
        place = place_of(disk, said["label"])
        must(place.kind == said["type"], f"{place.name} is of type {place.kind}")
        must(place.size >= said["size"], f"{place.name} has {place.size} bytes")
        must(place.start % (1 << 20) == 0, f"{place.name} is not aligned to 1 MiB")
        if said["role"] != "bios":
            disks.check_data(disk.image, place)
    core = place_of(disk, "BIOSBOOT")
    wanted_code, wanted_core = patched(files["boot.img"], files["core.img"], core.start // SECTOR)
    with disk.image.open("rb") as file:
        code = file.read(len(wanted_code))
        file.seek(core.start)
        must(file.read(len(wanted_core)) == wanted_core, "the core image is not what it has to be")
    wanted_code = wanted_code if has_code else bytes(len(wanted_code))
    must(code == wanted_code, "the boot sector does not lead to the core image, or leads anywhere")
    data = place_of(disk, "DATA")
    said = disks.run("debugfs", "-R", "show_super_stats -h", f"{disk.image}?offset={data.start}")
    count = int(next(line for line in said.splitlines() if line.startswith("Block count:")).split()[-1])
    must(data.size - count * 4096 < 1 << 20, f"the data have {count} blocks of {data.size} bytes")


def check_entry(lab: Lab, order: list[str], title: str) -> None:
    """The firmware's list has the system's line once, in this place of `order`."""
    found = disks.boot_order(lab.variables)
    must([name for name in found if name in order] == order, f"the firmware's list is {found}")
    must(found.count(title) == 1, f"{title} is {found.count(title)} times in {found}")


def digests(disk: Disk) -> Mapping[str, str]:
    """Return the digest of the whole disk, and of each partition."""
    places = disks.partitions(disk.image, disk.block)
    found = {place.name: disks.digest(disk.image, place.start, place.size) for place in places}
    return found | {"the disk": disks.digest(disk.image)}


async def starts(lab: Lab, disk: Disk, firmware: Firmware, name: str, *, fresh: bool = False) -> None:
    """The installed system comes to its login, without the medium, and then loses power."""
    machine = booted_by(lab.machine(disk, fresh=fresh), firmware)
    async with lab.start(machine, name) as vm:
        await vm.hear(LOGIN, timeout=START_TIMEOUT)
        lab.took(vm, f"power-on to login, {name}", repr(LOGIN))
