"""What firmware that verifies /boot makes of the disk: it starts what its owner signed, and no other."""

from pipeline.boot import heads
from pipeline.boot.shell import ROOT, shell_of_root, switch_off, with_credentials
from pipeline.boot.stories import Lab, Story
from trials import system


async def starts_signed(lab: Lab) -> None:
    """The current system comes up by kexec; when it has run, its /boot is still what was signed."""
    keeper = heads.owner(lab)
    disk = heads.signed_system(lab, keeper)
    firmware = heads.machine(lab, keeper, disk)
    async with lab.start(with_credentials(lab, firmware, ROOT), "heads-1") as vm:
        await vm.hear(heads.STARTS, heads.PATIENCE)
        shell = await shell_of_root(vm)
        lab.took(vm, "login", "'automatic login'")
        await system.has_started(shell, system.CURRENT, uefi=False)
        await switch_off(vm)
    async with lab.start(firmware, "heads-2") as vm:
        await vm.hear(heads.STARTS, heads.PATIENCE)


async def refuses_unsigned(lab: Lab) -> None:
    """As it is built the disk is refused; and signed, with anything in its /boot changed afterwards."""
    keeper, disk = heads.owner(lab), lab.system()
    unsigned = "/boot is not signed: there is no kexec.sig"
    await heads.refuses(lab, heads.machine(lab, keeper, disk), unsigned, "as-built")
    heads.boot_disk(disk.image).sign(keeper)
    await heads.refuses_changes(lab, keeper, disk.image)


STORIES: dict[str, Story] = {"heads": starts_signed, "heads-refuses": refuses_unsigned}
