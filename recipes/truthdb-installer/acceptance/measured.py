"""What a start measures is what was predicted: the log and the PCRs, exported as a person exports them."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from acceptance import screens
from pipeline.boot.stories import Lab, Story, must
from pipeline.formats.efi_variables import Variables, read_variables
from pipeline.formats.fields import open_image
from pipeline.formats.tcg_log import read_log
from pipeline.measure.chain import Chain, events
from pipeline.measure.compare import compare
from pipeline.measure.pcrs import read_pcrs
from pipeline.measure.ways import started
from pipeline.vm import disks
from pipeline.vm.machine import Disk
from pipeline.vm.variables import Trusting

TRUSTED_ISO = "trusted-iso"
LOG, PCRS = "tpm-event-log.bin", "tpm-pcrs.txt"
FOLDER = "truthdb-logs-1"


async def of_medium(lab: Lab, *, bus: str, whom: Trusting) -> None:
    """Start the ISO, export what was measured, and find it as it was predicted."""
    if whom != "off":
        lab = replace(lab, inputs={**lab.inputs, "iso": lab.inputs[TRUSTED_ISO]})
    lab = lab.trusted(whom, tpm=True)
    variables = None if whom == "off" else read_variables(lab.firmware.variables)
    stick = Disk("stick", disks.stick(lab.work / "stick.img", "LOGS", {}), "usb", serial="STICK0001")
    async with lab.start(lab.machine(lab.medium(bus), stick), bus) as vm:
        # Linux asks a stick a second after it came; the medium is one, too.
        await vm.hear(f'looked at disk disk="{"sdb" if bus == "usb" else "sda"}"')
        await screens.export(vm)
    _compare(lab, stick.image, started(open_image(lab.inputs["iso"])), variables)


def _compare(lab: Lab, stick: Path, chain: Chain, variables: Variables | None) -> None:
    """Take log and PCRs off a stick, keep them, and compare them with what the chain measures."""
    for name in (LOG, PCRS):
        disks.run("mcopy", "-i", str(stick), f"::{FOLDER}/{name}", str(lab.out / name))
    log = read_log((lab.out / LOG).read_bytes())
    told = compare(events(chain, variables), log, read_pcrs(lab.out / PCRS))
    lab.note(f"measured as predicted: {told.equal} events")
    must(not told.difference, told.difference)


MEASURED: dict[str, Story] = {
    f"measured-{whom}-{bus}": partial(of_medium, bus=bus, whom=whom)
    for whom in ("off", "own", "shim")
    for bus in ("cd", "usb")
}
