"""Whether firmware starts a program from a medium: from where, on what condition, or why not.

Specification: UEFI 2.10, §3.5.1.1 "Removable Media Boot Behavior" and §13.3 "File System Format"
https://uefi.org/specs/UEFI/2.10/13_Protocols_Media_Access.html
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.checks.fat.reach import refused
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.kind import Node
from pipeline.checks.medium import misses
from pipeline.checks.medium.iso import Iso
from pipeline.checks.medium.misses import Miss
from pipeline.checks.medium.places import DISK_BLOCKS, Place, on_cd, on_disk, own_block
from pipeline.checks.medium.programs import Program

IA32 = 0x014C
PICKY = "BOOT002"
SECTION = "Starting a medium"


@dataclass(frozen=True, slots=True)
class Start:
    """What firmware starts, and from where.

    `rules` is why EDK II alone does, None where all firmware does. `block` is the one size of blocks, in
    bytes, with which it does, None where it does with any.
    """

    place: Place
    programs: tuple[Program, ...]
    rules: Miss | None = None
    block: int | None = None

    @property
    def is_only_32_bit(self) -> bool:
        """Whether it needs firmware of 32 bits."""
        return all(program.machine == IA32 for program in self.programs)


def from_cd(node: Node) -> Start | Miss:
    """Return what firmware starts when the medium is a CD."""
    return _both(lambda by_rules: _from(node, on_cd(node, by_rules=by_rules), misses.of_cd))


def from_disk(node: Node) -> Start | Miss:
    """Return what firmware starts when the medium is a disk or stick, with blocks of 512 or 4096 bytes."""
    tried = {block: _from_disk(node, block) for block in DISK_BLOCKS}
    starts = {block: found for block, found in tried.items() if isinstance(found, Start)}
    if not starts:
        return tried[own_block(node)]
    block, found = next(iter(starts.items()))
    return found if len(starts) == len(tried) else replace(found, block=block)


def _from_disk(node: Node, block: int) -> Start | Miss:
    return _both(lambda by_rules: _from(node, on_disk(node, block, by_rules=by_rules), misses.of_disk))


def _both(find: Callable[[bool], Start | Miss]) -> Start | Miss:
    """Return what EDK II finds, and why others would not; where it finds nothing, why nobody does."""
    found, by_rules = find(False), find(True)
    if isinstance(found, Miss):
        return by_rules if isinstance(by_rules, Miss) else found
    return by_rules if isinstance(by_rules, Start) else replace(found, rules=by_rules)


def _from(node: Node, places: Sequence[Place], nothing: Callable[[Node], Miss]) -> Start | Miss:
    """Return what firmware starts from places that it looks into: the best of them counts."""
    for place in sorted(places, key=lambda one: not one.is_system):
        programs = startable(place)
        if programs:
            return Start(place, programs)
    return misses.of_places(node, places) if places else nothing(node)


def startable(place: Place) -> tuple[Program, ...]:
    """Return the programs that firmware starts from a place."""
    if place.is_udf:
        return tuple(one for one in place.programs if not one.fault)
    if not place.is_fat or refused(place.fat)[0]:
        return ()
    return tuple(one for one in place.programs if not one.fault and one.reach <= place.size)


def ways(node: Node) -> Iterator[tuple[str, Start | Miss]]:
    """Yield each way of starting a medium by UEFI, and what comes of it."""
    if isinstance(node.artifact, Iso):
        yield "as a CD", from_cd(node)
    yield "from USB", from_disk(node)


rule = Rules[Node]()


@rule(
    misses.CODE,
    "some firmware starts it",
    spec="UEFI 2.10, §3.5.1.1 and §13.3.2; EDK II, PartitionDxe and FatPkg",
    fix="put the program where firmware looks for it: the message says what is there instead",
)
def starts(node: Node) -> Iterator[Fault]:
    """A medium from which no firmware starts anything boots nowhere, whatever else is right about it."""
    found = {(way, miss.because): miss for way, miss in ways(node) if isinstance(miss, Miss)}
    for (way, because), miss in found.items():
        yield f"no firmware starts it {way}: {because}", miss.hint


@rule(
    PICKY,
    "all firmware starts it",
    severity=Severity.WARNING,
    spec="UEFI 2.10, §3.5.1.1 and §13.3.2",
    fix="make it as the rules have it: the message says what is lacking",
)
def starts_by_the_rules(node: Node) -> Iterator[Fault]:
    """EDK II, and firmware made of it, is lenient; other firmware does not start such a medium."""
    for way, found in ways(node):
        if isinstance(found, Start) and found.rules:
            yield f"EDK II starts it {way}, other firmware may not: {found.rules.because}", found.rules.hint
            return
