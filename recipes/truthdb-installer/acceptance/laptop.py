"""A person with a computer in setup mode: by its screens to encrypted data that its TPM opens."""

from acceptance import encryption, screens
from acceptance.contact_sheet import contact_sheet
from acceptance.secure_boot import ENROLLED, SETUP_MODE, check_keys, choose_keys, trusted
from pipeline.boot.stories import SERIAL, Lab, Story, must
from pipeline.vm.film import Film, Shot
from pipeline.vm.session import Session

NAME = "nvme0n1"


async def laptop(lab: Lab) -> None:
    """Keys, encryption, the recovery key and its proof, the stick pulled: it starts by itself, twice."""
    lab = trusted(lab, "setup", tpm=True)
    disk = lab.disk()
    machine = lab.machine(lab.medium("usb"), disk, network=True)
    async with lab.start(machine) as vm:
        await screens.greet(vm, on_screen=True)
        await vm.see(SETUP_MODE)
        await screens.choose(vm, NAME, on_screen=True)
        await vm.photograph("disk")
        await vm.press("enter", on_screen=True)
        await encryption.choose(vm, "TPM", passphrase="", on_screen=True)
        await choose_keys(vm, on_screen=True)
        await screens.confirm(vm, SERIAL, on_screen=True)
        await vm.see(screens.INSTALLING)
        await vm.photograph("installing")
        words = await encryption.written_down(vm, on_screen=True)
        await screens.done(vm)
        await vm.see(ENROLLED)
        await vm.shows("done", "Done", "encrypted")
        encryption.check(disk, "tpm", "recovery", secrets=(words,))
        await vm.monitor.unplug("usb-medium")
        await vm.press("r", on_screen=True)
        await vm.resets()
        await _opens(vm, 1)
    films = {"The medium, and the first start": _pictures(vm)}
    async with lab.start(lab.machine(disk, fresh=False, network=True), "second") as vm:
        await _opens(vm, 2)
    check_keys(lab)
    contact_sheet(films | {"The second start": _pictures(vm)}, lab.out / "contact-sheet.png")


async def _opens(vm: Session, boots: int) -> None:
    """The data open without anybody; the power button ends the machine."""
    status = await screens.appliance(vm, boots)
    must(screens.KEY not in vm.terminal.history, "somebody was asked for a key")
    must(status["disk"]["encrypted"] == "tpm", f"opened by {status['disk']['encrypted']}")
    await vm.shows("appliance", "TruthDB", "encrypted (TPM)")
    await vm.switch_off()


def _pictures(vm: Session) -> Film:
    """Return the pictures that were kept of a run."""
    told = [(at, event.partition("screenshot ")[2]) for at, event in vm.watch.timeline]
    shots = [Shot(at, vm.folder / name) for at, name in told if name]
    return Film(vm.folder, shots, len(shots), vm.now)


LAPTOP: dict[str, Story] = {"laptop": laptop}
