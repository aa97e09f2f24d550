"""Boot trees of small roots: what is found by way of links, and what is refused."""

import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.checks.gate import Gate
from pipeline.errors import PipelineError
from pipeline.formats import heads
from pipeline.formats.boot_files import of_bytes
from pipeline.steps import boot_tree, filesystem
from pipeline.steps.boot_tree import Wanted
from tests.fixtures.bzimage import bzimage
from tests.fixtures.context import played
from tests.fixtures.initramfs import changed
from tests.fixtures.root import In, folder, hard, link, tar
from tests.fixtures.workshop import EPOCH, Workshop

KERNEL, OLD_KERNEL = bzimage(), bzimage(version="6.1.0-old")
SEED = "11111111-2222-4333-8444-555555555555"
INITRD, OLD_INITRD = b"070701 new", b"070701 old"
WANTED = Wanted(
    recipe="toy",
    version="1.0",
    systems=("/var/profiles/system", "/var/profiles/system-1-link"),
    cmdline="root=LABEL=ROOT gnu.system={system}",
    folder="toy",
)
STORE = {
    "kernel": In("gnu/store/k-linux/bzImage", KERNEL),
    "old-kernel": In("gnu/store/o-linux-6.1", OLD_KERNEL),
    "initrd": In("gnu/store/i-initrd/initrd.cpio.gz", INITRD),
    "old-initrd": In("gnu/store/j-initrd", OLD_INITRD),
    "2/kernel": link("gnu/store/2-system/kernel", "/gnu/store/k-linux"),
    "2/initrd": link("gnu/store/2-system/initrd", "../i-initrd/initrd.cpio.gz"),
    "1/kernel": link("gnu/store/1-system/kernel", "/gnu/store/o-linux-6.1"),
    "1/initrd": link("gnu/store/1-system/initrd", "../../../../../../../gnu/store/j-initrd"),
    "3/kernel": link("gnu/store/3-system/kernel", "/gnu/store/k-linux"),
    "profile": link("var/profiles/system", "system-2-link"),
    "profile 2": link("var/profiles/system-2-link", "/gnu/store/2-system"),
    "profile 1": link("var/profiles/system-1-link", "/gnu/store/1-system"),
    "profile 3": link("var/profiles/system-3-link", "/gnu/store/3-system"),
}
"""A store with three systems: the profile leads to the second; the third, the newest, has no initramfs."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def root(**changes: In | None) -> bytes:
    """The tar of the root, with members changed, added or left out."""
    members = {**STORE, **changes}
    return tar(tuple(member for member in members.values() if member is not None))


def made(tmp_path: Path, image: bytes, wanted: Wanted = WANTED) -> dict[str, bytes | None]:
    """Make the tree of a root; return its members, folders as None."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/root.tar").write_bytes(image)
    ctx = played(tmp_path)
    ctx.params = {**vars(wanted), "systems": list(wanted.systems), "epoch": EPOCH}
    boot_tree.build(ctx)
    found: dict[str, bytes | None] = {}
    with tarfile.open(ctx.out / "boot-tree.tar") as archive:
        for member in archive:
            data = archive.extractfile(member)
            assert (member.mtime, member.uid, member.gid) == (EPOCH, 0, 0)
            assert member.mode == (0o644 if data else 0o700 if member.name == "lost+found" else 0o755)
            found[member.name] = data.read() if data else None
    assert (ctx.out / "boot-tree.json").read_bytes() == found["boot-tree.json"]
    return found


def test_a_tree_of_two_systems(tmp_path: Path) -> None:
    tree = made(tmp_path, root())
    kernels = [f"vmlinuz-{digest(data)[:12]}" for data in (KERNEL, OLD_KERNEL)]
    initrds = [f"initrd-{digest(data)[:12]}.img" for data in (INITRD, OLD_INITRD)]
    menus = ["grub/grub.cfg", "loader/entries/toy-0.conf", "loader/entries/toy-1.conf", "boot-tree.json"]
    assert set(tree) == {"grub", "loader", "loader/entries", *kernels, *initrds, *menus}
    assert [tree[name] for name in (*kernels, *initrds)] == [KERNEL, OLD_KERNEL, INITRD, OLD_INITRD]
    menu = (tree["grub/grub.cfg"] or b"").decode().partition("\nmenuentry ")[2]
    assert menu == (
        f"'toy 1.0' --id toy-0 {{\n"
        f"  linux /{kernels[0]} root=LABEL=ROOT gnu.system=/gnu/store/2-system\n"
        f"  initrd /{initrds[0]}\n}}\n"
        f"\nmenuentry 'toy system-1-link' --id toy-1 {{\n"
        f"  linux /{kernels[1]} root=LABEL=ROOT gnu.system=/gnu/store/1-system\n"
        f"  initrd /{initrds[1]}\n}}\n"
    )
    about = json.loads(tree["boot-tree.json"] or b"")["entries"]
    assert [one["system"] for one in about] == ["/gnu/store/2-system", "/gnu/store/1-system"]
    assert [one["kernel_sha256"] for one in about] == [digest(KERNEL), digest(OLD_KERNEL)]


@pytest.mark.parametrize("heads", [False, True])
def test_its_gate_has_nothing_to_say(tmp_path: Path, *, heads: bool) -> None:
    made(tmp_path, root(), replace(WANTED, heads=heads))
    assert Gate("boot-tree")(tmp_path / "out/boot-tree.tar") == []


def test_its_gate_sees_a_changed_byte(tmp_path: Path) -> None:
    made(tmp_path, root(), replace(WANTED, heads=True))
    tree = tmp_path / "out/boot-tree.tar"
    tree.write_bytes(tree.read_bytes().replace(b"070701 old", b"070701 odd"))
    assert sorted({one.code for one in Gate("boot-tree")(tree)}) == ["HEADS015", "TREE002", "TREE005"]


def test_the_newest_is_not_taken_but_the_one_that_is_named(tmp_path: Path) -> None:
    whole = root(more=link("gnu/store/3-system/initrd", "/gnu/store/j-initrd"))
    about = json.loads(made(tmp_path, whole)["boot-tree.json"] or b"")["entries"]
    assert "/gnu/store/3-system" not in [one["system"] for one in about]


def test_what_systems_share_is_there_once(tmp_path: Path) -> None:
    same = {
        "1/kernel": link("gnu/store/1-system/kernel", "/gnu/store/k-linux/bzImage"),
        "1/initrd": hard("gnu/store/1-system/initrd", "gnu/store/i-initrd/initrd.cpio.gz"),
    }
    tree = made(tmp_path, root(**same))
    assert len([name for name in tree if name.startswith(("vmlinuz", "initrd"))]) == 2
    first, second = json.loads(tree["boot-tree.json"] or b"")["entries"]
    assert (first["kernel"], first["initrd"]) == (second["kernel"], second["initrd"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"show_status=yes\nquiet\n", " show_status=yes quiet"),
        (b"", ""),
        (b'(boot-parameters (version 1) (kernel-arguments ("quiet")))\n', ""),
    ],
)
def test_a_system_may_be_told_more(tmp_path: Path, text: bytes, told: str) -> None:
    more = root(more=In("gnu/store/1-system/parameters", text))
    first, second = json.loads(made(tmp_path, more)["boot-tree.json"] or b"")["entries"]
    assert first["cmdline"] == "root=LABEL=ROOT gnu.system=/gnu/store/2-system"
    assert second["cmdline"] == f"root=LABEL=ROOT gnu.system=/gnu/store/1-system{told}"


def test_files_of_a_system_without_a_store(tmp_path: Path) -> None:
    plain = tar((In("boot/linux", KERNEL), In("boot/initrd.img", INITRD)))
    wanted = replace(WANTED, systems=("/boot",), kernel="linux", initrd="initrd.img", cmdline="quiet")
    (one,) = json.loads(made(tmp_path, plain, wanted)["boot-tree.json"] or b"")["entries"]
    assert (one["system"], one["cmdline"]) == ("/boot", "quiet")


def test_links_may_be_many_and_climb_above_the_top(tmp_path: Path) -> None:
    chain = {f"link {at}": link(f"l/{at}", f"{at + 1}") for at in range(36)}
    last = {"link 36": link("l/36", "../../../../gnu/store/2-system")}
    wanted = replace(WANTED, systems=("/l/0",))
    (one,) = json.loads(made(tmp_path, root(**chain, **last), wanted)["boot-tree.json"] or b"")["entries"]
    assert one["system"] == "/gnu/store/2-system"


def test_the_lists_of_heads_fit_the_finished_file_system(tmp_path: Path) -> None:
    tree = made(tmp_path, root(), replace(WANTED, heads=True))
    files = {name: data for name, data in tree.items() if data is not None}
    hashes, names = files["kexec_hashes.txt"], files["kexec_tree.txt"]
    assert list(heads.differences(of_bytes(files, folders=["lost+found"]), hashes, names)) == []
    assert [one.path for one in heads.differences(of_bytes(files), hashes, names)] == ["lost+found"]
    assert b"boot-tree.json" in hashes


SYSTEM = "the system /var/profiles/system"
FAULTS: dict[str, tuple[dict[str, In | None], Wanted, str]] = {
    "no such system": (
        {},
        replace(WANTED, systems=("/var/profiles/system-9-link",)),
        "the root: /var/profiles/system-9-link is not in the archive",
    ),
    "incomplete: no initramfs": (
        {},
        replace(WANTED, systems=("/var/profiles/system-3-link",)),
        "the system /var/profiles/system-3-link has no initramfs: /gnu/store/3-system/initrd "
        "is not in the archive",
    ),
    "incomplete: no kernel": (
        {"2/kernel": None},
        WANTED,
        f"{SYSTEM} has no kernel: /gnu/store/2-system/kernel is not in the archive",
    ),
    "a folder without a kernel": (
        {"kernel": folder("gnu/store/k-linux/")},
        WANTED,
        f"{SYSTEM} has no kernel: /gnu/store/k-linux/bzImage is not in the archive",
    ),
    "a dangling kernel": (
        {"2/kernel": link("gnu/store/2-system/kernel", "/gnu/store/gone")},
        WANTED,
        f"{SYSTEM} has no kernel: /gnu/store/2-system/kernel leads to /gnu/store/gone, "
        "which is not in the archive",
    ),
    "a dangling initramfs": (
        {"2/initrd": link("gnu/store/2-system/initrd", "gone")},
        WANTED,
        f"{SYSTEM} has no initramfs: /gnu/store/2-system/initrd leads to /gnu/store/2-system/gone, "
        "which is not in the archive",
    ),
    "a dangling profile": (
        {"profile 2": link("var/profiles/system-2-link", "/gnu/store/7-system")},
        WANTED,
        "the root: /var/profiles/system leads to /gnu/store/7-system, which is not in the archive",
    ),
    "a circle": (
        {"profile 2": link("var/profiles/system-2-link", "system")},
        WANTED,
        "the root: /var/profiles/system leads in a circle of symbolic links",
    ),
    "a circle of kernels": (
        {"2/kernel": link("gnu/store/2-system/kernel", "kernel")},
        WANTED,
        f"{SYSTEM} has no kernel: /gnu/store/2-system/kernel leads in a circle of symbolic links",
    ),
    "a system that is a file": (
        {"profile": In("var/profiles/system", b"x")},
        WANTED,
        f"{SYSTEM} is /var/profiles/system, which is no folder",
    ),
    "an initramfs that is a folder": (
        {"2/initrd": folder("gnu/store/2-system/initrd/")},
        WANTED,
        f"{SYSTEM} has no initramfs: /gnu/store/2-system/initrd leads to /gnu/store/2-system/initrd, no file",
    ),
    "a kernel that is none": (
        {"kernel": In("gnu/store/k-linux/bzImage", b"\x7fELF")},
        WANTED,
        f"the kernel of {SYSTEM}, /gnu/store/k-linux/bzImage, is no bzImage: it has no boot header",
    ),
    "a kernel that is cut off": (
        {"kernel": In("gnu/store/k-linux/bzImage", KERNEL[:-20])},
        WANTED,
        f"the kernel of {SYSTEM}, /gnu/store/k-linux/bzImage, is cut off: it has "
        f"{len(KERNEL) - 20} bytes of {len(KERNEL)}",
    ),
    "what a system is told besides": (
        {"more": In("gnu/store/2-system/parameters", b"a=$b\n")},
        WANTED,
        f"{SYSTEM}: boot.cmdline: 'a=$b' has '$', of which GRUB, the shell of Heads and systemd-boot make "
        "different things",
    ),
    "an empty initramfs": (
        {"initrd": In("gnu/store/i-initrd/initrd.cpio.gz", b"")},
        WANTED,
        f"the initramfs of {SYSTEM}, /gnu/store/i-initrd/initrd.cpio.gz, is empty",
    ),
    "a command line by the system's name": (
        {
            "profile 2": link("var/profiles/system-2-link", "/gnu/store/2*"),
            "2/kernel": link("gnu/store/2*/kernel", "/gnu/store/k-linux"),
            "2/initrd": link("gnu/store/2*/initrd", "../i-initrd/initrd.cpio.gz"),
        },
        WANTED,
        f"{SYSTEM}: boot.cmdline: 'gnu.system=/gnu/store/2*' has '*', of which GRUB, the shell of Heads and "
        "systemd-boot make different things",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_refused_and_nothing_is_made(tmp_path: Path, fault: str) -> None:
    changes, wanted, said = FAULTS[fault]
    with pytest.raises(PipelineError) as caught:
        made(tmp_path, root(**changes), wanted)
    assert caught.value.message == said
    assert caught.value.hint
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.container
def test_it_is_the_same_anywhere_and_fits_its_file_system(workshop: Workshop, tmp_path: Path) -> None:
    """Heads' lists are of the finished file system, in which there is what mke2fs makes."""
    initrds = {
        "initrd": In("gnu/store/i-initrd/initrd.cpio.gz", changed()),
        "old-initrd": In("gnu/store/j-initrd", changed()),
    }
    params = vars(replace(WANTED, heads=True))
    given = {boot_tree.ROOT: root(**initrds)}
    out, said = workshop.run("root", boot_tree.build, given, **params)
    assert (out / boot_tree.TAR).is_file(), said
    again, _ = workshop.elsewhere().run("root", boot_tree.build, given, **params)
    assert (out / boot_tree.TAR).read_bytes() == (again / boot_tree.TAR).read_bytes()
    asked = {"output": "boot.ext4", "kind": "ext4", "label": "BOOT", "seed": SEED}
    made, said = workshop.run("disk", filesystem.build, {filesystem.TREE: out / boot_tree.TAR}, **asked)
    assert (made / "boot.ext4").is_file(), said
    assert Gate("ext", policies=())(made / "boot.ext4") == []


def test_a_tar_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(PipelineError):
        made(tmp_path, b"x" * 1024)
