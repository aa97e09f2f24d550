"""Small disks and sticks, signed and not, and what the stand-in makes of them."""

from pathlib import Path

from pipeline.boot import heads
from pipeline.boot.stories import INITRAMFS, VMLINUZ, Lab, Story, must
from pipeline.formats.boot_files import of_bytes
from pipeline.formats.heads import HASHES, TREE, make_hashes, make_tree
from pipeline.vm import disks
from pipeline.vm.machine import Disk

STARTED = "started by kexec with"
INIT = f"""\
#!/bin/sh
mount -t proc proc /proc
echo "{STARTED} $(cat /proc/cmdline)"
poweroff -f
"""
"""What takes the place of the stand-in's own init in the initramfs that it starts, with its own kernel."""

CMDLINE = "console=ttyS0,115200 no_timer_check panic=5 quiet"
ENTRY = (
    "menuentry '{title}' --id {title} {{\n  linux {kernel} {cmdline} title={title}\n  initrd {initrd}\n}}\n"
)
BLS = "title {title}\nlinux {kernel}\ninitrd {initrd}\noptions {cmdline} title={title}\n"

START = 1 << 20  # bytes; where the partition begins
TYPE = "BC13C2FF-59E6-4262-A352-B275FD6F7172"  # XBOOTLDR (UAPI.2)


def _entry(form: str, title: str, kernel: str = "/vmlinuz", initrd: str = "/initrd.img") -> str:
    return form.format(title=title, kernel=kernel, initrd=initrd, cmdline=CMDLINE)


def _files(lab: Lab, menu: str, others: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """Return a /boot with the stand-in's own Linux, and an initramfs that says so and ends."""
    return {
        "vmlinuz": lab.inputs[VMLINUZ].read_bytes(),
        "initrd.img": heads.with_files(lab.inputs[INITRAMFS], {"init": INIT.encode()}, 0o755),
        "grub/grub.cfg": f"set default=0\nset timeout=1\n{menu}".encode(),
        **(others or {}),
    }


def _disk(lab: Lab, files: dict[str, bytes], name: str = "disk") -> heads.BootDisk:
    """Return a disk with a /boot of these files, and their lists."""
    there = of_bytes(files, folders=["lost+found"])
    listed = files | {HASHES: make_hashes(there), TREE: make_tree(there)}
    tree, system, disk = lab.work / f"{name}.tree", lab.work / f"{name}.ext4", lab.work / f"{name}.img"
    for path, data in listed.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    size = (sum(map(len, files.values())) >> 20) + 16
    disks.run("mke2fs", "-q", "-t", "ext4", "-L", "BOOT", "-d", str(tree), str(system), f"{size}M")
    disks.blank(disk, START + (size + 2 << 20))
    table = f"label: gpt\nstart={START >> 9}, size={size << 11}, type={TYPE}, name=BOOT\n"
    disks.run("sfdisk", "--quiet", str(disk), stdin=table)
    with disk.open("r+b") as target:
        target.seek(START)
        target.write(system.read_bytes())
    return heads.boot_disk(disk)


async def _starts(
    lab: Lab, disk: Disk, keeper: heads.Owner, words: str, say: str = "", name: str = "install"
) -> None:
    """Switch a machine on, whose firmware has to start a Linux with `words` on its command line."""
    async with lab.start(heads.machine(lab, keeper, disk, say=say), name) as vm:
        await vm.hear(STARTED, heads.PATIENCE)
        await vm.is_off(heads.PATIENCE)
        said = vm.terminal.history.partition(STARTED)[2].splitlines()[0]
        must(words in said, f"what was started has no {words!r}, but {said!r}")


def _attached(disk: heads.BootDisk) -> Disk:
    return Disk("system", disk.path, "virtio-blk")


async def starts(lab: Lab) -> None:
    """It starts the first entry of a signed /boot, and another one that is asked for."""
    keeper = heads.owner(lab)
    disk = _disk(lab, _files(lab, _entry(ENTRY, "first") + _entry(ENTRY, "second")))
    disk.sign(keeper)
    await _starts(lab, _attached(disk), keeper, "title=first", name="first")
    await _starts(lab, _attached(disk), keeper, "title=second", say="entry=2", name="second")
    machine = heads.machine(lab, keeper, _attached(disk), say="entry=3")
    await heads.refuses(lab, machine, "there is no entry 3, of 2", "third")


async def starts_bls(lab: Lab) -> None:
    """With an empty menu of GRUB's it takes the entries of the Boot Loader Specification."""
    keeper = heads.owner(lab)
    entries = {"loader/entries/one.conf": _entry(BLS, "bls").encode()}
    disk = _disk(lab, _files(lab, "", entries))
    disk.sign(keeper)
    await _starts(lab, _attached(disk), keeper, "title=bls")


async def refuses(lab: Lab) -> None:
    """It refuses a signed /boot in which anything was changed, with the reason, and one without entries."""
    keeper = heads.owner(lab)
    disk = _disk(lab, _files(lab, _entry(ENTRY, "first")))
    disk.sign(keeper)
    await heads.refuses_changes(lab, keeper, disk.path)
    # As GRUB's own tools write it on a machine whose /boot is no partition: Heads has no such path.
    elsewhere = _disk(lab, _files(lab, _entry(ENTRY, "first", kernel="/boot/vmlinuz")), "elsewhere")
    elsewhere.sign(keeper)
    sentence = "no entry of /boot has a kernel and an initrd that are there"
    await heads.refuses(lab, heads.machine(lab, keeper, _attached(elsewhere)), sentence, "no-entry")


def _iso(lab: Lab) -> Path:
    """Return an ISO with what a GRUB has on media, and a menu for who starts it as a file."""
    files = {
        "boot/vmlinuz": lab.inputs[VMLINUZ].read_bytes(),
        "boot/initrd.img": heads.with_files(lab.inputs[INITRAMFS], {"init": INIT.encode()}, 0o755),
        "boot/grub/grub.cfg": _entry(ENTRY, "medium", "/boot/vmlinuz", "/boot/initrd.img").encode(),
        "boot/grub/loopback.cfg": _entry(ENTRY, "loopback", "/boot/vmlinuz", "/boot/initrd.img").encode(),
    }
    tree, iso = lab.work / "iso.tree", lab.work / "medium.iso"
    for path, data in files.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    disks.run("genisoimage", "-quiet", "-R", "-V", "MEDIUM", "-o", str(iso), str(tree))
    return iso


async def starts_iso(lab: Lab) -> None:
    """It starts a signed ISO on a stick, FAT or ext4, and refuses one that was changed, or not signed."""
    keeper, iso = heads.owner(lab), _iso(lab)
    keeper.sign_iso(iso)
    for kind, uuid in heads.STICKS.items():
        stick = heads.stick(lab, kind, iso)
        words = f"fromiso=/dev/disk/by-uuid/{uuid}/medium.iso iso-scan/filename=/medium.iso"
        await _starts(lab, stick, keeper, words, say="medium=stick", name=f"on-{kind}")
    changed = bytearray(iso.read_bytes())
    changed[-1] ^= 1
    iso.write_bytes(changed)
    sentence = "medium.iso.asc is a signature of something else: what is signed was changed afterwards"
    await heads.refuses_iso(lab, keeper, iso, sentence, "changed")
    iso.with_name("medium.iso.asc").unlink()
    await heads.refuses_iso(lab, keeper, iso, "there is no signature medium.iso.asc", "unsigned")


STORIES: dict[str, Story] = {
    "starts": starts,
    "starts-bls": starts_bls,
    "starts-iso": starts_iso,
    "refuses": refuses,
}
