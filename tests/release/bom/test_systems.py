"""What a bill of materials says of a whole system: its root's packages, its kernel's, its modules."""

import json
import lzma
from pathlib import Path

import pytest
import zstandard

from pipeline.build.session import Session
from pipeline.cli.lock_licences import write_licences
from pipeline.debian import lock
from pipeline.debian.lock import SetIntent
from pipeline.plan.step import distinct
from pipeline.release import verify
from pipeline.release.artifacts import artifacts
from pipeline.release.assemble import assemble
from pipeline.release.bom.components import Contents, Relation
from pipeline.release.trust import Trust
from pipeline.report import Report
from pipeline.steps import initramfs, kernel_package
from pipeline.store.cache import Result, Store
from tests.fixtures import checkout, releasable
from tests.fixtures.bzimage import bzimage
from tests.fixtures.elf import elf, with_section
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.release_contents import (
    AUDIT,
    CARGO_LOCK,
    DEBS,
    DEP5,
    OTHER,
    collected,
    lock_packages,
    made_by,
    package,
    packed,
    put,
)
from tests.plan.test_systems import without_iso

KERNEL = """\
package = "linux-image-6.12-cloud"
packages = "linux"
modules = ["erofs"]
"""
MODULE = b"a module"
OF_SYSTEMS = {
    "systemd": ("Source: systemd\n", [("./usr/share/doc/systemd/copyright", DEP5)]),
    "linux-image-6.12-cloud": (
        "Source: linux\n",
        [
            ("./boot/vmlinuz-6.12", bzimage()),
            ("./usr/lib/modules/6.12/kernel/fs/erofs.ko.xz", lzma.compress(MODULE)),
            ("./usr/share/doc/linux-image-6.12-cloud/copyright", b"Linux's.\n"),
        ],
    ),
    "kmod": ("", [("./usr/share/doc/kmod/copyright", DEP5)]),
}


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A run on a checkout of which a whole system is built, whose kernel is Debian's."""
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    store, root = Store(tmp_path / "cache"), without_iso(tmp_path / "checkout")
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('fragments = ["base"]\n', KERNEL))
    (root / "recipes/toy/files/etc").mkdir(parents=True)
    (root / "recipes/toy/files/etc/fstab").write_text("x\n")
    (root / "recipes/toy/files/etc/mtab").symlink_to("fstab")
    recipe.write_text(recipe.read_text().replace("[root]\n", '[root]\nrootfs = "files"\n'))
    (root / "recipes/toy/installer/Cargo.lock").write_text(CARGO_LOCK)
    (root / "recipes/toy/installer/Cargo.toml").write_text('[package]\nname = "toy"\nlicense = "MIT"\n')
    names = '"linux-image-6.12-cloud", "kmod"'
    (root / "roots/linux.toml").write_text(f'summary = "Linux."\npackages = [{names}]\n')
    intent = SetIntent("Linux.", ("linux-image-6.12-cloud", "kmod"))
    lock.write(checkout.set_lock_of("linux", intent), root / lock.path_of("linux"))
    tools = lock.Intent("Tools.", ("python3",))
    (root / "containers/modules.toml").write_text('summary = "Tools."\npackages = ["python3"]\n')
    lock.write(checkout.lock_of("modules", tools), root / lock.path_of("modules"))
    debs = {name: package(store, name, *said) for name, said in {**DEBS, **OF_SYSTEMS}.items()}
    debs["python3"] = package(store, "python3", "", [])
    for name in (*checkout.CONTAINERS, "root", "disk", "modules"):
        lock_packages(root, lock.Lock, name, debs)
    for name in (*checkout.SETS, "bare", "linux"):
        lock_packages(root, lock.SetLock, name, debs)
    session = Session(root, Report())
    write_licences(session.project, store, Report())
    for step in distinct(step for steps in session.images.values() for step in steps):
        program = with_section(elf(entry=0x400090), ".dep-v0", packed(AUDIT))
        made = made_by(session, step, program, OTHER)
        if step.run is kernel_package.build:
            made = {"vmlinuz": bzimage()}
        if step.run is initramfs.build:
            members = [
                Raw("lib/modules/6.12/kernel/fs/erofs.ko", FILE, MODULE),
                Raw("lib/modules/6.12/modules.dep", FILE, b"made\n"),
                Raw("bin/toy", FILE | 0o111, program),
            ]
            made = {"initramfs.cpio.zst": zstandard.ZstdCompressor().compress(newc(members))}
        outputs = {name: put(store, made.get(name, f"{step.name} {name}".encode())) for name in step.outputs}
        store.record(session.builder.key(step) or "", Result(outputs, 1.0, "0" * 64))
    return session


def others(found: Contents, ref: str, relation: Relation) -> list[str]:
    """Return the names of what a part is so related to."""
    parts = {part.ref: part for part in found.parts}
    return [parts[link.other].name for link in found.links if (link.part, link.relation) == (ref, relation)]


def test_what_is_released_of_a_system(system: Session) -> None:
    assert sorted(artifacts(system)) == ["Toy.efi", "toy-1.0.ova", "toy-1.0.vhd", "vmlinuz-linux"]
    recipe = system.root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('formats = ["vhd", "ova"]\n', ""))
    alone = Session(system.root, Report())
    assert sorted(artifacts(alone)) == ["Toy.efi", "toy-1.0.raw", "vmlinuz-linux"]


def test_what_a_system_consists_of(system: Session) -> None:
    found = collected(system)
    parts = {part.ref: part for part in found.parts}
    assert others(found, "artifact:root:toy/root.tar", Relation.CONTAINS) == ["etc/fstab", "systemd"]
    systemd = next(part for part in found.parts if part.name == "systemd")
    assert (systemd.version, systemd.tool, systemd.licence.expression[:6]) == ("1-1+b2", False, "((MIT ")
    kernel = parts["artifact:kernel:linux/vmlinuz"]
    assert others(found, kernel.ref, Relation.EXPANDED_FROM_ARCHIVE) == ["linux-image-6.12-cloud"]
    assert kernel.licence.expression.startswith("LicenseRef-")
    tools = [link.part for link in found.links if link.other == kernel.ref]
    assert [parts[ref].name for ref in tools if "kmod" in ref] == ["kmod"]
    assert parts[next(ref for ref in tools if "kmod" in ref)].tool
    module = "file:initramfs:toy/initramfs.cpio.zst/lib/modules/6.12/kernel/fs/erofs.ko"
    assert (parts[module].origin, parts[module].licence) == (
        "from Debian package linux-image-6.12-cloud",
        kernel.licence,
    )
    table = "file:initramfs:toy/initramfs.cpio.zst/lib/modules/6.12/modules.dep"
    assert parts[table].origin == "made by step initramfs:toy"


def test_which_is_in_which(system: Session) -> None:
    found = collected(system)
    chain = {
        "disk:toy:vhd/toy.vhd": ["toy.raw"],
        "disk:toy/toy.raw": ["esp.fat", "root.erofs", "root.roothash", "root.verity", "var.ext4"],
        "filesystem:toy:root/root.erofs": ["root.tar"],
        "filesystem:toy:esp/esp.fat": ["Toy.efi"],
        "uki:toy/Toy.efi": ["initramfs.cpio.zst", "root.roothash", "vmlinuz-linux", "splash.bmp"],
    }
    contains = {ref: others(found, f"artifact:{ref}", Relation.CONTAINS) for ref in chain}
    assert {ref: sorted(names) for ref, names in contains.items()} == {
        ref: sorted(names) for ref, names in chain.items()
    }
    assert others(found, "artifact:uki:toy/Toy.efi", Relation.STATIC_LINK) == ["systemd-boot-efi"]
    assert sorted(top.name for top in found.tops) == ["toy-1.0.ova", "toy-1.0.vhd"]


def test_its_release_can_be_verified(system: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for image, steps in system.images.items():
        for step in steps:
            result = system.builder.result(step)
            for name, mode in step.published.items():
                assert result
                system.store.copy(result.outputs[name], system.folder(image) / name, mode)
    releasable.commit(system.root)
    folder, _ = assemble(system)
    assert [verdict for verdict in verify.examine(folder, Trust()) if verdict.good is False] == []
    bill = json.loads((folder / "sbom.cdx.json").read_text())
    assert "systemd" in {each["name"] for each in bill["components"] if each.get("scope") != "excluded"}
