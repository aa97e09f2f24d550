"""What must hold of a system that runs, as one sees it from root's shell."""

from pipeline.boot.shell import Shell
from pipeline.boot.stories import must

PROFILE = "/var/guix/profiles/system"
CURRENT, PREVIOUS = PROFILE, f"{PROFILE}-1-link"
"""The links to the system that is started where nobody chooses, and to the one before it."""

BLOCK = "/efi/EFI/store-appliance/grubenv"
ONCE = f"grub-editenv {BLOCK} set next_entry=store-appliance-1"
"""What has the previous system start, once."""

LABELS = {"/": "GUIX_ROOT", "/boot": "GUIX_BOOT", "/efi": "EFI", "/data": "DATA"}
KINDS = "service,socket,mount,automount,swap,path,timer,target,device,slice"
READ_ONLY = "ro"


async def has_started(shell: Shell, link: str, *, uefi: bool) -> None:
    """The system that a link leads to runs, all of it out of the store, and nothing of it failed."""
    await shell.run("systemctl is-system-running --wait")
    failed = await shell.says(f"systemctl --failed --no-legend --plain --type={KINDS}")
    must(not failed, f"units failed: {failed}")
    system = await shell.says(f"readlink -f {link}")
    for what in ("/run/current-system", "/run/booted-system"):
        running = await shell.says(f"readlink {what}")
        must(running == system, f"{what} is {running}, and {link} is {system}")
    must(f"gnu.system={system} " in await shell.says("cat /proc/cmdline"), "the command line names another")
    package = await shell.says(f"readlink -f {system}/profile")
    must(await shell.says("readlink -f /usr") == package, f"/usr is not {package}")
    must(await shell.says("readlink -f /proc/1/exe") == f"{package}/lib/systemd/systemd", "PID 1 is another")
    await shell.says(f"test -d {system}/kernel/lib/modules/$(uname -r) && modprobe vfat")
    await shell.says("test -d /sys/firmware/efi" if uefi else "! test -e /sys/firmware/efi")


async def has_its_disks(shell: Shell, size: int) -> None:
    """Each file system is where its label says, /boot is not written to, and /data has what the disk has."""
    for where, label in LABELS.items():
        found = await shell.says(f"findmnt -nro LABEL {where}")
        must(found == label, f"on {where} is {found}, not {label}")
    options = await shell.says("findmnt -nro OPTIONS /boot")
    must(READ_ONLY in options.split(","), f"/boot is mounted {options}")
    has = int(await shell.says("findmnt -bnro SIZE /data"))
    must(has > size, f"/data has {has} bytes, not more than {size}")


async def keeps_its_store(shell: Shell) -> None:
    """In the store nothing can be written to, runs as somebody else, is not root's, or has another date."""
    odd = await shell.says(
        "find /gnu/store -mindepth 1 ! -type l \\( -perm /6222 -o ! -uid 0 -o ! -gid 0 -o ! -newermt @0 "
        "-o -newermt @1 \\) | head -3"
    )
    must(not odd, f"in the store there is {odd}")
