"""What must hold of the lines of an inittab that start the image's own program."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.finding import Fault, Rules
from pipeline.formats.inittab import Line
from pipeline.formats.tree import Tree

BUSYBOX = "BusyBox 1.37, init/init.c"
RUNS = frozenset(["respawn", "askfirst", "once", "wait"])
CONSOLE = "/bin/console"
"""The builtin program, which runs another one on all consoles."""


@dataclass(frozen=True, slots=True)
class Inittab:
    """The lines, the tree in which their commands are looked up, and the programs that the image is for.

    `programs` are paths. An image whose purpose is unknown has none.
    """

    lines: tuple[Line, ...]
    tree: Tree
    programs: tuple[str, ...]

    @property
    def good_lines(self) -> tuple[Line, ...]:
        """The lines that BusyBox takes."""
        return tuple(line for line in self.lines if line.is_good)

    @property
    def to_start(self) -> tuple[str, ...]:
        """The programs that it has to start: `console` is a means, where there are others."""
        return tuple(program for program in self.programs if program != CONSOLE) or self.programs


rule = Rules[Inittab]()


@rule(
    "INIT002",
    "a program of the recipe is started",
    policy="appliance",
    spec=f"{BUSYBOX} (run_actions)",
    fix="add a line `::respawn:` with the program's path",
)
def starts_a_program(inittab: Inittab) -> Iterator[Fault]:
    """An inittab may be fine and start nothing."""
    programs = inittab.to_start
    is_one_started = any(_lines_of(program, inittab) for program in programs)
    if not (is_one_started if programs else any(line.action in RUNS for line in inittab.good_lines)):
        actions = ", ".join(sorted({line.action for line in inittab.good_lines})) or "nothing"
        yield f"no line starts {' or '.join(programs) or 'a program'}: its lines are for {actions}"


@rule(
    "INIT007",
    "a crash restarts the program",
    policy="appliance",
    spec=f"{BUSYBOX} (respawn)",
    fix="start it by respawn",
)
def a_crash_restarts_it(inittab: Inittab) -> Iterator[Fault]:
    """Only respawn does. What a program does before it runs, it may do by other lines."""
    for program in inittab.to_start:
        lines = _lines_of(program, inittab)
        if not any(line.action == "respawn" for line in lines):
            for line in lines:
                yield (
                    f"line {line.number}: {line.action} does not start {program} again after a crash",
                    f"write `{line.tty}::respawn:{line.command}`",
                )


def _lines_of(program: str, inittab: Inittab) -> list[Line]:
    """Return the lines that start a program."""
    name = program.rpartition("/")[2]
    return [line for line in inittab.good_lines if any(command.applet == name for command in line.commands)]
