"""Reads BusyBox `init`'s inittab, and the commands in it as BusyBox would run them.

Specification: BusyBox 1.37, examples/inittab, init/init.c (`parse_inittab`, `init_exec`)
https://git.busybox.net/busybox/tree/init/init.c?h=1_37_stable
"""

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

ACTIONS = ("sysinit", "wait", "once", "respawn", "askfirst", "ctrlaltdel", "shutdown", "restart")

SHELL = "/bin/sh"
# a command with one of these goes through a shell, as `sh -c "exec COMMAND"`
SHELL_CHARACTERS = frozenset("~`!$^&*()=|\\{}[];\"'<>?")

KEYWORDS = frozenset(
    ["exec", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "!", "{", "}"]
)


@dataclass(frozen=True)
class Line:
    """One line, numbered from 1; fields that are missing are empty.

    `has_console` says that `console` is the builtin program, which runs the command behind its options.
    """

    number: int
    tty: str
    action: str
    command: str
    has_console: bool = False

    @property
    def is_good(self) -> bool:
        """Whether BusyBox takes the line; it reports and drops others."""
        return self.action in ACTIONS and bool(self.command)

    @property
    def needs_shell(self) -> bool:
        """Whether BusyBox gives the command to a shell."""
        return not SHELL_CHARACTERS.isdisjoint(self.command)

    @property
    def commands(self) -> tuple["Command", ...]:
        """What is run, in order, the script of a `sh -c` taken apart."""
        return tuple(command for script in self.scripts for command in script)

    @property
    def unreachable(self) -> tuple["Command", ...]:
        """What never runs, because an `exec` before it replaces the shell; BusyBox adds one of its own."""
        for script in self.scripts:
            for command, after in pairwise(script):
                if command.is_exec and after.operator in ("&&", "||", ";"):
                    return script[script.index(after) :]
        return ()

    @cached_property
    def scripts(self) -> tuple[tuple["Command", ...], ...]:
        """The command as BusyBox runs it, then the scripts inside it."""
        command = self.command.removeprefix("-")
        words = tuple(command.split())
        plain = (Command("", words, is_exec=True),) if words else ()
        outer = self._with_what_runs(_split(f"exec {command}") if self.needs_shell else plain)
        inner = (
            self._with_what_runs(_split(command.words[command.words.index("-c") + 1]))
            for command in outer
            if command.applet in ("sh", "ash") and "-c" in command.words[:-1]
        )
        return (outer, *inner)

    def _with_what_runs(self, script: tuple["Command", ...]) -> tuple["Command", ...]:
        """Return the commands, each `console` followed by the one that it runs."""
        if not self.has_console:
            return script
        return tuple(each for command in script for each in (command, command.run_by_console) if each)


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command of a shell list: the operator in front of it, its words without redirections."""

    operator: str
    words: tuple[str, ...]
    is_exec: bool

    @property
    def name(self) -> str:
        """The program, as it is written."""
        return self.words[0]

    @property
    def applet(self) -> str:
        """The program without its folder; for `busybox reboot` it is `reboot`."""
        base = self.name.rpartition("/")[2]
        return self.words[1] if base == "busybox" and len(self.words) > 1 else base

    @property
    def run_by_console(self) -> "Command | None":
        """What `console [--on-success ENDING] COMMAND` runs; None where this is no such command."""
        words = self.words[3 if self.words[1:2] == ("--on-success",) else 1 :]
        return Command("", words, self.is_exec) if self.applet == "console" and words else None


def read_inittab(text: str, *, has_console: bool = False) -> tuple[Line, ...]:
    """Return the lines that are neither empty nor comments; a `#` starts a comment anywhere in a line.

    A terminal is named with or without `/dev/`.
    """
    lines = []
    pending = ""
    for number, physical in enumerate(text.split("\n"), start=1):
        pending += physical
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        line, pending = pending.partition("#")[0], ""
        if line:
            tty, _, action, command = [*line.split(":", 3), "", "", ""][:4]
            lines.append(Line(number, tty.removeprefix("/dev/"), action, command, has_console))
    return tuple(lines)


def read_script(text: str) -> tuple[Command, ...]:
    """Return the simple commands of a shell script, whose comments are left out, as of a shell list."""
    lines = text.replace("\\\n", " ").split("\n")
    return tuple(command for line in lines for command in _split(re.sub(r"(^|\s)#.*", "", line)))


def _split(script: str) -> tuple[Command, ...]:
    """Return the simple commands of a shell list.

    Quotes, lists, pipes, groups and redirections are understood; a loop's or a test's keyword is passed
    over. What a shell would only know at run time, such as `$VARIABLE`, stays as it is written.
    """
    lexer = shlex.shlex(script.replace("\n", ";"), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        lexed = [*lexer, ";"]
    except ValueError:  # a quote that is not closed: the shell will not run it either
        lexed = [script, ";"]
    commands = []
    operator, words, is_exec, redirected = "", list[str](), False, False
    for word in lexed:
        is_operator = word and set(word) <= set("();<>|&")
        if is_operator and set(word) & set("<>"):
            redirected = True
        elif is_operator:
            if words:
                commands.append(Command(operator, tuple(words), is_exec))
            operator, words, is_exec = word, [], False
        elif redirected:
            redirected = False
        elif not words and (word in KEYWORDS or re.match(r"\w+=", word)):
            is_exec = is_exec or word == "exec"
        else:
            words.append(word)
    return tuple(commands)
