from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import efi_image
from pipeline.steps.efi_image import ROOM, Geometry, geometry, mkfs_argv
from pipeline.store.files import sha256_of
from tests.fixtures.context import played

EPOCH = 1795219200


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (0, Geometry(4192, 1, 4101)),
        (2_000_000, Geometry(4192, 1, 4101)),
        (5_390_000, Geometry(10784, 1, 10658)),
        (40_000_000, Geometry(78624, 2, 39129)),
        (520_000_000, Geometry(1016352, 16, 63487)),
    ],
)
def test_the_smallest_fat16_that_holds_the_file(size: int, shape: Geometry) -> None:
    assert geometry(size) == shape


def clusters_that_come_out(shape: Geometry) -> int:
    """Return how many clusters mkfs.vfat 4.2 -a makes (src/mkfs.fat.c, setup_tables, case 16)."""
    data = shape.total - shape.cluster - 512 * 32 // 512
    estimate = (data * 512 + 2 * 4) // (shape.cluster * 512 + 2 * 2)
    return (data - 2 * -(-(estimate + 2) * 2 // 512)) // shape.cluster


EDGES = [256 * fats + step for fats in (17, 32, 48, 64, 128, 255) for step in range(-40, 4)]


@pytest.mark.parametrize("cluster", [1, 2, 4, 8, 16, 32, 64])
def test_there_are_always_clusters_enough_and_never_too_many_for_fat16(cluster: int) -> None:
    for needed in EDGES:
        shape = geometry((needed - 2) * cluster * 512 - ROOM)
        made = clusters_that_come_out(shape)
        assert shape.total % 32 == 0
        assert max(4085, shape.clusters) <= made < 65525, (needed, shape)


def test_a_file_that_no_fat16_holds() -> None:
    size = 65475 * 64 * 512 - ROOM
    assert geometry(size - 64 * 512).cluster == 64
    with pytest.raises(PipelineError) as caught:
        geometry(size)
    assert str(caught.value) == (
        f"the UKI has {size} bytes, more than a FAT16 image holds\n  hint: make kernel or initramfs smaller"
    )


def test_commands_and_their_environment(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/BOOTX64.EFI").write_bytes(bytes(1000))
    ctx = played(tmp_path, epoch=EPOCH)
    efi_image.build(ctx)
    image, uki = f"{tmp_path}/out/efi.img", tmp_path / "in/BOOTX64.EFI"
    mkfs = ["mkfs.vfat", "--invariant", f"-i{sha256_of(uki)[:8]}"]
    assert ctx.calls == [
        [*mkfs, "-a", "-F16", "-s1", "-R1", "-r512", "-nEFI", "-C", image, "2096"],
        ["mmd", "-i", image, "::EFI"],
        ["mmd", "-i", image, "::EFI/BOOT"],
        ["mcopy", "-i", image, str(uki), "::EFI/BOOT/BOOTX64.EFI"],
    ]
    mtools = {
        "MTOOLSRC": "/dev/null",
        "MTOOLS_SKIP_CHECK": "0",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "TZ": "UTC",
    }
    assert ctx.envs == [{}, mtools, mtools, mtools]


def test_what_lies_beside_it(tmp_path: Path) -> None:
    for name in ("BOOTX64.EFI", "besides/EFI/BOOT/grubx64.efi", "keys/db-2.cer", "keys/db.auth"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000))
    for name in ("noPK.auth", "revoked-db.cer", "db.pem", "owner.txt"):
        (tmp_path / "in/keys" / name).touch()
    ctx = played(tmp_path, epoch=EPOCH)
    efi_image.build(ctx)
    made = [argv[0::3] if argv[0] == "mmd" else argv[3:] for argv in ctx.calls[1:]]
    assert made == [
        ["mmd", "::EFI"],
        ["mmd", "::EFI/BOOT"],
        ["mmd", "::keys"],
        [f"{tmp_path}/in/BOOTX64.EFI", "::EFI/BOOT/BOOTX64.EFI"],
        [f"{tmp_path}/in/besides/EFI/BOOT/grubx64.efi", "::EFI/BOOT/grubx64.efi"],
        [f"{tmp_path}/in/keys/db-2.cer", "::keys/db-2.cer"],
        [f"{tmp_path}/in/keys/db.auth", "::keys/db.auth"],
    ]


def test_each_file_has_clusters_of_its_own() -> None:
    assert geometry(*[1] * 6000).clusters == geometry(6000 * 512).clusters


def test_a_shape_s_size_is_given_in_kib() -> None:
    assert mkfs_argv(Geometry(78496, 2, 39065), "0123abcd", "x")[2:] == [
        "-i0123abcd",
        "-a",
        "-F16",
        "-s2",
        "-R2",
        "-r512",
        "-nEFI",
        "-C",
        "x",
        "39248",
    ]
