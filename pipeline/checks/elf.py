"""What must hold of a program in the initramfs: a static one for x86-64 that needs nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.kind import Kind
from pipeline.formats.elf import MAGIC, Elf, read_elf
from pipeline.formats.fields import Image
from pipeline.formats.magic import describe

ABI = "System V ABI, gABI"


@dataclass(frozen=True, slots=True)
class Program:
    """A file given as a program; `elf` is None when it is no ELF file."""

    image: Image
    elf: Elf | None
    companion: bool = False


def read_program(image: Image, *, companion: bool = False) -> Program:
    """Read the ELF headers. Raises FormatError when they are damaged."""
    return Program(image, read_elf(image) if bytes(image[: len(MAGIC)]) == MAGIC else None, companion)


read_companion = partial(read_program, companion=True)
"""Reads a file that lies in an archive beside its libraries, or is one of them."""


rule = Rules[Program]()


@rule(
    "ELF001",
    "it is an ELF file",
    policy="appliance",
    spec=f"{ABI}, ELF Header (e_ident)",
    fix="give a program for x86_64-unknown-linux-musl",
)
def is_an_elf_file(program: Program) -> Iterator[Fault]:
    """Say what was given instead of an ELF file."""
    if program.elf is None:
        yield f"the program is {describe(program.image)}, not an ELF file"


@rule(
    "ELF002",
    "it is for x86-64",
    policy="appliance",
    spec=f"{ABI}, ELF Header (e_machine)",
    fix="build it for x86_64-unknown-linux-musl",
)
def is_for_x86_64(program: Program) -> Iterator[Fault]:
    """An arm64 host makes arm64 programs unless told otherwise."""
    if program.elf and (program.elf.bits, program.elf.machine) != (64, "x86-64"):
        yield f"the program is for {program.elf.bits}-bit {program.elf.machine}, not for x86-64"


@rule(
    "ELF004",
    "it can be started",
    policy="appliance",
    spec=f"{ABI}, ELF Header (e_type, e_entry)",
    fix="give the linked program, not an object file or a library",
)
def is_executable(program: Program) -> Iterator[Fault]:
    """Object files, shared libraries and core dumps are ELF files too. A library among others may be one."""
    if program.elf is None or (program.companion and program.elf.soname):
        return
    if not (program.elf.kind in ("ET_EXEC", "ET_DYN") and program.elf.entry):
        yield (
            f"the program cannot be started: it is of type {program.elf.kind}, "
            f"its entry point is {program.elf.entry:#x}"
        )


@rule(
    "ELF003",
    "it is static",
    policy="appliance",
    spec=f"{ABI}, Dynamic Linking",
    fix="link it statically: target x86_64-unknown-linux-musl with `-C target-feature=+crt-static`",
)
def is_static(program: Program) -> Iterator[Fault]:
    """Alone it has no shared libraries; whether those of a companion are there is the archive's own rule."""
    if program.elf and not program.companion and not program.elf.is_static:
        wants = [name for name in (program.elf.interpreter, *program.elf.needed) if name]
        yield f"the program is dynamic: it needs {', '.join(wants)}"


@rule(
    "ELF005",
    "it is stripped",
    severity=Severity.WARNING,
    policy="appliance",
    spec=f"{ABI}, Sections (SHT_SYMTAB)",
    fix="set `strip = true` in its `[profile.release]`",
)
def is_stripped(program: Program) -> Iterator[Fault]:
    """Symbols cost memory on the machine that boots."""
    if program.elf and not program.elf.stripped:
        yield f"the program still has its symbol table ({len(program.image)} bytes in all)"


ELF = Kind("elf", "ELF program", "ELF000", read_program, tuple(rule.table))
