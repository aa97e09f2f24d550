"""What Linux says of disks, from trees like its /sys."""

import os
from pathlib import Path

import pytest

from pipeline.cli.burn.linux import Linux
from pipeline.cli.burn.stick import Part
from pipeline.errors import PipelineError
from tests.fixtures.sticks import CARD_PLACE, SATA_PLACE, SERIAL_PAGE, link, linux_disk, udev, usb_stick


def test_a_stick_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    folder = usb_stick(tmp_path, partitions={"1": "PARTNAME=EFI", "2": "DEVNAME=sdb2"})
    udev(tmp_path, "8:16", "ID_FS_TYPE=iso9660", "ID_FS_LABEL=INSTALL")
    udev(tmp_path, "8:18", "ID_FS_TYPE=vfat", "ID_FS_LABEL=STICK")
    stick = Linux(tmp_path).disk("sdb")
    assert str(stick) == "sdb: SanDisk Ultra, 30.8 GB, USB"
    assert (stick.serial, stick.block, stick.removable, stick.read_only) == (
        "4C530001 1507",
        512,
        True,
        False,
    )
    assert stick.node == tmp_path / "dev/sdb"
    assert (stick.number, stick.place) == (os.makedev(8, 16), f"7 {folder}")
    assert stick.parts == (
        Part(None, 60062500 * 512, "iso9660", "INSTALL"),
        Part(1, 1 << 20, "", "EFI"),
        Part(2, 1 << 20, "vfat", "STICK"),
    )
    assert stick.uses == ()


def test_a_stick_of_which_nothing_is_known(tmp_path: Path) -> None:
    usb_stick(tmp_path, {"device/vendor": "", "device/model": ""})
    stick = Linux(tmp_path).disk("/dev/sdb")
    assert (stick.model, stick.parts) == ("unknown model", ())


@pytest.mark.parametrize(
    ("place", "files", "bus", "removable"),
    [
        (SATA_PLACE, {}, "neither USB nor SD", False),
        (SATA_PLACE.replace("sda", "sr0"), {}, "neither USB nor SD", False),
        (CARD_PLACE, {"device/type": "SD", "removable": "0"}, "SD", True),
        (CARD_PLACE, {"device/type": "MMC"}, "neither USB nor SD", False),
        ("pci0000:00/usb1/1-1/host1/block/sdc", {"removable": "0"}, "USB", False),
    ],
)
def test_what_counts_as_removable(
    tmp_path: Path, place: str, files: dict[str, str], bus: str, removable: bool
) -> None:
    linux_disk(tmp_path, place, files)
    (disk,) = Linux(tmp_path).disks()
    assert (disk.bus, disk.removable) == (bus, removable)


@pytest.mark.parametrize(
    ("files", "serial"),
    [
        ({"device/serial": "0x1234\n", "device/vpd_pg80": SERIAL_PAGE}, "0x1234"),
        ({"device/vpd_pg80": SERIAL_PAGE}, "WD-123"),
        ({"device/vpd_pg80": SERIAL_PAGE[:3] + "\x04    "}, "4C530001 1507"),
        ({}, "4C530001 1507"),
    ],
)
def test_where_a_serial_number_stands(tmp_path: Path, files: dict[str, str], serial: str) -> None:
    usb_stick(tmp_path, files)
    assert Linux(tmp_path).disk("sdb").serial == serial


def test_a_disk_without_a_serial_number(tmp_path: Path) -> None:
    linux_disk(tmp_path, SATA_PLACE, {})
    assert Linux(tmp_path).disk("sda").serial == ""


@pytest.mark.parametrize(
    ("mounts", "swaps", "holder", "uses"),
    [
        (
            "30 1 8:17 / /media/My\\040stick rw - vfat /dev/sdb1 rw",
            "",
            "",
            ("sdb1 is mounted at /media/My stick",),
        ),
        ("30 1 8:16 / /mnt rw shared:1 - iso9660 /dev/sdb ro", "", "", ("sdb is mounted at /mnt",)),
        ("30 1 0:40 / /mnt rw - btrfs /dev/sdb2 rw", "", "", ("sdb2 is mounted at /mnt",)),
        ("30 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 1 0:5 / /proc rw - proc proc rw", "", "", ()),
        ("", "Filename Type Size\n/dev/sdb1 partition 10", "", ("sdb1 is swap space",)),
        ("", "", "sdb2", ("sdb2 is part of dm-0",)),
        ("", "", ".", ("sdb is part of dm-0",)),
    ],
)
def test_what_a_disk_is_in_use_for(
    tmp_path: Path, mounts: str, swaps: str, holder: str, uses: tuple[str, ...]
) -> None:
    folder = usb_stick(tmp_path, partitions={"1": "", "2": ""})
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(mounts)
    (tmp_path / "proc/swaps").write_text(swaps)
    if holder:
        (folder / holder / "holders/dm-0").mkdir(parents=True)
    assert Linux(tmp_path).disk("sdb").uses == uses


def test_a_link_to_a_node_names_the_disk(tmp_path: Path) -> None:
    usb_stick(tmp_path)
    link(tmp_path / "dev/disk/by-id/usb-x", tmp_path / "dev/sdb")
    assert Linux(tmp_path).disk("disk/by-id/usb-x").name == "sdb"


@pytest.mark.parametrize(
    ("device", "message", "hint"),
    [
        ("/dev/sdb1", "/dev/sdb1: is a partition", "name the whole disk: /dev/sdb"),
        ("/dev/loop0", "/dev/loop0: is no disk of this machine", "`./doit burn` lists what is removable"),
        ("sdz", "sdz: is no disk of this machine", "`./doit burn` lists what is removable"),
    ],
)
def test_what_is_no_disk(tmp_path: Path, device: str, message: str, hint: str) -> None:
    usb_stick(tmp_path, partitions={"1": ""})
    (tmp_path / "sys/block/loop0").mkdir()
    assert [disk.name for disk in Linux(tmp_path).disks()] == ["sdb"]
    with pytest.raises(PipelineError) as caught:
        Linux(tmp_path).disk(device)
    assert (caught.value.message, caught.value.hint) == (message, hint)
