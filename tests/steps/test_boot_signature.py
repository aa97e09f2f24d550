from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.formats.fields import open_image
from pipeline.formats.heads import HASHES
from pipeline.formats.signed_boot import boot_in
from pipeline.steps.boot_signature import BOOT, attach, build, commands
from tests.fixtures.context import played
from tests.fixtures.signable import signable, tool

TIME = 1_700_000_000
START = 1 << 20


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return signable(tmp_path)


def test_commands() -> None:
    assert commands("/in/kexec.sig", 5).splitlines() == [
        "set_current_time @5",
        "rm kexec.sig",
        "write /in/kexec.sig kexec.sig",
        "set_inode_field kexec.sig mode 0100644",
        "set_inode_field kexec.sig uid 0",
        "set_inode_field kexec.sig gid 0",
    ]


def test_a_signature_takes_the_place_of_another(image: Path, tmp_path: Path) -> None:
    signature = tmp_path / "kexec.sig"
    signature.write_bytes(b"one\n")
    again, unsigned = tmp_path / "again.ext4", image.read_bytes()
    for path in (image, again):
        path.write_bytes(unsigned)
        attach(tool, path, signature, tmp_path, time=TIME)
    assert image.read_bytes() == again.read_bytes()
    assert boot_in(open_image(image)).signature == b"one\n"
    for said in (b"two\n", b"one\n", b"a longer one\n" * 100):
        signature.write_bytes(said)
        attach(tool, image, signature, tmp_path, time=TIME)
        assert boot_in(open_image(image)).signature == said
        assert (image.read_bytes() == again.read_bytes()) == (said == b"one\n")
    tool(["e2fsck", "-f", "-n", str(image)])


def test_a_partition_of_a_disk(image: Path, tmp_path: Path) -> None:
    signature, disk = tmp_path / "kexec.sig", tmp_path / "disk"
    signature.write_bytes(b"one\n")
    disk.write_bytes(bytes(START) + image.read_bytes())
    attach(tool, disk, signature, tmp_path, time=TIME, offset=START)
    assert boot_in(open_image(disk)[START:]).signature == b"one\n"


def test_a_file_system_without_room(image: Path, tmp_path: Path) -> None:
    signature, filling = tmp_path / "kexec.sig", tmp_path / "filling"
    signature.write_bytes(b"one\n")
    filling.write_bytes(b"x" * (10 << 20))
    (tmp_path / "fill").write_text(f"write {filling} kexec_filling\n")
    tool(["debugfs", "-w", "-f", str(tmp_path / "fill"), str(image)])
    with pytest.raises(PipelineError) as caught:
        attach(tool, image, signature, tmp_path, time=TIME)
    assert caught.value.message.startswith("kexec.sig cannot be written to the file system: ")
    assert caught.value.hint == "give the recipe's /boot more room"


def test_the_step(image: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    image.rename(tmp_path / "in" / BOOT)
    (tmp_path / "in/kexec.sig").write_bytes(b"one\n")
    ctx = played(tmp_path, lambda argv, _: tool(argv), time=TIME)
    build(ctx)
    made = boot_in(open_image(ctx.out / BOOT))
    assert (made.signature, made.files.is_file(HASHES)) == (b"one\n", True)
    assert [call[0] for call in ctx.calls] == ["debugfs", "debugfs", "e2fsck"]
