"""What looks like a mistake in a new version, and what does not."""

from collections.abc import Callable

import pytest

from pipeline.release.diff.changes import compare
from pipeline.release.diff.image_parts import image_side
from pipeline.release.diff.mistakes import Mistake
from pipeline.release.diff.side import Component, Side
from tests.fixtures.elf import elf
from tests.fixtures.fat import fat
from tests.fixtures.initramfs import INITTAB, changed
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.newc import DEVICE, DIRECTORY, FILE, LINK, Raw
from tests.fixtures.signed import RSA, signed
from tests.fixtures.signer import sign
from tests.fixtures.uki import uki

UNIT = "etc/systemd/system/sshd.service"


def with_unit(path: str) -> bytes:
    """An initramfs with a file of systemd's, and the directories around it."""
    parts = path.split("/")
    folders = [Raw("/".join(parts[:depth]), DIRECTORY) for depth in range(1, len(parts))]
    return changed(*folders, Raw(path, FILE))


def found(old: bytes, new: bytes) -> list[tuple[str, str, str]]:
    said = compare(image_side(old, "old"), image_side(new, "new"))
    return [(one.code, one.path, one.message) for one in said.mistakes]


FILES: tuple[tuple[Raw, str, str], ...] = (
    (Raw("dev/mem", DEVICE, device=(1, 1)), "device", "'dev/mem' is a device node, c 1:1"),
    (Raw("dev/sda", 0o060600, device=(8, 0)), "device", "'dev/sda' is a device node, b 8:0"),
    (Raw("bin/su", FILE | 0o4111), "setuid", "'bin/su' is setuid: mode -rwsr-xr-x, owner 0:0"),
    (Raw("bin/su", FILE | 0o4000), "setuid", "'bin/su' is setuid: mode -rwSr--r--, owner 0:0"),
    (Raw("bin/su", FILE | 0o2111, gid=5), "setuid", "'bin/su' is setgid: mode -rwxr-sr-x, owner 0:5"),
    (Raw("etc/x", FILE | 0o2), "writable", "everybody may write to 'etc/x': mode -rw-r--rw-"),
    (Raw("tmp", DIRECTORY | 0o022), "writable", "everybody may write to 'tmp': mode drwxrwxrwx"),
    (
        Raw("bin/busybox", FILE | 0o111, elf(symbols=True)),
        "unstripped",
        "'bin/busybox' has a symbol table: it is not stripped",
    ),
)


@pytest.mark.parametrize(("member", "code", "message"), FILES, ids=lambda one: getattr(one, "name", ""))
def test_a_file_that_looks_like_one(member: Raw, code: str, message: str) -> None:
    """It does so once: where the old version has it as well, it is meant."""
    own = [one for one in found(changed(), changed(member)) if one[0].islower()]
    assert own == [(code, "", message)]
    assert found(changed(member), changed(member, Raw("etc/y", FILE))) == []


@pytest.mark.parametrize(
    "member",
    [
        Raw("bin/x", FILE | 0o111, b"#!/bin/sh\n"),
        Raw("etc/x", FILE),
        Raw("etc/link", LINK, b"inittab"),
        Raw("srv", DIRECTORY | 0o1022),
        Raw("srv", DIRECTORY | 0o2000),
        Raw("run", 0o010666),
    ],
)
def test_a_file_that_does_not(member: Raw) -> None:
    assert [one for one in found(changed(), changed(member)) if one[0].islower()] == []


def test_the_device_nodes_that_every_initramfs_has() -> None:
    assert found(changed(without="dev/console"), changed()) == []


def test_a_device_node_that_stands_for_another_device() -> None:
    old, new = (changed(Raw("dev/x", DEVICE, device=(1, minor))) for minor in (1, 2))
    assert found(old, new) == [("device", "", "'dev/x' is a device node, c 1:2")]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            changed(),
            changed(
                Raw("etc/inittab", FILE, INITTAB.replace("/bin/installer", "/bin/busybox true").encode())
            ),
            "init does not start 'respawn: /bin/installer' any more",
        ),
        (
            changed(),
            changed(Raw("etc/inittab", FILE, INITTAB.replace("respawn", "once").encode())),
            "init does not start 'respawn: /bin/installer' any more",
        ),
        (with_unit(UNIT), changed(), f"init does not start {UNIT!r} any more"),
        (
            with_unit("usr/lib/systemd/system/a.target.wants/b.service"),
            changed(),
            "init does not start 'usr/lib/systemd/system/a.target.wants/b.service' any more",
        ),
    ],
    ids=["program", "action", "unit", "link"],
)
def test_what_init_does_not_start_any_more(old: bytes, new: bytes, message: str) -> None:
    assert ("service", "", message) in found(old, new)
    assert [one for one in found(new, new) if one[0] == "service"] == []


def test_other_options_of_what_init_starts_are_no_mistake() -> None:
    other = INITTAB.replace("mount -t proc", "mount -t proc -o nosuid")
    assert found(changed(), changed(Raw("etc/inittab", FILE, other.encode()))) == []


def test_a_signature_that_is_gone() -> None:
    kernel = sign(uki())
    assert ("signature", "", "it is not signed by 'Test signer' any more") in found(kernel, uki())
    assert found(uki(), kernel) == []


def test_a_way_of_booting_that_is_gone() -> None:
    codes = [one for one in found(iso(), iso(boots=False)) if one[0] == "boots"]
    assert codes == [("boots", "", "it does not boot any more: UEFI, from CD")]
    assert [one for one in found(iso(boots=False), iso()) if one[0] == "boots"] == []


def test_a_rule_that_is_broken_now() -> None:
    worse = iso(efi_image().replace(b"quiet", b"ro rw"))
    path = "efi.img!EFI/BOOT/BOOTX64.EFI!.cmdline"
    assert [one[:2] for one in found(iso(), worse)] == [("CMD005", path)]
    assert found(worse, worse) == []
    assert found(worse, iso(fat({"EFI/BOOT/BOOTX64.EFI": uki(), "A": b""}))) == []


def test_a_rule_of_a_policy_counts_where_the_old_version_obeys_it() -> None:
    dynamic = Raw("bin/a", FILE | 0o111, elf(needed=("libc.so",), symbols=True))
    other = Raw("bin/b", FILE | 0o111, b"x")
    of_policy = Raw("etc/x", FILE, uid=1)
    assert [one[0] for one in found(changed(other), changed(other, of_policy))] == ["CPIO005"]
    assert found(changed(of_policy), changed(of_policy, Raw("etc/y", FILE, uid=2))) == []
    assert "ELF005" not in [one[0] for one in found(changed(), changed(dynamic))]


Versions = tuple[str, ...]


@pytest.mark.parametrize(
    ("old", "new", "mistakes"),
    [
        (("1.9",), ("1.10",), []),
        (("1.10",), ("1.9",), [Mistake("older", "", "the package a is older than it was: 1.10, now 1.9")]),
        (("1:1",), ("2",), [Mistake("older", "", "the package a is older than it was: 1:1, now 2")]),
        (("1", "3"), ("2",), [Mistake("older", "", "the package a is older than it was: 3, now 2")]),
        (("no version",), ("1",), []),
    ],
)
def test_a_package_that_is_older(old: Versions, new: Versions, mistakes: list[Mistake]) -> None:
    a, b = (Side("x", packages={"a": Component(each), each[0]: Component(each)}) for each in (old, new))
    assert compare(a, b).mistakes == mistakes


@pytest.mark.parametrize("image", [changed, uki, iso, lambda: signed(RSA)])
def test_a_first_release_has_none(image: Callable[[], bytes]) -> None:
    assert compare(None, image_side(image(), "x")).mistakes == []
