"""The answers to whether firmware starts something from a medium, and from where."""

from collections.abc import Sequence

from pipeline.checks.finding import Severity
from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import Iso
from pipeline.checks.medium.misses import CODE, Miss
from pipeline.checks.medium.places import DISK_BLOCKS, on_cd, on_disk
from pipeline.checks.medium.programs import Program, image_of, not_loaded
from pipeline.checks.medium.starting import PICKY, Start, from_cd, from_disk, startable
from pipeline.checks.pe.sections import is_addon
from pipeline.formats.pe import EFI_APPLICATION, machine_name
from pipeline.inspection.answer import Condition, Said

EDK2 = "EDK II"


def by_uefi_from_cd(node: Node) -> Said:
    """Firmware looks for a program in what El Torito's entry for UEFI points at (UEFI 2.10, §13.3.2)."""
    return _said(node, from_cd(node))


def by_uefi_from_disk(node: Node) -> Said:
    """Firmware looks into every EFI system partition, and on removable media into any FAT (§3.5.1.1)."""
    return _said(node, from_disk(node))


def _said(node: Node, found: Start | Miss) -> Said:
    if isinstance(found, Miss):
        return Said("no", because=found.because, lacks=found.lacks, finding=found.code, hint=found.hint)
    place, rules = found.place, found.rules
    what = "an EFI system partition" if place.is_system and "partition" in place.name else "a FAT file system"
    is_what = "has" if place.is_udf else f"is {what} with"
    because = f"{place.name} {is_what} {paths(found.programs)}"
    if not place.is_system and not place.is_udf:
        because += "; it is no EFI system partition, but firmware takes that from removable media"
    if rules:
        because += f"; by the rules, {rules.because}"
    if errors := _errors(node, found.programs):
        because += f"; what comes after that has errors ({', '.join(errors)})"
    return Said(
        "yes",
        because=because,
        conditions=tuple(_conditions(found)),
        finding="" if rules is None else PICKY if rules.code == CODE else rules.code,
        hint=rules.hint if rules else "",
    )


def _errors(node: Node, programs: Sequence[Program]) -> list[str]:
    """Return the codes of what is wrong with a medium, or with what is started from it, but starts."""
    nodes = [node, *(below for program in programs for _, below in program.node.walk())]
    found = (finding for each in nodes for finding in each.findings)
    return sorted({finding.code for finding in found if finding.severity is Severity.ERROR})


def _conditions(found: Start) -> list[Condition]:
    conditions = [Condition("firmware", EDK2)] if found.rules else []
    if found.is_only_32_bit:
        conditions.append(Condition("firmware_bits", "32"))
    if found.block:
        conditions.append(Condition("block_size", str(found.block)))
    return conditions


def paths(programs: Sequence[Program]) -> str:
    """Return the paths of programs, as a list in a sentence."""
    return ", ".join(program.path for program in programs)


def boot_programs(node: Node) -> list[Program]:
    """Return the programs that firmware starts from a medium, each once."""
    places = list(on_cd(node, by_rules=False)) if isinstance(node.artifact, Iso) else []
    for block in DISK_BLOCKS:
        places += on_disk(node, block, by_rules=False)
    found = [program for place in places for program in startable(place)]
    return list({id(program.node): program for program in found}.values())


def by_uefi(node: Node) -> Said:
    """Firmware starts PE images of its own machine that are EFI applications (UEFI 2.10, §2.1.1)."""
    pe = image_of(node)
    if pe is None:
        return Said("no", because="it has no EFI stub", lacks="an EFI stub")
    machine = machine_name(pe.machine)
    if pe.subsystem != EFI_APPLICATION:
        return Said("no", because=f"it is of subsystem {pe.subsystem}, not an EFI application")
    stopped = not_loaded(node)
    if stopped:
        because = f"firmware does not load it: {stopped.message}"
        return Said("no", because=because, finding=stopped.code, hint=stopped.hint)
    if is_addon(pe):
        return Said("no", because="it is an addon to a UKI, with no program of its own")
    return Said("yes", because=f"it is an EFI application for {machine}")


def architecture_of_medium(node: Node) -> Said:
    """Say which machines' firmware finds a program on a medium."""
    programs = boot_programs(node)
    if not programs:
        return Said("unknown", because="there is no program that UEFI starts")
    names = dict.fromkeys(program.architecture for program in programs)
    return Said("yes", ", ".join(names), paths(programs))


def architecture_of_program(node: Node) -> Said:
    """Say which machine a program is for."""
    pe = image_of(node)
    return Said("yes", machine_name(pe.machine)) if pe else Said("unknown", because="it has no EFI stub")
