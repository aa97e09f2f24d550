import gzip
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import archive, modules
from tests.fixtures.context import Played, played
from tests.fixtures.deb import Member, data_tar, link

EPOCH = 1795219200
REL = "6.12-cloud"
BELOW = f"usr/lib/modules/{REL}"
RECIPE = "recipes/toy/recipe.toml"
FILES: dict[str, bytes | str] = {
    "kernel/fs/ext4.ko.xz": lzma.compress(b"EXT4"),
    "kernel/fs/jbd2.ko.gz": gzip.compress(b"JBD2"),
    "kernel/lib/crc32c-intel.ko": b"CRC",
    "kernel/drivers/block/virtio_blk.ko.xz": lzma.compress(b"BLK"),
    "kernel/drivers/virtio/virtio.ko": b"VIRTIO",
    "kernel/drivers/odd.ko.zst": b"ZST",
    "modules.dep": "kernel/fs/ext4.ko.xz: kernel/fs/jbd2.ko.gz\n"
    "kernel/fs/jbd2.ko.gz:\nkernel/lib/crc32c-intel.ko:\nkernel/drivers/odd.ko.zst:\n"
    "kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko\n"
    "kernel/drivers/virtio/virtio.ko:\n",
    "modules.alias": "# Aliases\nalias crc32c crc32c_intel\nalias fs-ext4 ext4\n",
    "modules.softdep": "# Soft\nsoftdep ext4 pre: crc32c gone\nsoftdep jbd2 post: ext4\n",
    "modules.builtin": "kernel/drivers/virtio/virtio-pci.ko\n",
    "modules.builtin.modinfo": b"",
    "modules.order": b"",
}
EXT4 = ["kernel/fs/ext4.ko", "kernel/fs/jbd2.ko", "kernel/lib/crc32c-intel.ko"]
BLK = ["kernel/drivers/block/virtio_blk.ko", "kernel/drivers/virtio/virtio.ko"]
FIRMWARE: list[Member] = [
    ("usr/lib/firmware/a/x.bin", b"X"),
    link("usr/lib/firmware/a/y.bin", "x.bin"),
    ("usr/bin/z", b""),
]


def made(folder: Path, names: tuple[str, ...], firmware: tuple[str, ...] = ()) -> Played:
    for name, content in FILES.items():
        path = folder / "tree" / BELOW / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "in").mkdir()
    archive.pack(folder / "tree", folder / "in/modules.tar", EPOCH)
    (folder / "in/packages.tar").write_bytes(data_tar(FIRMWARE))

    def depmod(argv: list[str], _cwd: Path) -> str:
        base = Path(argv[1].removeprefix("--basedir="))
        for table in ("modules.dep", "modules.dep.bin", "modules.symbols"):
            (base / "lib/modules" / argv[2] / table).write_text("made")
        return ""

    params: dict[str, Any] = {"modules": names, "firmware": firmware, "packages": "cloud", "recipe": RECIPE}
    params["key"] = "kernel.modules"
    ctx = played(folder, depmod, epoch=EPOCH, **params)
    modules.build(ctx)
    return ctx


def content(ctx: Played) -> dict[str, bytes]:
    with tarfile.open(ctx.out / modules.CHOSEN) as tar:
        files = ((member.name, tar.extractfile(member)) for member in tar)
        return {name: file.read() for name, file in files if file}


@pytest.mark.parametrize(
    ("names", "expected", "noted"),
    [
        (("ext4",), EXT4, []),
        (("jbd2",), EXT4, []),
        (("virtio-blk",), BLK, []),
        (("virtio_*",), BLK, []),
        (("drivers/block/*", "ext4"), [*BLK, *EXT4], []),
        (
            ("virtio_pci", "crc32c-intel"),
            ["kernel/lib/crc32c-intel.ko"],
            [f"{RECIPE}: kernel.modules: 'virtio_pci' is built into Linux 6.12-cloud, and needs no module"],
        ),
    ],
)
def test_modules_come_with_what_they_need(
    tmp_path: Path, names: tuple[str, ...], expected: list[str], noted: list[str]
) -> None:
    ctx = made(tmp_path, names)
    tables = ("modules.alias", "modules.builtin", "modules.dep", "modules.softdep")
    found = [name.removeprefix(f"{BELOW}/") for name in content(ctx)]
    assert [name for name in found if name.endswith(".ko")] == expected
    assert set(found) - set(expected) <= set(tables)
    assert ctx.notes == noted


def test_modules_are_unpacked_and_get_tables_of_their_own(tmp_path: Path) -> None:
    found = content(ctx := made(tmp_path, ("ext4",), ("a/*",)))
    assert ctx.calls == [["depmod", f"--basedir={ctx.work / 'tree'}", REL]]
    assert found == {
        "usr/lib/firmware/a/x.bin": b"X",
        "usr/lib/firmware/a/y.bin": b"X",
        f"{BELOW}/kernel/fs/ext4.ko": b"EXT4",
        f"{BELOW}/kernel/fs/jbd2.ko": b"JBD2",
        f"{BELOW}/kernel/lib/crc32c-intel.ko": b"CRC",
        f"{BELOW}/modules.builtin": b"kernel/drivers/virtio/virtio-pci.ko\n",
        f"{BELOW}/modules.dep": b"made",
    }


@pytest.mark.parametrize(
    ("names", "firmware", "said", "hint"),
    [
        (("ext5",), (), "kernel.modules: Linux 6.12-cloud has no module 'ext5'", "did you mean ext4?"),
        (
            ("drivers/ata/*",),
            (),
            "kernel.modules: Linux 6.12-cloud has no module 'drivers/ata/*'",
            "modinfo(8) shows how modules are called",
        ),
        (
            (),
            ("b/*",),
            "kernel.firmware: 'b/*' is in no package of roots/cloud.toml",
            "name the Debian package that has it in roots/cloud.toml, then run `./doit lock cloud`",
        ),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path, names: tuple[str, ...], firmware: tuple[str, ...], said: str, hint: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        made(tmp_path, names, firmware)
    assert (caught.value.message, caught.value.hint) == (f"{RECIPE}: {said}", hint)


def test_a_packing_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        made(tmp_path, ("odd",))
    assert caught.value.message == (
        "kernel/drivers/odd.ko.zst is packed in an unknown way (known: .ko, .ko.xz, .ko.gz)"
    )
