import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Severity
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import elf
from tests.fixtures.root import ENABLED, PASSWD, In, folder, hard, link, root, tar

GOOD = root()
CAPABLE = {"SCHILY.xattr.security.capability": "\1\0\0\2"}

CASES = (
    Case("ROOT000", b"", ("tar: no archive",)),
    Case("ROOT000", GOOD[:600], ("tar: no end, at 600 bytes",)),
    Case("ROOT000", tar((In("a/b"),)), ("tar: 'a/b' lies nowhere: the directory for it is not there",)),
    Case(
        "ROOT001",
        root(without="usr/sbin/init"),
        ("/sbin/init leads to /usr/sbin/init, which is not in the archive",),
    ),
    Case(
        "ROOT001",
        root(In("usr/sbin/init", elf(), 0o644)),
        ("/sbin/init is not an executable file: /usr/sbin/init has mode -rw-r--r--",),
    ),
    Case(
        "ROOT002",
        root(without="usr/sbin/daemon"),
        ("toy.service: ExecStart=/usr/sbin/daemon: there is no such program",),
    ),
    Case(
        "ROOT002",
        root(In("usr/lib/systemd/system/toy.service", b"[Service]\nUser=toy\nGroup=toys\n")),
        ("toy.service: User=toy: there is no such user", "toy.service: Group=toys: there is no such group"),
    ),
    Case(
        "ROOT002",
        root(
            link(
                ENABLED.replace("toy", "x@1").replace(".service", ".socket"),
                "/usr/lib/systemd/system/x@.socket",
            ),
            In("usr/lib/systemd/system/x@.socket"),
            In("usr/lib/systemd/system/x@.service", b"ExecStart=/usr/bin/x \\\n%i\n"),
        ),
        ("x@1.service: ExecStart=/usr/bin/x: there is no such program",),
    ),
    Case("ROOT003", root(link("usr/lib/x", "../y")), ("/usr/lib/x leads to ../y, which is not there",)),
    Case(
        "ROOT004",
        root(
            In("usr/bin/x", elf(interpreter="/lib/ld.so", needed=("libx.so.1",)), 0o755),
            In("usr/lib/ld.so", elf(), 0o755),
        ),
        ("/usr/bin/x needs libx.so.1, which is not in this root",),
    ),
    Case(
        "ROOT005",
        root(In("etc/x", mode=0o666), folder("var/x", 0o777)),
        (
            "/var/x has mode 0777: anybody may write to it",
            "/etc/x has mode 0666: anybody may write to it",
        ),
    ),
    Case(
        "ROOT006",
        root(
            In("usr/bin/su", mode=0o4755),
            In("usr/bin/wall", mode=0o2755, gid=5),
            In("usr/bin/ping", pax=CAPABLE),
        ),
        (
            "/usr/bin/su has mode 4755, owner 0, group 0, and the recipe does not name it",
            "/usr/bin/wall has mode 2755, owner 0, group 5, and the recipe does not name it",
            "/usr/bin/ping has capabilities of its own, and the recipe does not name it",
        ),
    ),
    Case("ROOT007", root(In("run/x"), In("run/y")), ("/run holds 2 files, the first of which is /run/x",)),
    Case("ROOT008", root(without="var/run"), ("there is no /var/run",)),
    Case("ROOT008", root(folder("var/run")), ("/var/run is no link: its mode is drwxr-xr-x",)),
    Case("ROOT008", root(link("var/run", "lib")), ("/var/run leads to lib, not to /run",)),
    Case(
        "ROOT009",
        root(In("etc/machine-id", b"b08dfa6083e7567a1921a715000001fb\n"), In("etc/ssh/ssh_host_rsa_key")),
        (
            "/etc/machine-id says 'b08dfa6083e7567a1921a715000001fb'",
            "/etc/ssh/ssh_host_rsa_key is the same on all machines",
        ),
    ),
    Case(
        "ROOT009",
        root(
            *map(folder, ("var/lib/dbus", "etc/nvme")),
            In("var/lib/dbus/machine-id", b"a"),
            In("etc/nvme/hostid", b"a"),
        ),
        (
            "/var/lib/dbus/machine-id is the same on all machines",
            "/etc/nvme/hostid is the same on all machines",
        ),
    ),
    Case(
        "ROOT011",
        root(
            *map(folder, ("etc/live", "etc/lightdm")),
            In("etc/live/config.conf", b"LIVE_USERNAME=user\n"),
            In("etc/passwd", PASSWD + b"user:x:1000:1000:Debian Live user,,,:/home/user:/bin/sh\n"),
            In("etc/lightdm/lightdm.conf", b"[Seat:*]\n#autologin-user=no\nautologin-user = user\n"),
            folder("etc/systemd/system/getty@tty1.service.d"),
            In(
                "etc/systemd/system/getty@tty1.service.d/live.conf",
                b"ExecStart=-/sbin/agetty --autologin user %I\n",
            ),
        ),
        (
            "/etc/live/config.conf is of a live medium",
            "/etc/passwd has 'user', who is 'Debian Live user,,,'",
            "/etc/lightdm/lightdm.conf logs 'user' in, without asking",
            "/etc/systemd/system/getty@tty1.service.d/live.conf logs 'user' in, without asking",
        ),
    ),
    Case(
        "ROOT012",
        root(
            *map(
                folder, ("root", "etc/udev", "etc/udev/rules.d", "var/log", "var/log/journal", "var/lib/apt")
            ),
            *map(folder, ("var/lib/apt/lists", "var/lib/dhcp", "root/.ssh")),
            In("root/.bash_history", b"ls\n"),
            In("root/.ssh/known_hosts", b"host\n"),
            In(".dockerenv"),
            In("usr/sbin/policy-rc.d", b"exit 101\n"),
            In("var/lib/apt/lists/debian_dists_trixie_InRelease", b"x"),
            In("etc/udev/rules.d/70-persistent-net.rules", b"x"),
            In("var/lib/dhcp/dhclient.leases", b"x"),
            In("var/log/journal/system.journal", b"x"),
            In("var/log/lastlog"),
            In("etc/hostname", b"0123456789ab\n"),
            In("etc/resolv.conf", b"# of a host\nnameserver 192.0.2.1\n"),
        ),
        (
            "/root/.bash_history is a history of what somebody did",
            "/root/.ssh/known_hosts names hosts that somebody connected to",
            "/usr/sbin/policy-rc.d keeps services from starting while an image is made",
            "/var/lib/apt/lists/debian_dists_trixie_InRelease is a list of packages of another day",
            "/etc/udev/rules.d/70-persistent-net.rules names devices of another machine",
            "/var/lib/dhcp/dhclient.leases is a lease of another machine",
            "/var/log/journal/system.journal is a log of another machine",
            "/.dockerenv marks a container",
            "/etc/hostname is '0123456789ab', which an engine gave to a container",
            "/etc/resolv.conf names the name server 192.0.2.1",
        ),
    ),
    Case(
        "ROOT013",
        root(In("tmp/x"), In("tmp/a"), folder("var/tmp", 0o1777), folder("var/tmp/y")),
        (
            "/tmp holds 2 files, the first of which is /tmp/a",
            "/var/tmp holds 1 files, the first of which is /var/tmp/y",
        ),
    ),
    Case("ROOT010", root(hard("etc/x", "etc/group")), ("/etc/group and /etc/x are one file",)),
    Case("ROOT010", root(hard("var/x", "etc/group")), ("/etc/group and /var/x are one file",)),
)


def test_a_good_root_has_no_findings() -> None:
    assert found("root", GOOD) == []
    store = folder("store"), folder("store/a"), In("store/a/b"), hard("store/a/c", "store/a/b")
    assert found("root", root(*store)) == []
    settings = (
        In("etc/hostname", b"host\n"),
        link("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"),
    )
    assert found("root", root(*settings, In("etc/hostid.d"))) == []
    both = hard("usr/bin/z", "usr/sbin/daemon"), In("etc/machine-id", b"uninitialized\n")
    assert found("root", root(*both)) == []
    kept = folder("store"), In("store/a", b"a", 0o444), hard("store/b", "store/a")
    assert found("root", root(*kept)) == []


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_root_is_told(case: Case) -> None:
    findings = found("root", case.image)
    assert sorted(told(findings)) == sorted(case.expected)
    severity = Severity.WARNING if case.code == "ROOT003" else Severity.ERROR
    assert {finding.severity for finding in findings} == {severity}


def test_a_root_without_run() -> None:
    """The link /var/run leads nowhere then, too: that is no fault of its own."""
    node = take_apart(root(without="run"), "root.tar", "root")
    messages = [message for _, message in told(node.all_findings())]
    assert "there is no directory /run, on which systemd mounts its tmpfs" in messages


def test_what_the_recipe_names_may_be_setuid() -> None:
    image = root(In("usr/bin/su", mode=0o4755), In("usr/bin/ping", pax=CAPABLE))
    node = take_apart(image, "root.tar", "root", setuid=("/usr/bin/su", "/usr/bin/ping"))
    assert node.all_findings() == []
    node = take_apart(root(), "root.tar", "root", setuid=("/usr/bin/su",))
    assert told(node.all_findings()) == [
        ("ROOT006", "/usr/bin/su is in root.setuid, and there is no such program that is setuid")
    ]


@pytest.mark.parametrize(
    "unit",
    [
        b"ExecStart=/usr/bin/x\nConditionFileIsExecutable=/usr/bin/x\n",
        b"ExecStart=/usr/%i\nExecStart=\nExecStart=daemon\n",
        b"User=x\nDynamicUser=yes\nGroup=x\n",
        b"User=7\nUser=%i\n# User=x\n",
    ],
)
def test_units_that_may_lack_it(unit: bytes) -> None:
    assert found("root", root(In("usr/lib/systemd/system/toy.service", unit))) == []


def test_a_masked_unit_needs_nothing() -> None:
    changes = (
        link("etc/systemd/system/toy.service", "/dev/null"),
        In("usr/lib/systemd/system/toy.service", b"User=x"),
    )
    assert found("root", root(*changes)) == []


def test_a_unit_of_many_names_is_read_once() -> None:
    units, wanted = "usr/lib/systemd/system", "etc/systemd/system/multi-user.target.wants"
    first = In(f"{units}/first", b"ExecStart=-/x\n" * 5000)
    names = [f"u{number}.service" for number in range(6000)]
    links = (hard(f"{units}/{name}", first.name) for name in names)
    image = root(first, *links, *(link(f"{wanted}/{name}", f"/{units}/{name}") for name in names))
    assert take_apart(image, "root.tar", "root").all_findings() == []
