import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.vm.guest import BUSES, Disk, Guest, command

DISK = Disk("target", Path("/w/target.img"), "nvme", serial="S1", block=4096)
MEDIUM = Disk("medium", Path("/w/x.iso"), "cd", read_only=True, first=True)
GUEST = Guest((MEDIUM, DISK), Path("/f/code"), Path("/w/vars"), "tcg")


def values(argv: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(argv) if name == option]


def blockdev(argv: list[str], node: str) -> dict[str, object]:
    found = [json.loads(text) for text in values(argv, "-blockdev")]
    return next(one for one in found if one["node-name"] == node)


def test_a_machine_in_full() -> None:
    argv = command(GUEST, 5)
    assert argv[0] == "qemu-system-x86_64"
    assert values(argv, "-accel") == ["tcg,thread=multi"]
    assert values(argv, "-nic") == ["none"]
    assert values(argv, "-chardev") == ["socket,id=qmp,fd=5"]
    assert values(argv, "-device") == [
        "ide-cd,bus=ide.0,drive=medium,bootindex=0",
        "nvme,drive=target,serial=S1,logical_block_size=4096,physical_block_size=4096",
        "VGA",
    ]
    assert blockdev(argv, "target") == {
        "driver": "raw",
        "node-name": "target",
        "read-only": False,
        "file": {"driver": "file", "filename": "/w/target.img", "cache": {"no-flush": True}},
    }
    assert blockdev(argv, "medium")["read-only"] is True


def test_many_media_are_tried_in_turn_by_a_small_machine() -> None:
    media = [Disk(f"m{n}", Path("/w/x.iso"), "cd", serial=f"S{n}", turn=n) for n in (2, 3)]
    argv = command(replace(GUEST, disks=media, processors=1, memory=512), 5)
    assert values(argv, "-device")[:2] == [
        "ide-cd,bus=ide.0,serial=S2,drive=m2,bootindex=2",
        "ide-cd,bus=ide.1,serial=S3,drive=m3,bootindex=3",
    ]
    assert (values(argv, "-smp"), values(argv, "-m")) == (["1"], ["512M"])


def test_a_disk_with_two_paths_is_one_image_behind_two_controllers() -> None:
    for bus, controllers in (("scsi-paths", "virtio-scsi-pci"), ("nvme-paths", "nvme")):
        argv = command(replace(GUEST, disks=(replace(DISK, bus=bus),)), 5)
        kinds = [text.partition(",")[0] for text in values(argv, "-device")]
        assert kinds.count(controllers) == 2
        nodes = [json.loads(text)["node-name"] for text in values(argv, "-blockdev")]
        assert nodes.count("target") == 1


def test_a_disk_that_can_hang_is_behind_a_throttle() -> None:
    argv = command(replace(GUEST, disks=(replace(DISK, can_hang=True),)), 5)
    assert values(argv, "-object") == ["throttle-group,id=throttle"]
    file = blockdev(argv, "target")["file"]
    assert isinstance(file, dict)
    assert (file["driver"], file["throttle-group"], file["file"]["driver"]) == (
        "throttle",
        "throttle",
        "file",
    )


def test_a_machine_without_uefi_firmware_starts_by_bios() -> None:
    assert values(command(GUEST, 5), "-machine") == ["q35,pflash0=code,pflash1=variables"]
    argv = command(replace(GUEST, code=None), 5)
    assert values(argv, "-machine") == ["q35"]
    assert not any("variables" in text for text in values(argv, "-blockdev"))


def test_a_disk_may_come_second() -> None:
    argv = command(replace(GUEST, disks=(MEDIUM, replace(DISK, second=True))), 5)
    assert [text.rpartition("bootindex=")[2] for text in values(argv, "-device")[:2]] == ["0", "1"]


def test_a_network_leads_to_the_appliance_alone() -> None:
    argv = command(replace(GUEST, port=1234), 5)
    assert values(argv, "-netdev") == ["user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:1234-:8080"]


def test_a_machine_with_an_address_of_its_own_reaches_this_host() -> None:
    argv = command(replace(GUEST, port=1234, address="10.0.2.77"), 5)
    assert values(argv, "-netdev") == ["user,id=net,restrict=off,hostfwd=tcp:127.0.0.1:1234-10.0.2.77:8080"]


def test_answers_in_the_firmware() -> None:
    argv = command(replace(GUEST, oem_strings=(Path("/w/oem"),)), 5)
    assert values(argv, "-smbios") == ["type=11,path=/w/oem"]


def test_faults_lie_between_disk_and_image() -> None:
    rule = {"event": "none", "iotype": "write", "errno": 5}
    file = blockdev(
        command(replace(GUEST, disks=(replace(DISK, faults={"inject-error": [rule]}),)), 5), "target"
    )
    assert file["file"] == {
        "driver": "blkdebug",
        "image": {"driver": "file", "filename": "/w/target.img", "cache": {"no-flush": True}},
        "inject-error": [rule],
    }


def test_a_disk_that_forgets_has_no_image() -> None:
    file = blockdev(command(replace(GUEST, disks=(replace(DISK, forgets=1 << 30),)), 5), "target")["file"]
    assert file == {"driver": "null-co", "size": 1 << 30, "read-zeroes": True}


def test_a_log_of_writes() -> None:
    file = blockdev(command(replace(GUEST, disks=(replace(DISK, log=Path("/w/log")),)), 5), "target")["file"]
    assert isinstance(file, dict)
    assert (file["driver"], file["log-sector-size"]) == ("blklogwrites", 4096)
    assert file["log"] == {"driver": "file", "filename": "/w/log"}


def test_a_serial_number_that_is_empty_is_left_out() -> None:
    assert not any(
        "serial=" in text for text in values(command(replace(GUEST, disks=(MEDIUM,)), 5), "-device")
    )


def test_an_unknown_bus() -> None:
    with pytest.raises(PipelineError) as caught:
        command(replace(GUEST, disks=(replace(DISK, bus="isa"),)), 5)
    assert str(caught.value) == f"'isa' is not a bus\n  hint: choose from {', '.join(BUSES)}"


@pytest.mark.parametrize("bus", ["virtio-blk", "virtio-scsi"])
def test_a_disk_that_fails_tells_the_machine_instead_of_stopping_it(bus: str) -> None:
    argv = command(replace(GUEST, disks=(replace(DISK, bus=bus),)), 5)
    assert any(text.endswith("werror=report,rerror=report") for text in values(argv, "-device"))
