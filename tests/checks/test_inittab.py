import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import POLICIES
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import elf
from tests.fixtures.initramfs import INITTAB, changed
from tests.fixtures.newc import FILE, LINK, Raw

CONSOLE_TOO = ("/bin/console", "/bin/daemon")
START = "::respawn:/bin/sh -c '/bin/installer && reboot'"


def replaced(old: str, new: str) -> bytes:
    """The good initramfs with a part of its inittab replaced."""
    assert old in INITTAB
    return changed(Raw("etc/inittab", FILE, INITTAB.replace(old, new).encode()))


CASES = (
    Case(
        "INIT000",
        changed(Raw("etc/inittab", FILE, b"#" * 70000)),
        ("etc/inittab: the inittab has 70000 bytes, more than any needs (65536)",),
    ),
    Case(
        "INIT001",
        replaced(START, f"{START}\n::respan:/bin/sh"),
        ("etc/inittab: line 6: 'respan' is not an action of BusyBox init",),
    ),
    Case(
        "INIT001",
        replaced(START, f"{START}\nmount -a"),
        ("etc/inittab: line 6: '' is not an action of BusyBox init",),
    ),
    Case("INIT001", replaced(START, f"{START}\n::sysinit:"), ("etc/inittab: line 6: there is no command",)),
    Case(
        "INIT009",
        replaced(START, f"{START}\n::respawn:/bin/mount -t tmpfs tmpfs /tmp"),
        ("etc/inittab: line 6: respawn starts /bin/mount over and over: it ends at once",),
    ),
    Case(
        "INIT010",
        replaced(START, f"{START}\nconsol::askfirst:-/bin/sh"),
        ("etc/inittab: line 6: 'consol' is not a terminal of Linux",),
    ),
    Case(
        "INIT011",
        replaced(START, f"null{START}"),
        ("etc/inittab: line 5: what runs has null as its terminal: nobody sees it",),
    ),
    Case(
        "INIT002",
        replaced(START, f"# {START}"),
        ("etc/inittab: no line starts /bin/installer: its lines are for sysinit",),
    ),
    Case(
        "INIT003",
        replaced(START, f"{START}\ntty2::askfirst:-/sbin/getty 9600"),
        ("etc/inittab: line 6: /sbin/getty is not in the archive",),
    ),
    Case(
        "INIT003",
        replaced(START, f"{START}\ntty2::askfirst:getty 9600"),
        ("etc/inittab: line 6: getty is in none of /sbin:/usr/sbin:/bin:/usr/bin",),
    ),
    Case(
        "INIT003",
        replaced(START, f"{START}\n::once:/etc/inittab"),
        ("etc/inittab: line 6: /etc/inittab is not an executable file: /etc/inittab has mode -rw-r--r--",),
    ),
    Case("INIT003", changed(without="bin/sh"), ("etc/inittab: line 5: /bin/sh is not in the archive",)),
    Case(
        "INIT004",
        replaced("::sysinit:/bin/mount -t proc proc /proc\n", ""),
        ("etc/inittab: no line mounts proc on /proc",),
    ),
    Case(
        "INIT004",
        replaced("::sysinit:/bin/mount -t dev", "::once:/bin/mount -t dev"),
        ("etc/inittab: no line mounts devtmpfs on /dev",),
    ),
    Case(
        "INIT005",
        changed(without="proc"),
        ("etc/inittab: proc is mounted on /proc, but /proc is not in the archive",),
    ),
    Case(
        "INIT005",
        replaced(START, f"{START}\n::sysinit:/bin/mount -t tmpfs tmpfs /system/x"),
        ("etc/inittab: tmpfs is mounted on /system/x, but /system/x is not in the archive",),
    ),
    Case(
        "INIT007",
        replaced("respawn", "once"),
        ("etc/inittab: line 5: once does not start /bin/installer again after a crash",),
    ),
    Case(
        "INIT008",
        replaced(START, "::respawn:/bin/installer && reboot"),
        (
            "etc/inittab: line 5: reboot never runs: an exec before it replaces the shell; "
            "BusyBox init itself adds one, `exec /bin/installer && reboot`",
        ),
    ),
    Case(
        "INIT008",
        replaced("'/bin/installer", "'exec /bin/installer"),
        (
            "etc/inittab: line 5: reboot never runs: an exec before it replaces the shell; "
            "BusyBox init itself adds one, `exec /bin/sh -c 'exec /bin/installer && reboot'`",
        ),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_inittab_is_told(case: Case) -> None:
    assert told(found("initramfs", case.image)) == case.expected


@pytest.mark.parametrize(
    "start",
    [
        "::respawn:/bin/sh -c '/bin/installer && exec /sbin/reboot -f'",
        "::respawn:/bin/sh -c 'cd /; if /bin/installer 2>/dev/null && mount && reboot; then :; fi'",
        "tty1::respawn:/bin/busybox sh -c 'installer && busybox reboot'",
    ],
)
def test_other_ways_to_say_it_are_good(start: str) -> None:
    assert found("initramfs", replaced(START, start)) == []


def test_a_folder_below_an_earlier_mount_may_come_with_it() -> None:
    inittab = f"{START}\n::sysinit:/bin/mount -t efivarfs efivarfs /sys/firmware/efi/efivars"
    assert found("initramfs", replaced(START, inittab)) == []


def test_an_empty_inittab_starts_nothing() -> None:
    findings = found("initramfs", changed(Raw("etc/inittab", FILE)))
    assert told(findings) == [
        ("INIT002", "etc/inittab: no line starts /bin/installer: its lines are for nothing"),
        ("INIT004", "etc/inittab: no line mounts proc on /proc"),
        ("INIT004", "etc/inittab: no line mounts sysfs on /sys"),
        ("INIT004", "etc/inittab: no line mounts devtmpfs on /dev"),
    ]


@pytest.mark.parametrize(
    ("lines", "programs", "expected"),
    [
        ("::sysinit:/bin/daemon check\n::respawn:/bin/daemon run", ("/bin/daemon",), []),
        (
            "::once:/bin/daemon run",
            ("/bin/daemon",),
            ["etc/inittab: line 4: once does not start /bin/daemon again after a crash"],
        ),
        ("::respawn:/bin/sh -c '/bin/daemon && poweroff'", ("/bin/daemon",), []),
        ("::respawn:/bin/sh -c /bin/daemon", ("/bin/daemon",), []),
        ("::respawn:/bin/daemon", ("/bin/daemon", "/bin/tool"), []),
        ("::respawn:/bin/daemon", (), []),
        (
            "::shutdown:/bin/daemon",
            (),
            ["etc/inittab: no line starts a program: its lines are for shutdown, sysinit"],
        ),
        (
            "::once:/bin/sh",
            ("/bin/daemon", "/bin/tool"),
            ["etc/inittab: no line starts /bin/daemon or /bin/tool: its lines are for once, sysinit"],
        ),
        ("::respawn:/bin/console --on-success reboot /bin/daemon", CONSOLE_TOO, []),
        ("::respawn:/bin/console /bin/sh -c 'exec /bin/daemon --all'", CONSOLE_TOO, []),
        ("::respawn:/bin/sh -c '/bin/console /bin/daemon && poweroff'", CONSOLE_TOO, []),
        (
            "::once:/bin/sh",
            ("/bin/console",),
            ["etc/inittab: no line starts /bin/console: its lines are for once, sysinit"],
        ),
        (
            "::respawn:/bin/console --on-success reboot /bin/demon",
            CONSOLE_TOO,
            [
                "etc/inittab: no line starts /bin/daemon: its lines are for respawn, sysinit",
                "etc/inittab: line 4: /bin/demon is not in the archive",
            ],
        ),
        (
            "::once:/bin/console /bin/daemon",
            CONSOLE_TOO,
            ["etc/inittab: line 4: once does not start /bin/daemon again after a crash"],
        ),
        (
            "::respawn:/bin/console /bin/daemon && poweroff",
            CONSOLE_TOO,
            [
                "etc/inittab: line 4: poweroff never runs: an exec before it replaces the shell; "
                "BusyBox init itself adds one, `exec /bin/console /bin/daemon && poweroff`"
            ],
        ),
        ("::respawn:/bin/console --stranger /bin/daemon", (), []),
    ],
)
def test_what_an_inittab_has_to_start_is_said_by_whoever_asks(
    lines: str, programs: tuple[str, ...], expected: list[str]
) -> None:
    """A build's gate knows it from the recipe; of an image in the world nobody does."""
    image = changed(
        Raw(
            "etc/inittab",
            FILE,
            INITTAB.replace("# what BusyBox init does\n", "").replace(START, lines).encode(),
        ),
        *(Raw(f"bin/{name}", FILE | 0o111, elf()) for name in ("console", "daemon", "tool")),
        Raw("bin/poweroff", LINK, b"busybox"),
    )
    node = take_apart(image, "it", "initramfs", tuple(POLICIES), programs=programs)
    assert [finding.message for finding in node.all_findings()] == expected


def test_every_program_of_the_recipe_has_to_be_there() -> None:
    programs = ("/bin/installer", "/bin/gone")
    node = take_apart(changed(), "it", "initramfs", tuple(POLICIES), programs=programs)
    assert told(node.all_findings()) == [("CPIO009", "/bin/gone is not in the archive")]
