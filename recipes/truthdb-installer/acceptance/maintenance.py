"""What comes after an installation: its tools, an update, data that are damaged."""

from dataclasses import replace

from acceptance import judges, screens
from acceptance.installation import (
    GOOD,
    NAME,
    booted,
    check_disk,
    comes_first,
    comes_up,
    install,
    unattended,
    with_answers,
)
from pipeline.boot.stories import SERIAL, Lab, Story, must
from pipeline.vm import disks
from pipeline.vm.machine import Disk
from pipeline.vm.session import NotSeenError, Session

ADDRESS = ": 10.0.2.15"  # what QEMU's network gives the machine: from now on a service would answer
REASON = "Fatal local machine check"  # what Linux says of an error of its processor that nobody can correct
SILENCE = 10.0  # seconds in which it would


async def keeps_data(lab: Lab) -> None:
    """Reinstall, keep data: what the appliance wrote is there afterwards, byte for byte."""
    disk = lab.disk()
    data = (await install(lab, disk))[1]
    await comes_up(lab, disk, cut=False)  # else e2fsck may find what only the journal has
    before = disks.digest(disk.image, data.start, data.size)
    text = screens.answers(GOOD, task="keep-data")
    await install(lab, disk, text, name="reinstall", fresh=False)
    order = disks.boot_order(lab.variables)
    must(order.count(NAME) == 1, f"the boot order is {order} after the second installation")
    must(disks.digest(disk.image, data.start, data.size) == before, "the data were changed")
    await comes_up(lab, disk, boots=2)


async def tools(lab: Lab) -> None:
    """Export logs to a stick; Validate sees a damaged file; Repair boot mends it; Validate agrees."""
    disk = lab.disk("virtio-blk")
    system = (await install(lab, disk))[0]
    _damage(disk, system)
    stick = Disk("stick", disks.stick(lab.work / "stick.img", "LOGS", {}), "usb", serial="STICK0001")
    async with lab.start(lab.machine(lab.medium(), disk, stick, fresh=False), "tools") as vm:
        await vm.hear('looked at disk disk="sda"')  # Linux asks a stick a second after it came
        await screens.export(vm)
        await vm.press("v")
        await _validate(vm, "BAD")
        await vm.photograph("damaged")
        await vm.press("b")
        await vm.see(screens.LIST)
        await vm.press("b")
        await vm.see(screens.TOOLS)
        await vm.press("p")
        await screens.point_at(vm, "vda")
        await vm.press("enter")
        await screens.confirm(vm, SERIAL, title=screens.CONFIRM_REPAIR)
        await screens.done(vm)
    check_disk(lab, disk)
    comes_first(lab)
    listed = disks.run("mdir", "-b", "-i", str(stick.image), "::truthdb-logs-1")
    judges.volume(stick.image)
    must("installer.log" in listed and "kernel.log" in listed, f"the stick holds {listed!r}")
    async with lab.start(lab.machine(lab.medium(), disk, fresh=False), "validate") as vm:
        await screens.tool(vm, "v")
        await _validate(vm, "ok ")
        # OVMF forgets entries of disks without a place in QEMU's boot order, as this one beside the medium.
        wrong = [line for line in vm.terminal.text().splitlines() if "BAD" in line]
        must(
            all("The firmware has no boot entry" in line for line in wrong),
            "something is wrong after the repair",
        )


async def _validate(vm: Session, expected: str) -> None:
    """Have the tool validate the disk, and wait for the whole report, with `expected` in it."""
    await screens.point_at(vm, "vda")
    await vm.press("enter")
    await vm.see(screens.VALIDATE, expected, screens.BACK)


def _damage(disk: Disk, system: disks.Place) -> None:
    """Change a byte in the middle of the installed system's first copy."""
    with disk.image.open("r+b") as file:
        file.seek(system.start + (6 << 20))
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0xFF]))


async def damaged_data(lab: Lab) -> None:
    """Data that cannot be repaired without somebody's decision: no service, and every console says why."""
    disk = lab.disk()
    data = (await install(lab, disk))[1]
    # No root folder, and nothing that says so: only the kernel notices, and then the closer look.
    disks.run("debugfs", "-w", "-R", "clri <2>", f"{disk.image}?offset={data.start}")
    machine = lab.machine(replace(disk, turn=None), fresh=False, network=True)
    async with lab.start(machine, "boot-1") as vm:
        await vm.hear("TRUTHDB_DATA on nvme0n1p2 is damaged")
        await vm.hear(ADDRESS)
        await vm.shows("damaged", "TRUTHDB_DATA", "is damaged")
        try:
            answer = await vm.get("/healthz", timeout=SILENCE)
        except NotSeenError:  # as it is of a machine that broke down, too
            await vm.shows("unserved", "is damaged")
            return
        raise NotSeenError(f"the service was started on damaged data: it answers {answer}")


async def panics(lab: Lab) -> None:
    """Hardware fails and Linux stops: it starts again, tells why, keeps what was said, and frees NVRAM."""
    disk = lab.disk()
    data = (await install(lab, disk))[1]
    async with booted(lab, disk) as vm:
        vm.may_panic = True
        await vm.monitor.machine_check()
        await vm.resets()
        await screens.appliance(vm, 2)
        await vm.hear(REASON)
        await vm.shows("panic", "Last panic", "machine check")
        await vm.switch_off()
    kept = disks.read_data(disk.image, data, "/metadata/panics/panic-1.txt")
    must(REASON in kept and "Kernel panic" in kept, f"what was kept of the panic is {kept!r}")
    left = [name for name in disks.variables(lab.variables) if name.startswith("dump-")]
    must(not left, f"the firmware's store still holds {left}")


async def changes_settings(lab: Lab) -> None:
    """Settings change by hand and by a file: the medium leaves the data alone, the appliance takes both."""
    disk = lab.disk()
    data = (await install(lab, disk))[1]
    await comes_up(lab, disk)  # it ends as by a power cut: the journal has to be read
    before = disks.digest(disk.image, data.start, data.size)
    beside = replace(disk, turn=1)  # else OVMF forgets its entry, as the medium is first
    async with lab.start(lab.machine(lab.medium(), beside, fresh=False), "tool") as vm:
        await screens.tool(vm, "c")
        await screens.point_at(vm, "nvme0n1")
        await vm.press("enter")
        await vm.see(screens.SETTINGS, "truthdb")
        await vm.type("-7")
        await vm.press("enter")
        await vm.see("Host name: truthdb -> truthdb-7")
        await screens.confirm(vm, SERIAL, title=screens.CONFIRM_CHANGE)
        await screens.done(vm)
    text = screens.answers(GOOD, task="change-settings") + '[settings]\nnode_name = "node-7"\n'
    machine = lab.machine(lab.medium(), beside, fresh=False)
    await unattended(lab, with_answers(lab, machine, text), "file")
    must(disks.digest(disk.image, data.start, data.size) == before, "the medium wrote to the data")
    async with booted(lab, disk, boots=2) as vm:
        _, status = await vm.get("/status")
        node = status["node"]
        must((node["host_name"], node["name"]) == ("truthdb-7", "node-7"), f"the node calls itself {node}")
        await vm.switch_off()
    check_disk(lab, disk)
    old = disks.read_data(disk.image, data, "/metadata/node.toml.old")
    must('"truthdb"' in old and '"node-1"' in old, f"the old settings are not kept: {old!r}")


MAINTENANCE: dict[str, Story] = {
    "keep-data": keeps_data,
    "tools": tools,
    "damaged-data": damaged_data,
    "panic": panics,
    "change-settings": changes_settings,
}
