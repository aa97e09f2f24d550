"""Owns the answers to whether firmware starts something from a medium, and from where.

Must not know what is started then.
"""

from pipeline.checks.fat import BOOT_PROGRAM
from pipeline.checks.iso import Iso
from pipeline.checks.kind import Node
from pipeline.errors import FormatError
from pipeline.formats import eltorito
from pipeline.formats.pe import EFI_APPLICATION, machine_name
from pipeline.inspection.answers import Said
from pipeline.inspection.media import (
    Place,
    Program,
    boot_code,
    cd_entries,
    image_of,
    partitions,
    platform_name,
    refuses,
)

BIOS = 0
ONLY_SAYS = "only says why it does not start"
EMULATIONS = {1: "a 1.2 MB floppy", 2: "a 1.44 MB floppy", 3: "a 2.88 MB floppy", 4: "a hard disk"}


def by_uefi_from_cd(node: Node) -> Said:
    """Firmware takes the entry for platform 0xEF and looks for a program in it (UEFI 2.10, §13.3.2)."""
    entries = cd_entries(node)
    if isinstance(entries, FormatError):
        return Said("no", because=_why_no_catalog(entries), lacks="an El Torito boot catalog")
    mine = [entry for entry in entries if entry.platform == eltorito.PLATFORM_EFI]
    if not mine:
        found = ", ".join(platform_name(entry.platform) for entry in entries) or "nobody"
        return Said(
            "no",
            because=f"El Torito's boot catalog has no entry for UEFI (it has one for {found})",
            lacks="an El Torito entry for UEFI",
        )
    if not any(entry.bootable for entry in mine):
        return Said("no", because="El Torito's entry for UEFI is marked as not bootable")
    if all(entry.emulates for entry in mine):
        what = EMULATIONS.get(mine[0].emulates, f"media type {mine[0].emulates}")
        return Said("no", because=f"El Torito's entry for UEFI emulates {what}, which UEFI does not")
    return _from_places(tuple(entry.place for entry in mine if entry.bootable and not entry.emulates))


def _why_no_catalog(error: FormatError) -> str:
    no_record = "sector 17 is no boot record" in error.message
    return "it has no El Torito boot catalog" if no_record else error.message


def by_uefi_from_disk(node: Node) -> Said:
    """Firmware looks into every EFI system partition, and on removable media into any FAT (§3.5.1.1)."""
    places = partitions(node)
    systems = [place for place in places if place.is_system]
    said = _from_places(tuple(systems)) if systems else None
    if said and said.verdict == "yes":
        return said
    for place in places:
        programs = _startable(place)
        if programs:
            return Said(
                "yes",
                because=f"{place.name} is a FAT file system with {_paths(programs)}; it is no EFI system "
                "partition, but firmware takes that from removable media",
            )
    if said:
        return said
    if node.kind and node.kind.name == "fat":
        return Said("no", because=f"the FAT file system has no {BOOT_PROGRAM}", lacks=BOOT_PROGRAM)
    none = "it has neither a GPT nor an MBR with partitions"
    if places:
        found = ", ".join(place.name for place in places)
        none = f"no EFI system partition, nor a FAT file system with {BOOT_PROGRAM}, is among {found}"
    if node.kind and node.kind.name == "iso" and by_uefi_from_cd(node).verdict == "yes":
        none = f"{none}; firmware that looks for El Torito on sticks too, as EDK II does, starts it"
        return Said("unknown", because=none, lacks="an EFI system partition")
    return Said("no", because=none, lacks="an EFI system partition")


def _from_places(places: tuple[Place, ...]) -> Said:
    """Answer for places that firmware has to look into: the best of them counts."""
    for place in places:
        programs = _startable(place)
        if programs:
            is_partition = "partition" in place.name
            what = "an EFI system partition" if is_partition else "a FAT file system"
            return Said("yes", because=f"{place.name} is {what} with {_paths(programs)}")
    for place in places:
        for program in place.programs:
            return Said("no", because=f"{place.name} has {program.path}, but that {program.fault}")
    place = next((each for each in places if each.is_fat), places[0])
    if place.is_fat:
        return Said(
            "no", because=f"{place.name} is a FAT file system without {BOOT_PROGRAM}", lacks=BOOT_PROGRAM
        )
    return Said(
        "no",
        because=f"{place.name} points at {place.what}; firmware wants a FAT file system with {BOOT_PROGRAM}",
        lacks=f"a FAT file system with {BOOT_PROGRAM}",
    )


def _startable(place: Place) -> list[Program]:
    return [program for program in place.programs if not program.fault]


def _paths(programs: list[Program]) -> str:
    return ", ".join(program.path for program in programs)


def by_bios_from_cd(node: Node) -> Said:
    """A BIOS takes the first bootable entry for x86 (El Torito §2)."""
    entries = cd_entries(node)
    if isinstance(entries, FormatError):
        return Said("no", because=_why_no_catalog(entries))
    for entry in entries:
        if entry.platform == BIOS and entry.bootable:
            how = f", emulating {EMULATIONS[entry.emulates]}" if entry.emulates in EMULATIONS else ""
            if not len(entry.place.image):
                return Said("no", because="El Torito's entry for BIOS points outside the file")
            if refuses(entry.place.image):
                return Said("no", because=f"El Torito's entry for BIOS {ONLY_SAYS}")
            return Said("yes", because=f"El Torito's boot catalog has an entry for BIOS{how}")
    return Said("no", because="El Torito's boot catalog has no bootable entry for BIOS")


def by_bios_from_disk(node: Node) -> Said:
    """A BIOS runs the code in the first block, whatever it does."""
    code = boot_code(node.member.image)
    if code is None:
        return Said("no", because="its first block has no boot code")
    if refuses(node.member.image):
        return Said("no", because=f"the code in its first block {ONLY_SAYS}")
    if code:
        return Said("yes", because=f"its first block has {code}")
    return Said("unknown", because="its first block has boot code of a make that is not known here")


def boot_programs(node: Node) -> list[Program]:
    """Return the programs that firmware starts from a medium, each once."""
    entries = cd_entries(node) if isinstance(node.artifact, Iso) else ()
    places = [] if isinstance(entries, FormatError) else [entry.place for entry in entries]
    found = [program for place in [*places, *partitions(node)] for program in _startable(place)]
    return list({id(program.node): program for program in found}.values())


def by_uefi(node: Node) -> Said:
    """Firmware starts PE images of its own machine that are EFI applications (UEFI 2.10, §2.1.1)."""
    pe = image_of(node)
    if pe is None:
        return Said("no", because="it has no EFI stub", lacks="an EFI stub")
    machine = machine_name(pe.machine)
    if pe.subsystem != EFI_APPLICATION:
        return Said("no", because=f"it is of subsystem {pe.subsystem}, not an EFI application")
    return Said("yes", because=f"it is an EFI application for {machine}")


def architecture_of_medium(node: Node) -> Said:
    """Say which machines' firmware finds a program on a medium."""
    programs = boot_programs(node)
    if not programs:
        return Said("unknown", because="there is no program that UEFI starts")
    names = dict.fromkeys(program.architecture for program in programs)
    return Said("yes", ", ".join(names), _paths(programs))


def architecture_of_program(node: Node) -> Said:
    """Say which machine a program is for."""
    pe = image_of(node)
    return Said("yes", machine_name(pe.machine)) if pe else Said("unknown", because="it has no EFI stub")
