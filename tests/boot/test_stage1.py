"""Debian's kernel, its modules and stage1: from power-on to the init of a root, or to a sentence."""

import hashlib
import struct
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.build.build import build_step
from pipeline.plan.packages import packages_step
from pipeline.plan.programs import program_steps
from pipeline.project.recipe import Program
from pipeline.report import Line
from pipeline.steps import initramfs, kernel_package, modules
from tests.boot import guest
from tests.fixtures.disk import ENTRIES, FIRST
from tests.fixtures.gpt import SECTOR, entry, header, mbr
from tests.fixtures.workshop import Workshop

pytestmark = pytest.mark.boot

RECIPE, SET = "truthdb-runtime", "linux-cloud"
BLOCK = 4096
SALT = bytes(range(32))
DATA, TREE = UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"), UUID("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5")
INIT = """\
#!/bin/busybox sh
PATH=/bin
busybox cat /big > /dev/null && busybox cat /proc/mounts && echo THE ROOT IS UP
while :; do busybox sleep 9; done
"""
BIG = b"".join(hashlib.sha256(bytes([number])).digest() * 128 for number in range(64))


def run(workshop: Workshop, step: str, function: object, inputs: dict[str, Path], **params: object) -> Path:
    out, said = workshop.run(step, function, inputs, **params)  # type: ignore[arg-type]
    assert any(out.iterdir()), said
    return out


def stage1(workshop: Workshop) -> Path:
    """Return the program, built as a recipe's."""
    session = workshop.session
    changed = replace(
        session.project.recipes[RECIPE], programs={"init": Program(builtin="stage1", binary="stage1")}
    )
    steps = program_steps(replace(session.project, recipes={RECIPE: changed}), RECIPE, "init")
    for step in steps:
        build_step(step, session.builder, workshop.folder / "built", Line.silent(), logs=workshop.folder)
    return session.builder.output(steps[-1].output("init"), Line.silent())


def unpacked(workshop: Workshop, name: str) -> Path:
    step = packages_step(workshop.session.project, name)
    build_step(step, workshop.session.builder, workshop.folder / "built", Line.silent(), logs=workshop.folder)
    return workshop.session.builder.output(step.output("packages.tar"), Line.silent())


@dataclass(frozen=True)
class Parts:
    """What is booted: kernel and initramfs, and the root file system's bytes."""

    boot: dict[str, Path]
    root: bytes


def parts(workshop: Workshop, folder: Path) -> Parts:
    cloud, busybox = unpacked(workshop, SET), unpacked(workshop, "initramfs")
    kernel = run(workshop, "modules", kernel_package.build, {"packages.tar": cloud}, packages=SET)
    wanted = {"modules": ("virtio_blk", "ext4", "dm-verity"), "firmware": (), "recipe": "x", "key": "x"}
    chosen = run(
        workshop, "modules", modules.build, {"modules.tar": kernel / "modules.tar"}, packages=SET, **wanted
    )
    (folder / "rootfs/etc").mkdir(parents=True)
    (folder / "rootfs/etc/hostname").write_text("stage1\n")
    inputs = {
        "programs": folder / "programs",
        "rootfs": folder / "rootfs",
        "packages.tar": busybox,
        "modules.tar": chosen / modules.CHOSEN,
    }
    (folder / "programs").mkdir()
    (folder / "programs/init").write_bytes(stage1(workshop).read_bytes())
    given = {"programs": ("init",), "packages": SET, "packaged": (), "busybox": False, "recipe": "x"}
    made = run(
        workshop, "imager", initramfs.build, inputs, carried="", about=(), os_release="ID=x\n", **given
    )
    tree = folder / "tree"
    for name in ("bin", "dev", "proc", "sbin", "sys"):
        (tree / name).mkdir(parents=True)
        (tree / name / ".keep").touch()  # an empty folder gets into no container
    with tarfile.open(busybox) as tar:
        file = tar.extractfile("usr/bin/busybox")
        assert file
        (tree / "bin/busybox").write_bytes(file.read())
    (tree / "sbin/init").write_text(INIT)
    (tree / "big").write_bytes(BIG)
    for name in ("bin/busybox", "sbin/init"):
        (tree / name).chmod(0o755)
    root = run(workshop, "boot", guest.make_root, {"tree": tree}) / guest.ROOT
    boot = {"vmlinuz": kernel / "vmlinuz", "initramfs": made / "initramfs.cpio.zst"}
    return Parts(boot, root.read_bytes())


def verity(data: bytes) -> tuple[bytes, bytes]:
    """Return root hash and hash partition, as cryptsetup's wiki and verity.rst of Linux have them."""
    level, levels = data, list[bytes]()
    while len(level) > BLOCK:
        blocks = (level[at : at + BLOCK] for at in range(0, len(level), BLOCK))
        hashes = b"".join(hashlib.sha256(SALT + block).digest() for block in blocks)
        level = hashes + bytes(-len(hashes) % BLOCK)
        levels.insert(0, level)
    fields = (
        b"verity",
        1,
        1,
        bytes(15) + b"\1",
        b"sha256",
        BLOCK,
        BLOCK,
        len(data) // BLOCK,
        len(SALT),
        SALT,
    )
    superblock = struct.pack("<8sII16s32sIIQH6x256s168x", *fields)
    return hashlib.sha256(SALT + level).digest(), superblock.ljust(BLOCK, b"\0") + b"".join(levels)


def disk(root_hash: bytes, data: bytes, tree: bytes) -> bytes:
    """Return a disk with two partitions, whose UUIDs are the halves of the root hash."""
    entries, body, at = b"", b"", FIRST
    for kind, half, content in ((DATA, root_hash[:16], data), (TREE, root_hash[16:], tree)):
        count = len(content) // SECTOR
        found = entry(kind, at, at + count - 1, "part")
        entries += found[:16] + UUID(bytes=half).bytes_le + found[32:]
        body, at = body + content, at + count
    entries = entries.ljust(ENTRIES, b"\0")
    taken = ENTRIES // SECTOR
    last = at + 8 + taken
    front = mbr(size=last).ljust(SECTOR, b"\0") + header(1, last, 2, entries, sector=SECTOR) + entries
    back = entries + header(last, 1, last - taken, entries, sector=SECTOR)
    return front.ljust(FIRST * SECTOR, b"\0") + body + bytes(8 * SECTOR) + back


def test_a_root_is_found_or_the_machine_says_why_not(workshop: Workshop, tmp_path: Path) -> None:
    made = parts(workshop, tmp_path)
    root_hash, tree = verity(made.root)
    whole = disk(root_hash, made.root, tree)
    flipped = bytearray(whole)
    flipped[whole.index(BIG[:BLOCK])] ^= 1
    for name, content in (("plain", made.root), ("whole", whole), ("flipped", flipped)):
        (tmp_path / name).write_bytes(content)
    up, verified = "THE ROOT IS UP", f"roothash={root_hash.hex()}"
    rows = (
        (["plain"], "root=LABEL=ROOT", ["/dev/vda / ext4 ro", up]),
        (["whole"], verified, ["/dev/dm-0 / ext4 ro", up]),
        (["flipped"], verified, [" is corrupted", "Kernel panic - not syncing: dm-verity device corrupted"]),
        (
            ["plain", "whole"],
            "root=LABEL=ROOT",
            ["This system cannot start: 2 devices are root=LABEL=ROOT: "],
        ),
        (
            ["plain"],
            "root=LABEL=X rd.timeout=2 panic=1",
            ["No device is root=LABEL=X after 2 seconds: there are "],
        ),
    )
    for names, append, hears in rows:
        inputs = made.boot | {name: tmp_path / name for name in names}
        _, said = workshop.run("boot", guest.start, inputs, disks=names, append=append, hears=hears)
        assert said.endswith("heard all\n"), f"{append}: {said}"
