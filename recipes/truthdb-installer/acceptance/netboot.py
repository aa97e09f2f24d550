"""An installation without a medium: firmware takes what it starts from a server on the network.

The server is on this host's loopback, which the machine reaches through QEMU's own network.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from acceptance import screens
from acceptance.installation import INSTALL, check_disk, comes_first, comes_up, unattended, with_answers
from pipeline.boot.stories import Lab, Story, must
from pipeline.vm import disks, file_server
from pipeline.vm.machine import HOST

UKI, ISO, SCRIPT = "TruthDBInstaller.efi", "truthdb-installer.iso", "boot.ipxe"
KERNEL, INITRAMFS, CMDLINE = "vmlinuz", "initramfs.cpio.zst", "cmdline.txt"
IPXE = Path("/usr/lib/ipxe/snponly.efi")
"""What firmware loads that cannot read a script itself, as Debian has it."""

NO_UEFI = "It was not started by 64-bit UEFI firmware"


@contextmanager
def _served(lab: Lab, *wanted: str) -> Iterator[None]:
    """Offer by HTTP what is published, and iPXE; all files that are `wanted` have to be asked for."""
    files = {path.name: path for path in (*lab.inputs["netboot"].iterdir(), IPXE)}
    with file_server.offering(files | {ISO: lab.inputs["iso"]}, lab.port) as asked:
        yield
    must({f"GET {name}" for name in wanted} <= set(asked), f"it was asked for {asked}, not for {wanted}")


def _url(lab: Lab, name: str) -> str:
    return f"http://{HOST}:{lab.port}/{name}"


def over_http(name: str) -> Story:
    """Return the story of firmware that fetches `name` by HTTP, and installs; the disk needs no network."""

    async def story(lab: Lab) -> None:
        disk = lab.disk("virtio-blk")
        machine = replace(lab.machine(disk), netboot="")
        disks.boot_next_from(lab.variables, _url(lab, name))
        with _served(lab, name):
            await unattended(lab, with_answers(lab, machine, INSTALL))
        check_disk(lab, disk)
        comes_first(lab)
        await comes_up(lab, disk)

    return story


async def by_ipxe(lab: Lab) -> None:
    """Firmware fetches iPXE by HTTP, and that the script, as DHCP says, and with its command line the UKI."""
    machine = replace(lab.machine(lab.disk("virtio-blk")), netboot=_url(lab, SCRIPT))
    disks.boot_next_from(lab.variables, _url(lab, IPXE.name))
    with _served(lab, IPXE.name, SCRIPT, UKI):
        async with lab.start(machine, "ipxe") as vm:
            await screens.greet(vm)


async def by_bios(lab: Lab) -> None:
    """iPXE in a PC's network card follows the script to kernel and initramfs; the installer asks for UEFI."""
    machine = replace(lab.machine(lab.disk("virtio-blk")), code=None, netboot=_url(lab, SCRIPT))
    with _served(lab, SCRIPT, KERNEL, INITRAMFS):
        async with lab.start(machine, "bios") as vm:
            await vm.see("Welcome", NO_UEFI)


async def by_pxe(lab: Lab) -> None:
    """Firmware for UEFI that knows PXE alone takes the UKI by TFTP."""
    machine = lab.machine(lab.disk("virtio-blk"))
    async with lab.start(replace(machine, netboot=UKI, tftp=lab.inputs["netboot"]), "pxe") as vm:
        await screens.greet(vm)


async def in_parts(lab: Lab) -> None:
    """Kernel and initramfs come apart, as from a PXE loader, with the command line that is published."""
    offered = lab.inputs["netboot"]
    cmdline = (offered / CMDLINE).read_text(encoding="ascii")
    machine = replace(
        lab.machine(lab.disk("virtio-blk")),
        kernel=offered / KERNEL,
        initrd=offered / INITRAMFS,
        append=cmdline,
    )
    async with lab.start(machine, "parts") as vm:
        await screens.greet(vm)


NETBOOT: dict[str, Story] = {
    "netboot-uki": over_http(UKI),
    "netboot-iso": over_http(ISO),
    "netboot-ipxe": by_ipxe,
    "netboot-bios": by_bios,
    "netboot-pxe": by_pxe,
    "netboot-parts": in_parts,
}
