"""Where a story happens: the machine's parts, and what must hold of an installed disk.

Must not know what happens.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.acceptance import judges
from pipeline.acceptance import screens as steps
from pipeline.vm import disks as media
from pipeline.vm.machine import Disk, Firmware, Machine
from pipeline.vm.session import NotSeenError, Session

SIZE = 9 << 30
SMALL = 4 << 30
SERIAL = "TEST0001ABCD"
OTHER = "OTHER0002WXYZ"
GOOD = f'serial = "{SERIAL}"'
EFI = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


@dataclass(frozen=True)
class Stage:
    """Where a story happens: the ISO, what it was made of, a folder of its own, and how machines run.

    `port`, of the loopback, is what leads to the appliance; `seed` makes what is left to chance repeatable.
    """

    iso: Path
    installer: Path
    payload: Path
    version: str
    note: Callable[[str], None]
    firmware: Firmware
    accel: str
    out: Path
    work: Path
    port: int
    seed: int
    times: dict[str, float] = field(default_factory=dict)

    def disk(self, bus: str = "nvme", *, node: str = "target", size: int = SIZE, block: int = 512) -> Disk:
        """Return an empty disk."""
        image = media.blank(self.work / f"{node}.img", size)
        return Disk(node, image, bus, serial=SERIAL if node == "target" else OTHER, block=block)

    def medium(self, bus: str = "cd") -> Disk:
        """Return the ISO, as a disc or as a stick."""
        return Disk("medium", self.iso, bus, serial="MEDIUM" if bus == "usb" else "", read_only=True, turn=0)

    def guest(self, *disks: Disk, fresh: bool = True, network: bool = False) -> Machine:
        """Return a machine; a `fresh` one has the firmware's variables as they leave the factory."""
        store = self.work / "variables.fd"
        if fresh or not store.exists():
            shutil.copyfile(self.firmware.variables, store)
        return Machine(disks, self.firmware.code, store, self.accel, port=self.port if network else 0)

    def playing(self, guest: Machine, name: str = "install") -> AbstractAsyncContextManager[Session]:
        """Return a run of a machine, whose logs and pictures go to the folder `name` of the story."""
        return Session(guest, self.out / name).running()

    def took(self, vm: Session, name: str, what: str) -> None:
        """Remember how long after power-on something was seen."""
        self.times[name] = vm.times[what]


def must(holds: bool, sentence: str) -> None:
    """Raise NotSeenError with `sentence` unless it holds."""
    if not holds:
        raise NotSeenError(sentence)


def check_disk(stage: Stage, disk: Disk, data: Sequence[str] = ("TRUTHDB_DATA",)) -> list[media.Place]:
    """Read an installed disk with other readers than the installer's, and let others' tools judge it."""
    places = media.partitions(disk.image, disk.block)
    names = [place.name for place in places]
    must(names == ["EFI", *data], f"the partitions are called {names}")
    must(places[0].kind == EFI, f"partition 1 is of type {places[0].kind}")
    must(all(place.start % (1 << 20) == 0 for place in places), "a partition is not aligned to 1 MiB")
    found = media.files(disk.image, places[0])
    system = found.get(f"EFI/TRUTHDB/TRUTHDB-{stage.version}.EFI".upper())
    must(system is not None, f"the EFI partition holds {sorted(found)}")
    must(system == stage.payload.read_bytes(), "the system is another one than was carried")
    must(system == found.get("EFI/BOOT/BOOTX64.EFI"), "the fallback is another file than the system")
    _check_receipt(stage, found.get("TRUTHDB/INSTALL-RECEIPT.JSON", b"").decode(), verified=True)
    judges.disk(disk.image, disk.block, places, stage.work)
    node = media.read_data(disk.image, places[1], "/metadata/node.toml")
    must("[node]" in node, f"metadata/node.toml reads {node!r}")
    copy = media.read_data(disk.image, places[1], "/metadata/install-receipt.json")
    _check_receipt(stage, copy, verified=False)  # it is written before anything can be read back
    return places


def _check_receipt(stage: Stage, text: str, *, verified: bool) -> None:
    """Read a receipt: it must be of this version, and name the system by its digest."""
    try:
        receipt = json.loads(text)
        said = receipt["system"], receipt["verified"], {file["sha256"] for file in receipt["files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise NotSeenError(f"the receipt cannot be read ({error!r}): {text!r}") from error
    expected = stage.version, verified, {hashlib.sha256(stage.payload.read_bytes()).hexdigest()}
    must(said == expected, f"the receipt says {said}, not {expected}")


def with_answers(stage: Stage, guest: Machine, text: str) -> Machine:
    """Return the machine with an answer file in its SMBIOS tables."""
    strings = stage.work / "oem-string"
    strings.write_text(f"truthdb.install.toml={text}")
    return replace(guest, oem_strings=(strings,))


async def by_oem_string(
    stage: Stage, text: str, *disks: Disk, name: str = "install", fresh: bool = True
) -> None:
    """Start the machine with an answer file in its SMBIOS tables; it switches itself off when it is done."""
    guest = with_answers(stage, stage.guest(*disks, fresh=fresh), text)
    async with stage.playing(guest, name) as vm:
        await steps.done(vm)
        stage.took(vm, "power-on to Done, unattended", "Done or what went wrong")
        await vm.is_off()
