"""What must hold of `/etc/inittab`: it mounts what a program needs, starts the program, and ends well.

BusyBox `init` itself is described by `pipeline.formats.inittab`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from pipeline.checks.attempt import attempt, or_none
from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind
from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Image, budget_of
from pipeline.formats.inittab import ACTIONS, SHELL, Line, read_inittab
from pipeline.formats.tree import Tree

BUSYBOX = "BusyBox 1.37, init/init.c"
RUNS = frozenset(["respawn", "askfirst", "once", "wait"])
CONSOLE = "/bin/console"
"""The builtin program, which runs another one on all consoles."""

MOUNTS = (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"))
PATH = ("/sbin", "/usr/sbin", "/bin", "/usr/bin")  # what BusyBox init sets
BUILTINS = frozenset([":", ".", "cd", "echo", "exit", "export", "read", "set", "test", "true", "wait"])
SHORT = frozenset(
    ["mount", "umount", "true", "echo", "mkdir", "hostname", "ln", "reboot", "poweroff", "swapon", ":"]
)
MAX_SIZE = 1 << 16  # bytes
LETTERS_A_STEP = 4  # to take a command apart as a shell does takes long
HIDDEN = frozenset(["null", "zero", "full"])
TERMINAL = r"console|tty\d*|tty[A-Za-z]+\d+|hvc\d+|hvsi\d+|pts/\d+|null|zero|full"


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


@rule(
    "INIT001",
    "BusyBox takes every line",
    lenient=True,
    spec=f"{BUSYBOX} (parse_inittab)",
    fix="write `tty::action:command`",
)
def every_line_is_good(inittab: Inittab) -> Iterator[Fault]:
    """BusyBox reports a bad line on the console, and drops it."""
    for line in inittab.lines:
        if line.action not in ACTIONS:
            yield (
                f"line {line.number}: {line.action!r} is not an action of BusyBox init",
                f"write `tty::action:command`, with one of {', '.join(ACTIONS)}",
            )
        elif not line.is_good:
            yield f"line {line.number}: there is no command"


@rule(
    "INIT003",
    "every command is in the archive, executable",
    lenient=True,
    spec=f"{BUSYBOX} (init_exec)",
    fix="add the command to the recipe's rootfs/, or take the line out",
)
def every_command_exists(inittab: Inittab) -> Iterator[Fault]:
    """BusyBox says `can't run` and goes on. Whether the own program is there is the archive's own rule."""
    for line in inittab.good_lines:
        names = [command.name for command in line.commands] + [SHELL] * line.needs_shell
        for name in dict.fromkeys(names):
            is_known = name in BUILTINS or name in inittab.programs
            fault = None if is_known else _missing(inittab.tree, name)
            if fault:
                yield f"line {line.number}: {fault.message}", fault.hint


def _missing(tree: Tree, name: str) -> FormatError | None:
    """Return why a command cannot be run, looked up as BusyBox would."""
    if "/" in name:
        found = attempt(tree.resolve_program, name)
        return found if isinstance(found, FormatError) else None
    if any(or_none(tree.resolve_program, f"{folder}/{name}") for folder in PATH):
        return None
    return FormatError(f"{name} is in none of {':'.join(PATH)}", f"add {name} to the initramfs")


def _mounted(inittab: Inittab) -> Iterator[tuple[str, str]]:
    """Yield type and place of what is mounted before anything else starts."""
    for line in inittab.good_lines:
        for command in line.commands:
            words = command.words
            if line.action == "sysinit" and command.applet == "mount" and "-t" in words[:-2]:
                yield words[words.index("-t") + 1], words[-1]


@rule(
    "INIT004",
    "proc, sysfs and devtmpfs are mounted",
    policy="appliance",
    spec="Linux, drivers/base/Kconfig (DEVTMPFS_MOUNT)",
    fix="add a `::sysinit:/bin/mount -t …` line for each",
)
def mounts_what_programs_need(inittab: Inittab) -> Iterator[Fault]:
    """Nothing else mounts them: CONFIG_DEVTMPFS_MOUNT does nothing for an initramfs."""
    mounted = set(_mounted(inittab))
    for kind, place in MOUNTS:
        if (kind, place) not in mounted:
            yield (
                f"no line mounts {kind} on {place}",
                f"add `::sysinit:/bin/mount -t {kind} {kind} {place}`",
            )


@rule(
    "INIT005",
    "their mount points exist",
    lenient=True,
    spec="mount(2), ENOENT",
    fix="add the folder to the initramfs",
)
def mount_points_exist(inittab: Inittab) -> Iterator[Fault]:
    """A mount on a folder that is not there fails; below an earlier mount, the folder may be that one's."""
    mounted: list[str] = []
    for kind, place in _mounted(inittab):
        if not any(place.startswith(f"{above}/") for above in mounted):
            try:
                inittab.tree.resolve(place)
            except FormatError as error:
                yield f"{kind} is mounted on {place}, but {error.message}", error.hint
        mounted.append(place)


@rule(
    "INIT008",
    "every command is reached",
    lenient=True,
    spec=f"{BUSYBOX} (init_exec adds an exec)",
    fix=f"write `{SHELL} -c '… && …'`",
)
def every_command_is_reached(inittab: Inittab) -> Iterator[Fault]:
    """BusyBox runs `sh -c "exec COMMAND"`, so `a && b` never gets to b."""
    for line in inittab.good_lines:
        for command in line.unreachable[:1]:
            yield (
                f"line {line.number}: {command.name} never runs: an exec before it replaces the shell; "
                f"BusyBox init itself adds one, `exec {line.command}`",
                f"write {SHELL} -c '… {command.operator} {command.name}', without exec",
            )


@rule(
    "INIT011",
    "what runs has a terminal that somebody sees",
    lenient=True,
    spec=f"{BUSYBOX} (open_stdio_to_tty)",
    fix="leave the first field empty, for /dev/console",
)
def somebody_sees_it(inittab: Inittab) -> Iterator[Fault]:
    """A machine whose programs all talk to /dev/null looks dead, and takes no key."""
    lines = [line for line in inittab.good_lines if line.action in RUNS]
    if lines and all(line.tty in HIDDEN for line in lines):
        yield f"line {lines[0].number}: what runs has {lines[0].tty} as its terminal: nobody sees it"


@rule(
    "INIT009",
    "nothing is started over and over",
    lenient=True,
    spec=f"{BUSYBOX} (respawn)",
    fix="use sysinit, wait or once for what ends",
)
def nothing_loops(inittab: Inittab) -> Iterator[Fault]:
    """Respawn starts again at once what ends at once: the machine does nothing else any more."""
    for line in inittab.good_lines:
        commands = line.commands
        if line.action == "respawn" and commands and all(command.applet in SHORT for command in commands):
            yield (
                f"line {line.number}: respawn starts {commands[0].name} over and over: it ends at once",
                f"write `{line.tty}::sysinit:{line.command}`, or once or wait instead of sysinit",
            )


@rule(
    "INIT010",
    "its terminals are there",
    lenient=True,
    spec=f"{BUSYBOX} (open_stdio_to_tty)",
    fix="write tty1, ttyS0 or the like, or nothing for /dev/console",
)
def terminals_are_there(inittab: Inittab) -> Iterator[Fault]:
    """BusyBox cannot open a terminal that no device has, and then does not start what is on the line."""
    for line in inittab.good_lines:
        if line.tty and not re.fullmatch(TERMINAL, line.tty):
            yield f"line {line.number}: {line.tty!r} is not a terminal of Linux"


def read(image: Image, tree: Tree, programs: tuple[str, ...]) -> Inittab:
    """Read the lines of an inittab in the archive `tree`. FormatError when it is larger than any is."""
    if len(image) > MAX_SIZE:
        raise FormatError(
            f"the inittab has {len(image)} bytes, more than any needs ({MAX_SIZE})", "shorten it"
        )
    budget_of(image).spend(STEPS, len(image) // LETTERS_A_STEP)
    text = bytes(image).decode(errors="replace")
    return Inittab(read_inittab(text, has_console=CONSOLE in programs), tree, programs)


INITTAB = Kind(
    "inittab",
    "BusyBox inittab",
    "INIT000",
    partial(read, tree=Tree({}), programs=()),
    tuple(rule.table),
)
