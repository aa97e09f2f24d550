"""What must hold of a kernel command line that boots into an initramfs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.kind import Kind
from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Image, budget_of

MAX_SIZE = 1 << 16  # bytes
MAX_LENGTH = 2047  # bytes; COMMAND_LINE_SIZE of x86 with its NUL is 2048
INIT = "/sbin/init"
CONTRARY = (("ro", "rw"), ("quiet", "debug"), ("quiet", "ignore_loglevel"))
ONCE = frozenset(["rdinit", "root", "rootfstype", "init", "loglevel", "panic", "vconsole.keymap"])
PARAMETERS = "Linux, Documentation/admin-guide/kernel-parameters.txt"
LOUD = frozenset("567")  # log levels that show what `quiet` hides


@dataclass(frozen=True, slots=True)
class Cmdline:
    """The bytes, and the parameters as Linux splits them: key and value, up to `--`."""

    raw: bytes
    parameters: tuple[tuple[str, str], ...]

    def values(self, key: str) -> list[str]:
        """Return the values that `key` is given, in order."""
        return [value for name, value in self.parameters if name == key]


def read_cmdline(image: Image) -> Cmdline:
    """Split a command line; double quotes protect spaces, as in Linux' `next_arg`; a NUL ends it.

    Raises FormatError when it has more than `MAX_SIZE` bytes.
    """
    if len(image) > MAX_SIZE:
        raise FormatError(
            f"the command line has {len(image)} bytes, too many for one",
            f"Linux takes {MAX_LENGTH}: shorten it",
        )
    raw = bytes(image)
    words = re.findall(r'(?:[^\s"]|"[^"]*"?)+', raw.partition(b"\0")[0].decode(errors="replace"))
    budget_of(image).spend(STEPS, len(words))
    if "--" in words:
        words = words[: words.index("--")]
    pairs = (word.replace('"', "").partition("=") for word in words)
    return Cmdline(raw, tuple((key, value) for key, _, value in pairs))


rule = Rules[Cmdline]()


@rule(
    "CMD006",
    "it is one line of printable ASCII",
    policy="appliance",
    spec="systemd, src/boot/util.c (mangle_stub_cmdline)",
    fix="write it in one line of printable ASCII, without a line feed at the end",
)
def is_one_plain_line(cmdline: Cmdline) -> Iterator[Fault]:
    """Stubs differ in what they make of other bytes: spaces, or the end of the line."""
    bad = re.search(rb"[^ -~]", cmdline.raw)
    if bad:
        yield (
            f"the command line has the byte {bad[0][0]:#04x} at offset {bad.start()}; "
            "it should be one line of printable ASCII"
        )


@rule(
    "CMD001",
    f"rdinit={INIT} is there",
    policy="appliance",
    spec=f"{PARAMETERS}, rdinit=",
    fix=f"write rdinit={INIT}, once",
)
def starts_init(cmdline: Cmdline) -> Iterator[Fault]:
    """Without rdinit the kernel looks for /init, then for a root file system, and panics."""
    found = cmdline.values("rdinit")
    if not found:
        yield (
            "the command line has no rdinit=: the kernel would look for a root file system and panic with "
            "`VFS: Unable to mount root fs`"
        )
    elif found[-1] != INIT:
        yield f"the command line says rdinit={found[-1]}, not rdinit={INIT}"


@rule(
    "CMD002",
    "a screen and a serial port are consoles",
    policy="appliance",
    spec="Linux, Documentation/admin-guide/serial-console.rst",
    fix="name both: console=ttyS0,115200 console=tty0; the last one is /dev/console",
)
def has_screen_and_serial(cmdline: Cmdline) -> Iterator[Fault]:
    """A machine without a screen shows nothing on tty0, and one without serial nothing on ttyS0."""
    consoles = [value.partition(",")[0] for value in cmdline.values("console")]
    shown = " ".join(f"console={value}" for value in cmdline.values("console")) or "no console= at all"
    if "tty0" not in consoles:
        yield f"the command line names no screen as a console: it has {shown}", "add console=tty0"
    if not any(re.fullmatch(r"ttyS\d+|hvc\d+|ttyAMA\d+", console) for console in consoles):
        yield f"the command line names no serial console: it has {shown}", "add console=ttyS0,115200"


@rule(
    "CMD003",
    f"it has at most {MAX_LENGTH} bytes",
    lenient=True,
    spec="Linux, arch/x86/include/asm/setup.h (COMMAND_LINE_SIZE)",
    fix="shorten it",
)
def is_short_enough(cmdline: Cmdline) -> Iterator[Fault]:
    """Linux cuts what is longer."""
    if len(cmdline.raw) > MAX_LENGTH:
        yield f"the command line has {len(cmdline.raw)} bytes; Linux takes {MAX_LENGTH}"


@rule(
    "CMD004",
    "it names no other root or init",
    policy="appliance",
    spec="Linux, init/main.c (kernel_init_freeable)",
    fix="leave root=, rootfstype= and init= out",
)
def names_no_root(cmdline: Cmdline) -> Iterator[Fault]:
    """Everything is in the initramfs; another root contradicts rdinit."""
    for key in ("root", "rootfstype", "init"):
        for value in cmdline.values(key):
            yield (
                f"the command line says {key}={value}, but the system is the initramfs, started by rdinit=",
                f"leave {key}= out",
            )


@rule(
    "CMD005",
    "it does not contradict itself",
    severity=Severity.WARNING,
    spec=f"{PARAMETERS}, and Documentation/admin-guide/bootconfig.rst",
    fix="say each thing once",
)
def says_one_thing(cmdline: Cmdline) -> Iterator[Fault]:
    """Of two that contradict each other Linux takes the last, or both in part."""
    keys = {key for key, _ in cmdline.parameters}
    for pair in CONTRARY:
        if keys.issuperset(pair):
            yield f"the command line says {pair[0]} and {pair[1]}", f"leave {pair[0]} or {pair[1]} out"
    loud = [value for value in cmdline.values("loglevel") if value in LOUD]
    if "quiet" in keys and loud:
        yield f"the command line says quiet and loglevel={loud[0]}", "leave quiet or loglevel= out"
    for key in sorted(keys & ONCE):
        values = list(dict.fromkeys(cmdline.values(key)))
        if len(values) > 1:
            shown = " and ".join(f"{key}={value}" for value in values)
            yield f"the command line says {shown}", f"say {key}= once"
    options: dict[str, str] = {}
    for value in cmdline.values("console"):
        name, _, option = value.partition(",")
        if options.setdefault(name, option) != option:
            yield (
                f"the command line says console={name},{options[name]} and console={value}",
                f"name {name} once",
            )


CMDLINE = Kind("cmdline", "kernel command line", "CMD000", read_cmdline, tuple(rule.table))
