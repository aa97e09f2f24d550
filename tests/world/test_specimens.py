"""`inspect` on real files: it takes them all, calls none broken that boots, and its answers are true."""

import json
import struct

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Severity
from pipeline.checks.kind import Node
from pipeline.inspection import cli
from pipeline.inspection.questions import answers
from tests.fixtures.specimens import SPECIMENS, Specimen
from tests.fixtures.world import World

pytestmark = pytest.mark.container

MADE = {
    "newc.cpio": "initramfs",
    "newc.xz": "initramfs",
    "early.img": "initramfs",
    "fat12.img": "fat",
    "fat16.img": "fat",
    "fat32.img": "fat",
    "fat-one-table.img": "fat",
    "fat-4096.img": "fat",
    "gpt.img": "disk",
    "gpt-4096.img": "disk",
    "gpt-sgdisk.img": "disk",
    "mbr.img": "disk",
    "genisoimage.iso": "iso",
    "plain.iso": "iso",
    "joliet.iso": "iso",
    "appended.iso": "iso",
}

each = pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def nodes(world: World) -> dict[str, Node]:
    """Every specimen, taken apart."""
    return {one.name: take_apart(world.image(one.name), one.name) for one in SPECIMENS}


@each
def test_it_is_recognised(nodes: dict[str, Node], specimen: Specimen) -> None:
    kind = nodes[specimen.name].kind
    assert kind
    assert kind.name == specimen.kind


@each
def test_none_is_called_broken(nodes: dict[str, Node], specimen: Specimen) -> None:
    found = nodes[specimen.name].all_findings()
    assert [(one.code, one.message) for one in found if one.severity is Severity.ERROR] == []


@each
def test_the_answers_are_true(nodes: dict[str, Node], specimen: Specimen) -> None:
    said = {one.question: one for one in answers(nodes[specimen.name])}
    wrong = {
        question: said[question]
        for question, verdicts in specimen.answers.items()
        if said[question].verdict not in verdicts.split("|")
    }
    assert wrong == {}
    if specimen.machine:
        assert said["architecture"].value == specimen.machine


NO_INIT = "CPIO018"  # the archives that tools make here hold files, and nothing that Linux would start


@pytest.mark.parametrize("name", MADE)
def test_what_tools_make_is_not_broken_either(world: World, name: str) -> None:
    node = take_apart(world.image(name), name)
    assert node.kind
    assert node.kind.name == MADE[name]
    wrong = [one for one in node.all_findings() if one.severity is Severity.ERROR]
    assert [one for one in wrong if one.code != NO_INIT] == []


def test_all_at_once_from_the_command_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(world.files[one.name]) for one in SPECIMENS]
    status = cli.main(["--json", *paths])
    files = json.loads(capsys.readouterr().out)["files"]
    assert [file["tree"]["kind"] for file in files] == [one.kind for one in SPECIMENS]
    assert [
        finding["code"] for file in files for finding in file["findings"] if finding["severity"] == "error"
    ] == []
    assert status == 0


def test_grub_is_missed_where_its_boot_code_looks_for_it(world: World) -> None:
    image = bytearray(bytes(world.image("grub-cdrom.iso")))
    (block,) = struct.unpack_from("<Q", image, 0x1B0)
    image[block * 512 : (block + 1) * 512] = bytes(512)
    said = {one.question: one for one in answers(take_apart(bytes(image), "x"))}
    assert said["bios_disk"].because == (
        f"GRUB does not start: boot.img points at block {block}, which is empty"
    )
