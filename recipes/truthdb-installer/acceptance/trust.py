"""Whom the firmware trusts, with a TPM or without, from CD, stick and disk: it starts, or must not."""

from dataclasses import replace

from acceptance import screens
from acceptance.installation import INSTALL, booted, unattended, with_answers
from acceptance.secure_boot import STOPPED, check_disk, refused, trusted
from pipeline.boot.stories import TRUSTED_KEYS, Lab, Story
from pipeline.vm.variables import Trusting

MEDIA = ("cd", "usb")


def cells(whom: Trusting) -> Story:
    """Return the story of all machines whose firmware trusts somebody, and of one that has to refuse."""

    async def story(lab: Lab) -> None:
        disk = lab.disk()
        for tpm in (False, True):
            place, kind = trusted(lab, whom, tpm=tpm), "tpm" if tpm else "no-tpm"
            for bus in MEDIA:
                async with place.start(place.machine(place.medium(bus)), f"{bus}-{kind}") as vm:
                    lab.times[f"power-on to Welcome, {bus}, {kind}"] = await vm.see(*screens.WELCOME)
            if not tpm:
                machine = place.machine(place.medium(), disk)
                await unattended(place, with_answers(place, machine, INSTALL))
                check_disk(place, disk)
            alone, name = replace(disk, turn=0), f"disk-{kind}"
            async with booted(place, alone, boots=1 + tpm, name=name, fresh=tpm) as vm:
                await vm.switch_off()
        await CONTROLS[whom](lab)

    return story


async def _starts_all(lab: Lab) -> None:
    """Firmware that checks nothing starts what nobody signed, too."""
    place = lab.trusted("off")
    async with place.start(place.machine(place.medium()), "unsigned") as vm:
        await screens.greet(vm)


async def _refuses_unsigned(lab: Lab) -> None:
    """Firmware with the vendor's keys starts nothing that nobody signed."""
    place = lab.trusted("own")
    for bus in MEDIA:
        await refused(place, place.machine(place.medium(bus)), f"unsigned-{bus}")


async def _asks_for_the_key(lab: Lab) -> None:
    """shim starts nothing that is signed by a key that nobody has enrolled."""
    nobody = {name: path for name, path in lab.inputs.items() if name != TRUSTED_KEYS}
    place = trusted(replace(lab, inputs=nobody), "shim")
    for bus in MEDIA:
        async with place.start(place.machine(place.medium(bus)), f"stranger-{bus}") as vm:
            await vm.hear(STOPPED)


CONTROLS = {"off": _starts_all, "own": _refuses_unsigned, "shim": _asks_for_the_key}

TRUST: dict[str, Story] = {f"trust-{whom}": cells(whom) for whom in ("off", "own", "shim")}
