"""What stories do to a /boot, with the real gpg and debugfs; what firmware says of it, stories see."""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.boot import heads
from pipeline.boot.stories import INITRAMFS, VMLINUZ, Lab
from pipeline.errors import FormatError
from pipeline.formats import cpio
from pipeline.formats.cpio_reader import read
from pipeline.formats.fields import open_image
from pipeline.formats.signed_boot import boot_in
from pipeline.vm import disks
from pipeline.vm.machine import Firmware, argv, terminal
from pipeline.vm.session import NotSeenError
from tests.fixtures.release_folder import Keys
from tests.fixtures.signable import signable

INITRD = "initrd-1.img"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab with a stand-in for firmware; the path of gpg's socket has to be short."""
    packed = io.BytesIO()
    cpio.write([cpio.File("init", b"#!/bin/sh")], packed, 0)
    inputs = {VMLINUZ: tmp_path / "vmlinuz", INITRAMFS: tmp_path / "initramfs.cpio"}
    inputs[INITRAMFS].write_bytes(packed.getvalue() + b"\0\0\0")
    with tempfile.TemporaryDirectory(prefix="lab") as work:
        firmware = Firmware(tmp_path / "code", tmp_path / "vars")
        yield Lab(inputs, "1", lambda _: None, firmware, "tcg", tmp_path / "out", Path(work), 1, 1)
        for name in ("owner", "stranger"):
            disks.run("gpgconf", "--homedir", str(Path(work, name)), "--kill", "all")


@pytest.fixture
def signed(lab: Lab, keys: Keys) -> heads.BootDisk:
    disk = heads.boot_disk(signable(lab.work))
    disk.sign(heads.owner(lab))
    return disk


def test_the_firmware_has_the_owner_s_key(lab: Lab, keys: Keys) -> None:
    keeper = heads.owner(lab)
    machine = heads.machine(lab, keeper, say="entry=2")
    words = argv(machine, terminal())
    assert words[words.index("-append") + 1] == f"{heads.APPEND} entry=2"
    assert words[words.index("-kernel") + 1] == str(lab.inputs[VMLINUZ])
    assert "pflash0=code" not in " ".join(words)
    data = Path(words[words.index("-initrd") + 1]).read_bytes()
    begins = data.index(b"070701", 512)
    assert begins % 512 == 0
    assert {entry.name: bytes(entry.data) for entry in read(data[begins:])} == {
        "etc": b"",
        heads.KEYRING: keeper.public(),
    }


@pytest.mark.parametrize("name", heads.CHANGES)
def test_what_a_story_changes(lab: Lab, signed: heads.BootDisk, name: str) -> None:
    before = boot_in(open_image(signed.path))
    text, signature = before.text, before.signature  # which are read when they are asked for
    sentence = heads.CHANGES[name](signed, heads.owner(lab, "stranger"))
    files, told = signed.files(), f"{signed.path.name} {name}"
    if name in ("list", "unsigned", "stranger"):
        after = boot_in(open_image(signed.path))
        assert (after.text != text) == (name == "list"), told
        assert (after.signature == signature) == (name == "list"), told
    else:
        with pytest.raises(FormatError) as caught:
            boot_in(open_image(signed.path))
        assert sentence.split()[0] in caught.value.message
    assert files.is_file(INITRD) == (name != "missing")
    assert files.is_file("added") == (name in ("added", "list"))


def test_a_file_that_the_list_lacks(signed: heads.BootDisk) -> None:
    assert signed.listed("grub") == "grub/grub.cfg"
    with pytest.raises(NotSeenError, match=r"kexec_hashes.txt has no bzImage: grub/grub.cfg, initrd-1.img, "):
        signed.listed("bzImage")


@pytest.mark.parametrize("ending", ["", ".asc"])
def test_a_stick(lab: Lab, keys: Keys, ending: str) -> None:
    iso = lab.work / "one.iso"
    iso.write_bytes(b"an ISO" * 1000)
    keeper = heads.owner(lab)
    if ending:
        keeper.sign_iso(iso)
    stick = heads.stick(lab, "ext4", iso)
    found = heads.BootDisk(stick.image, 0).files()
    assert found.read("one.iso") == iso.read_bytes()
    assert found.is_file("one.iso.asc") == bool(ending)
