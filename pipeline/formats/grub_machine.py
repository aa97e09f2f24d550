"""GRUB on a machine with these file systems: its variables, what it finds, its scripts as they run.

`grub_commands` has the commands. Where `grub_config` says what a configuration may come to on any machine,
this is what it does come to on one.

Specification: GRUB manual 2.12, "Special environment variables" and "Device syntax"
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import FormatError
from pipeline.formats.boot_files import Files
from pipeline.formats.budget import STEPS, Budget
from pipeline.formats.grub_script import Command, Condition, Function, Loop, Script, parse
from pipeline.formats.grub_words import State, expanded

MAX_DEPTH = 40  # files, functions, menus and blocks in each other
MAX_RUN = 20_000  # commands

MODULE_OF = {
    "linux": "linux",
    "initrd": "linux",
    "linux16": "linux16",
    "initrd16": "linux16",
    "configfile": "configfile",
    "source": "configfile",
    ".": "configfile",
    "search": "search",
    "search.fs_label": "search_label",
    "search.fs_uuid": "search_fs_uuid",
    "search.file": "search_fs_file",
    "test": "test",
    "[": "test",
}
"""Which module has a command."""


@dataclass(frozen=True, slots=True)
class System:
    """A file system on the machine: what `search` compares, what is in it, which modules read it."""

    label: str
    uuid: str
    files: Files
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What GRUB loads: pairs of device and path, and what the kernel is told."""

    kernel: tuple[str, str]
    cmdline: str
    initrds: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of the menu, whose commands run with the variables as they are when it is chosen."""

    title: str
    id: str
    script: Script
    is_submenu: bool


class Stopped(Exception):  # noqa: N818  no error of ours: GRUB goes no further
    """Where it ends, a clause with a hint; it is not `known` where that is not certain."""

    def __init__(self, because: str, hint: str = "", *, is_known: bool = True) -> None:
        super().__init__(because)
        self.because, self.hint, self.is_known = because, hint, is_known


@dataclass
class Machine:
    """The machine. `systems` are by device, as `canonical` has it; `modules` are those in the core image.

    It finds other modules in the folder `i386-pc` of the prefix. What is on the devices `unread` GRUB may
    read, but nobody here. `way` is the files that were read, `failed`
    are clauses on why commands did not succeed, `other` is a command whose work is not followed.
    """

    systems: Mapping[str, System]
    modules: Sequence[str]
    state: State
    budget: Budget
    commands: Mapping[str, Callable[["Machine", Sequence[str]], bool]]
    unread: Sequence[str] = ()
    choices: list[Choice] = field(default_factory=list)
    way: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    loaded: Loaded | None = None
    other: str = ""
    is_sure: bool = True  # whether no search failed that might have succeeded on the machine
    title: str = ""  # of the entry that runs
    depth: int = 0
    count: int = 0

    def get(self, name: str) -> str:
        """Return a variable's value, "" for one that is not set."""
        return self.state.get(name) or ""

    def located(self, path: str) -> tuple[str, str]:
        """Return device and path, as GRUB takes them apart."""
        if path.startswith("(") and ")" in path:
            device, _, rest = path[1:].partition(")")
            return device, rest
        return self.get("root").strip("()"), path

    def system(self, device: str) -> System | None:
        """Return what is on a device, None where nothing is that GRUB can read."""
        found = self.systems.get(canonical(device))
        return found if found is not None and all(map(self.loads, found.needs)) else None

    def loads(self, name: str) -> bool:
        """Tell whether a module is there, in the core image or where the prefix says."""
        if name in self.modules:
            return True
        device, inside = self.located(f"{self.get('prefix')}/i386-pc/{name}.mod")
        found = self.systems.get(canonical(device))
        if found is None or any(each not in self.modules for each in found.needs):
            return False
        return found.files.is_file(inside)

    def missing(self, path: str) -> str:
        """Return why a file cannot be read, a clause; "" where it can. Raises Stopped where nobody knows."""
        device, inside = self.located(path)
        if canonical(device) in self.unread:
            raise Stopped(f"what is on ({device}), where {inside} is looked for, is not read", is_known=False)
        system = self.system(device)
        if system is None:
            is_there = canonical(device) in self.systems
            why = "GRUB has no modules for what is" if is_there else "there is no file system"
            return f"{why} on ({device}), where {inside} is looked for"
        return "" if system.files.is_file(inside) else f"({device}){inside} is not there"

    def text(self, path: str) -> Script | None:
        """Return a file's statements, None without one. Raises Stopped for what GRUB cannot parse."""
        missing = self.missing(path)
        if missing:
            self.failed.append(missing)
            return None
        device, inside = self.located(path)
        self.way.append(f"({device}){inside}")
        try:
            return parse(self.systems[canonical(device)].files.text(inside), self.budget)
        except FormatError as error:
            raise Stopped(f"({device}){inside}: {error.message}", error.hint) from error

    def run(self, script: Script) -> bool:
        """Run statements; return whether the last one succeeded."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Stopped("its scripts call each other without end", is_known=False)
        good = True
        for statement in script:
            self.count += 1
            self.budget.spend(STEPS)
            if self.count > MAX_RUN:
                raise Stopped(f"its scripts run more than {MAX_RUN} commands", is_known=False)
            match statement:
                case Command():
                    good = self.command(statement)
                case Condition():
                    good = self.condition(statement)
                case Function():
                    self.state.functions[statement.name] = statement.body
                case Loop():
                    good = self.loop(statement)
        self.depth -= 1
        return good

    def condition(self, statement: Condition) -> bool:
        """Run the branch whose condition holds."""
        for asked, then in statement.branches:
            if self.run(asked):
                return self.run(then)
        return self.run(statement.otherwise)

    def loop(self, statement: Loop) -> bool:
        """Run a loop's body."""
        if statement.kind == "for":
            for word in expanded(statement.words, self.state, self.budget)[0]:
                self.state.values[statement.name] = word
                self.run(statement.body)
            return True
        while self.run(statement.asked) == (statement.kind == "while"):
            self.count += 1
            self.run(statement.body)
        return True

    def command(self, command: Command) -> bool:
        """Run one command; return whether it succeeded."""
        words, _ = expanded(command.words, self.state, self.budget)
        if not words:
            return True
        name, *rest = words
        variable, equals, value = name.partition("=")
        if equals and variable.isidentifier():
            self.state.values[variable] = value
            return True
        if name in ("menuentry", "submenu"):
            self.choices.append(_choice(rest, command.block or (), is_submenu=name == "submenu"))
            return True
        if name in self.state.functions:
            before, self.state.arguments = self.state.arguments, tuple(words)
            good = self.run(self.state.functions[name])
            self.state.arguments = before
            return good
        module = MODULE_OF.get(name)
        if module and not self.loads(module):
            self.failed.append(f"GRUB has no module {module} for its command {name}")
            return False
        run = self.commands.get(name)
        return run(self, rest) if run else True


def _choice(words: Sequence[str], script: Script, *, is_submenu: bool) -> Choice:
    """Return an entry of the menu by what `menuentry` is given."""
    title, name, pending = "", "", list(words)
    while pending:
        word = pending.pop(0)
        if word.startswith("--id="):
            name = word[5:]
        elif word in ("--class", "--users", "--hotkey", "--source", "--id"):
            value = pending.pop(0) if pending else ""
            name = value if word == "--id" else name
        elif not word.startswith("--") and not title:
            title = word
    return Choice(title, name, script, is_submenu)


def canonical(device: str) -> str:
    """Return a device by the one name that it has here.

    >>> canonical('hd0,gpt2'), canonical('hd0,2'), canonical('cd0'), canonical('hd0,msdos1')
    ('hd0,2', 'hd0,2', 'cd', 'hd0,1')
    """
    disk, comma, partition = device.partition(",")
    disk = "cd" if disk[:2] == "cd" and disk[2:].isdigit() else disk
    return f"{disk},{partition.lstrip('abcdefghijklmnopqrstuvwxyz')}" if comma else disk
