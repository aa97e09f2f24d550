"""The options of a kernel, from a source package that the test packs."""

import io
import lzma
import tarfile
from pathlib import Path

import pytest

from pipeline.debian.kernel_options import options
from pipeline.errors import FormatError
from tests.fixtures.deb import deb

TREE = {
    "linux/Kconfig": "config TOP # comment\n\tbool\n\thelp\n\t  config files are read\n",
    "linux/drivers/ata/Kconfig": "menuconfig ATA\nif ATA\n\tconfig SATA_INIC162X\nendif\n",
    "linux/drivers/ata/Kconfig.debug": "config ATA_DEBUG\n",
    "linux/drivers/ata/Makefile": "config NONE\n",
    "linux/arch/Kconfig": "config KPROBES\n",
    "linux/arch/x86/Kconfig": "config X86_64\n",
    "linux/arch/arm/Kconfig": "config ARM\n",
}


def source(tree: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, text in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return lzma.compress(file.getvalue())


def test_those_for_x86_and_for_all_machines(tmp_path: Path) -> None:
    package = tmp_path / "linux-source.deb"
    package.write_bytes(
        deb([("./usr/src/linux-source-6.12.tar.xz", source(TREE)), ("./usr/share/doc/x", b"config DOC\n")])
    )
    assert options(package) == {"TOP", "ATA", "SATA_INIC162X", "ATA_DEBUG", "KPROBES", "X86_64"}


def test_a_source_that_is_damaged(tmp_path: Path) -> None:
    package = tmp_path / "linux-source.deb"
    package.write_bytes(deb([("./usr/src/linux-source-6.12.tar.xz", b"damaged")]))
    with pytest.raises(FormatError, match=r"^linux-source.deb: data archive is damaged: "):
        options(package)
