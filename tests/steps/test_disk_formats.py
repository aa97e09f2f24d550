import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.gate import Gate
from pipeline.errors import PipelineError
from pipeline.steps import disk_formats
from pipeline.steps.disk_formats import GIB, MAKERS, MIB, content_id
from tests.fixtures import disk_judges
from tests.fixtures.context import played
from tests.fixtures.disk import disk
from tests.fixtures.disk_images import whole_disk
from tests.fixtures.workshop import Workshop

EPOCH = 1795219200
MACHINE = {"name": "toy", "product": "Toy & Sons", "version": "1.0", "memory": 2048, "cpus": 2}
OUTPUTS = {
    "raw": "toy.raw",
    "raw.zst": "toy.raw.zst",
    "qcow2": "toy.qcow2",
    "vhd": "toy.vhd",
    "vmdk": "toy.vmdk",
    "ova": "toy.ova",
    "gce": "toy.tar.gz",
}
KINDS = {
    "raw": "disk",
    "raw.zst": "packed",
    "qcow2": "qcow2",
    "vhd": "vhd",
    "vmdk": "vmdk",
    "ova": "ova",
    "gce": "packed",
}
"""What each format is to the checks."""
ODD = disk()
"""A disk that is no whole number of MiB."""


def test_all_formats_are_tried() -> None:
    assert OUTPUTS.keys() == KINDS.keys() == MAKERS.keys()


FOOTER = (
    "636f6e6563746978 0000000200010000 ffffffffffffffff 0000000071656d32 000500035769326b 0000000000100000 "
    "0000000000100000 001e041100000002 ffffea7b0c6739be 3f405ad09e29f5e2 49173cb000000000"
)
"""All fields of it: cookie to size, geometry, type, checksum, identifier."""


def made(folder: Path, image: bytes, *formats: str) -> list[list[str]]:
    """Play the step; return its commands."""
    (folder / "in").mkdir()
    (folder / "in/disk.raw").write_bytes(image)
    outputs = {each: OUTPUTS[each] for each in formats}
    ctx = played(folder, outputs=outputs, machine=MACHINE, epoch=EPOCH)
    disk_formats.build(ctx)
    return ctx.calls


def test_commands(tmp_path: Path) -> None:
    source, out, work = (str(tmp_path / name) for name in ("in/disk.raw", "out/toy", "work"))
    assert made(tmp_path, ODD, "raw", "raw.zst", "qcow2", "vhd", "vmdk") == [
        ["zstd", "-T0", "-12", "--no-progress", "-q", "-f", source, "-o", f"{out}.raw.zst"],
        [
            *("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-m", "1", "-c", "-o"),
            "compat=1.1,compression_type=zlib,cluster_size=65536,lazy_refcounts=off",
            *(source, f"{out}.qcow2"),
        ],
        ["sfdisk", "--no-reread", "--no-tell-kernel", "--relocate", "gpt-bak-std", f"{work}/{MIB}.raw"],
    ]


def test_a_fixed_vhd_is_the_disk_and_a_footer_of_no_time(tmp_path: Path) -> None:
    image = whole_disk()
    assert made(tmp_path, image, "vhd") == []
    found = (tmp_path / "out/toy.vhd").read_bytes()
    assert found[:-512] == image
    assert found[-512 : -512 + 88].hex(" ", 8) == FOOTER
    assert not any(found[-512 + 84 :])


@pytest.mark.parametrize(
    ("digest", "cid"), [("0" * 64, "00000000"), ("ffffffff", "00000001"), ("fffffffe", "00000000")]
)
def test_a_content_id_is_none_that_means_something_else(digest: str, cid: str) -> None:
    assert content_id(digest) == cid


@pytest.mark.parametrize(
    ("image", "outputs", "message"),
    [
        (b"", {"raw": "x"}, "disk.raw has 0 bytes, no whole number of sectors of 512"),
        (bytes(700), {"raw": "x"}, "disk.raw has 700 bytes, no whole number of sectors of 512"),
        (bytes(512), {"vdi": "x"}, "disk format 'vdi' is not known"),
    ],
)
def test_what_is_no_disk_or_no_format(
    image: bytes, outputs: dict[str, str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/disk.raw").write_bytes(image)
    with pytest.raises(PipelineError) as caught:
        disk_formats.build(played(tmp_path, outputs=outputs, epoch=EPOCH))
    assert caught.value.message == message
    assert caught.value.hint


def unpacked(path: Path, folder: Path) -> list[tarfile.TarInfo]:
    """Unpack a tar with Python's tarfile, and return its members."""
    with tarfile.open(path) as tar:
        tar.extractall(folder, filter="data")
        return tar.getmembers()


@pytest.mark.container
@pytest.mark.parametrize("image", [whole_disk(), ODD], ids=["whole MiB", "odd"])
def test_formats_are_made_alike_and_judged_by_others(
    workshop: Workshop, image: bytes, tmp_path: Path
) -> None:
    params: dict[str, Any] = {"outputs": OUTPUTS, "machine": MACHINE}
    out, said = workshop.run("disk", disk_formats.build, {"disk.raw": image}, **params)
    assert sorted(path.name for path in out.iterdir()) == sorted(OUTPUTS.values()), said
    again, said = workshop.elsewhere().run("disk", disk_formats.build, {"disk.raw": image}, **params)
    for kind, name in OUTPUTS.items():
        assert (out / name).read_bytes() == (again / name).read_bytes(), f"{kind}: {said}"
        allowed = ("DISK006",) if image == ODD and kind in ("raw", "raw.zst", "qcow2") else ()
        assert Gate(KINDS[kind], allowed)(out / name) == [], kind
    assert (out / "toy.raw").read_bytes() == image
    aligned = (out / "toy.vhd").read_bytes()[:-512]
    assert len(aligned) % MIB == 0
    assert aligned == image or image == ODD
    inputs = {name: out / name for name in OUTPUTS.values()} | {"disk.raw": image, "aligned.raw": aligned}
    results, said = workshop.run("disk", disk_judges.judge, inputs)
    assert (results / "said.json").exists(), said
    assert set(json.loads((results / "said.json").read_text()).values()) == {"Images are identical.\n"}
    members = unpacked(out / "toy.ova", tmp_path / "ova")
    assert [member.name for member in members] == ["toy.ovf", "toy.mf", "toy-disk1.vmdk"]
    (member,) = unpacked(out / "toy.tar.gz", tmp_path / "gce")
    assert (member.name, member.size, member.type) == ("disk.raw", GIB, tarfile.GNUTYPE_SPARSE)
