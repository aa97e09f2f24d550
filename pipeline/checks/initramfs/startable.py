"""What Linux can start out of an initramfs: which file a path leads to, and why the kernel refuses it.

Specification: Linux 6.12, fs/exec.c, fs/binfmt_script.c, fs/binfmt_elf.c
"""

import posixpath
from dataclasses import dataclass
from typing import Literal

from pipeline.checks.attempt import attempt, or_none
from pipeline.checks.initramfs.closure import missing_for
from pipeline.checks.kernel import Kernel
from pipeline.checks.kind import Node
from pipeline.errors import FormatError
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.elf import MAGIC, Elf, read_elf
from pipeline.formats.magic import describe
from pipeline.formats.pe import Pe, machine_name
from pipeline.formats.tree import Tree

BINPRM_BUF_SIZE = 256  # bytes: how much of a file Linux looks at to see what it is
PATH = ("/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin")  # of env, which Linux hands none
MAX_SCRIPTS = 5  # each the interpreter of the last (exec_binprm)
PAGE = 4096  # bytes; what a file lacks within its last page reads as zeros
BLANKS = b" \t"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
WINDOWS = "its lines end as on Windows, in CR and LF"
LINK_MARKS = (b"!<symlink>", b"IntxLNK\1")  # of links in files, as Cygwin and Interix write them
MAX_LINK = 100  # bytes of a text that may have been a link

RUN_BY = {
    0x8664: {("x86-64", 64): "BINFMT_ELF", ("x86", 32): "IA32_EMULATION"},
    0x14C: {("x86", 32): "BINFMT_ELF"},
    0xAA64: {("AArch64", 64): "BINFMT_ELF", ("ARM", 32): "COMPAT"},
    0x5064: {("RISC-V", 64): "BINFMT_ELF", ("RISC-V", 32): "COMPAT"},
    0x6264: {("LoongArch", 64): "BINFMT_ELF"},
}
"""By the machine in a kernel's PE header: which programs it runs, and the option for each."""

Lack = Literal["nothing there", "no program", "cannot run"]


class Refused(FormatError):  # noqa: N818  of a path, nothing is wrong with the file
    """Why Linux cannot start what it is told to. Where nothing is there, it looks for a root file system."""

    def __init__(self, message: str, hint: str, lack: Lack = "cannot run") -> None:
        super().__init__(message, hint)
        self.lack = lack


@dataclass(frozen=True, slots=True)
class Started:
    """The file that a path leads to, a script or a program, and the program that runs in the end."""

    entry: Entry
    elf: Elf


def start(initramfs: Node, path: str, kernel: Node | None = None) -> Started:
    """Return what Linux starts for a path.

    `kernel` is the node of the kernel that does, None if unknown. Raises Refused with the reason.
    """
    tree: Tree = initramfs.artifact.tree
    entry = first = _file(tree, path)
    for _ in range(MAX_SCRIPTS + 1):
        if entry.missing:
            raise Refused(
                f"/{entry.name} is cut off: the archive ends {entry.missing} bytes before it does",
                "make the archive again",
            )
        interpreter, argument = interpreter_of(entry)
        if not interpreter:
            shown = path if entry is first else f"/{entry.name}"
            return Started(first, _program(initramfs, entry, shown, kernel))
        if _option(kernel, "BINFMT_SCRIPT") == "n":
            raise Refused(
                f"/{entry.name} is a script, but the kernel was built without CONFIG_BINFMT_SCRIPT",
                "build it with CONFIG_BINFMT_SCRIPT=y, or start a program with rdinit=",
            )
        script, entry = entry, _interpreter(tree, entry, interpreter)
        if argument.endswith("\r"):
            raise Refused(f"/{script.name} hands {interpreter} {argument!r}: {WINDOWS}", _without_cr(script))
        if interpreter.rpartition("/")[2] == "env":
            _check_env(tree, script, argument)
    raise Refused(
        f"{path} is a script for a script, and so on, more than {MAX_SCRIPTS} times",
        "name a program after its `#!`, such as /bin/sh",
    )


def _file(tree: Tree, path: str) -> Entry:
    try:
        return tree.resolve_program(path)
    except FormatError as error:
        is_there = or_none(tree.resolve, path) is not None
        raise Refused(error.message, error.hint, "no program" if is_there else "nothing there") from error


def interpreter_of(entry: Entry) -> tuple[str, str]:
    """Return what a script names after `#!`, and the one argument behind it; "" for what is no script.

    Raises Refused as `load_script` fails.
    """
    head = bytes(entry.data[:BINPRM_BUF_SIZE])
    if not head.startswith(b"#!"):
        return "", ""
    text = head.partition(b"\0")[0]
    line, end, _ = text[2:].partition(b"\n")
    words = line.lstrip(BLANKS).replace(b"\t", b" ").split(b" ")
    if not end and len(text) == BINPRM_BUF_SIZE and len(words) == 1:
        raise Refused(
            f"the first line of /{entry.name} is longer than the {BINPRM_BUF_SIZE} bytes that Linux reads",
            "give the interpreter a shorter path",
        )
    if not words[0]:
        raise Refused(
            f"/{entry.name} is a script that names no interpreter", "begin it with a line such as `#!/bin/sh`"
        )
    argument = line.strip(BLANKS)[len(words[0]) :].strip(BLANKS)
    return words[0].decode(errors="surrogateescape"), argument.decode(errors="surrogateescape")


def _interpreter(tree: Tree, script: Entry, path: str) -> Entry:
    found = attempt(tree.resolve_program, path)
    if not isinstance(found, FormatError):
        return found
    if path.endswith("\r"):
        raise Refused(
            f"/{script.name} is a script for {path!r}, which is not in the archive: {WINDOWS}",
            _without_cr(script),
        )
    if not path.startswith("/"):
        raise Refused(
            f"/{script.name} is a script for {path}, which Linux looks for as /{path}: it searches no PATH",
            f"write the whole path: `#!/bin/{path.rpartition('/')[2]}`",
        )
    raise Refused(f"/{script.name} is a script for {path}, but {found.message}", found.hint)


def _without_cr(script: Entry) -> str:
    return rf"run `sed -i 's/\r$//' {script.name}`, and pack the initramfs again"


def _check_env(tree: Tree, script: Entry, argument: str) -> None:
    """What env(1) is to look for is all that stands behind it, unless that begins with `-S`."""
    words = argument.removeprefix("-S").split()
    wanted = words[0] if argument.startswith("-S") and words else argument
    if wanted.startswith("-") or "=" in wanted:
        return
    if not any(or_none(tree.resolve_program, posixpath.join(place, wanted)) for place in PATH):
        raise Refused(
            f"/{script.name} is a script for env, which does not find {wanted!r}",
            f"name the program itself, such as `#!/bin/{words[0] if words else 'sh'}`",
        )


def _program(initramfs: Node, entry: Entry, path: str, kernel: Node | None) -> Elf:
    """Return the headers of a program whose loader and libraries are there."""
    if bytes(entry.data[: len(MAGIC)]) != MAGIC:
        what, remedy = _instead(entry, _link_target(initramfs.artifact.tree, entry))
        raise Refused(f"{path} is {what}", remedy)
    elf = _loadable(entry, kernel)
    if elf.interpreter:
        tree: Tree = initramfs.artifact.tree
        try:
            loader = _loadable(tree.resolve_program(elf.interpreter), kernel)
        except FormatError as error:
            raise Refused(
                f"/{entry.name} needs its loader {elf.interpreter}, but {error.message}", error.hint
            ) from error
        if (loader.bits, loader.machine) != (elf.bits, elf.machine):
            raise Refused(
                f"/{entry.name} is for {elf.bits}-bit {elf.machine}, "
                f"its loader {elf.interpreter} for {loader.bits}-bit {loader.machine}",
                f"add {elf.interpreter} for {elf.machine}",
            )
    lacking = missing_for(initramfs, entry.name)
    if lacking:
        needs, what = lacking
        raise Refused(
            f"/{needs} needs {what}, which its loader does not find in the archive",
            f"add {what} to the initramfs, or link /{entry.name} statically",
        )
    return elf


def _loadable(entry: Entry, kernel: Node | None) -> Elf:
    """Return the headers of a program of which Linux can map all that it asks for."""
    try:
        elf = read_elf(entry.data)
    except FormatError as error:
        raise Refused(f"/{entry.name} is damaged: {error.message}", error.hint) from error
    if elf.kind not in ("ET_EXEC", "ET_DYN") or not elf.loaded:
        raise Refused(
            f"/{entry.name} is an ELF file of type {elf.kind} with {elf.loaded} bytes to load, not a program",
            "give the linked program, not an object file",
        )
    if not elf.entry:
        raise Refused(f"/{entry.name} is a library, without an entry point", "give a program")
    if elf.loaded > len(entry.data) + -len(entry.data) % PAGE:
        raise Refused(
            f"/{entry.name} is cut off: it loads {elf.loaded} bytes, the file has {len(entry.data)}",
            "pack the whole program",
        )
    _check_machine(entry, elf, kernel)
    return elf


def _check_machine(entry: Entry, elf: Elf, kernel: Node | None) -> None:
    found = kernel.artifact if kernel else None
    pe = found.pe if isinstance(found, Kernel) else found
    machine = pe.machine if isinstance(pe, Pe) else 0
    runs = RUN_BY.get(machine)
    if runs is None:
        return
    option = runs.get((elf.machine, elf.bits))
    if option is None:
        bits = f"{elf.bits}-bit " if any(elf.machine == name for name, _ in runs) else ""
        raise Refused(
            f"/{entry.name} is a program for {bits}{elf.machine}, the kernel is for {machine_name(machine)}",
            "make the initramfs of programs for the kernel's machine",
        )
    if _option(kernel, option) == "n":
        raise Refused(
            f"/{entry.name} is a program for {elf.bits}-bit {elf.machine}, "
            f"but the kernel was built without CONFIG_{option}",
            f"build the kernel with CONFIG_{option}=y, or the program for {machine_name(machine)}",
        )


def _option(kernel: Node | None, name: str) -> str:
    return kernel.artifact.option(name) if kernel and isinstance(kernel.artifact, Kernel) else ""


def _instead(entry: Entry, target: str) -> tuple[str, str]:
    """Return what a file is that is neither script nor program, as a noun phrase, and what to do with it."""
    name, head = entry.name, bytes(entry.data[:BINPRM_BUF_SIZE])
    if target:
        return (
            f"a text file that says {target!r}: a symbolic link that became a file",
            f"make it a link again, `ln -sf {target} {name}`, and pack the initramfs again",
        )
    is_like = f"{describe(entry.data)}, which is not a program"
    if head.startswith(BYTE_ORDER_MARK):
        if head.startswith(BYTE_ORDER_MARK + b"#!"):
            is_like = "a script with a byte order mark in front of its `#!`, which is not a program"
        return is_like, rf"run `sed -i '1s/^\xef\xbb\xbf//' {name}`, and pack the initramfs again"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return is_like, f"run `iconv -f UTF-16 -t UTF-8 {name}`, and pack what that prints"
    if head.lstrip().startswith(b"#!"):
        return (
            "a script with blanks in front of its `#!`, which is not a program",
            f"take away what stands in front of `#!` in {name}",
        )
    if not head:
        return is_like, f"copy a program there: `cp busybox {name}`"
    return is_like, "put a program there, or a script that begins with `#!/bin/sh`"


def _link_target(tree: Tree, entry: Entry) -> str:
    """Return where a file that was a link led, "" for what never was one."""
    if len(entry.data) > MAX_LINK:
        return ""
    text = bytes(entry.data)
    mark = next((mark for mark in LINK_MARKS if text.startswith(mark)), b"")
    encoding = "utf-16" if text[len(mark) :].startswith(b"\xff\xfe") else "utf-8"
    target = text[len(mark) :].decode(encoding, errors="replace").strip("\0\r\n ")
    if not target or not target.isprintable():
        return ""
    folder = "" if target.startswith("/") else f"/{entry.name}".rpartition("/")[0]
    found = or_none(tree.resolve, f"{folder}/{target}")
    return target if found is not entry and (found or mark) else ""
