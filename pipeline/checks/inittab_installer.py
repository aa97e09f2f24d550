"""Owns what must hold of the lines of an inittab that start the installer: it starts, and ends well.

Must not know what else an inittab does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.finding import Fault
from pipeline.formats.inittab import Command, Line
from pipeline.formats.tree import Tree

INSTALLER = "/bin/truthdb-installer"
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


def _is_installer(command: Command) -> bool:
    return command.applet == INSTALLER.rpartition("/")[2]


def starts_the_installer(inittab: Inittab) -> Iterator[Fault]:
    """An inittab may be fine and start nothing."""
    if not any(_is_installer(command) for line in inittab.good_lines for command in line.commands):
        actions = ", ".join(sorted({line.action for line in inittab.good_lines})) or "nothing"
        yield (
            f"no line starts {INSTALLER}: its lines are for {actions}",
            f"add `::respawn:/bin/sh -c '{INSTALLER} && reboot'`",
        )


def a_chosen_exit_ends_it(inittab: Inittab) -> Iterator[Fault]:
    """Respawn starts the installer over and over, unless its success ends the machine.

    Only `INSTALLER && reboot` (or poweroff, halt) is taken for that: after `;` a crash would end the machine
    too, before anybody can read why.
    """
    for line, rest in _installer_lines(inittab):
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
    """Only respawn does."""
    for line, _ in _installer_lines(inittab):
        if line.action != "respawn":
            yield (
                f"line {line.number}: {line.action} does not start {INSTALLER} again after a crash",
                f"write `::respawn:/bin/sh -c '{INSTALLER} && reboot'`",
            )


def _installer_lines(inittab: Inittab) -> Iterator[tuple[Line, tuple[Command, ...]]]:
    """Yield each line that starts the installer, with the commands after it."""
    for line in inittab.good_lines:
        commands = line.commands
        for index, command in enumerate(commands):
            if _is_installer(command):
                yield line, commands[index + 1 :]
