import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.vm import disks, machine
from pipeline.vm.machine import BUSES, Disk, Firmware, Machine, argv, watched

IN_FULL = r"""
qemu-system-x86_64
-nodefaults
-no-user-config
-machine q35,pflash0=code,pflash1=variables
-blockdev {"driver": "raw", "node-name": "code", "read-only": true, "file": {"driver": "file", "filename": "/c"}}
-blockdev {"driver": "raw", "node-name": "variables", "read-only": false, "file": {"driver": "file", "filename": "/v"}}
-accel tcg,thread=single
-cpu qemu64
-smp 2
-m 1536M
-uuid 6a4e1c2b-5f3d-4e8a-9b7c-0d1e2f3a4b5c
-blockdev {"driver": "raw", "node-name": "medium", "read-only": true, "file": {"driver": "file", "filename": "/a,b", "cache": {"no-flush": true}}}
-device ide-cd,bus=ide.0,drive=medium,bootindex=0
-blockdev {"driver": "raw", "node-name": "target", "read-only": false, "file": {"driver": "file", "filename": "/t", "cache": {"no-flush": true}}}
-device nvme,drive=target,serial=S1,logical_block_size=4096,physical_block_size=4096
-nic none
-device VGA
-S
-display none
-serial stdio
-chardev socket,id=qmp,fd=7
-mon chardev=qmp,mode=control
"""  # noqa: E501 - QEMU's own words

MEDIUM = Disk("medium", Path("/a,b"), "cd", read_only=True, turn=0)
DISK = Disk("target", Path("/t"), "nvme", serial="S1", block=4096)
MACHINE = Machine((MEDIUM, DISK), Path("/c"), Path("/v"), "tcg")
FILE = {"driver": "file", "filename": "/t", "cache": {"no-flush": True}}
RULE = {"inject-error": [{"event": "none", "iotype": "write", "errno": 5}]}


def command(given: Machine) -> list[str]:
    return argv(given, watched(7))


def options(words: list[str]) -> list[str]:
    return re.sub(r"\n(?!-)", " ", "\n".join(words)).split("\n")


def with_disk(**changes: object) -> Machine:
    return replace(MACHINE, disks=(replace(DISK, **changes),))  # type: ignore[arg-type]


def values(given: Machine, option: str) -> list[str]:
    return [value for name, value in pairwise(command(given)) if name == option]


def test_the_command_line_is_exactly_this() -> None:
    assert options(command(MACHINE)) == IN_FULL.strip().split("\n")


SECTORS = ",logical_block_size=512,physical_block_size=512"
ON_BUS = {
    "nvme": [f"nvme,drive=target,serial=S1{SECTORS},bootindex=3"],
    "virtio-blk": [
        f"virtio-blk-pci,drive=target,serial=S1{SECTORS},bootindex=3,werror=report,rerror=report",
    ],
    "virtio-scsi": [
        "virtio-scsi-pci,id=scsi-target",
        f"scsi-hd,bus=scsi-target.0,drive=target,serial=S1{SECTORS},bootindex=3,werror=report,rerror=report",
    ],
    "scsi-paths": [
        "virtio-scsi-pci,id=first-target",
        "virtio-scsi-pci,id=second-target",
        "scsi-hd,bus=first-target.0,drive=target,serial=S1,wwn=0x5000c500a1b2c3d4,share-rw=on"
        f"{SECTORS},bootindex=3",
        f"scsi-hd,bus=second-target.0,drive=target,serial=S1,wwn=0x5000c500a1b2c3d4,share-rw=on{SECTORS}",
    ],
    "nvme-paths": [
        "nvme-subsys,id=subsystem-target",
        "nvme,id=first-target,subsys=subsystem-target,serial=S1",
        "nvme,id=second-target,subsys=subsystem-target,serial=S1",
        f"nvme-ns,bus=first-target,drive=target,shared=on{SECTORS},bootindex=3",
    ],
    "ahci": ["ide-hd,bus=ide.0,drive=target,serial=S1,bootindex=3"],
    "usb": [
        "qemu-xhci,id=xhci-target",
        "usb-storage,id=usb-target,bus=xhci-target.0,drive=target,serial=S1,removable=on,bootindex=3",
    ],
    "cd": ["ide-cd,bus=ide.0,drive=target,serial=S1,bootindex=3"],
}


@pytest.mark.parametrize("bus", BUSES)
def test_a_disk_on_each_bus(bus: str) -> None:
    assert values(with_disk(bus=bus, block=512, turn=3), "-device") == [*ON_BUS[bus], "VGA"]


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (replace(MACHINE, accel="kvm"), ["-accel kvm"]),
        (replace(MACHINE, processors=1, memory=512), ["-smp 1", "-m 512M"]),
        (
            replace(MACHINE, port=1234),
            [
                "-netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:1234-:8080",
                "-device virtio-net-pci,netdev=net",
            ],
        ),
        (
            replace(MACHINE, port=1234, address="10.0.2.77"),
            [
                "-netdev user,id=net,restrict=off,hostfwd=tcp:127.0.0.1:1234-10.0.2.77:8080",
                "-device virtio-net-pci,netdev=net",
            ],
        ),
        (
            replace(MACHINE, netboot=""),
            [
                "-netdev user,id=net",
                "-device virtio-net-pci,netdev=net,bootindex=0,romfile=",
                "-device virtio-rng-pci",
            ],
        ),
        (
            replace(MACHINE, netboot="a.efi", tftp=Path("/o")),
            [
                "-netdev user,id=net,tftp=/o,bootfile=a.efi",
                "-device virtio-net-pci,netdev=net,bootindex=0,romfile=",
                "-device virtio-rng-pci",
            ],
        ),
        (
            replace(MACHINE, netboot="http://h/a", code=None),
            [
                "-machine q35",
                "-netdev user,id=net,bootfile=http://h/a",
                "-device virtio-net-pci,netdev=net,bootindex=0",
                "-device virtio-rng-pci",
            ],
        ),
        (replace(MACHINE, oem_strings=(Path("/w/oem"),)), ["-smbios type=11,path=/w/oem"]),
        (replace(MACHINE, code=None), ["-machine q35"]),
        (replace(MACHINE, code=None, graphics=False), ["-machine q35,graphics=off"]),
        (
            replace(MACHINE, smm=True),
            [
                "-machine q35,smm=on,pflash0=code,pflash1=variables",
                "-global driver=cfi.pflash01,property=secure,value=on",
            ],
        ),
        (
            replace(MACHINE, tpm=9),
            [
                "-chardev socket,id=tpm,fd=9",
                "-tpmdev emulator,id=tpm,chardev=tpm",
                "-device tpm-crb,tpmdev=tpm",
            ],
        ),
        (
            replace(MACHINE, kernel=Path("/k"), initrd=Path("/i"), append="quiet x"),
            ["-kernel /k", "-initrd /i", "-append quiet x"],
        ),
        (
            replace(MACHINE, keyboard="USB"),
            [
                "-machine q35,i8042=off,pflash0=code,pflash1=variables",
                "-device qemu-xhci,id=keyboard",
                "-device usb-kbd,bus=keyboard.0",
            ],
        ),
        (
            replace(MACHINE, keyboard="virtio", screen="virtio-vga"),
            [
                "-machine q35,i8042=off,pflash0=code,pflash1=variables",
                "-device virtio-keyboard-pci",
                "-device virtio-vga",
            ],
        ),
    ],
)
def test_what_else_a_machine_may_have(given: Machine, added: list[str]) -> None:
    assert [option for option in options(command(given)) if option not in options(command(MACHINE))] == added


def test_a_machine_that_starts_by_bios_has_no_flash() -> None:
    assert not any("variables" in text for text in values(replace(MACHINE, code=None), "-blockdev"))


@pytest.mark.parametrize(
    ("given", "file"),
    [
        (with_disk(forgets=1 << 30), {"driver": "null-co", "size": 1 << 30, "read-zeroes": True}),
        (with_disk(kind="folder"), {"driver": "vvfat", "dir": "/t", "fat-type": 16, "rw": False}),
        (with_disk(faults=RULE), {"driver": "blkdebug", "image": FILE, **RULE}),
        (with_disk(can_hang=True), {"driver": "throttle", "throttle-group": "throttle", "file": FILE}),
        (
            with_disk(log=Path("/l")),
            {
                "driver": "blklogwrites",
                "file": FILE,
                "log": {"driver": "file", "filename": "/l"},
                "log-sector-size": 4096,
            },
        ),
    ],
)
def test_what_lies_between_a_disk_and_its_image(given: Machine, file: dict[str, object]) -> None:
    assert json.loads(values(given, "-blockdev")[-1])["file"] == file
    throttles = ["throttle-group,id=throttle"] if file["driver"] == "throttle" else []
    assert values(given, "-object") == throttles


def test_an_unknown_bus() -> None:
    with pytest.raises(PipelineError) as caught:
        command(with_disk(bus="isa"))
    assert str(caught.value) == f"'isa' is not a bus\n  hint: choose from {', '.join(BUSES)}"


BOOTED_BY = {
    "cd": ["ide-cd,bus=ide.0,drive=medium,bootindex=0", "VGA"],
    "usb": [
        "qemu-xhci,id=xhci-medium",
        "usb-storage,id=usb-medium,bus=xhci-medium.0,drive=medium,removable=on,bootindex=0",
        "qemu-xhci,id=keyboard",
        "usb-kbd,bus=keyboard.0",
        "VGA",
    ],
    "disk": [
        f"virtio-blk-pci,drive=medium{SECTORS},bootindex=0,werror=report,rerror=report",
        "virtio-keyboard-pci",
        "virtio-vga",
    ],
    "esp": [f"virtio-blk-pci,drive=medium{SECTORS},bootindex=0,werror=report,rerror=report", "VGA"],
    "cd-bios": ["ide-cd,bus=ide.0,drive=medium,bootindex=0", "VGA"],
    "usb-bios": [
        "qemu-xhci,id=xhci-medium",
        "usb-storage,id=usb-medium,bus=xhci-medium.0,drive=medium,removable=on,bootindex=0",
        "VGA",
    ],
}


@pytest.mark.parametrize("way", [*machine.WAYS, *machine.BY_BIOS])
def test_each_way_has_its_devices_and_one_keyboard(way: str, tmp_path: Path) -> None:
    factory = tmp_path / "factory.fd"
    factory.write_bytes(b"as shipped")
    medium = tmp_path / "medium"
    medium.write_bytes(b"program")
    given = machine.booting(machine.way(way), medium, Firmware(Path("/c"), factory), tmp_path, "tcg")
    devices = values(given, "-device")
    assert devices == BOOTED_BY[way]
    ps2 = "i8042=off" not in values(given, "-machine")[0]
    assert ps2 + sum("kbd" in device or "keyboard-pci" in device for device in devices) == 1
    assert given.variables.read_bytes() == b"as shipped"
    assert values(given, "-m") == ["1024M"]
    assert ("pflash0=code" in values(given, "-machine")[0]) is (way not in machine.BY_BIOS)


@pytest.mark.parametrize("way", machine.OF_SYSTEMS)
def test_a_system_writes_to_its_disk_and_the_image_stays(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(disks, "run", lambda *argv: ran.append(argv))
    factory = tmp_path / "factory.fd"
    factory.write_bytes(b"as shipped")
    given = machine.booting(
        machine.way(way), Path("/in/x.raw"), Firmware(Path("/c"), factory), tmp_path, "tcg"
    )
    written = tmp_path / f"{way}.qcow2"
    create = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "/in/x.raw", str(written))
    assert ran == [create]
    description = json.loads(values(given, "-blockdev")[-1])
    assert (description["driver"], description["read-only"]) == ("qcow2", False)
    assert description["file"]["filename"] == str(written)
    assert (given.disks[0].bus, values(given, "-m")) == (way, ["1536M"])


def test_a_folder_is_what_firmware_looks_for(tmp_path: Path) -> None:
    (tmp_path / "uki").write_bytes(b"program")
    folder = machine.esp(tmp_path / "uki", tmp_path)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*")} == {
        "EFI",
        "EFI/BOOT",
        "EFI/BOOT/BOOTX64.EFI",
    }


@pytest.mark.parametrize("kind", ["qcow2", "vpc", "vmdk"])
def test_a_disk_in_another_format(kind: str) -> None:
    description = json.loads(values(with_disk(kind=kind), "-blockdev")[-1])
    assert (description["driver"], description["file"]) == (kind, FILE)


def test_a_terminal() -> None:
    assert argv(MACHINE, machine.terminal())[-4:] == ["-display", "none", "-serial", "mon:stdio"]


def test_firmware_is_found(tmp_path: Path) -> None:
    for name in (machine.CODE, machine.VARIABLES):
        (tmp_path / name).touch()
    assert machine.find_firmware(tmp_path) == machine.Firmware(
        tmp_path / "OVMF_CODE_4M.fd", tmp_path / "OVMF_VARS_4M.fd"
    )


@pytest.mark.parametrize(
    ("there", "missing", "has"),
    [
        ([], "OVMF_CODE_4M.fd", "no firmware at all"),
        (["OVMF_CODE.fd", "OVMF_VARS.fd"], "OVMF_CODE_4M.fd", "OVMF_CODE.fd, OVMF_VARS.fd"),
        (["OVMF_CODE_4M.fd"], "OVMF_VARS_4M.fd", "OVMF_CODE_4M.fd"),
    ],
)
def test_missing_firmware_says_what_was_looked_for(
    tmp_path: Path, there: list[str], missing: str, has: str
) -> None:
    for name in there:
        (tmp_path / name).touch()
    with pytest.raises(PipelineError) as caught:
        machine.find_firmware(tmp_path)
    assert caught.value.message == f"{tmp_path / missing}: no such firmware file; the folder has {has}"


def test_variables_are_fresh_whatever_an_earlier_run_left(tmp_path: Path) -> None:
    factory = tmp_path / "factory.fd"
    factory.write_bytes(b"as shipped")
    factory.chmod(0o444)
    (tmp_path / machine.VARIABLES).write_bytes(b"boot entries of yesterday")
    copy = machine.fresh_variables(machine.Firmware(tmp_path / "code", factory), tmp_path)
    assert copy.read_bytes() == b"as shipped"
    assert copy.stat().st_mode & 0o200


def test_kvm_counts_only_when_it_opens(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    assert not machine.can_open_kvm(device)
    device.touch()
    assert machine.can_open_kvm(device)


@pytest.mark.parametrize(
    ("wanted", "kvm", "tried"),
    [
        ("auto", True, ("kvm", "tcg")),
        ("auto", False, ("tcg",)),
        ("kvm", True, ("kvm",)),
        ("tcg", True, ("tcg",)),
    ],
)
def test_accelerators(wanted: str, kvm: bool, tried: tuple[str, ...]) -> None:
    assert machine.accelerators(wanted, kvm=kvm) == tried


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("kvm", "/dev/kvm cannot be opened for reading and writing"),
        ("xen", "'xen' is an unknown accelerator"),
    ],
)
def test_rejected_accelerators(wanted: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        machine.accelerators(wanted, kvm=False)
    assert caught.value.message == message


def test_unknown_way() -> None:
    with pytest.raises(PipelineError) as caught:
        machine.way("floppy")
    assert (
        str(caught.value) == "'floppy' is an unknown way of booting\n  hint: choose from cd, usb, disk, esp, "
        "cd-bios, usb-bios, virtio-blk, virtio-scsi, ahci, nvme"
    )
