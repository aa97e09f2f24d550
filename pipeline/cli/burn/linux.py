"""Disks as Linux describes them below /sys, /proc and, where udev runs, /run/udev: nothing is opened."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli.burn.stick import Part, Stick
from pipeline.errors import PipelineError

SECTOR = 512  # bytes: what sysfs counts in, whatever the disk's own blocks are


@dataclass(frozen=True)
class Linux:
    """The disks of a machine whose file systems are below `root`."""

    root: Path = Path("/")

    def disks(self) -> list[Stick]:
        """Return the disks that have a device behind them: no loop, RAM, or device-mapper disk."""
        folders = sorted((self.root / "sys/block").glob("*"))
        return [self._read(folder.name) for folder in folders if (folder / "device").exists()]

    def disk(self, device: str) -> Stick:
        """Return the disk of that name, node or link to a node. Raises PipelineError where it is none."""
        name = os.path.basename(os.path.realpath(self.root / "dev" / device))  # noqa: PTH119
        folder = self.root / "sys/class/block" / name
        if (folder / "partition").exists():
            whole = folder.resolve().parent.name
            raise PipelineError(f"{device}: is a partition", f"name the whole disk: /dev/{whole}")
        if not (self.root / "sys/block" / name / "device").exists():
            raise PipelineError(
                f"{device}: is no disk of this machine", "`./doit burn` lists what is removable"
            )
        return self._read(name)

    def _read(self, name: str) -> Stick:
        folder = self.root / "sys/block" / name
        bus = _bus(folder)
        major, _, minor = _text(folder / "dev").partition(":")
        partitions = sorted((int(_text(path)), path.parent) for path in folder.glob(f"{name}*/partition"))
        udev = self._udev(folder)
        filling = Part(None, _size(folder), udev.get("ID_FS_TYPE", ""), udev.get("ID_FS_LABEL", ""))
        parts = [self._part(number, path) for number, path in partitions]
        uses = self._uses([folder, *(path for _, path in partitions)])
        return Stick(
            name=name,
            node=self.root / "dev" / name,
            model=" ".join(
                filter(None, (_text(folder / "device" / each) for each in ("vendor", "model", "name")))
            )
            or "unknown model",
            serial=_serial(folder),
            bus=bus,
            size=_size(folder),
            block=int(_text(folder / "queue/logical_block_size") or SECTOR),
            # A card reader of its own is no removable disk to Linux, though its card can be taken out.
            removable=bus == "SD" or (bus == "USB" and _text(folder / "removable") == "1"),
            read_only=_text(folder / "ro") == "1",
            number=os.makedev(int(major), int(minor)) if minor else None,
            place=f"{_text(folder / 'diskseq')} {folder.resolve()}",
            parts=(*([filling] if filling.kind else []), *parts),
            uses=tuple(uses),
            release=f"`sudo umount /dev/{name}?*`, or end what uses it",
        )

    def _part(self, number: int, folder: Path) -> Part:
        udev = self._udev(folder)
        named = re.search("^PARTNAME=(.*)$", _text(folder / "uevent"), re.MULTILINE)
        label = udev.get("ID_FS_LABEL") or (named[1] if named else "")
        return Part(number, _size(folder), udev.get("ID_FS_TYPE", ""), label)

    def _udev(self, folder: Path) -> dict[str, str]:
        """Return what udev found on a disk or partition: its properties."""
        lines = _text(self.root / f"run/udev/data/b{_text(folder / 'dev')}").splitlines()
        return dict(line[2:].split("=", 1) for line in lines if line.startswith("E:") and "=" in line)

    def _uses(self, folders: list[Path]) -> list[str]:
        """Say what a disk and its partitions are in use for.

        A file system of several disks has a number of its own in mountinfo (proc_pid_mountinfo(5)), and is
        known by its source.
        """
        names = {_text(folder / "dev"): folder.name for folder in folders}
        nodes = {f"/dev/{folder.name}": folder.name for folder in folders}
        found = []
        for line in _text(self.root / "proc/self/mountinfo").splitlines():
            before, _, after = line.partition(" - ")
            number, point = before.split()[2], before.split()[4]
            if name := names.get(number) or nodes.get(after.split()[1]):
                path = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
                found.append(f"{name} is mounted at {path}")
        swaps = [line.split()[0] for line in _text(self.root / "proc/swaps").splitlines()]
        found += [f"{nodes[swap]} is swap space" for swap in swaps if swap in nodes]
        return found + [
            f"{folder.name} is part of {holder.name}"
            for folder in folders
            for holder in sorted((folder / "holders").glob("*"))
        ]


def _text(path: Path) -> str:
    """Return what is in a file of the kernel's or udev's, "" where it is not there or does not answer."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _size(folder: Path) -> int:
    return int(_text(folder / "size") or 0) * SECTOR


def _bus(folder: Path) -> str:
    """Return how a disk is attached; what is by neither USB nor SD is never written to."""
    if re.search(r"/usb\d+/", str(folder.resolve())):
        return "USB"
    if folder.name.startswith("mmcblk") and _text(folder / "device/type") == "SD":
        return "SD"
    return "neither USB nor SD"


def _serial(folder: Path) -> str:
    """Return the serial number of an SD card, a SCSI disk's page of it, or of the USB device above a disk."""
    above = [parent for parent in folder.resolve().parents if (parent / "idVendor").exists()]
    page = _text(folder / "device/vpd_pg80")[
        4:
    ]  # SPC-5, 7.7.20: behind the page's header, of control characters
    found = (_text(folder / "device/serial"), page, *(_text(parent / "serial") for parent in above[:1]))
    return next((each for each in (" ".join(text.strip("\0").split()) for text in found) if each), "")
