"""Disks with a boot tree, started by BIOS and by UEFI to the init of a root: by GRUB, and by systemd-boot."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Severity
from pipeline.formats.fields import open_image
from pipeline.steps import boot_tree, disk, filesystem, filesystem_of_files, grub, systemd_boot
from tests.boot import guest
from tests.boot.test_stage1 import parts, run
from tests.fixtures import boot_system
from tests.fixtures.root import In, folder, link, tar
from tests.fixtures.workshop import Content, Workshop

pytestmark = pytest.mark.boot

INIT = b"""#!/bin/busybox sh
/bin/busybox echo "THE ROOT IS UP: $(/bin/busybox cat /proc/cmdline)"
while :; do /bin/busybox sleep 9; done
"""
SEED = "11111111-2222-4333-8444-555555555555"
UP = "system=/gnu/store/{}-system"
WAIT = 20  # seconds that menus wait for a key; one of a single byte, as others may come in pieces


def a_root(boot: dict[str, Path], busybox: bytes) -> bytes:
    """Return the tar of a root whose profile leads to the second of two systems in a store."""
    return tar(
        (
            *(folder(f"{name}/") for name in ("dev", "proc", "run", "sys")),
            In("bin/busybox", busybox, 0o755),
            In("sbin/init", INIT, 0o755),
            In("gnu/store/k-linux/bzImage", boot["vmlinuz"].read_bytes(), 0o444),
            In("gnu/store/i-initrd/initrd.cpio.zst", boot["initramfs"].read_bytes(), 0o444),
            *(
                link(f"gnu/store/{number}-system/{name}", target)
                for number in (1, 2)
                for name, target in (
                    ("kernel", "/gnu/store/k-linux"),
                    ("initrd", "/gnu/store/i-initrd/initrd.cpio.zst"),
                )
            ),
            *(link(f"var/profiles/system-{number}-link", f"/gnu/store/{number}-system") for number in (1, 2)),
            link("var/profiles/system", "system-2-link"),
        )
    )


def made(workshop: Workshop, root: Path, kind: str, first: bytes | None = None) -> Path:
    """Make the disk of a system by the steps of a recipe; return where it lies.

    `kind` is the file system of the boot tree, `first` what UEFI starts, where that is not GRUB.
    """
    wanted = boot_tree.Wanted(
        recipe="toy",
        version="1.0",
        systems=("/var/profiles/system", "/var/profiles/system-1-link"),
        cmdline="root=LABEL=TOY_ROOT console=ttyS0 no_timer_check quiet system={system}",
        folder="toy",
        timeout=WAIT,
        heads=kind == "ext4",
    )
    tree = run(workshop, "root", boot_tree.build, {"root.tar": root}, **vars(wanted))
    loader = run(workshop, "grub", grub.build, {}, label="TOY_BOOT", folder="toy")
    files = {
        f"EFI/toy/{name}": (loader / name).read_bytes() for name in (grub.PROGRAM, grub.STUB, grub.BLOCK)
    }
    files["EFI/BOOT/BOOTX64.EFI"] = first or files[f"EFI/toy/{grub.PROGRAM}"]
    files[f"loader/{systemd_boot.SETTINGS}"] = f"timeout {WAIT}\n".encode()
    esp = {filesystem_of_files.FILES: files}
    systems = {
        "root.ext4": filesystem_made(workshop, "ext4", "TOY_ROOT", {filesystem.TREE: root}),
        f"boot.{kind}": filesystem_made(workshop, kind, "TOY_BOOT", {filesystem.TREE: tree / boot_tree.TAR}),
        "esp.fat": filesystem_made(workshop, "fat", "EFI", esp),
    }
    repart = {
        name: text.replace("boot.ext4", f"boot.{kind}").encode() for name, text in boot_system.REPART.items()
    }
    out, said = workshop.run(
        "disk",
        disk.build,
        systems | {name: loader / name for name in (grub.BOOT, grub.CORE)} | {disk.DEFINITIONS: repart},
        output="toy.raw",
        seed=SEED,
        size=0,
        verity=(),
        architecture="x86-64",
        image="toy",
        version="1.0",
    )
    assert (out / "toy.raw").is_file(), said
    return out / "toy.raw"


def filesystem_made(workshop: Workshop, kind: str, label: str, inputs: Mapping[str, Content]) -> Path:
    build = filesystem.build if filesystem.TREE in inputs else filesystem_of_files.build
    given = {"output": "made", "kind": kind, "label": label, "seed": SEED, "room": 0}
    out, said = workshop.run("disk", build, inputs, **given)
    assert (out / "made").is_file(), said
    return out / "made"


Round = tuple[str, list[str], list[str], str]
"""What is chosen for once, seen on the serial line, pressed there, and what starts then."""

BOTH = ["toy 1.0", "toy system-1-link"]
PLAIN: Round = ("", [], [], UP.format(2))
BY_GRUB: Round = ("", BOTH, ["v", "enter"], UP.format(1))
BY_SYSTEMD: Round = ("", BOTH, ["j", "enter"], UP.format(1))
FOR_ONCE: Round = ("toy-1", [], [], UP.format(1))
NOT_FOR_GOOD: Round = ("toy-1", [], [], UP.format(2))
WAYS: tuple[tuple[str, bool, bool, tuple[Round, ...]], ...] = (
    # the file system of the boot tree, whether UEFI starts it, whether the disk is locked, and what happens
    ("ext4", False, False, (BY_GRUB, FOR_ONCE, PLAIN)),
    ("ext4", False, True, (NOT_FOR_GOOD,)),
    ("ext4", True, False, (BY_GRUB, FOR_ONCE, PLAIN)),
    ("fat", False, False, (PLAIN,)),
    ("fat", True, False, (BY_SYSTEMD, PLAIN)),
)


def test_the_current_system_an_earlier_one_and_one_for_once(workshop: Workshop, tmp_path: Path) -> None:
    boot = parts(workshop, tmp_path).boot
    root = tmp_path / "root.tar"
    root.write_bytes(a_root(boot, (tmp_path / "tree/bin/busybox").read_bytes()))
    loader = run(workshop, "imager", systemd_boot.build, {}) / systemd_boot.PROGRAM
    systems = {
        "ext4": made(workshop, root, "ext4"),
        "fat": made(workshop, root, "fat", loader.read_bytes()),
    }
    for system in systems.values():
        node = take_apart(open_image(system), "toy.raw", "disk", policies=())
        assert [one for one in node.all_findings() if one.severity is Severity.ERROR] == []
    for kind, uefi, locked, rounds in WAYS:
        given = {"uefi": uefi, "locked": locked, "rounds": rounds, "block": "EFI/toy/grubenv"}
        _, said = workshop.run("boot", guest.start_disk, {"disk": systems[kind]}, **given)
        assert said.endswith("heard all\n"), f"{kind}, {uefi}: {said}"
