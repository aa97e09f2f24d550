"""Encrypted data: chosen on screens or by an answer file, what lies on the disk, and that it stays so."""

import asyncio
import json
import re

from acceptance import screens
from acceptance.installation import DATA, GOOD, unattended, with_answers
from pipeline.boot.stories import SERIAL, Lab, Story, must
from pipeline.vm import disks
from pipeline.vm.disks import Place
from pipeline.vm.machine import Disk
from pipeline.vm.session import Session

PASSPHRASE = "correct horse battery"  # noqa: S105
WORDS = "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"
"""A recovery key: one of BIP 39's test vectors."""

MAGIC = b"LUKS\xba\xbe\0\x02"
RECOVERY = "Recovery key"
LOOK = "[Enter] I have written it down"
QUESTION = "type these of its words"
KINDS = {"systemd-recovery": "recovery", "systemd-tpm2": "tpm"}
"""What systemd writes beside a key, and what it is the key of."""


def opened_by(disk: Disk, place: Place) -> list[str]:
    """Return what opens an encrypted partition, by its header (LUKS2 On-Disk Format, 2.1 and 3)."""
    with disk.image.open("rb") as file:
        file.seek(place.start)
        head = file.read(4096)
        must(head.startswith(MAGIC), f"{place.name} begins with {head[:8].hex()}, not as LUKS2 does")
        must(head[24:72].rstrip(b"\0").decode() == place.name, f"{place.name} is labelled {head[24:72]!r}")
        area = json.loads(file.read(int.from_bytes(head[8:16], "big") - 4096).partition(b"\0")[0])
    segment = area["segments"]["0"]
    cipher = segment["encryption"], segment["sector_size"]
    must(cipher == ("aes-xts-plain64", 4096), f"{place.name} is encrypted by {cipher}")
    slots = dict.fromkeys(area["keyslots"], "passphrase")
    for token in area["tokens"].values():
        slots |= dict.fromkeys(token["keyslots"], KINDS[token["type"]])
    return sorted(slots.values())


def check(disk: Disk, *keys: str, secrets: tuple[str, ...] = (PASSPHRASE,)) -> list[Place]:
    """The disk has encrypted data that `keys` open, and nowhere one of `secrets`. Return its partitions."""
    places = disks.partitions(disk.image, disk.block)
    names = [place.name for place in places]
    must(names == ["EFI", DATA], f"the partitions are called {names}")
    found = opened_by(disk, places[1])
    must(found == sorted(keys), f"{DATA} is opened by {found}, not by {sorted(keys)}")
    shown = [secret for secret in secrets if disks.holds(disk.image, secret.encode())]
    must(not shown, f"the disk holds {len(shown)} of what nobody is to read")
    return places


async def choose(vm: Session, wanted: str, passphrase: str = PASSPHRASE, *, on_screen: bool = False) -> None:
    """Choose an encryption in Settings, by its name there, and go on to Confirm."""
    await vm.see(screens.SETTINGS)
    for _ in range(3):
        await vm.press("down", on_screen=on_screen)
    await vm.see("< none >")
    while f"< {wanted} >" not in vm.terminal.text():
        await vm.press("right", on_screen=on_screen)
        await vm.until("another choice", lambda: "< none >" not in vm.terminal.text())
        await asyncio.sleep(1)
    if passphrase:
        for field in ("Passphrase ", "Passphrase again"):
            await vm.press("down", on_screen=on_screen)
            await vm.see(f"> {field}")
            for character in passphrase:
                await vm.press(character, on_screen=on_screen)
    await vm.photograph("encryption")
    await vm.press("enter", on_screen=on_screen)


async def written_down(vm: Session, *, on_screen: bool = False) -> str:
    """Write the recovery key down, err once, look again, and prove it. Return its words."""
    await vm.see(RECOVERY, LOOK, timeout=300)
    found = dict(re.findall(r"\b(\d{1,2}) ([a-z]{3,8})\b", vm.terminal.text()))
    words = [found[str(number)] for number in range(1, 13)]
    await vm.shows("recovery-key", "I have written it down")  # OCR loses words beside the QR code
    await vm.press("enter", on_screen=on_screen)
    await vm.see(QUESTION)
    asked = [int(number) for number in re.findall(r"Word (\d+)", vm.terminal.text())]
    must(len(asked) == 3, f"words {asked} are asked for")
    for _ in asked:
        await vm.type("zzzz", on_screen=on_screen)
        await vm.press("enter", on_screen=on_screen)
    await vm.see(f"This is not word {asked[0]}.")
    await vm.photograph("recovery-wrong")
    await vm.press("esc", on_screen=on_screen)
    await vm.see(LOOK)
    await vm.press("enter", on_screen=on_screen)
    await vm.see(QUESTION)
    for number in asked:
        await vm.type(words[number - 1][:4], on_screen=on_screen)
        await vm.see(words[number - 1][:4])
        await vm.photograph("recovery-right")
        await vm.press("enter", on_screen=on_screen)
    return " ".join(words)


async def by_passphrase(lab: Lab) -> None:
    """A passphrase of Settings; the recovery key is proved before Done; Validate and Reinstall know it."""
    disk = lab.disk()
    async with lab.start(lab.machine(lab.medium(), disk)) as vm:
        await screens.greet(vm)
        await screens.choose(vm, "nvme0n1")
        await vm.press("enter")
        await choose(vm, "passphrase")
        await screens.confirm(vm, SERIAL)
        words = await written_down(vm)
        await screens.done(vm)
        await vm.shows("done", "Done", "encrypted")
        must(PASSPHRASE not in vm.terminal.history, "the serial console showed the passphrase")
    data = check(disk, "passphrase", "recovery", secrets=(PASSPHRASE, words))[1]
    before = disks.digest(disk.image, data.start, data.size)
    async with lab.start(lab.machine(lab.medium(), disk, fresh=False), "validate") as vm:
        await screens.tool(vm, "v")
        await vm.see(screens.LIST)
        await screens.point_at(vm, "nvme0n1")
        await vm.press("enter")
        await vm.see("is encrypted, and its header can be read")
    text = screens.answers(GOOD, task="keep-data")
    await unattended(lab, with_answers(lab, lab.machine(lab.medium(), disk, fresh=False), text), "reinstall")
    must(disks.digest(disk.image, data.start, data.size) == before, "the encrypted data were changed")


async def by_answers(lab: Lab) -> None:
    """An answer file with a passphrase and a recovery key: nobody is asked, and nothing shows them."""
    disk = lab.disk()
    text = screens.answers(GOOD, erase=SERIAL) + (
        f'[settings]\nencryption = "passphrase"\npassphrase = "{PASSPHRASE}"\nrecovery_key = "{WORDS}"\n'
    )
    await unattended(lab, with_answers(lab, lab.machine(lab.medium(), disk), text))
    check(disk, "passphrase", "recovery", secrets=(PASSPHRASE, WORDS))


async def without_tpm(lab: Lab) -> None:
    """An answer file that wants a TPM is refused where there is none, and nothing is written."""
    disk = lab.disk()
    before = disks.digest(disk.image)
    text = screens.answers(GOOD, erase=SERIAL).replace('on_error = "poweroff"', 'on_error = "wait"')
    text += f'[settings]\nencryption = "tpm"\nrecovery_key = "{WORDS}"\n'
    async with lab.start(with_answers(lab, lab.machine(lab.medium(), disk), text)) as vm:
        await screens.refuses(vm, "no TPM 2.0")
    must(disks.digest(disk.image) == before, "the disk was written to")


ENCRYPTION: dict[str, Story] = {
    "encrypted-passphrase": by_passphrase,
    "encrypted-answers": by_answers,
    "encrypted-without-tpm": without_tpm,
}
