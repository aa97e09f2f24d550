"""The same files, out of each file system and archive that boot loaders read them from."""

import tarfile
from collections.abc import Callable

import pytest

from pipeline.formats import boot_views, tar_tree
from pipeline.formats.boot_files import Files
from pipeline.formats.ext4 import read_ext4
from pipeline.formats.fat import read_volume
from pipeline.formats.iso9660 import read_iso9660
from tests.fixtures.ext4 import ext4
from tests.fixtures.fat import fat
from tests.fixtures.iso import iso_of
from tests.fixtures.root import In, folder, link, tar

CONFIG = {"GRUB/GRUB.CFG": b"set a=1\n", "VMLINUZ": b"kernel"}
LINKS = {"LINK": "GRUB/GRUB.CFG"}


def _ext4() -> Files:
    with_folder = {"GRUB/": b"", **CONFIG, "LINK->GRUB/GRUB.CFG": b""}
    return boot_views.of_file_system(read_ext4(ext4(with_folder)))


def _fat() -> Files:
    return boot_views.of_fat(read_volume(fat(CONFIG)))


def _iso() -> Files:
    image = iso_of(CONFIG, LINKS)
    return boot_views.of_iso(image, read_iso9660(image))


def _tar() -> Files:
    members = (
        folder("."),
        folder("./GRUB"),
        *(In(f"./{name}", data) for name, data in CONFIG.items()),
        link("./LINK", "GRUB/GRUB.CFG"),
        In("./pipe", kind=tarfile.FIFOTYPE),
    )
    return boot_views.of_entries(tar_tree.read(tar(members)).entries)


@pytest.mark.parametrize("view", [_ext4, _fat, _iso, _tar])
def test_files_are_found_by_their_paths(view: Callable[[], Files]) -> None:
    files = view()
    assert {path: bytes(data) for path, data in files.files.items()} == CONFIG
    assert files.folders == {"GRUB"}
    assert files.links == ({} if view is _fat else LINKS)
    assert files.others == ({"pipe"} if view is _tar else set())
    assert files.ignore_case == (view is _fat)
    assert files.read("/GRUB/GRUB.CFG") == b"set a=1\n"
    assert files.is_file("/grub/grub.cfg") == (view is _fat)
    assert files.is_file("/LINK") == (view is not _fat)
