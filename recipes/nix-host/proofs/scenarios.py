"""What happens to a host: it starts, starts again, is tampered with, loses what it keeps."""

from pipeline.boot import updating
from pipeline.boot.shell import PATIENCE, Shell, shell_of_root, switch_off, with_credentials
from pipeline.boot.stories import Lab, Story, must
from pipeline.vm import disks
from pipeline.vm.disks import Place
from pipeline.vm.machine import Disk
from pipeline.vm.session import NotSeenError
from proofs import console, host
from proofs.console import USER

IMAGE = "nix-host"
SIZE = 4 << 30
GROWN = 3 << 30
CORRUPTED = "data block 0 is corrupted"
"""What dm-verity says before it has Linux panic."""

MADE = "is empty: a file system is made on it"
"""What stage1 says where there is no /var."""

LOST = 1 << 20
"""How many bytes of /var are zero when it is lost."""

UNIT = (
    r"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
    r"[Install]\nWantedBy=multi-user.target\n"
)
FIRST_BOOT = ("Growing existing partition", "Creating user")
"""What a journal says of what is done once."""


def place(disk: Disk, name: str) -> Place:
    """Return where a partition lies."""
    return next(one for one in disks.partitions(disk.image, disk.block) if one.name == name)


async def works(lab: Lab) -> None:
    """A first boot, on a larger disk: all that a user needs is there."""
    disk = lab.system(size=SIZE)
    async with lab.start(console.machine(lab, disk, is_new=True), "boot-1") as vm:
        shell = await shell_of_root(vm)
        lab.took(vm, "login", "'automatic login'")
        await host.has_started(shell)
        await host.is_read_only_and_verified(shell)
        await has_grown(shell)
        await host.refuses_strangers(shell)
        user = await shell.become(USER)
        await host.builds(user)
        await host.installs(user)


async def has_grown(shell: Shell) -> None:
    """/var takes the room that the disk has."""
    size = int(await shell.says("findmnt -bno SIZE /var"))
    must(size > GROWN, f"/var has {size} bytes on a disk of {SIZE}")


async def keeps(lab: Lab) -> None:
    """A second boot, without credentials: all is as it was, and nothing is done again that is done once."""
    disk = lab.system(size=SIZE)
    async with lab.start(console.machine(lab, disk, is_new=True), "boot-1") as vm:
        shell = await shell_of_root(vm)
        await host.has_started(shell)
        for words in FIRST_BOOT:
            await shell.says(f"journalctl -b -q --no-pager | grep -F '{words}'")
        await shell.says("useradd --create-home --groups nix-users later")
        await shell.says(f"printf '{UNIT}' > /etc/systemd/system/later.service && systemctl enable later")
        user = await shell.become(USER)
        made = await host.builds(user)
        await host.installs(user)
        before = await host.kept(user)
        await switch_off(vm)
    async with lab.start(console.machine(lab, disk, is_new=False), "boot-2") as vm:
        user = await console.log_in(vm, USER)
        lab.took(vm, "second login", console.PROMPT)
        await host.has_started(user)
        after = await host.kept(user)
        must(after == before, f"what is kept was {before}, and is {after}")
        must(await user.says(f"cat {made[1]}") == "hello", "the output is another one")
        must(await user.says("systemctl is-active later") == "active", "the unit was not started")
        await user.says("getent passwd later && test -d /var/home/later")
        await user.says("journalctl -b -q --no-pager | grep -F systemd-journald")
        for words in FIRST_BOOT:
            await user.fails(f"journalctl -b -q --no-pager | grep -F '{words}'")


async def refuses(lab: Lab) -> None:
    """With one byte of its root changed it stops, and says which block."""
    disk = lab.system()
    with disk.image.open("r+b") as file:
        file.seek(place(disk, f"{IMAGE}_{lab.version}").start)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    async with lab.start(console.machine(lab, disk, is_new=True)) as vm:
        try:
            await vm.hear(CORRUPTED, timeout=PATIENCE)
        except NotSeenError:
            must(CORRUPTED in vm.terminal.history, "dm-verity has not noticed the changed byte")
        must("login:" not in vm.terminal.history, "it has started all the same")


async def recovers(lab: Lab) -> None:
    """Where /var is lost it is made anew, by stage1, and the daemon works as on the first day."""
    disk = lab.system(size=SIZE)
    async with lab.start(console.machine(lab, disk, is_new=True), "boot-1") as vm:
        shell = await shell_of_root(vm)
        await shell.says("touch /var/home/mark")
        await shell.run("systemctl is-system-running --wait")
        await switch_off(vm)
    var = place(disk, "VAR")
    with disk.image.open("r+b") as file:
        file.seek(var.start)
        file.write(bytes(LOST))
    async with lab.start(console.machine(lab, disk, is_new=True), "boot-2") as vm:
        shell = await shell_of_root(vm)
        await host.has_started(shell)
        await shell.fails("ls /var/home/mark", "No such file")
        must(MADE in await shell.says("dmesg"), "stage1 does not say that it has made anything")
        await has_grown(shell)
        await host.builds(await shell.become(USER))


def updated(lab: Lab) -> updating.Host:
    """Return the host for a story of updates."""
    return updating.Host(lab, IMAGE, shell_of_root, lambda it: with_credentials(lab, it, console.CREDENTIALS))


async def updates(lab: Lab) -> None:
    """To the version that follows and back: users, store, profile and identity stay."""
    system = updated(lab)
    old, new = lab.version, system.following
    async with lab.start(system.machine(system.parcel(), fresh=True), "boot-1") as vm:
        await system.up(vm, old)
        shell = Shell(vm)
        await system.update(shell)
        user = await shell.become(USER)
        made = await host.builds(user)
        await host.installs(user)
        before = await host.kept(user)
        await switch_off(vm)
    for name, version in (("boot-2", new), ("boot-3", old)):
        async with lab.start(system.machine(), name) as vm:
            await system.up(vm, version)
            shell = Shell(vm)
            after = await host.kept(shell)
            must(after == before, f"what is kept was {before}, and is {after}")
            if version == new:
                await shell.says(f"bootctl set-oneshot {system.uki(old)}")
            user = await shell.become(USER)
            must(await host.builds(user) == made, "the same is built to another place")
            await host.is_installed(user)
            await switch_off(vm)


async def falls_back(lab: Lab) -> None:
    """A damaged update is refused; from a version that does not come up it goes back by itself."""
    await updating.falls_back(updated(lab))


STORIES: dict[str, Story] = {
    "works": works,
    "keeps": keeps,
    "refuses": refuses,
    "recovers": recovers,
    "updates": updates,
    "falls-back": falls_back,
}
