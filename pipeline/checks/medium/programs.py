"""Which programs firmware finds in a FAT volume, and why it would not start one that is there.

Specification: UEFI 2.10, §3.5.1.1 "Removable Media Boot Behavior"
https://uefi.org/specs/UEFI/2.10/03_Boot_Manager.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.checks.attempt import or_none
from pipeline.checks.fat.reach import reach
from pipeline.checks.fat.volume import EfiImage
from pipeline.checks.finding import Finding, Severity
from pipeline.checks.kind import Member, Node
from pipeline.errors import FormatError
from pipeline.formats.magic import describe
from pipeline.formats.pe import EFI_APPLICATION, Pe, machine_name, read_pe

BOOT_FOLDER = "EFI/BOOT/"
ARCHITECTURES = {
    "BOOTX64.EFI": 0x8664,
    "BOOTIA32.EFI": 0x014C,
    "BOOTAA64.EFI": 0xAA64,
    "BOOTARM.EFI": 0x01C2,
    "BOOTRISCV64.EFI": 0x5064,
    "BOOTLOONGARCH64.EFI": 0x6264,
}
"""The machine that firmware is of when it looks for a program of this name (§3.5.1.1, table 3.2)."""

NAMES = {machine: name for name, machine in ARCHITECTURES.items()}
STOPS = frozenset({"EFI003", "EFI007", "EFI010", "EFI011", "UKI004", "UKI016", "UKI022", "UKI023"})
"""Findings of a program that firmware does not load, or not as it stands in the file."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program where firmware looks for one; `fault` says why it would not start it, if so.

    `code` is that of the finding behind the fault, "" for none. `reach` is up to which byte of its volume
    firmware reads to start it.
    """

    path: str
    node: Node
    machine: int
    reach: int
    fault: str = ""
    code: str = ""

    @property
    def architecture(self) -> str:
        """What people call the machine that it is for."""
        return machine_name(self.machine)


def in_volume(fat: Node) -> tuple[Program, ...]:
    """Return the programs that firmware would start from a FAT volume that can be read."""
    return tuple(_programs(fat.artifact, {child.name: child for child in fat.children}))


def in_tree(children: Iterable[Node]) -> tuple[Program, ...]:
    """Return the programs that firmware would start from a file system that it reads as it reads FAT."""
    found = ((child, looked_for(child.name.upper())) for child in children)
    return tuple(
        Program(child.name, child, ARCHITECTURES[name], 0, *_fault(child, ARCHITECTURES[name]))
        for child, name in found
        if name
    )


def _programs(efi: EfiImage, nodes: dict[str, Node]) -> Iterator[Program]:
    for entry in efi.files:
        name = looked_for(entry.path.upper()) or looked_for(entry.short_path)
        if not name:
            continue
        machine = ARCHITECTURES[name]
        node = nodes.get(entry.path)
        try:
            end = reach(efi, entry)
        except FormatError as error:
            end, fault, code = 0, f"cannot be read: {error.message}", "FAT004"
        else:
            if end > len(efi.volume.image):
                fault, code = "reaches beyond the end of the file", "FAT015"
            elif node is None:
                fault, code = "shares clusters with another file", "FAT004"
            else:
                fault, code = _fault(node, machine)
        lost = Node(Member(entry.path, b""), None, None)
        yield Program(entry.path, node or lost, machine, end, fault, code)


def looked_for(path: str) -> str:
    """Return the name of a program that firmware looks for at a path, in capitals; "" if it does not."""
    folder, _, name = path.rpartition("/")
    return name if f"{folder}/" == BOOT_FOLDER and name in ARCHITECTURES else ""


def _fault(node: Node, machine: int) -> tuple[str, str]:
    """Return why firmware of this machine would not start the program, or nothing."""
    pe = image_of(node)
    if pe is None:
        return f"is {describe(node.member.image)}, not an EFI program", ""
    if pe.machine != machine:
        return f"is for {machine_name(pe.machine)}, which is not what its name says", ""
    if pe.subsystem != EFI_APPLICATION:
        return f"is of subsystem {pe.subsystem}, not an EFI application", ""
    stopped = not_loaded(node)
    return (f"is not loaded: {stopped.message}", stopped.code) if stopped else ("", "")


def not_loaded(node: Node) -> Finding | None:
    """Return the finding for which firmware does not load a program, or None."""
    return next((one for one in node.findings if one.code in STOPS and one.severity is Severity.ERROR), None)


def image_of(node: Node) -> Pe | None:
    """Return the headers of an EFI program of any kind, None for anything else."""
    return node.artifact if isinstance(node.artifact, Pe) else or_none(read_pe, node.member.image)
