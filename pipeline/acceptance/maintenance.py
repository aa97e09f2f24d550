"""What comes after an installation: its tools, an update, data that are damaged."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from pipeline.acceptance import judges
from pipeline.acceptance import screens as steps
from pipeline.acceptance.lab import GOOD, SERIAL, Stage, by_oem_string, check_disk, must
from pipeline.vm import disks as media
from pipeline.vm.machine import Disk
from pipeline.vm.session import NotSeenError, Session

Story = Callable[[Stage], Awaitable[None]]

INSTALL = steps.answers(GOOD, erase=SERIAL)
ADDRESS = ": 10.0.2.15"  # what QEMU's network gives the machine: from now on a service would answer
REASON = "Fatal local machine check"  # what Linux says of an error of its processor that nobody can correct
SILENCE = 10.0  # seconds in which it would


async def keeps_data(stage: Stage) -> None:
    """Reinstall, keep data: what the appliance wrote is there afterwards, byte for byte."""
    disk = stage.disk()
    await by_oem_string(stage, INSTALL, stage.medium(), disk)
    data = check_disk(stage, disk)[1]
    guest = stage.guest(disk, fresh=False, network=True)
    async with stage.playing(guest, "boot-1") as vm:
        await steps.appliance(vm, 1)
    before = media.digest(disk.image, data.start, data.size)
    text = steps.answers(GOOD, task="keep-data")
    await by_oem_string(stage, text, stage.medium(), disk, name="reinstall", fresh=False)
    order = media.boot_order(stage.work / "variables.fd")
    must(order.count("TruthDB") == 1, f"the boot order is {order} after the second installation")
    must(media.digest(disk.image, data.start, data.size) == before, "the data were changed")
    guest = stage.guest(disk, fresh=False, network=True)
    async with stage.playing(guest, "boot-2") as vm:
        await steps.appliance(vm, 2)


async def tools(stage: Stage) -> None:
    """Export logs to a stick; Validate sees a damaged file; Repair boot mends it; Validate agrees."""
    disk = stage.disk("virtio-blk")
    await by_oem_string(stage, INSTALL, stage.medium(), disk)
    system = check_disk(stage, disk)[0]
    _damage(disk, system)
    stick = Disk("stick", media.stick(stage.work / "stick.img", "LOGS", {}), "usb", serial="STICK0001")
    async with stage.playing(stage.guest(stage.medium(), disk, stick, fresh=False), "tools") as vm:
        await steps.greet(vm)
        await vm.press("t")
        await vm.see(steps.TOOLS)
        await vm.press("e")
        await vm.hear("end of the log of truthdb-installer")
        await vm.press("x")
        await vm.see("The logs are on")
        await _validate(vm, "BAD")
        await vm.photograph("damaged")
        await vm.press("b")
        await vm.see(steps.LIST)
        await vm.press("b")
        await vm.see(steps.TOOLS)
        await vm.press("p")
        await steps.point_at(vm, "vda")
        await vm.press("enter")
        await steps.confirm(vm, SERIAL, title=steps.CONFIRM_REPAIR)
        await steps.done(vm)
    check_disk(stage, disk)
    store = stage.work / "variables.fd"
    must(media.boot_order(store)[0] == "TruthDB", "TruthDB is not first in the boot order after the repair")
    listed = media.run("mdir", "-b", "-i", str(stick.image), "::truthdb-logs-1")
    judges.volume(stick.image)
    must("installer.log" in listed and "kernel.log" in listed, f"the stick holds {listed!r}")
    async with stage.playing(stage.guest(stage.medium(), disk, fresh=False), "validate") as vm:
        await steps.greet(vm)
        await vm.press("t")
        await vm.see(steps.TOOLS)
        await _validate(vm, "ok ")
        # OVMF forgets entries of disks without a place in QEMU's boot order, as this one beside the medium.
        wrong = [line for line in vm.terminal.text().splitlines() if "BAD" in line]
        must(
            all("The firmware has no boot entry" in line for line in wrong),
            "something is wrong after the repair",
        )


async def _validate(vm: Session, expected: str) -> None:
    """Validate the disk, and wait for the whole report, with `expected` in it."""
    await vm.press("v")
    await steps.point_at(vm, "vda")
    await vm.press("enter")
    await vm.see(steps.VALIDATE, expected, steps.BACK)


def _damage(disk: Disk, system: media.Place) -> None:
    """Change a byte in the middle of the installed system's first copy."""
    with disk.image.open("r+b") as file:
        file.seek(system.start + (6 << 20))
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0xFF]))


async def damaged_data(stage: Stage) -> None:
    """Data that cannot be repaired without somebody's decision: no service, and every console says why."""
    disk = stage.disk()
    await by_oem_string(stage, INSTALL, stage.medium(), disk)
    data = check_disk(stage, disk)[1]
    # No root folder, and nothing that says so: only the kernel notices, and then the closer look.
    media.run("debugfs", "-w", "-R", "clri <2>", f"{disk.image}?offset={data.start}")
    guest = stage.guest(replace(disk, turn=None), fresh=False, network=True)
    async with stage.playing(guest, "boot-1") as vm:
        await vm.hear("TRUTHDB_DATA on nvme0n1p2 is damaged")
        await vm.hear(ADDRESS)
        await vm.shows("damaged", "TRUTHDB_DATA", "is damaged")
        try:
            answer = await vm.get("/healthz", timeout=SILENCE)
        except NotSeenError:
            return
        raise NotSeenError(f"the service was started on damaged data: it answers {answer}")


async def panics(stage: Stage) -> None:
    """Hardware fails and Linux stops: it starts again, tells why, keeps what was said, and frees NVRAM."""
    disk = stage.disk()
    await by_oem_string(stage, INSTALL, stage.medium(), disk)
    data = check_disk(stage, disk)[1]
    guest = stage.guest(disk, fresh=False, network=True)
    async with stage.playing(guest, "boot-1") as vm:
        await steps.appliance(vm, 1)
        await vm.monitor.machine_check()
        await vm.resets()
        await steps.appliance(vm, 2)
        await vm.hear(REASON)
        await vm.shows("panic", "Last panic", "machine check")
        await vm.switch_off()
    kept = media.read_data(disk.image, data, "/metadata/panics/panic-1.txt")
    must(REASON in kept and "Kernel panic" in kept, f"what was kept of the panic is {kept!r}")
    left = [name for name in media.variables(guest.variables) if name.startswith("dump-")]
    must(not left, f"the firmware's store still holds {left}")


async def changes_settings(stage: Stage) -> None:
    """Settings change by hand and by a file: the medium leaves the data alone, the appliance takes both."""
    disk = stage.disk()
    await by_oem_string(stage, INSTALL, stage.medium(), disk)
    data = check_disk(stage, disk)[1]
    guest = stage.guest(disk, fresh=False, network=True)
    async with stage.playing(guest, "boot-1") as vm:
        await steps.appliance(vm, 1)  # it ends as by a power cut: the journal has to be read
    before = media.digest(disk.image, data.start, data.size)
    beside = replace(disk, turn=1)  # else OVMF forgets its entry, as the medium is first
    async with stage.playing(stage.guest(stage.medium(), beside, fresh=False), "tool") as vm:
        await steps.greet(vm)
        await vm.press("t")
        await vm.see(steps.TOOLS)
        await vm.press("c")
        await steps.point_at(vm, "nvme0n1")
        await vm.press("enter")
        await vm.see(steps.SETTINGS, "truthdb")
        await vm.type("-7")
        await vm.press("enter")
        await vm.see("Host name: truthdb -> truthdb-7")
        await steps.confirm(vm, SERIAL, title=steps.CONFIRM_CHANGE)
        await steps.done(vm)
    text = steps.answers(GOOD, task="change-settings") + '[settings]\nnode_name = "node-7"\n'
    await by_oem_string(stage, text, stage.medium(), beside, name="file", fresh=False)
    must(media.digest(disk.image, data.start, data.size) == before, "the medium wrote to the data")
    guest = stage.guest(disk, fresh=False, network=True)
    async with stage.playing(guest, "boot-2") as vm:
        node = (await steps.appliance(vm, 2))["node"]
        must((node["host_name"], node["name"]) == ("truthdb-7", "node-7"), f"the node calls itself {node}")
        await vm.switch_off()
    check_disk(stage, disk)
    old = media.read_data(disk.image, data, "/metadata/node.toml.old")
    must('"truthdb"' in old and '"node-1"' in old, f"the old settings are not kept: {old!r}")


CARE: dict[str, Story] = {
    "keep-data": keeps_data,
    "tools": tools,
    "damaged-data": damaged_data,
    "panic": panics,
    "change-settings": changes_settings,
}
