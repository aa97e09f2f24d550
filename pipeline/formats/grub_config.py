"""Reads grub.cfg: the entries of GRUB's menu, with kernel, initramfs and command line, and its settings.

The script is run as far as it can be without a machine: what a variable, a test or another file says only
there stays unknown, and both ways are gone. An entry's own commands run with the settings at the end.

Specification: GRUB manual 2.12, "GRUB commands" and "Special environment variables"
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS, STEPS, Budget
from pipeline.formats.grub_menu import Config, Entry, Place
from pipeline.formats.grub_script import Command, Condition, Function, Loop, Script, Word, parse
from pipeline.formats.grub_test import Unknown, is_true
from pipeline.formats.grub_words import State, cmdline, expanded, named, variables

MAX_CALLS = 40  # of functions and files inside each other
MAX_COMMANDS = 50_000

KNOWN = {
    f"feature_{name}": "y"
    for name in (
        *("200_final", "all_video_module", "chainloader_bpb", "default_font_path", "menuentry_id"),
        *("menuentry_options", "nativedisk_cmd", "ntldr", "platform_search_hint", "timeout_style"),
    )
}
"""What GRUB 2.12 sets before it reads a configuration."""

KERNELS = frozenset({"linux", "linux16", "linuxefi", "kernel"})
INITRDS = frozenset({"initrd", "initrd16", "initrdefi"})
MULTIBOOT = frozenset({"multiboot", "multiboot2", "xen_hypervisor"})
MODULES = frozenset({"module", "module2", "xen_module"})
WITH_VALUE = frozenset({"--class", "--users", "--hotkey", "--source", "--id"})
"""Options of `menuentry` that have a value."""

Load = Callable[[Place], str | None]
"""What another file says, None where that is not known; raises FormatError where it is not there."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """An entry or submenu whose own commands run when it is chosen."""

    entry: Entry
    body: Script
    is_submenu: bool = False


class _Leave(Exception):  # noqa: N818  no error: another menu takes the place of this one
    """`configfile`: what stands behind it runs only when that is left again."""


def read_config(
    text: str,
    load: Load = lambda _place: None,
    *,
    settings: Mapping[str, str] | None = None,
    budget: Budget = ENDLESS,
) -> Config:
    """Return what a configuration says; `settings` are variables that are set before, such as `prefix`.

    Raises FormatError for what GRUB cannot parse, and for more commands, or files in files, than any has.
    """
    run = _Run(load, budget)
    state = State({**KNOWN, "root": "", **(settings or {})})
    run.menu(text, state)
    values = {name: value for name, value in state.values.items() if value is not None}
    unknown = frozenset(state.values) - frozenset(values)
    others, missing = tuple(dict.fromkeys(run.others)), tuple(dict.fromkeys(run.missing))
    return Config(tuple(run.entries), values, unknown, others, missing, run.has_blscfg)


class _Run:
    def __init__(self, load: Load, budget: Budget) -> None:
        self.load, self.budget = load, budget
        self.entries: list[Entry] = []
        self.others: list[Place] = []
        self.missing: list[Place] = []
        self.has_blscfg = False
        self.commands = self.calls = 0
        self.pending: list[_Pending] = []
        self.menus: tuple[tuple[str, str], ...] = ()
        self.numbers: tuple[int, ...] = ()
        self.entry: Entry | None = None  # whose commands run

    def menu(self, text: str, state: State) -> None:
        """Run a configuration, then the commands of its entries."""
        self.show(parse(text, self.budget), state)

    def show(self, script: Script, state: State) -> None:
        above, self.pending = self.pending, []
        with suppress(_Leave):
            self.run(script, state)
        pending, self.pending = self.pending, above
        above_numbers = self.numbers
        for number, each in enumerate(pending):
            self.numbers = (*above_numbers, number)
            self.choose(each, state)
        self.numbers = above_numbers

    def choose(self, each: _Pending, state: State) -> None:
        self.budget.spend(STEPS, 1 + len(state.values) // 8)
        values = {**state.values, "chosen": each.entry.id or each.entry.title}
        inner = replace(state, values=values, is_certain=each.entry.is_certain)
        if each.is_submenu:
            with self.called(each.entry.line):
                self.menus += ((each.entry.title, each.entry.id),)
                self.show(each.body, inner)
                self.menus = self.menus[:-1]
            return
        self.entry = replace(each.entry, position=self.numbers)
        with suppress(_Leave):
            self.run(each.body, inner)
        self.entries.append(self.entry)
        self.entry = None

    @contextmanager
    def called(self, line: int) -> Iterator[None]:
        self.calls += 1
        if self.calls > MAX_CALLS:
            message = f"line {line}: more than {MAX_CALLS} files and functions call each other"
            raise FormatError(message, "correct what calls itself")
        try:
            yield
        finally:
            self.calls -= 1

    def run(self, script: Script, state: State) -> None:
        for statement in script:
            self.commands += 1
            self.budget.spend(STEPS)
            if self.commands > MAX_COMMANDS:
                raise self.budget.lacking_or(
                    STEPS,
                    f"line {statement.line}: here end the {MAX_COMMANDS} commands that are run",
                    "the file is damaged, or made to exhaust memory",
                )
            if isinstance(statement, Command):
                self.command(statement, state)
            elif isinstance(statement, Condition):
                self.condition(statement, state)
            elif isinstance(statement, Function):
                state.functions[statement.name] = statement.body
            else:
                self.loop(statement, state)

    def condition(self, statement: Condition, state: State) -> None:
        branches: list[Script] = []  # that may be gone
        for asked, done in statement.branches:
            answer = self.asked(asked, state)
            if answer is not False:
                branches.append(done)
            if answer:
                break
        else:
            branches.append(statement.otherwise)
        if len(branches) == 1:
            self.run(branches[0], state)
        else:
            self.either(branches, state)

    def either(self, branches: list[Script], state: State) -> None:
        """Run several scripts, one of which would be run: what they set otherwise is unknown."""
        ends: list[State] = []
        left = 0
        for branch in branches:
            self.budget.spend(STEPS, 1 + len(state.values) // 8)
            end = replace(state, values=dict(state.values), is_certain=False)
            try:
                self.run(branch, end)
                ends.append(end)
            except _Leave:
                left += 1
        if left and not ends:
            raise _Leave
        state.others = state.others or any(end.others for end in ends)
        for name in {name for end in ends for name in end.values}:
            found = {end.get(name) for end in ends}
            state.values[name] = found.pop() if len(found) == 1 else None
        if left:
            state.is_certain = False

    def asked(self, script: Script, state: State) -> bool | None:
        """Return what a condition comes to, None where that is not known."""
        for statement in script[:-1]:
            self.run((statement,), state)
        last = script[-1] if script else None
        if not isinstance(last, Command):
            return None
        words, unknown = self.expanded(last.words, state)
        if words[:1] in (["["], ["test"]):
            try:
                return is_true(words[1:-1] if words[0] == "[" else words[1:], unknown)
            except Unknown:
                return None
        if words in (["true"], ["false"]):
            return words == ["true"]
        self.run((last,), state)
        return None

    def loop(self, statement: Loop, state: State) -> None:
        if statement.kind != "for":
            self.asked(statement.asked, state)
            self.either([statement.body, ()], state)
            return
        words, unknown = self.expanded(statement.words, state)
        for word in words:
            state.values[statement.name] = None if word in unknown else word
            self.run(statement.body, state)

    def expanded(self, words: tuple[Word, ...], state: State) -> tuple[list[str], set[str]]:
        return expanded(words, state, self.budget)

    def command(self, command: Command, state: State) -> None:
        words, unknown = self.expanded(command.words, state)
        if not words:
            return
        name, *arguments = words
        if re.match(r"[A-Za-z_]\w*=", name) and not arguments:
            self.assign([name], unknown, state)
        elif name == "set":
            self.assign(arguments, unknown, state)
        elif name in state.functions:
            with self.called(command.line):
                given = (name, *(None if each in unknown else each for each in arguments))
                before, state.arguments = state.arguments, given
                self.run(state.functions[name], state)
                state.arguments = before
        elif name in ("menuentry", "submenu", "hiddenentry") and command.block is not None:
            self.add(command, arguments, state, is_submenu=name == "submenu")
        elif name in ("configfile", "extract_entries_configfile", "normal", "source", "."):
            self.go_on(name, arguments, unknown, command.line, state)
        elif self.entry is not None:
            self.load_into(name, arguments, unknown, state)
        if name == "unset":
            state.values.update(dict.fromkeys(arguments, ""))
        elif name.split(".")[0] == "search":
            self.search(name, arguments, unknown, state)
        elif name == "load_env":
            self.load_env(arguments, state)
        elif name in ("blscfg", "bls_import"):
            self.has_blscfg = True
        elif name in ("read", "probe", "regexp", "smbios", "getenv", "loopback", "cryptomount"):
            self.ask_machine(arguments, state)

    def assign(self, arguments: list[str], unknown: set[str], state: State) -> None:
        for each in arguments[:1]:
            name, equals, value = each.partition("=")
            if equals:
                state.values[name] = None if each in unknown else value

    def add(self, command: Command, arguments: list[str], state: State, *, is_submenu: bool) -> None:
        title, given, pending = "", "", list(arguments)
        while pending:
            word = pending.pop(0)
            if word in WITH_VALUE:
                value = pending.pop(0) if pending else ""
                given = value if word == "--id" else given
            elif word.startswith("--"):
                given = word[5:] if word.startswith("--id=") else given
            elif not title:
                title = word
        entry = Entry(command.line, title, given, self.menus, is_certain=state.is_certain)
        if self.entry is None:
            self.pending.append(_Pending(entry, command.block or (), is_submenu))

    def go_on(self, name: str, words: list[str], unknown: set[str], line: int, state: State) -> None:
        """Read another file, if its text is known, in place of this menu or into it."""
        if not words:
            return
        place = self.place(words[0], state)
        is_config = name not in ("source", ".")
        if self.entry is not None and is_config:
            self.entry = replace(self.entry, configs=(*self.entry.configs, place))
            raise _Leave
        try:
            text = None if words[0] in unknown else self.load(place)
        except FormatError:  # GRUB says so, and goes on
            if state.is_certain:
                self.missing.append(place)
            return
        if text is None:
            self.others.append(place)
            state.others = True
        else:
            with self.called(line):
                try:
                    script = parse(text, self.budget)
                except FormatError as error:
                    raise FormatError(f"{place}: {error.message}", error.hint) from error
                if is_config:
                    self.show(script, state)
                else:
                    self.run(script, state)
        if is_config:
            raise _Leave

    def search(self, name: str, arguments: list[str], unknown: set[str], state: State) -> None:
        """Set the variable that `search` sets, to what was searched for."""
        kinds = {"-f": "file", "-l": "label", "-u": "fs-uuid", "fs_label": "label", "fs_uuid": "fs-uuid"}
        kind = kinds.get(name.partition(".")[2], name.partition(".")[2])
        variable, wanted = "", list[str]()
        words = iter(arguments)
        for word in words:
            option, equals, value = word.partition("=")
            if option in ("--set", "-s"):
                variable = value if equals else "root"
            elif option in ("--file", "--label", "--fs-uuid", "-f", "-l", "-u"):
                kind = kinds.get(option, option[2:])
                wanted += [value] if equals else []
            elif option.startswith("--hint") or option == "-h":
                if not equals and option in ("--hint", "-h"):
                    next(words, "")
            elif not word.startswith("-"):
                wanted.append(word)
        if name != "search":
            variable = (wanted[1:2] or ["root"])[0]
        if wanted and variable:
            known = wanted[0] not in unknown
            state.values[variable] = f"search:{kind or 'file'}:{wanted[0]}" if known else None

    def load_env(self, arguments: list[str], state: State) -> None:
        words = iter(arguments)
        names = [word for word in words if not (word in ("-f", "--file") and next(words, "") is not None)]
        names = [name for name in names if not name.startswith("-")]
        state.values.update(dict.fromkeys(names))
        state.others = state.others or not names

    def ask_machine(self, arguments: list[str], state: State) -> None:
        """Forget the variables that a command sets by what it finds on a machine."""
        words = iter(arguments)
        for word in words:
            if word in ("--set", "-s", "-1", "-2", "-3"):
                word = next(words, "")
            elif word.startswith("--set="):
                word = word[6:]
            name = re.sub(r"^\d+:", "", word)
            if re.fullmatch(r"[A-Za-z_]\w*", name):
                state.values[name] = None

    def place(self, word: str, state: State) -> Place:
        device = re.match(r"\(([^)]*)\)", word)
        if device:
            return Place(device[1], word[device.end() :] or "/")
        return Place(named("root", state.get("root")), word)

    def load_into(self, name: str, arguments: list[str], unknown: set[str], state: State) -> None:
        """Change the entry whose commands run, by one that loads something for it."""
        entry = self.entry
        if entry is None:
            return
        files = [word for word in arguments if not word.startswith("--")]
        places = tuple(self.place(word, state) for word in files)
        names = variables([name, *arguments, *(str(place) for place in places)], unknown)
        if name in KERNELS and places:
            entry = replace(entry, kind="linux", kernel=places[0], initrds=(), modules=())
            entry = replace(entry, cmdline=cmdline(arguments[arguments.index(files[0]) + 1 :]))
        elif name in INITRDS:
            entry = replace(entry, initrds=places)
        elif name in MULTIBOOT and places:
            entry = replace(entry, kind="multiboot", kernel=places[0], modules=())
            entry = replace(entry, cmdline=cmdline(arguments[arguments.index(files[0]) + 1 :]))
        elif name in MODULES and places:
            entry = replace(entry, modules=(*entry.modules, places[0]))
        elif name == "chainloader" and places:
            entry = replace(entry, kind="chainloader", kernel=places[0])
        else:
            return
        unknowns = tuple(dict.fromkeys((*entry.unknown, *names)))
        self.entry = replace(entry, unknown=unknowns, is_certain=entry.is_certain and state.is_certain)
