"""Scans a /boot as Heads does: which systems its menu offers, and why others are not among them.

Heads reads no boot loader's language. It takes the lines of each `*.cfg` below /boot that look like GRUB's or
syslinux', as a shell reads them, and knows neither variables nor other partitions. Where that finds nothing,
and there is a `*.cfg`, the entries in loader/entries count. What it has found goes through `eval`.

Specification: Heads, initrd/bin/kexec-parse-boot.sh, kexec-parse-bls.sh and initrd/etc/functions.sh
(`scan_boot_options`), https://github.com/linuxboot/heads
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from pipeline.errors import FormatError
from pipeline.formats.boot_files import Files
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import budget_of

MAX_CMDLINE = 2047  # bytes, as Linux on x86: COMMAND_LINE_SIZE with its NUL
MAX_CONFIGS = 1000
LETTERS_A_STEP = 64

VARIABLE = re.compile(r"\$(?:\w+|\{[^}]*\})")
RUNS = re.compile(r"\$\(|`")
PARENTHESES = re.compile(r"\([^)]*\)")
SEPARATOR = re.compile(r"\s*---\s*")

TOP = "name it from the top of the partition that it is on, without a variable"
LAST_LINE = "end the file with a line break: a shell drops a last line without one"


Why = Literal["place", "kernel", "initrd", "lines", "quotes", "other"]
"""What keeps an entry or a file from being found."""


@dataclass(frozen=True, slots=True)
class Note:
    """What Heads makes of an entry that was hardly meant: `kind` is what in it does so."""

    kind: Literal["variable", "eval", "title", "cmdline"]
    message: str


@dataclass(frozen=True, slots=True)
class Found:
    """A system that Heads offers; paths are from the partition's top, `source` is where it was found.

    `faults` are why it would not start all the same.
    """

    name: str
    kernel: str
    initrds: tuple[str, ...]
    cmdline: str
    source: str
    faults: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Missed:
    """What Heads does not offer: a file or an entry in it, why not, and what to do."""

    source: str
    message: str
    hint: str
    why: Why = "other"


@dataclass(frozen=True, slots=True)
class Scan:
    """What Heads finds, in the order of the files' names; its own is that of the directories."""

    found: tuple[Found, ...]
    missed: tuple[Missed, ...]


@dataclass
class _Entry:
    """An entry while its lines are read."""

    name: str = ""
    kernel: str = ""
    initrd: str = ""
    append: str = ""
    modules: list[str] = field(default_factory=list)
    is_multiboot: bool = False
    is_meant: bool = True  # not a line that only begins like an entry's


class _Vanished(Exception):  # noqa: N818  as the script ends: what was found until then stands
    """The script ends at an initramfs that is not there."""


def scan(files: Files) -> Scan:
    """Return what Heads finds in a /boot; what cannot be read of it is among what it misses."""
    reader = _Reader(files)
    for path in reader.configs:
        reader.read_config(path)
    if not reader.found and reader.configs and files.find("loader/entries") in files.folders:
        reader.read_bls()
    return Scan(tuple(reader.found), tuple(reader.missed))


class _Reader:
    def __init__(self, files: Files) -> None:
        self.files = files
        self.found: list[Found] = []
        self.missed: list[Missed] = []
        self.configs: list[str] = []
        for path in sorted(path for path in files.names() if path.endswith(".cfg")):
            if "EFI" in path:
                self.miss(path, "it lies below EFI, where Heads does not look", "put it into /grub", "place")
            elif any(letter in path for letter in " \t\n"):
                self.miss(
                    path, "its path has a blank, at which Heads cuts it", "leave the blank out", "place"
                )
            elif files.is_file(path):
                self.configs.append(path)
        for path in self.configs[MAX_CONFIGS:]:
            self.miss(path, f"it is one of more than {MAX_CONFIGS} *.cfg", "leave some out")
        del self.configs[MAX_CONFIGS:]

    def miss(self, source: str, message: str, hint: str, why: Why = "other") -> None:
        self.missed.append(Missed(source, message, hint, why))

    def lines(self, path: str) -> Iterator[str]:
        """Yield what `while read line` makes of a file: without what is around blanks and backslashes."""
        text = self.files.text(path).replace("\0", "")
        budget_of(self.files.image(path)).spend(STEPS, 1 + len(text) // LETTERS_A_STEP)
        text = re.sub(r"\\(.?)", lambda match: match[1].replace("\n", ""), text, flags=re.DOTALL)
        *whole, last = text.split("\n")
        for line in whole:
            yield line.strip(" \t")
        if last.strip(" \t"):
            self.miss(path, f"its last line, {last.strip()[:60]!r}, has no line break", LAST_LINE, "lines")

    def read_config(self, path: str) -> None:
        try:
            with suppress(_Vanished):
                _Config(self, path).read()
        except FormatError as error:
            self.miss(path, error.message, error.hint)

    def read_bls(self) -> None:
        folder = self.files.find("loader/entries") or ""
        for path in sorted(self.files.files):
            if path.startswith(f"{folder}/") and path.endswith(".conf"):
                try:
                    self.read_bls_entry(path)
                except FormatError as error:
                    self.miss(path, error.message, error.hint)

    def read_bls_entry(self, path: str) -> None:
        entry = _Entry()
        for line in self.lines(path):
            key, value = _command(line)
            if key == "title":
                entry.name = value
            elif key.startswith("linux"):
                entry.kernel = value.removeprefix("/boot")
            elif key.startswith("initrd"):
                entry.initrd = value.removeprefix("/boot")
            elif key == "options":
                entry.append = value
        if entry.kernel:
            self.add(entry, path, (entry.initrd,) if entry.initrd else ())
        else:
            self.miss(path, "it has no `linux`", "name the kernel")

    def add(self, entry: _Entry, source: str, initrds: tuple[str, ...]) -> None:
        """Add what Heads offers, as `eval` leaves it."""
        append = "" if entry.is_multiboot else entry.append
        wanted = (entry.kernel.partition(" ")[0], *initrds, *entry.modules)
        if source.endswith(".cfg") and (append + "".join(wanted)).count('"') % 2:
            message = f"entry {entry.name!r}: its quotes are not closed, in {append[:80]!r}"
            self.miss(source, message, "leave the quotes out", "quotes")
            return
        notes = tuple(_notes(entry.name, append, wanted))
        paths = tuple(_evaluated(path) for path in wanted)
        faults = tuple(
            f"{_named(path)} is not there, and Heads fails to start it"
            for path in paths
            if not self.files.is_file(path)
        )
        self.found.append(
            Found(
                _evaluated(entry.name.replace("|", "")),
                paths[0],
                paths[1 : 1 + len(initrds)],
                _evaluated(append),
                source,
                faults,
                notes,
            )
        )


class _Config:
    """One `*.cfg` while its lines are read, by the states of kexec-parse-boot."""

    def __init__(self, reader: _Reader, path: str) -> None:
        self.reader, self.path = reader, path
        self.entry: _Entry | None = None
        self.is_grub = True

    def read(self) -> None:
        for line in self.reader.lines(self.path):
            if self.entry is None:
                self.search(line)
            elif self.is_grub:
                self.grub(line)
            else:
                self.syslinux(line)
        if self.entry is not None and not self.is_grub:
            self.syslinux_end()
        elif self.entry is not None and self.entry.is_meant:
            self.miss("it is not closed by a line of only `}`", "put `}` on a line of its own", "lines")

    def miss(self, message: str, hint: str, why: Why = "other") -> None:
        name = self.entry.name if self.entry else ""
        self.reader.miss(self.path, f"entry {name!r}: {message}", hint, why)

    def search(self, line: str) -> None:
        if line.startswith(("menuentry", "MENUENTRY")):
            is_entry = re.match(r"menuentry\s", line, re.IGNORECASE)
            words = " ".join(line.split()).replace("'", '"').split('"')
            name = words[min(len(words) - 1, 1)]
            self.entry, self.is_grub = _Entry(name, is_meant=bool(is_entry)), True
        elif line.startswith(("label", "LABEL")):
            self.entry, self.is_grub = _Entry(name=line[5:].strip()), False

    def grub(self, line: str) -> None:
        entry = self.entry or _Entry()
        if line == "}":
            if entry.kernel:
                self.end()
            elif entry.is_meant:
                self.miss("it has no line with `linux`", "Heads starts Linux and Xen alone")
            self.entry = None
            return
        command, value = _command(line)
        if re.match(r"menuentry\s", line):
            self.miss(
                "another entry begins before a line of only `}`: Heads takes both for one",
                "put each command and each `}` on a line of its own",
                "lines",
            )
        if command.startswith("multiboot"):
            entry.is_multiboot, entry.kernel = True, value
        elif command.startswith("module"):
            entry.modules.append(value.removeprefix("--nounzip").lstrip(" ").partition(" ")[0])
        elif command.startswith("linux"):
            words = " ".join(line.split()).split(" ", 2)
            entry.kernel = PARENTHESES.sub("", " ".join(words)).split(" ", 2)[min(len(words) - 1, 1)]
            entry.append = SEPARATOR.sub(" ", words[2]).strip() if len(words) > 2 else ""
        elif command.startswith("initrd"):
            entry.initrd = PARENTHESES.sub("", value)

    def syslinux(self, line: str) -> None:
        entry = self.entry or _Entry()
        if not line or line.startswith(("label", "LABEL")):
            self.syslinux_end()
            self.search(line)
            return
        command, value = _command(line)
        if command.startswith(("menu", "MENU")):
            key, label = _command(value)
            if key in ("label", "LABEL"):
                entry.name = label.replace("^", "")
        elif command.startswith(("linux", "LINUX", "kernel", "KERNEL")):
            if value.endswith("mboot.c32"):
                entry.is_multiboot = True
            elif value.endswith(".c32"):
                self.entry = None
            else:
                entry.kernel = value
        elif command.startswith(("initrd", "INITRD")):
            entry.initrd = value
        elif command.startswith(("append", "APPEND")) and entry.is_multiboot:
            for part in value.split(" --- "):
                if entry.kernel:
                    entry.modules.append(part.strip().partition(" ")[0])
                else:
                    entry.kernel = part.strip()
        elif command.startswith(("append", "APPEND")):
            entry.append = value

    def syslinux_end(self) -> None:
        entry = self.entry or _Entry()
        if not entry.initrd:
            words = entry.append.split()
            entry.initrd = next((word[7:] for word in reversed(words) if word.startswith("initrd=")), "")
            entry.append = " ".join(word for word in words if not word.startswith("initrd="))
        if entry.kernel:
            self.end()
        self.entry = None

    def end(self) -> None:
        """Add the entry whose lines end here, if its files are there."""
        entry = self.entry or _Entry()
        words = entry.kernel.split(" ")
        kernel = self.from_top(words[0])
        if not self.is_there(kernel):
            self.miss(f"{_named(kernel)} is not there", self.advice(words[0]), "kernel")
            return
        initrds = [] if entry.is_multiboot else entry.initrd.replace(",", " ").split()
        initrds = [self.from_top(path) for path in initrds]
        for path in initrds:
            if not self.is_there(path):
                message = f"{_named(path)} is not there, and Heads leaves this entry out and all behind it"
                self.miss(message, TOP, "initrd")
                raise _Vanished
        modules = [self.from_top(path) for path in entry.modules]
        made = replace(entry, kernel=" ".join([kernel, *words[1:]]), modules=modules)
        self.reader.add(made, self.path, tuple(initrds))

    def from_top(self, path: str) -> str:
        folder = self.path.rpartition("/")[0]
        return path if path.startswith("/") else f"/{folder}/{path}" if folder else f"/{path}"

    def is_there(self, path: str) -> bool:
        """Tell whether Heads takes a path: what has a variable in it may be there when it starts."""
        return bool(VARIABLE.search(path)) or self.reader.files.find(path) is not None

    def advice(self, path: str) -> str:
        if self.reader.files.is_file(path.removeprefix("/boot")) and path.startswith("/boot/"):
            return f"say {path.removeprefix('/boot')}: /boot is this partition's top"
        return TOP


def _command(line: str) -> tuple[str, str]:
    """Return the first word and the rest, which is the word itself where there is nothing else (cut(1))."""
    words = " ".join(line.replace("\t", " ").split()).split(" ", 1)
    return words[0], words[-1]


def _evaluated(text: str) -> str:
    """Return what `eval "echo \\"…\\""` leaves of a text: no variables, no quotes, single blanks."""
    return " ".join(VARIABLE.sub("", text).replace('"', "").split())


def _notes(name: str, append: str, paths: tuple[str, ...]) -> Iterator[Note]:
    for text in (name, append, *paths):
        if RUNS.search(text):
            yield Note("eval", f"Heads runs what stands in ` or $() as a command, in {text[:80]!r}")
        elif VARIABLE.search(text):
            found = ", ".join(VARIABLE.findall(text)[:4])
            yield Note("variable", f"Heads expands {found} to nothing, in {text[:80]!r}")
        if '"' in text:
            yield Note("eval", f"Heads takes the quotes for its shell's, in {text[:80]!r}")
    if "|" in name:
        yield Note("title", f"Heads shows the name {name[:80]!r} without its |")
    size = len(append.encode(errors="surrogateescape"))
    if size > MAX_CMDLINE:
        yield Note("cmdline", f"the command line has {size} bytes, and Linux takes {MAX_CMDLINE}")


def _named(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
