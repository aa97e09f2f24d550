"""What macOS says of disks, from property lists like those of its commands."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.burn.macos import MacOS, answer
from pipeline.cli.burn.stick import Part
from pipeline.errors import PipelineError
from tests.fixtures.sticks import STICK, container, macos


@pytest.mark.parametrize("device", ["disk4", "/dev/disk4", "/dev/rdisk4"])
def test_a_stick(device: str) -> None:
    stick = MacOS(macos()).disk(device)
    assert str(stick) == "disk4: Ultra, 30.8 GB, USB"
    assert (stick.serial, stick.node) == ("4C5300011507", Path("/dev/rdisk4"))
    assert (stick.removable, stick.read_only, stick.uses) == (True, False, ())
    assert stick.parts == (Part(1, 209715200, "EFI", "EFI"), Part(2, 30542282752, "Windows_FAT_32", "STICK"))


def test_only_what_is_removable_and_no_image_counts() -> None:
    disks = MacOS(macos()).disks()
    assert [(disk.name, disk.removable) for disk in disks] == [
        ("disk0", False),
        ("disk4", True),
        ("disk5", False),
    ]


def test_what_fills_a_disk() -> None:
    stick = {"VolumeName": "STICK", "Content": "DOS_FAT_32", "Partitions": [], "MountPoint": "/Volumes/STICK"}
    found = MacOS(macos(stick)).disk("disk4")
    assert found.parts == (Part(None, 30752000000, "DOS_FAT_32", "STICK"),)
    assert found.uses == ("disk4 is mounted at /Volumes/STICK",)


@pytest.mark.parametrize(
    ("stick", "containers", "uses"),
    [
        (
            {"Partitions": [STICK["Partitions"][1] | {"MountPoint": "/Volumes/STICK"}]},
            [],
            ("disk4s2 is mounted at /Volumes/STICK",),
        ),
        ({}, [container("disk4s2", "/Volumes/Backup")], ("disk6s1 is mounted at /Volumes/Backup",)),
        ({}, [container("disk0s2", "/")], ()),
        ({}, [container("disk4s2")], ()),
    ],
)
def test_what_a_disk_is_in_use_for(
    stick: dict[str, Any], containers: list[dict[str, Any]], uses: tuple[str, ...]
) -> None:
    found = MacOS(macos(stick, {}, *containers)).disk("disk4")
    assert (found.uses, found.release) == (uses, "`diskutil unmountDisk disk4`")


def test_volumes_of_a_container_are_among_what_will_be_lost() -> None:
    found = MacOS(macos({}, {}, container("disk4s2"))).disk("disk4")
    assert str(found.parts[-1]) == "  -     1.0 MB  APFS volume      Backup"


@pytest.mark.parametrize(
    ("info", "usb", "bus", "serial", "removable", "read_only"),
    [
        ({"BusProtocol": "Secure Digital"}, [], "SD", "", True, False),
        ({"WritableMedia": False}, [], "USB", "", True, True),
        ({"RemovableMedia": False}, [], "USB", "", False, False),
        ({"BusProtocol": "PCI-Express"}, [], "neither USB nor SD", "", False, False),
        ({}, [{"BSD Name": "disk4"}], "USB", "", True, False),
        ({}, [{"BSD Name": "disk4", "USB Serial Number": " A  1 "}], "USB", "A 1", True, False),
    ],
)
def test_what_is_known_of_it(
    info: dict[str, Any], usb: list[Any], bus: str, serial: str, removable: bool, read_only: bool
) -> None:
    found = MacOS(macos({}, info, usb=usb)).disk("disk4")
    assert (found.bus, found.serial, found.removable, found.read_only) == (bus, serial, removable, read_only)


@pytest.mark.parametrize(
    ("device", "message", "hint"),
    [
        ("/dev/disk4s1", "/dev/disk4s1: is a partition", "name the whole disk: /dev/disk4"),
        ("disk9", "disk9: is no disk of this machine", "`./doit burn` lists what is removable"),
        ("stick", "stick: is no disk of this machine", "`./doit burn` lists what is removable"),
    ],
)
def test_what_is_no_disk(device: str, message: str, hint: str) -> None:
    with pytest.raises(PipelineError) as caught:
        MacOS(macos()).disk(device)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize("said", [b"no such command", b"<plist><dict>"])
def test_an_answer_that_is_none(said: bytes) -> None:
    with pytest.raises(PipelineError, match=r"^diskutil list -plist: is no property list: "):
        MacOS(lambda _: said).disks()


@pytest.mark.parametrize("command", [("false",), ("no-such-command",)])
def test_a_command_that_fails(command: tuple[str, ...]) -> None:
    with pytest.raises(PipelineError, match=f"^{command[0]}: "):
        answer(command)
