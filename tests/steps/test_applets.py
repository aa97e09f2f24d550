import pytest

from pipeline.errors import PipelineError
from pipeline.formats import cpio
from pipeline.steps import applets

LISTING = "bin/busybox bin/cat bin/echo bin/ip bin/mount bin/sh linuxrc sbin/init sbin/watchdog usr/bin/vi"
INITTAB = "::sysinit:/bin/mount -a >/run/log\n::respawn:/bin/toy confine /sbin/watchdog -F # /usr/bin/vi\n"
SCRIPT = """#!/bin/sh
# vi is mentioned, and not used
case "$1" in
start) echo vi; here=$((1 + $(cat /index))) ;;
esac
"""
FILES = (
    cpio.File("etc/inittab", INITTAB.encode()),
    cpio.File("etc/dhcp.script", SCRIPT.encode()),
    cpio.File("etc/hosts", b"vi"),
)
PROGRAMS = (b"...sbin/ipbin/ip-4link...",)
USED = ("init", "sh", "mount", "watchdog", "cat", "ip")


def test_without_a_list_there_is_a_link_for_each() -> None:
    made = applets.links("bin/ash\nbin/busybox\nlinuxrc\nusr/bin/awk\n", None, (), (), "x")
    assert made == [cpio.Symlink("bin/ash", "/bin/busybox"), cpio.Symlink("usr/bin/awk", "/bin/busybox")]


def test_those_that_are_named_and_used_have_links() -> None:
    made = applets.links(LISTING, USED, FILES, PROGRAMS, "x")
    places = ["sbin/init", "bin/sh", "bin/mount", "sbin/watchdog", "bin/cat", "bin/ip"]
    assert made == [cpio.Symlink(place, "/bin/busybox") for place in places]


@pytest.mark.parametrize(
    ("wanted", "mistake"),
    [
        ((*USED, "vim"), "BusyBox has no 'vim'"),
        ((*USED, "busybox"), "BusyBox has no 'busybox'"),
        ((*USED, "vi"), "nothing uses 'vi': no inittab, no script, no program"),
        ((*USED, "echo"), "nothing uses 'echo': no inittab, no script, no program"),
        (USED[1:], "Linux uses 'init', which is not there"),
        (("init", "mount", "watchdog", "cat", "ip"), "/etc/inittab uses 'sh', which is not there"),
        (("init", "sh", "mount", "cat", "ip"), "/etc/inittab uses 'watchdog', which is not there"),
        (("init", "sh", "mount", "watchdog", "ip"), "/etc/dhcp.script uses 'cat', which is not there"),
    ],
)
def test_a_list_that_is_wrong_is_refused(wanted: tuple[str, ...], mistake: str) -> None:
    with pytest.raises(PipelineError) as caught:
        applets.links(LISTING, wanted, FILES, PROGRAMS, "x")
    assert caught.value.message == f"x: image.applets: {mistake}"
