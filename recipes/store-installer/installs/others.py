"""Disks with another system: systemd-boot and what it starts, a folder, an ext4, a line in firmware's list.

Specification: UEFI 2.10, §3.1.3 (load options) and §10.3.5 (device paths of media); UAPI.1 (entries)
"""

import json
import struct
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.boot.stories import Lab, must
from pipeline.formats import gpt
from pipeline.formats.fields import open_image
from pipeline.vm import disks
from pipeline.vm.machine import Disk

SIZE = 6 << 30
MIB = 1 << 20
ESP_MIB, ROOT_MIB = 128, 256
LOADER = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
PROGRAM = Path("/usr/lib/ipxe/snponly.efi")
"""What the other system's boot loader starts: it says what it is, and waits."""

SAYS = "iPXE initialising devices"
NAME = "Other System"
ENTRY = "title Other\nefi /EFI/other/other.efi\n"
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
BOOTED = 7  # of a variable: kept, and there for firmware and Linux alike
TREE = "EFI/systemd/systemd-bootx64.efi"


def disk(lab: Lab, bus: str = "virtio-blk") -> Disk:
    """Return a disk with another system in its first half, and free space behind it.

    OVMF forgets what its list says of disks that QEMU gives no turn, once it does so for others.
    """
    made = replace(lab.disk(bus, size=SIZE), turn=1)
    table = (
        "label: gpt\n"
        f"start=1MiB, size={ESP_MIB}MiB, type=U, name=OTHER_ESP\n"
        f"size={ROOT_MIB}MiB, type=L, name=OTHER_ROOT\n"
    )
    disks.run("sfdisk", "--quiet", str(made.image), stdin=table)
    _put(made.image, MIB, _esp(lab.work))
    _put(made.image, (1 + ESP_MIB) * MIB, _root(lab.work))
    return made


def _esp(folder: Path) -> Path:
    """Make the EFI partition: systemd-boot, its entry, and a folder of its own with small files."""
    image = disks.blank(folder / "esp.img", ESP_MIB * MIB)
    disks.run("mkfs.vfat", "-F32", "-n", "OTHER", str(image))
    disks.run("mmd", "-i", str(image), *(f"::{one}" for one in ("EFI", "EFI/systemd", "EFI/other", "loader")))
    disks.run("mmd", "-i", str(image), "::loader/entries")
    texts = {
        "loader/loader.conf": "timeout 1\n",
        "loader/entries/other.conf": ENTRY,
        "EFI/other/notes.txt": "kept as it is\n" * 999,
    }
    for path, text in texts.items():
        disks.run("mcopy", "-i", str(image), "-", f"::{path}", stdin=text)
    for source, path in ((LOADER, TREE), (PROGRAM, "EFI/other/other.efi")):
        disks.run("mcopy", "-i", str(image), str(source), f"::{path}")
    return image


def _root(folder: Path) -> Path:
    image = disks.blank(folder / "root.img", ROOT_MIB * MIB)
    disks.run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "other-root", "-d", str(PROGRAM.parent), str(image))
    return image


def _put(target: Path, start: int, source: Path) -> None:
    disks.run("dd", f"if={source}", f"of={target}", f"seek={start // MIB}", "bs=1M", "conv=notrunc,sparse")
    source.unlink()


def enter(lab: Lab, other: Disk) -> None:
    """Enter the other system into the firmware's list, as the installer of that one did."""
    path = "\\" + TREE.replace("/", "\\")
    found = gpt.read_table(open_image(other.image), 1).partitions[0]
    hard_drive = struct.pack(
        "<BBHIQQ16sBB",
        *(4, 1, 42, found.number, found.first_lba, found.last_lba + 1 - found.first_lba),
        *(uuid.UUID(str(found.guid)).bytes_le, 2, 2),
    )
    name = (path + "\0").encode("utf-16-le")
    nodes = hard_drive + struct.pack("<BBH", 4, 4, 4 + len(name)) + name + b"\x7f\xff\4\0"
    option = struct.pack("<IH", 1, len(nodes)) + (NAME + "\0").encode("utf-16-le") + nodes
    variables = {"Boot00F0": option, "BootOrder": struct.pack("<H", 0xF0)}
    listed = [
        {"name": name, "guid": GLOBAL, "attr": BOOTED, "data": data.hex()} for name, data in variables.items()
    ]
    text = lab.work / "variables.json"
    text.write_text(json.dumps({"version": 2, "variables": listed}))
    disks.run("virt-fw-vars", "--inplace", str(lab.variables), "--set-json", str(text))


def kept(other: Disk) -> Mapping[str, object]:
    """Return what of the other system must stay: its ext4 and table entries, and every file of its ESP."""
    esp, root = disks.partitions(other.image, other.block)[:2]
    return {
        "the partitions": (esp, root),
        "the ext4": disks.digest(other.image, root.start, root.size),
        "the files": {
            path: data for path, data in disks.files(other.image, esp).items() if not _is_ours(path)
        },
    }


def _is_ours(path: str) -> bool:
    return path.startswith(("EFI/STORE-APPLIANCE/", "EFI/BOOT/"))


def check(other: Disk, was: Mapping[str, object]) -> None:
    """Raise NotSeenError where something of the other system is not as it was."""
    now = kept(other)
    for what, before in was.items():
        must(now[what] == before, f"{what} of the other system are not what they were")
