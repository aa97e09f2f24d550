"""A root in the shape of Guix, made by hand: what its links lead to is found, judged and started.

Source of the shape: GNU Guix, gnu/system.scm (operating-system-directory-base-entries),
guix/profiles.scm (generation links). No tar of Guix's own was at hand.
"""

from pathlib import Path

from pipeline.checks.gate import Gate
from pipeline.formats import tar_tree
from pipeline.steps import boot_tree, root
from tests.fixtures.boot_system import write as write_system
from tests.fixtures.bzimage import bzimage
from tests.fixtures.context import played
from tests.fixtures.elf import elf
from tests.fixtures.root import In, folder, link, tar
from tests.plan.test_boot_trees import steps_of

STORE = "gnu/store"
LINUX, INITRD, SYSTEM, OLD, SHEPHERD = (
    f"{STORE}/{letter * 32}-{name}"
    for letter, name in zip(
        "abcdf", ("linux-libre-6.12.17", "raw-initrd", "system", "system", "shepherd-1.0.3"), strict=True
    )
)
PARAMETERS = b'(boot-parameters (version 1) (kernel-arguments ("quiet")))\n'


def system(path: str, linux: str = LINUX) -> tuple[In, ...]:
    """A system, whose `kernel` leads to a folder."""
    return (
        folder(path, 0o555),
        In(f"{path}/boot", b"#!/gnu/store/guile\n", 0o444),
        link(f"{path}/initrd", f"/{INITRD}/initrd.cpio.gz"),
        link(f"{path}/kernel", f"/{linux}"),
        In(f"{path}/parameters", PARAMETERS, 0o444),
    )


GUIX = (
    folder("./"),
    *(folder(name) for name in ("bin", "boot", "dev", "etc", "gnu", STORE, "run", "tmp", "var")),
    *(folder(f"var/{name}") for name in ("guix", "guix/profiles")),
    link("bin/sh", f"/{SHEPHERD}/bin/sh"),
    link("var/run", "/run"),
    *(folder(f"{SHEPHERD}{name}", 0o555) for name in ("", "/bin")),
    In(f"{SHEPHERD}/bin/sh", elf(), 0o555),
    *(folder(name, 0o555) for name in (LINUX, INITRD)),
    In(f"{LINUX}/bzImage", bzimage(), 0o444),
    In(f"{INITRD}/initrd.cpio.gz", b"initramfs", 0o444),
    *system(SYSTEM),
    *system(OLD),
    link("var/guix/profiles/system-1-link", f"/{OLD}"),
    link("var/guix/profiles/system-2-link", f"/{SYSTEM}"),
    link("var/guix/profiles/system", "system-2-link"),
)
BOOT = {
    "recipe": "toy",
    "version": "1",
    "systems": ["/var/guix/profiles/system", "/var/guix/profiles/system-1-link"],
    "cmdline": "root=GUIX_ROOT gnu.system={system} gnu.load={system}/boot",
    "kernel": "kernel",
    "initrd": "initrd",
    "timeout": 5,
    "heads": True,
    "epoch": 1,
}


def rewritten(here: Path) -> Path:
    (here / "in").mkdir(parents=True)
    (here / "in/artifact").write_bytes(tar(GUIX))
    ctx = played(here, recipe="recipes/toy/recipe.toml", epoch=9, architecture="amd64")
    root.build(ctx)
    return ctx.out / root.TAR


def test_its_systems_are_started(tmp_path: Path) -> None:
    image = rewritten(tmp_path / "root").read_bytes()
    (tmp_path / "boot/in").mkdir(parents=True)
    (tmp_path / "boot/in/root.tar").write_bytes(image)
    ctx = played(tmp_path / "boot")
    ctx.params = BOOT | {"folder": "guix"}
    boot_tree.build(ctx)
    made = {
        entry.name: bytes(entry.data)
        for entry in tar_tree.read((ctx.out / boot_tree.TAR).read_bytes()).entries
    }
    (kernel,) = [data for name, data in made.items() if name.startswith("vmlinuz-")]
    (initrd,) = [data for name, data in made.items() if name.startswith("initrd-")]
    assert (kernel, initrd) == (bzimage(), b"initramfs")
    lines = [line.strip() for line in made["grub/grub.cfg"].decode().splitlines()]
    told = [line.partition(" ")[2].partition(" ")[2] for line in lines if line.startswith("linux ")]
    assert told == [f"root=GUIX_ROOT gnu.system=/{path} gnu.load=/{path}/boot" for path in (SYSTEM, OLD)]


def test_it_lacks_an_init_alone(tmp_path: Path) -> None:
    image = rewritten(tmp_path)
    assert [each.code for each in Gate("root")(image)] == ["ROOT001"]
    assert Gate("root", ("ROOT001",))(image) == []


def test_its_init_may_be_where_its_command_line_says(tmp_path: Path) -> None:
    theirs = ('packages = "bare"', 'artifact = "a-program"')
    gates = {}
    for name, changes in (("theirs", [theirs]), ("ours", [])):
        step = steps_of(write_system(tmp_path / name, *changes))["root:toy"]
        gate = step.checks[root.TAR]
        assert isinstance(gate, Gate)
        gates[name] = gate.allowed
    assert gates == {"theirs": ("ROOT001",), "ours": ()}
