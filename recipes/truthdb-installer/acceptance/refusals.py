"""What was revoked does not start, and of addons those alone are taken that somebody trusted has signed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from acceptance import screens
from acceptance.secure_boot import DENIED, STOPPED, trusted
from pipeline.boot.stories import TRUSTED_KEYS, Lab, Story, must
from pipeline.formats.authenticode import image_digest
from pipeline.formats.efi_signature_list import SHA256, Entry, signature_lists
from pipeline.formats.pe import read_pe
from pipeline.vm import disks
from pipeline.vm.variables import OWNER, Trusting, write

ADDONS = ("trusted-addon", "strange-addon")
"""Inputs: one by the signer of the images of trial, and one by somebody else; each says so to Linux."""

FOLDER = "EFI/BOOT/grubx64.efi.extra.d"
"""Where addons of the medium's UKI are: the stub asks for the name of its own file, which shim started."""

LEVEL = b"sbat,1,2030010100\nshim,4\ngrub,5\ntruthdb-installer,2\n"
"""What shim is told to start no generation 1 of the medium with; of a date that no shim brings."""


async def revoked(lab: Lab) -> None:
    """Nothing starts that is revoked: by its certificate, by its digest, for firmware and for shim.

    EDK II goes by no certificate's end, so that an expired one is none of these (docs/agreement.md).
    """
    medium = lab.inputs["trusted-iso"]
    files = disks.files(medium, _efi(medium))
    shim, uki = (files[f"EFI/BOOT/{name}.EFI"] for name in ("BOOTX64", "GRUBX64"))
    certificate = (lab.inputs[TRUSTED_KEYS] / "db.esl").read_bytes()
    cells: Mapping[str, tuple[Trusting, str, bytes, str]] = {
        "certificate": ("own", "dbx", certificate, DENIED),
        "shim": ("own", "dbx", _digest(shim), DENIED),
        "uki": ("own", "dbx", _digest(uki), STOPPED),
        "generation": ("shim", "SbatLevel", LEVEL, STOPPED),
    }
    for name, (whom, variable, data, said) in cells.items():
        place = trusted(lab, whom)
        machine = place.machine(place.medium())
        write(place.variables, variable, data)
        async with place.start(machine, name) as vm:
            await vm.hear(said)
            await vm.photograph("refused")


def _efi(medium: Path) -> disks.Place:
    return next(one for one in disks.partitions(medium, 512) if one.name.startswith("Appended"))


def _digest(program: bytes) -> bytes:
    return signature_lists([Entry(SHA256, UUID(OWNER), image_digest(read_pe(program), "sha256"))])


async def addons(lab: Lab) -> None:
    """Of two addons beside what is started, Linux gets the words of the one that is signed by the vendor."""
    medium = disks.copy(lab.inputs["trusted-iso"], lab.work / "medium.iso")
    place_addons(medium, _efi(medium), FOLDER, *(lab.inputs[name] for name in ADDONS))
    for whom in ("own", "shim"):
        place = trusted(lab, whom)
        disc = replace(place.medium(), image=medium)
        async with place.start(place.machine(disc), whom) as vm:
            await vm.hear(f"{ADDONS[1]}.addon.efi")  # which the stub passes over
            await vm.hear(f"trial.addon={ADDONS[0]}")
            await screens.greet(vm)
            must(f"trial.addon={ADDONS[1]}" not in vm.terminal.history, "a stranger's addon was taken")


def place_addons(disk: Path, place: disks.Place, folder: str, *paths: Path) -> None:
    """Put addons into a folder that is not there yet."""
    volume = f"{disk}@@{place.start}"
    disks.run("mmd", "-i", volume, f"::{folder}")
    for path in paths:
        disks.run("mcopy", "-i", volume, str(path), f"::{folder}/{path.stem}.addon.efi")


REFUSALS: dict[str, Story] = {"revoked": revoked, "addons": addons}
