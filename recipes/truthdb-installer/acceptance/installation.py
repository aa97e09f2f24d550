"""How a product is installed and started without anybody, and what must hold of its disk."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from acceptance import judges, screens
from pipeline.boot.stories import SERIAL, Lab, must
from pipeline.vm import disks
from pipeline.vm.disks import Place
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.session import NotSeenError, Session

NAME = "TruthDB"
DATA = "TRUTHDB_DATA"
GOOD = f'serial = "{SERIAL}"'
INSTALL = screens.answers(GOOD, erase=SERIAL)
EFI = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


def systems(lab: Lab) -> tuple[str, str]:
    """Return where the EFI partition holds the system: what the boot entry names, and the fallback."""
    return f"EFI/TruthDB/truthdb-{lab.version}.efi", "EFI/BOOT/BOOTX64.EFI"


def check_disk(lab: Lab, disk: Disk, data: Sequence[str] = (DATA,)) -> list[Place]:
    """Read an installed disk with other readers than the installer's, and let others' tools judge it."""
    places = disks.partitions(disk.image, disk.block)
    names = [place.name for place in places]
    must(names == ["EFI", *data], f"the partitions are called {names}")
    must(places[0].kind == EFI, f"partition 1 is of type {places[0].kind}")
    must(all(place.start % (1 << 20) == 0 for place in places), "a partition is not aligned to 1 MiB")
    found = disks.files(disk.image, places[0])
    system, fallback = (found.get(path.upper()) for path in systems(lab))
    must(system is not None, f"the EFI partition holds {sorted(found)}")
    must(system == lab.inputs["payload"].read_bytes(), "the system is another one than was carried")
    must(system == fallback, "the fallback is another file than the system")
    check_receipt(lab, found.get("TruthDB/install-receipt.json".upper(), b"").decode(), verified=True)
    judges.disk(disk.image, disk.block, places, lab.work)
    node = disks.read_data(disk.image, places[1], "/metadata/node.toml")
    must("[node]" in node, f"metadata/node.toml reads {node!r}")
    copy = disks.read_data(disk.image, places[1], "/metadata/install-receipt.json")
    check_receipt(lab, copy, verified=False)  # it is written before anything can be read back
    return places


def check_receipt(lab: Lab, text: str, *, verified: bool) -> None:
    """Read a receipt: it must be of this version, and name the system by its digest."""
    try:
        receipt = json.loads(text)
        said = receipt["system"], receipt["verified"], {file["sha256"] for file in receipt["files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise NotSeenError(f"the receipt cannot be read ({error!r}): {text!r}") from error
    expected = lab.version, verified, {hashlib.sha256(lab.inputs["payload"].read_bytes()).hexdigest()}
    must(said == expected, f"the receipt says {said}, not {expected}")


def comes_first(lab: Lab) -> None:
    """The firmware's boot order begins with the product."""
    order = disks.boot_order(lab.variables)
    must(order[:1] == [NAME], f"{NAME} is not first in the boot order {order}")


def with_answers(lab: Lab, machine: Machine, text: str) -> Machine:
    """Return the machine with an answer file in its SMBIOS tables."""
    strings = lab.work / "oem-string"
    strings.write_text(f"truthdb.install.toml={text}")
    return replace(machine, oem_strings=(strings,))


async def unattended(lab: Lab, machine: Machine, name: str = "install") -> None:
    """Start a machine that has an answer file; it switches itself off when it is done."""
    async with lab.start(machine, name) as vm:
        await screens.done(vm, since=0)
        lab.took(vm, "power-on to Done, unattended", "Done or what went wrong")
        await vm.is_off()


async def install(
    lab: Lab,
    disk: Disk,
    text: str = INSTALL,
    *,
    medium: str = "cd",
    name: str = "install",
    fresh: bool = True,
    data: Sequence[str] = (DATA,),
) -> list[Place]:
    """Install to `disk` as the answer file `text` says; return its partitions, which are as they must be."""
    machine = lab.machine(lab.medium(medium), disk, fresh=fresh)
    await unattended(lab, with_answers(lab, machine, text), name)
    return check_disk(lab, disk, data)


@asynccontextmanager
async def booted(
    lab: Lab, *parts: Disk, boots: int = 1, name: str = "", fresh: bool = False
) -> AsyncIterator[Session]:
    """Start what is installed, until the appliance is up; its log must hold `boots` boots.

    Unless it is switched off in between, the machine ends as by a power cut.
    """
    machine = lab.machine(*parts, fresh=fresh, network=True)
    async with lab.start(machine, name or f"boot-{boots}") as vm:
        await screens.appliance(vm, boots)
        yield vm


async def comes_up(
    lab: Lab, *parts: Disk, boots: int = 1, name: str = "", fresh: bool = False, cut: bool = True
) -> None:
    """Start what is installed as `booted` does, and end it: by a power `cut`, or in order."""
    async with booted(lab, *parts, boots=boots, name=name, fresh=fresh) as vm:
        if not cut:
            await vm.switch_off()
