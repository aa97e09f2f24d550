"""The archive of an update: what its files are called, and that nothing of the machine is in it."""

import hashlib
import tarfile
from pathlib import Path

import pytest

from pipeline.steps import systemd_boot, update
from tests.fixtures.context import played
from tests.fixtures.workshop import EPOCH, Workshop

ROOT_HASH = "00112233445566778899aabbccddeefffedcba9876543210f0123456789abcde"
FILES = {
    "uki": b"MZ",
    "root.erofs": b"data",
    "root.verity": b"hashes",
    "root.roothash": f"{ROOT_HASH}\n".encode(),
}
NAMES = {
    "uki": "toy_1.0.efi",
    "root.erofs": "toy_1.0_00112233-4455-6677-8899-aabbccddeeff.root.erofs",
    "root.verity": "toy_1.0_fedcba98-7654-3210-f012-3456789abcde.root.verity",
}
SUMS = "".join(f"{hashlib.sha256(FILES[source]).hexdigest()} *{name}\n" for source, name in NAMES.items())


def test_its_files_are_called_by_image_version_and_partition() -> None:
    assert update.members("toy", "1.0", "root.erofs", ROOT_HASH) == NAMES


def test_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, data in FILES.items():
        (tmp_path / "in" / name).write_bytes(data)
        (tmp_path / "in" / name).chmod(0o400)
    ctx = played(tmp_path, output="x.tar", image="toy", version="1.0", data="root.erofs", epoch=EPOCH)
    update.build(ctx)
    with tarfile.open(ctx.out / "x.tar") as archive:
        members = archive.getmembers()
        found = {each.name: file.read() for each in members if (file := archive.extractfile(each))}
    assert found == {"SHA256SUMS": SUMS.encode(), **{name: FILES[source] for source, name in NAMES.items()}}
    assert list(found) == sorted(found)
    owners = {(each.mode, each.mtime, each.uid, each.gid, each.uname) for each in members}
    assert owners == {(0o644, EPOCH, 0, 0, "")}


def test_a_loader_says_what_the_recipe_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = tmp_path / "boot.efi"
    loader.write_bytes(b"MZ")
    monkeypatch.setattr(systemd_boot, "LOADER", str(loader))
    for own in (None, "timeout 9\n"):
        folder = tmp_path / str(own is None)
        (folder / "in").mkdir(parents=True)
        if own:
            (folder / "in/loader.conf").write_text(own)
        ctx = played(folder)
        systemd_boot.build(ctx)
        assert (ctx.out / "systemd-bootx64.efi").read_bytes() == b"MZ"
        assert (ctx.out / "loader.conf").read_text() == (own or systemd_boot.USUAL)


@pytest.mark.container
def test_the_container_of_ukis_has_the_loader(workshop: Workshop) -> None:
    program = workshop.make(systemd_boot.build, systemd_boot.PROGRAM, {})
    assert program.startswith(b"MZ")
    assert b"#### LoaderInfo: systemd-boot " in program
