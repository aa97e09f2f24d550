"""What must hold of a script for iPXE: it is followed as iPXE does it, on firmware for UEFI and on a BIOS.

Specification: https://ipxe.org/scripting, https://ipxe.org/cmd
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.checks.finding import Fault, Finding, Rules, judge
from pipeline.errors import FormatError

SECTION = "Starting over the network"
SPECIFICATION = "iPXE, https://ipxe.org/scripting"
MAX_SIZE = 1 << 16  # bytes
FIRST_LINE = "#!ipxe"
PLATFORMS = {"efi": "UEFI", "pcbios": "BIOS"}
"""What `${platform}` says, and for which firmware."""

LOADS = ("kernel", "initrd", "chain")
STARTS = ("boot", "chain")
KNOWN = (*LOADS, "boot", "goto", "echo", "sleep")


@dataclass(frozen=True, slots=True)
class Load:
    """A file that is loaded, by its URL, and the command line that it is given."""

    command: str
    url: str
    cmdline: str


@dataclass(frozen=True, slots=True)
class Netboot:
    """What a script loads on each platform, or why that cannot be told; and what it ought to load.

    `files` are those beside it, `cmdline` is the UKI's command line.
    """

    loads: Mapping[str, Sequence[Load]]
    files: Sequence[str]
    cmdline: str
    unclear: str = ""


def follow(text: str, platform: str) -> list[Load]:
    """Return what a script loads on a platform until it starts something.

    Raises FormatError for one that starts nothing, and for what this reader does not know.
    """
    lines = text.splitlines()
    if lines[:1] != [FIRST_LINE]:
        raise FormatError(f"its first line is {''.join(lines[:1])!r}, not {FIRST_LINE!r}")
    labels = {line.strip(): at for at, line in enumerate(lines) if line.startswith(":")}
    loads: list[Load] = []
    at, left = 1, len(lines)
    while at < len(lines):
        words = lines[at].replace("${platform}", platform).split()
        at += 1
        left -= 1
        if not words or words[0].startswith(("#", ":")):
            continue
        goal = _goal(words)
        if goal is not None:
            if f":{goal}" not in labels:
                raise FormatError(f"it goes to {goal!r}, and has no label :{goal}")
            at = labels[f":{goal}"]
            if left < 0:
                raise FormatError(f"it goes to {goal!r} for ever")
        elif words[0] in LOADS and len(words) > 1:
            loads.append(Load(words[0], words[1], " ".join(words[2:])))
        elif words[0] not in (*KNOWN, "iseq"):
            raise FormatError(f"{words[0]!r} is not a command that is known here")
        if words[0] in STARTS:
            return loads
    raise FormatError(f"with {PLATFORMS[platform]} it comes to its end and has started nothing")


def _goal(words: list[str]) -> str | None:
    """Return the label that a line goes to, None where it goes on: `goto L`, or `iseq A B && goto L ||`."""
    if words[0] == "goto" and len(words) == 2:
        return words[1]
    match words:
        case ["iseq", one, other, "&&", "goto", goal, "||"]:
            return goal if one == other else None
        case ["iseq" | "goto", *_]:
            raise FormatError(f"{' '.join(words)!r} is not a condition that is known here")
    return None


rule = Rules[Netboot]()


@rule(
    "NET000",
    "a script can be followed",
    spec=SPECIFICATION,
    fix=f"begin with {FIRST_LINE}, use `iseq … && goto … ||`, and of commands {', '.join(KNOWN)} alone",
)
def can_be_followed(netboot: Netboot) -> Iterator[Fault]:
    """iPXE ends a script at the first command that fails, and the machine then goes on without it."""
    if netboot.unclear:
        yield netboot.unclear


@rule(
    "NET001",
    "what a script loads lies beside it",
    spec=f"{SPECIFICATION}; RFC 3986, §5.2",
    fix="name a file that is published beside the script, without a folder or a server",
)
def is_offered(netboot: Netboot) -> Iterator[Fault]:
    """A URL without server and folder is right wherever the files are put, as long as they stay together."""
    for platform, loads in netboot.loads.items():
        for load in loads:
            if load.url not in netboot.files:
                known = ", ".join(netboot.files)
                yield (
                    f"with {PLATFORMS[platform]} it loads {load.url!r}, which is not offered "
                    f"(offered: {known})"
                )


@rule(
    "NET002",
    "what is started gets the UKI's command line",
    spec=f"{SPECIFICATION}; systemd-stub(7), EFI load options",
    fix="hand over the command line of the UKI",
)
def has_the_command_line(netboot: Netboot) -> Iterator[Fault]:
    """Over the network the same system has to start as from a medium.

    iPXE hands a UKI its name at least, which then takes the place of the command line that is in it.
    """
    for platform, loads in netboot.loads.items():
        for load in loads:
            if load.command != "initrd" and load.cmdline != netboot.cmdline:
                yield (
                    f"with {PLATFORMS[platform]} {load.url} gets the command line {load.cmdline!r}, "
                    f"not {netboot.cmdline!r}"
                )


@dataclass(frozen=True, slots=True)
class Script:
    """A step's check: the script loads nothing but `files`, and starts them with the UKI's `cmdline`."""

    files: tuple[str, ...]
    cmdline: str

    def __call__(self, path: Path) -> list[Finding]:
        """Return what is wrong with the script. OSError when it cannot be read."""
        with path.open("rb") as file:
            data = file.read(MAX_SIZE)
        try:
            text = data.decode("ascii", "replace")
            netboot = Netboot({each: follow(text, each) for each in PLATFORMS}, self.files, self.cmdline)
        except FormatError as error:
            netboot = Netboot({}, self.files, self.cmdline, error.message)
        return judge(rule.table, netboot)
