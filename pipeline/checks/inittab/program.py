"""What must hold of the lines of an inittab that start the image's own program."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.checks.finding import Fault, Rules
from pipeline.formats.inittab import Command, Line
from pipeline.formats.tree import Tree

BUSYBOX = "BusyBox 1.37, init/init.c"
ENDS = ("reboot", "poweroff", "halt")
RUNS = frozenset(["respawn", "askfirst", "once", "wait"])


@dataclass(frozen=True, slots=True)
class Inittab:
    """The lines, the tree in which their commands are looked up, and the programs that the image is for.

    Each of `programs` is the path of one with what is to follow when it succeeds: one of ENDS, or "" for what
    is to run for ever. An image of which nobody said what it is for has none.
    """

    lines: tuple[Line, ...]
    tree: Tree
    programs: Mapping[str, str]

    @property
    def good_lines(self) -> tuple[Line, ...]:
        """The lines that BusyBox takes."""
        return tuple(line for line in self.lines if line.is_good)


rule = Rules[Inittab]()


def _respawn(program: str, action: str) -> str:
    """Return the line that starts a program again, but where its success ends the machine."""
    return f"::respawn:/bin/sh -c '{program} && {action}'" if action else f"::respawn:{program}"


@rule(
    "INIT002",
    "a program of the recipe is started",
    policy="appliance",
    spec=f"{BUSYBOX} (run_actions)",
    fix="add a line `::respawn:` with the program's path",
)
def starts_a_program(inittab: Inittab) -> Iterator[Fault]:
    """An inittab may be fine and start nothing."""
    programs = inittab.programs
    is_one_started = any(True for program in programs for _ in _lines_of(program, inittab))
    if not (is_one_started if programs else any(line.action in RUNS for line in inittab.good_lines)):
        actions = ", ".join(sorted({line.action for line in inittab.good_lines})) or "nothing"
        yield f"no line starts {' or '.join(programs) or 'a program'}: its lines are for {actions}"


@rule(
    "INIT006",
    "a program that ends the machine does so when it succeeds, and only then",
    policy="appliance",
    spec=f"{BUSYBOX} (respawn)",
    fix="write `PROGRAM && reboot`, as the recipe's on_success says",
)
def success_ends_the_machine(inittab: Inittab) -> Iterator[Fault]:
    """Respawn starts a program over and over, unless its success ends the machine: an installer's, say.

    Only `PROGRAM && reboot` (or poweroff, halt) is taken for that: after `;` a crash would end the machine
    too, before anybody can read why.
    """
    for program, action in inittab.programs.items():
        for line, rest in _lines_of(program, inittab) if action else ():
            ending = next((command for command in rest if command.applet in ENDS), None)
            if ending and {command.operator for command in rest[: rest.index(ending) + 1]} != {"&&"}:
                yield (
                    f"line {line.number}: {ending.name} does not follow {program} by && alone: "
                    "a crash may end the machine too, before anybody can read why",
                    f"write `{program} && {ending.name}`",
                )
            elif ending is None and line.action == "respawn":
                yield (
                    f"line {line.number}: respawn starts {program} over and over, "
                    "also after the exit that the user chose",
                    f"write `{_respawn(program, action)}`",
                )


@rule(
    "INIT007",
    "a crash restarts the program",
    policy="appliance",
    spec=f"{BUSYBOX} (respawn)",
    fix="start it by respawn",
)
def a_crash_restarts_it(inittab: Inittab) -> Iterator[Fault]:
    """Only respawn does. What a program that runs for ever does before, it may do by other lines."""
    for program, action in inittab.programs.items():
        lines = [line for line, _ in _lines_of(program, inittab)]
        if action or not any(line.action == "respawn" for line in lines):
            for line in lines:
                if line.action != "respawn":
                    yield (
                        f"line {line.number}: {line.action} does not start {program} again after a crash",
                        f"write `{_respawn(program, action)}`",
                    )


def _lines_of(program: str, inittab: Inittab) -> Iterator[tuple[Line, tuple[Command, ...]]]:
    """Yield each line that starts a program, with the commands after it."""
    for line in inittab.good_lines:
        commands = line.commands
        for index, command in enumerate(commands):
            if command.applet == program.rpartition("/")[2]:
                yield line, commands[index + 1 :]
