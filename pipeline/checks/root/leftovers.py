"""What must not be left in a root file system: a live medium's user, and what the machine that made it wrote.

Specification: file-hierarchy(7), live-config(7), agetty(8), resolv.conf(5), hostname(5)
"""

import re
import stat
from collections.abc import Iterator

from pipeline.checks.finding import Fault, Rules
from pipeline.checks.root.members import Root

MAX_SHOWN = 8
MAX_TEXT = 1 << 20  # bytes that are read of a file with settings

EMPTY = ("proc/", "sys/", "tmp/", "var/tmp/")
"""Where what lies in an image is hidden, or removed, as soon as it starts."""

LIVE_FILES = re.compile(
    r"etc/(live/.+|casper\.conf|sudoers\.d/(90-)?(live|casper).*)|(usr/)?lib/live/config/.+"
    r"|var/lib/live/config/.+|usr/share/initramfs-tools/scripts/(live|casper)"
)
LIVE_USER = re.compile(r"\b(live (session |system )?user|live session|debian live)\b", re.IGNORECASE)
AUTOLOGIN = (
    (
        re.compile(r"etc/systemd/system/[^/]*getty@?[^/]*\.service(\.d/.+\.conf)?"),
        re.compile(r"--autologin[ =](\S+)"),
    ),
    (re.compile(r"etc/lightdm/.+\.conf"), re.compile(r"^\s*autologin-user\s*=\s*(\S+)", re.MULTILINE)),
    (re.compile(r"etc/gdm3?/.+\.conf"), re.compile(r"^\s*AutomaticLogin\s*=\s*(\S+)", re.MULTILINE)),
    (re.compile(r"etc/sddm\.conf(\.d/.+)?"), re.compile(r"^\s*User\s*=\s*(\S+)", re.MULTILINE)),
)
"""Files that log somebody in, and where in them the name is."""

LEFT = (
    (
        r"(root|home/[^/]+)/\.((bash|ash|zsh|python|node_repl|mysql|psql)_?history|lesshst|viminfo|wget-hsts)",
        "is a history of what somebody did",
    ),
    (r"(root|home/[^/]+)/\.ssh/known_hosts.*", "names hosts that somebody connected to"),
    (r"usr/sbin/policy-rc\.d", "keeps services from starting while an image is made"),
    (
        r"var/lib/apt/lists/.+_(Packages|Sources|InRelease|Release|Translation-.+)(\.\w+)?",
        "is a list of packages of another day",
    ),
    (r"var/cache/apt/(archives/.+\.deb|(src)?pkgcache\.bin)", "is a cache of apt's"),
    (r"etc/udev/rules\.d/(70|75)-persistent-(net|cd).*\.rules", "names devices of another machine"),
    (
        r"var/lib/(dhcp|dhclient|dhcpcd)/.+|var/lib/NetworkManager/.+\.lease|var/lib/systemd/network/.+",
        "is a lease of another machine",
    ),
    (r"var/log/.+", "is a log of another machine"),
    (
        r"var/lib/systemd/(timers/.+|timesync/clock|rfkill/.+|backlight/.+|coredump/.+)",
        "is state of another machine",
    ),
)
"""What only machines that run make, by its path, and what it is; empty files are nothing."""

PATTERNS = tuple((re.compile(pattern), what) for pattern, what in LEFT)
CONTAINER = re.compile(r"[0-9a-f]{12}|buildkitsandbox|debuerreotype")
"""Host names that engines give to containers."""

NAMESERVER = re.compile(rb"^\s*nameserver\s+(\S+)", re.MULTILINE)

rule = Rules[Root]()


def _text(root: Root, name: str) -> str:
    """Return a regular file's text, "" without one."""
    entry = root.members.get(name)
    if entry is None or not stat.S_ISREG(entry.mode):
        return ""
    return bytes(entry.data[:MAX_TEXT]).decode(errors="replace")


@rule(
    "ROOT011",
    "nobody of a live medium is in it",
    spec="live-config(7); casper(7); agetty(8)",
    fix="leave out live-config or casper, and remove what they made",
)
def has_no_live_user(root: Root) -> Iterator[Fault]:
    """Who was logged in without a password on a live medium would be on each machine."""
    found = [
        name
        for name, entry in root.members.items()
        if stat.S_ISREG(entry.mode) and LIVE_FILES.fullmatch(name)
    ]
    for name in sorted(found)[:MAX_SHOWN]:
        yield f"/{name} is of a live medium"
    for line in _text(root, "etc/passwd").splitlines():
        name, *fields = line.split(":")
        if len(fields) > 4 and LIVE_USER.search(fields[3]):
            yield f"/etc/passwd has {name!r}, who is {fields[3]!r}", "remove the user and its home"
    for path in sorted(root.members):
        for files, user in AUTOLOGIN:
            match = user.search(_text(root, path)) if files.fullmatch(path) else None
            if match:
                yield f"/{path} logs {match[1]!r} in, without asking", "remove the setting"


@rule(
    "ROOT012",
    "nothing is left of the machine that made it",
    spec="file-hierarchy(7); hostname(5); resolv.conf(5)",
    fix="remove it: it is made when a machine starts",
)
def has_no_leftovers(root: Root) -> Iterator[Fault]:
    """It is of no use on another machine, tells of who made it, and makes each image another one."""
    for pattern, what in PATTERNS:
        found = [
            name
            for name, entry in root.members.items()
            if stat.S_ISREG(entry.mode) and len(entry.data) and pattern.fullmatch(name)
        ]
        for name in sorted(found)[:MAX_SHOWN]:
            yield f"/{name} {what}"
    if ".dockerenv" in root.members:
        yield "/.dockerenv marks a container"
    name = _text(root, "etc/hostname").strip()
    if CONTAINER.fullmatch(name):
        yield f"/etc/hostname is {name!r}, which an engine gave to a container"
    entry = root.members.get("etc/resolv.conf")
    if entry is not None and stat.S_ISREG(entry.mode):
        for server in NAMESERVER.findall(bytes(entry.data[:MAX_TEXT]))[:MAX_SHOWN]:
            yield f"/etc/resolv.conf names the name server {server.decode(errors='replace')}"


@rule(
    "ROOT013",
    "/proc, /sys, /tmp and /var/tmp are empty",
    spec="file-hierarchy(7)",
    fix="leave them empty",
)
def temporary_folders_are_empty(root: Root) -> Iterator[Fault]:
    """What lies there is hidden or removed as soon as the image starts: it was left by accident."""
    for folder in EMPTY:
        found = [name for name in root.members if name.startswith(folder)]
        if found:
            yield f"/{folder.rstrip('/')} holds {len(found)} files, the first of which is /{min(found)}"
