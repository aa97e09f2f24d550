"""Owns what must hold of the lines of an inittab that start the image's own program.

Must not know what else an inittab does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.finding import Fault
from pipeline.errors import FormatError
from pipeline.formats.inittab import Command, Line
from pipeline.formats.tree import Tree

INSTALLER = "/bin/truthdb-installer"
APPLIANCE = "/bin/truthdb-appliance"
ENDS = ("reboot", "poweroff", "halt")


@dataclass(frozen=True, slots=True)
class Inittab:
    """The lines, and the tree in which their commands are looked up."""

    lines: tuple[Line, ...]
    tree: Tree

    @property
    def good_lines(self) -> tuple[Line, ...]:
        """The lines that BusyBox takes."""
        return tuple(line for line in self.lines if line.is_good)


def own_program(tree: Tree) -> str:
    """Return what this image is for: the appliance where that can be run, else the installer."""
    try:
        tree.resolve_program(APPLIANCE)
    except FormatError:
        return INSTALLER
    return APPLIANCE


def _respawn(program: str) -> str:
    """Return the line that starts a program as it wants to be: only the installer's user may leave."""
    if program == INSTALLER:
        return f"::respawn:/bin/sh -c '{INSTALLER} && reboot'"
    return f"::respawn:{program}"


def starts_its_program(inittab: Inittab) -> Iterator[Fault]:
    """An inittab may be fine and start nothing."""
    program = own_program(inittab.tree)
    if not any(True for _ in _lines_of(program, inittab)):
        actions = ", ".join(sorted({line.action for line in inittab.good_lines})) or "nothing"
        yield f"no line starts {program}: its lines are for {actions}", f"add `{_respawn(program)}`"


def a_chosen_exit_ends_it(inittab: Inittab) -> Iterator[Fault]:
    """Respawn starts the installer over and over, unless its success ends the machine.

    Only `INSTALLER && reboot` (or poweroff, halt) is taken for that: after `;` a crash would end the machine
    too, before anybody can read why.
    """
    for line, rest in _lines_of(INSTALLER, inittab):
        ending = next((command for command in rest if command.applet in ENDS), None)
        if ending and {command.operator for command in rest[: rest.index(ending) + 1]} != {"&&"}:
            yield (
                f"line {line.number}: {ending.name} does not follow {INSTALLER} by && alone: "
                "a crash may end the machine too, before anybody can read why",
                f"write `{INSTALLER} && {ending.name}`",
            )
        elif ending is None and line.action == "respawn":
            yield (
                f"line {line.number}: respawn starts {INSTALLER} over and over, "
                "also after the exit that the user chose",
                f"write `::respawn:/bin/sh -c '{INSTALLER} && reboot'`",
            )


def a_crash_restarts_it(inittab: Inittab) -> Iterator[Fault]:
    """Only respawn does. What the appliance does before, it does by other lines."""
    program = own_program(inittab.tree)
    lines = list(_lines_of(program, inittab))
    if program == INSTALLER or not any(line.action == "respawn" for line, _ in lines):
        for line, _ in lines:
            if line.action != "respawn":
                yield (
                    f"line {line.number}: {line.action} does not start {program} again after a crash",
                    f"write `{_respawn(program)}`",
                )


def _lines_of(program: str, inittab: Inittab) -> Iterator[tuple[Line, tuple[Command, ...]]]:
    """Yield each line that starts a program, with the commands after it."""
    for line in inittab.good_lines:
        commands = line.commands
        for index, command in enumerate(commands):
            if command.applet == program.rpartition("/")[2]:
                yield line, commands[index + 1 :]
