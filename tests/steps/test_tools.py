"""Each step of the image with its real tools, in its container, on tiny inputs: what our rules say of it."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.gate import Gate
from pipeline.formats import fat
from pipeline.formats.fields import open_image
from pipeline.plan.packages import packages_step
from pipeline.report import Line
from pipeline.steps import by_hand, efi_image, initramfs, iso, kernel_package, modules, packages, uki
from pipeline.steps.packages import TAR
from tests.fixtures.bzimage import bzimage
from tests.fixtures.elf import elf
from tests.fixtures.initramfs import INITTAB, changed
from tests.fixtures.uki import CMDLINE
from tests.fixtures.uki import uki as uki_image
from tests.fixtures.workshop import EPOCH, Content, Workshop

pytestmark = pytest.mark.container

SET = "initramfs"
OS_RELEASE = 'NAME="TruthDB"\nID=truthdb\n'
SAID = {"os_release": OS_RELEASE, "sbat": "truthdb,1,TruthDB,TruthDB,1.0,-\n"}
"""What a UKI says of itself."""
ISO_PARAMS = {
    "output": "x.iso",
    "volume_id": "TRUTHDB",
    "publisher": "TRUTHDB",
    "application": "TEST 1",
    "readme": "read me\n",
}


def findings(kind: str, image: bytes, tmp_path: Path) -> list[str]:
    path = tmp_path / "artifact"
    path.write_bytes(image)
    return [f"{finding.code}: {finding.message}" for finding in Gate(kind)(path)]


def unpacked(workshop: Workshop, name: str = SET) -> Path:
    """Return the tar of a set of this checkout, made by its step."""
    step = packages_step(workshop.session.project, name)
    paths = workshop.session.builder.files(step, Line.silent())
    debs: Content = {Path(name).name: path.read_bytes() for name, path in paths.items()}
    out, said = workshop.run("imager", packages.build, {"packages": debs}, **step.params)
    assert (out / TAR).is_file(), said
    return out / TAR


def make_initramfs(workshop: Workshop, **changes: Any) -> bytes:
    rootfs = {"etc/inittab": INITTAB.encode()}
    inputs: dict[str, Content] = {
        "programs": {"installer": elf(kind=3)},
        "rootfs": rootfs,
        TAR: unpacked(workshop),
    }
    params = {
        "programs": ("installer",),
        "busybox": True,
        "packages": SET,
        "packaged": ("/usr/sbin/mke2fs",),
        "applets": None,
        "recipe": "recipes/toy/recipe.toml",
        "carried": "",
        "about": (),
        "os_release": OS_RELEASE,
    } | changes
    return workshop.make(initramfs.build, "initramfs.cpio.zst", inputs, **params)


def make_uki(workshop: Workshop, **changes: Any) -> bytes:
    inputs = {
        "vmlinuz": bzimage(),
        "initramfs.cpio.zst": changed(),
        "splash.bmp": b"BM",
    }
    params = {"output": "x.efi", "cmdline": CMDLINE.decode(), **SAID} | changes
    return workshop.make(uki.build, "x.efi", inputs, **params)


def make_efi_image(workshop: Workshop, **changes: Any) -> bytes:
    return workshop.make(efi_image.build, "efi.img", {"BOOTX64.EFI": uki_image()}, **changes)


def make_iso(workshop: Workshop, **changes: Any) -> bytes:
    return workshop.make(iso.build, "x.iso", {"efi.img": make_efi_image(workshop)}, **(ISO_PARAMS | changes))


ARTIFACTS = [
    pytest.param(make_initramfs, "initramfs", id="initramfs"),
    pytest.param(make_uki, "uki", id="uki"),
    pytest.param(make_efi_image, "fat", id="efi-image"),
    pytest.param(make_iso, "iso", id="iso"),
]


@pytest.mark.parametrize(("build", "rules"), ARTIFACTS)
def test_what_the_tools_make_breaks_no_rule_and_comes_out_the_same_again(
    workshop: Workshop, tmp_path: Path, build: Callable[..., bytes], rules: str
) -> None:
    first = build(workshop)
    assert findings(rules, first, tmp_path) == []
    assert build(workshop) == first


@pytest.mark.parametrize(("build", "rules"), [p for p in ARTIFACTS if p.id != "uki"])
def test_the_epoch_is_really_in_it(workshop: Workshop, build: Callable[..., bytes], rules: str) -> None:
    assert build(workshop, epoch=EPOCH + 86400) != build(workshop)


@pytest.mark.parametrize("size", [0, 1, 512, 2_000_000, 5_390_000, 33_400_000, 40_000_000])
def test_a_fat_image_of_any_size_holds_its_file(workshop: Workshop, tmp_path: Path, size: int) -> None:
    content = uki_image({".pad": bytes(range(256)) * (size // 256) + bytes(size % 256)})
    image = workshop.make(efi_image.build, "efi.img", {"BOOTX64.EFI": content})
    assert findings("fat", image, tmp_path) == []
    assert content in image  # in one run of clusters
    assert len(image) < max(len(content) * 1.02, 2_200_000) + efi_image.ROOM + 64 * 1024
    path = tmp_path / "efi.img"
    path.write_bytes(image)
    volume = fat.read_volume(open_image(path))
    assert fat.free_clusters(fat.read_table(volume)) * volume.cluster_size >= efi_image.ROOM


def test_two_images_of_one_epoch_differ_in_their_guids(workshop: Workshop) -> None:
    first, second = (
        make_iso(workshop),
        workshop.make(iso.build, "x.iso", {"efi.img": bytes(1 << 21)}, **ISO_PARAMS),
    )
    guid = slice(512 + 56, 512 + 72)  # UEFI 2.10, table 5.5: DiskGUID in the header at LBA 1
    assert first[512:520] == second[512:520] == b"EFI PART"
    assert first[guid] != second[guid]


def test_a_script_makes_a_medium_of_the_same_files(workshop: Workshop) -> None:
    inputs: dict[str, Content] = {
        "vmlinuz": bzimage(),
        "initramfs.cpio.zst": changed(),
        "splash.bmp": b"BM",
    }
    params = {"cmdline": CMDLINE.decode(), **SAID}
    seconds = workshop.make(by_hand.build, "seconds", inputs, **params)
    assert float(seconds) > 0


def test_debians_kernel_and_the_modules_that_are_chosen_of_it(workshop: Workshop, tmp_path: Path) -> None:
    inputs: dict[str, Content] = {TAR: unpacked(workshop, "linux-cloud")}
    kernel, said = workshop.run("modules", kernel_package.build, inputs, packages="linux-cloud")
    assert (kernel / "modules.tar").is_file(), said
    assert findings("kernel", (kernel / "vmlinuz").read_bytes(), tmp_path) == []
    release = (kernel / "kernel.release").read_text().strip()
    assert release.endswith("-cloud-amd64")
    assert "CONFIG_MODULES=y\n" in (kernel / "kernel.config").read_text()
    wanted = {
        "modules": ("ext4", "erofs", "virtio_blk", "dm-verity", "drivers/ata/*"),
        "firmware": (),
        "recipe": "x",
        "key": "x",
    }
    inputs = {"modules.tar": kernel / "modules.tar"}
    runs = [
        workshop.run("modules", modules.build, inputs, packages="linux-cloud", **wanted) for _ in range(2)
    ]
    (once, said), (again, _) = runs
    assert (once / "chosen.tar").is_file(), said
    assert (once / "chosen.tar").read_bytes() == (again / "chosen.tar").read_bytes()
    with tarfile.open(once / "chosen.tar") as tar:
        files = {name.name: file.read() for name in tar if (file := tar.extractfile(name))}
    found = {Path(name).stem: data for name, data in files.items() if name.endswith(".ko")}
    assert {"virtio_blk", "dm-verity", "dm-mod", "ahci", "libata", "erofs"} <= set(found)
    assert f"{len(found)} modules of " in said
    assert all(data.startswith(b"\x7fELF") for data in found.values())
    assert all(data.endswith(b"~Module signature appended~\n") for data in found.values())
    table = files[f"usr/lib/modules/{release}/modules.dep"].decode()
    assert "kernel/drivers/md/dm-verity.ko: " in table
    assert "virtio:d00000002v*" in files[f"usr/lib/modules/{release}/modules.alias"].decode()
