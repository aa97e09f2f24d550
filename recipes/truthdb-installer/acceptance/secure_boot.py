"""Secure Boot: keys that the installer enrols, and shim with a vendor's, enrolled in its own menu."""

import asyncio
import hashlib
import json
import re
from dataclasses import replace

from acceptance import screens
from acceptance.installation import (
    DATA,
    EFI,
    GOOD,
    INSTALL,
    booted,
    comes_first,
    unattended,
    with_answers,
)
from pipeline.boot.stories import SERIAL, TRUSTED_KEYS, Lab, Story, must
from pipeline.vm import disks
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.session import Session
from pipeline.vm.variables import Trusting

TRUSTED_ISO, TRUSTED_PAYLOAD = "trusted-iso", "trusted-payload"
"""Inputs: the ISO that is signed with the keys of trial, and what it installs."""

SECURE_BOOT = "Secure Boot"
SETUP_MODE = "Secure Boot off, in setup mode"
ENROL = "> Enrol the keys of this medium"
ENROLLED = "The firmware has the keys of this medium now"
DENIED = "Access Denied"
"""What OVMF says of a program that it does not start."""
STOPPED = "Verification failed"
"""What shim says of one."""

MENU = ("Enroll key from disk", "EFI", "keys/", "db.cer", "Continue", "Yes", "Reboot")
"""What a person chooses in MokManager, from its first menu on; a volume has its label there."""
ENTRY = re.compile(r"^\u2502 +\u2502 +(\S.*?) +\u2502", re.MULTILINE)
"""An entry of a menu, which is in a box within another one."""
LARGEST = 100, 31
"""Columns and rows: the largest console of the firmware, which shim takes."""
PAUSE = 0.5  # seconds between two keys

PROGRAMS = {
    "EFI/TruthDB/grubx64.efi": TRUSTED_PAYLOAD,
    "EFI/BOOT/grubx64.efi": TRUSTED_PAYLOAD,
    "EFI/TruthDB/shimx64.efi": "",
    "EFI/BOOT/BOOTX64.EFI": "",
    "EFI/TruthDB/mmx64.efi": "",
    "EFI/BOOT/mmx64.efi": "",
}
"""What starts an installed disk, by path, and the input that it is, where that is one."""


def trusted(lab: Lab, whom: Trusting, *, tpm: bool = False) -> Lab:
    """Return the same place with the signed ISO, where firmware trusts somebody."""
    signed = {"iso": lab.inputs[TRUSTED_ISO], "payload": lab.inputs[TRUSTED_PAYLOAD]}
    return replace(lab, inputs={**lab.inputs, **signed}).trusted(whom, tpm=tpm)


def check_disk(lab: Lab, disk: Disk) -> None:
    """Read an installed disk: it begins with shim wherever firmware looks, and the receipt says all of it."""
    places = disks.partitions(disk.image, disk.block)
    names = [place.name for place in places]
    must(names == ["EFI", DATA], f"the partitions are called {names}")
    must(places[0].kind == EFI, f"partition 1 is of type {places[0].kind}")
    found = disks.files(disk.image, places[0])
    programs = {path: found.get(path.upper()) for path in PROGRAMS}
    must(None not in programs.values(), f"the EFI partition holds {sorted(found)}")
    for path, name in PROGRAMS.items():
        must(not name or programs[path] == lab.inputs[name].read_bytes(), f"{path} is not the {name}")
    for path in ("shimx64.efi", "mmx64.efi"):
        one, other = f"EFI/TruthDB/{path}", f"EFI/BOOT/{path}"
        other = "EFI/BOOT/BOOTX64.EFI" if other not in programs else other
        must(programs[one] == programs[other], f"{one} is another file than {other}")
    receipt = json.loads(found["TruthDB/install-receipt.json".upper()])
    said = {row["path"].removeprefix("EFI:/"): row["sha256"] for row in receipt["files"]}
    digests = {path: hashlib.sha256(data or b"").hexdigest() for path, data in programs.items()}
    must(receipt["verified"] and said == digests, f"the receipt says {said}, and the disk has {digests}")


def check_keys(lab: Lab, *, on: bool = True) -> None:
    """Read the firmware's store: it trusts the keys of trial and no others, and Secure Boot is on.

    EDK II switches it on at the start after the keys came.
    """
    store, keys = disks.variables(lab.variables), lab.inputs[TRUSTED_KEYS]
    for name in ("db", "KEK", "PK"):
        ours = (keys / f"{name}.esl").read_bytes()
        must(store.get(name) == ours, f"{name} is not what the medium carries: {store.get(name, b'').hex()}")
    must(not on or store.get("SecureBootEnable") == b"\x01", "Secure Boot is not on")


async def refused(lab: Lab, machine: Machine, name: str) -> None:
    """Start a machine whose firmware must not start what is in it."""
    async with lab.start(machine, name) as vm:
        await vm.hear(DENIED)
        await vm.photograph("refused")


async def choose_keys(vm: Session, *, on_screen: bool = False) -> None:
    """Have the firmware get the medium's keys, where that is asked, and go on to Confirm."""
    await vm.see(SECURE_BOOT, "> Leave it as it is")
    await vm.press("down", on_screen=on_screen)
    await vm.see(ENROL)
    await vm.photograph("secure-boot")
    await vm.press("enter", on_screen=on_screen)


async def enrolls_keys(lab: Lab) -> None:
    """In setup mode, install and enrol by the screens: the disk starts then, and an unsigned ISO does not."""
    unsigned = lab.medium()
    lab = trusted(lab, "setup")
    disk = lab.disk("virtio-blk")
    async with lab.start(lab.machine(lab.medium(), disk)) as vm:
        await screens.greet(vm)
        await vm.see(SETUP_MODE)
        await screens.choose(vm, "vda")
        await vm.press("enter")
        await vm.see(screens.SETTINGS)
        await vm.press("enter")
        await choose_keys(vm)
        await screens.confirm(vm, SERIAL)
        await screens.done(vm)
        await vm.see(ENROLLED)
        await vm.photograph("done")
    check_disk(lab, disk)
    check_keys(lab, on=False)
    async with booted(lab, replace(disk, turn=0), name="trusted") as vm:
        lab.took(vm, "power-on to /healthz, Secure Boot on", "/healthz")
        await vm.switch_off()
    check_keys(lab)
    await refused(lab, lab.machine(unsigned, fresh=False), "unsigned")


async def by_answer_file(lab: Lab) -> None:
    """An answer file enrols keys in setup mode; a second time, nothing is left to enrol, and it goes on."""
    lab = trusted(lab, "setup")
    disk = lab.disk()
    for name, task in (("install", "install"), ("again", "keep-data")):
        erase = SERIAL if task == "install" else ""
        text = screens.answers(GOOD, erase=erase, task=task, lines=['secure_boot = "enroll"'])
        machine = lab.machine(lab.medium(), disk, fresh=name == "install")
        await unattended(lab, with_answers(lab, machine, text), name)
        check_disk(lab, disk)
        check_keys(lab, on=name == "again")
    async with booted(lab, replace(disk, turn=0), name="trusted") as vm:
        await vm.switch_off()


def through_shim(medium: str) -> Story:
    """Return the story of firmware that trusts Microsoft, and of shim that trusts the keys of trial."""

    async def story(lab: Lab) -> None:
        lab = trusted(lab, "shim")
        disk = lab.disk()
        machine = lab.machine(lab.medium(medium), disk)
        await unattended(lab, with_answers(lab, machine, INSTALL))
        check_disk(lab, disk)
        comes_first(lab)
        async with booted(lab, replace(disk, turn=0), name="trusted") as vm:
            lab.took(vm, "power-on to /healthz, by shim", "/healthz")
            await vm.switch_off()

    return story


async def by_hand(lab: Lab) -> None:
    """Firmware trusts Microsoft alone: a person enrols the medium's key in shim's menu, and it starts."""
    nobody = {name: path for name, path in lab.inputs.items() if name != TRUSTED_KEYS}
    lab = trusted(replace(lab, inputs=nobody), "shim")
    async with lab.start(lab.machine(lab.medium("usb"), lab.disk("virtio-blk"))) as vm:
        vm.terminal.grow(*LARGEST)
        await vm.see(STOPPED)
        await vm.photograph("1-verification-failed")
        await vm.press("enter", on_screen=True)
        await vm.see("Press any key to perform MOK management")
        await vm.photograph("2-any-key")
        await vm.press("enter", on_screen=True)
        for turn, entry in enumerate(MENU, 3):
            await _pick(vm, entry, f"{turn}-{entry.strip('/').replace(' ', '-').lower()}")
        await vm.resets()
        await screens.greet(vm)
        await vm.photograph("welcome")


async def _pick(vm: Session, entry: str, name: str) -> None:
    """Choose an entry of MokManager's menu, once it is there; keep a picture of that as `name`.png."""

    def entries() -> list[str]:
        return ENTRY.findall(vm.terminal.text())

    await vm.until(f"{entry!r} in the menu", lambda: entry in entries())
    await vm.photograph(name)
    for _ in range(entries().index(entry)):
        await vm.press("down", on_screen=True)
        await asyncio.sleep(PAUSE)
    await vm.press("enter", on_screen=True)


SECURE_BOOT_STORIES: dict[str, Story] = {
    "enrolls-keys": enrolls_keys,
    "enrolls-keys-unattended": by_answer_file,
    "shim-mok": through_shim("cd"),
    "shim-mok-usb": through_shim("usb"),
    "shim-by-hand": by_hand,
}
