"""Disks as macOS describes them: `diskutil` and, for serial numbers, `ioreg`, both as property lists."""

import plistlib
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from pipeline.cli.burn.stick import Part, Stick
from pipeline.errors import PipelineError

LIST = ("diskutil", "list", "-plist")
INFO = ("diskutil", "info", "-plist")
USB = ("ioreg", "-a", "-r", "-l", "-c", "IOUSBHostDevice")

BUSES = {"USB": "USB", "Secure Digital": "SD"}
"""What a stick or card is attached by; disk images are removable, too, but by nothing of these."""


def answer(command: tuple[str, ...]) -> bytes:
    """Return what a command prints. Raises PipelineError where it fails."""
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise PipelineError(
            f"{' '.join(command)}: {error}", "call it by hand to see what is wrong"
        ) from error


@dataclass(frozen=True)
class MacOS:
    """The disks of a machine, as these commands describe them."""

    run: Callable[[tuple[str, ...]], bytes] = answer

    def disks(self) -> list[Stick]:
        """Return the disks that are no container of APFS, which lies on one of them."""
        every = self._asked(LIST).get("AllDisksAndPartitions", [])
        return [self._read(each, every) for each in every if "APFSPhysicalStores" not in each]

    def disk(self, device: str) -> Stick:
        """Return the disk of that name or node. Raises PipelineError where it is none."""
        named = re.fullmatch(r"(?:/dev/)?r?(disk\d+)(s\d+)*", device)
        if named and named[2]:
            raise PipelineError(f"{device}: is a partition", f"name the whole disk: /dev/{named[1]}")
        for each in self.disks():
            if named and each.name == named[1]:
                return each
        raise PipelineError(f"{device}: is no disk of this machine", "`./doit burn` lists what is removable")

    def _asked(self, command: tuple[str, ...]) -> Any:
        """Return the property list that a command prints; `ioreg` prints none where no device is."""
        try:
            # `ioreg` writes what devices say of themselves into its XML as it is.
            text = re.sub(rb"[\0-\x08\x0b\x0c\x0e-\x1f]", b"", self.run(command))
            return plistlib.loads(text or plistlib.dumps([]))
        except (ExpatError, ValueError) as error:
            raise PipelineError(f"{' '.join(command)}: is no property list: {error}") from error

    def _read(self, listed: dict[str, Any], every: list[dict[str, Any]]) -> Stick:
        name = listed["DeviceIdentifier"]
        info = self._asked((*INFO, name))
        bus = BUSES.get(info.get("BusProtocol", ""), "neither USB nor SD")
        entries = listed.get("Partitions", [])
        own = {entry["DeviceIdentifier"] for entry in (listed, *entries)}
        volumes = [
            volume
            for each in every
            if own & {store["DeviceIdentifier"] for store in each.get("APFSPhysicalStores", [])}
            for volume in each.get("APFSVolumes", [])
        ]
        filling = [listed] if "VolumeName" in listed else []
        return Stick(
            name=name,
            node=Path("/dev", f"r{name}"),  # without the buffer cache: fast, and read back from the stick
            model=info.get("MediaName") or "unknown model",
            serial=_serial(self._asked(USB), name) if bus == "USB" else "",
            bus=bus,
            size=listed.get("Size", 0),
            block=info.get("DeviceBlockSize", 512),
            removable=bus in BUSES.values() and info.get("RemovableMedia", False),
            read_only=not info.get("WritableMedia", True),
            place=info.get("DeviceTreePath", ""),
            parts=tuple(_part(entry) for entry in (*filling, *entries, *volumes)),
            uses=tuple(
                f"{entry['DeviceIdentifier']} is mounted at {entry['MountPoint']}"
                for entry in (listed, *entries, *volumes)
                if entry.get("MountPoint")
            ),
            release=f"`diskutil unmountDisk {name}`",
        )


def _part(entry: dict[str, Any]) -> Part:
    number = re.fullmatch(r"disk\d+s(\d+)", entry["DeviceIdentifier"])
    is_volume = "Content" not in entry  # one of APFS, in a container that has partitions of other names
    return Part(
        number=None if is_volume or number is None else int(number[1]),
        size=entry.get("CapacityInUse" if is_volume else "Size", 0),
        kind="APFS volume" if is_volume else entry["Content"],
        label=entry.get("VolumeName", ""),
    )


def _serial(devices: list[dict[str, Any]], disk: str) -> str:
    """Return the serial number of the USB device that the disk belongs to, "" where it has none."""
    return next((number for device in devices for number in _serials(device, disk, "")), "")


def _serials(entry: dict[str, Any], disk: str, above: str) -> Iterator[str]:
    """Yield the serial number of the nearest USB device above each entry of that disk."""
    number = entry.get("USB Serial Number") or entry.get("kUSBSerialNumberString") or above
    if entry.get("BSD Name") == disk and number:
        yield " ".join(number.split())
    for child in entry.get("IORegistryEntryChildren", []):
        yield from _serials(child, disk, number)
