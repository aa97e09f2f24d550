"""Our readers of PE images, their signatures and kernels against objdump, ukify, sbverify and file."""

import hashlib
import json
import re

import pytest

from pipeline.formats.authenticode import read_signatures
from pipeline.formats.bzimage import read_bzimage
from pipeline.formats.pe import Section, read_pe
from tests.fixtures.specimens import SPECIMENS
from tests.fixtures.world import IMAGES, KERNELS, MADE_PROGRAMS, UKIS, World

pytestmark = pytest.mark.container

FOREIGN = {one.name for one in SPECIMENS if one.machine not in ("", "x86-64", "32-bit x86")}
HERE = [name for name in IMAGES if name not in FOREIGN]
SECTION = re.compile(r"^ +\d+ (\S+) +([0-9a-f]{8}) +([0-9a-f]+) +[0-9a-f]+ +([0-9a-f]{8}) ", re.MULTILINE)


def field(name: str, text: str) -> int:
    found = re.search(rf"^{name}\s+([0-9a-f]+)\b", text, re.MULTILINE)
    assert found, f"{name} is not in {text!r}"
    return int(found[1], 16)


def size(section: Section) -> int:
    """Return the size that objdump shows: in memory, for what is not in the file at all."""
    return section.size if section.raw_size else section.virtual_size


def name_of(section: Section, theirs: str) -> str:
    """Return the name that objdump shows: it looks up long ones in a table that firmware does not know."""
    return theirs if re.fullmatch(r"/\d+", section.name) else section.name


@pytest.mark.parametrize("name", HERE)
def test_headers_are_what_objdump_says(world: World, name: str) -> None:
    pe = read_pe(world.image(name))
    said = world.said(name, "objdump")
    assert {
        "SectionAlignment": pe.section_alignment,
        "FileAlignment": pe.file_alignment,
        "SizeOfImage": pe.image_size,
        "SizeOfHeaders": pe.headers_size,
        "AddressOfEntryPoint": pe.entry_point,
        "CheckSum": pe.checksum,
        "Subsystem": pe.subsystem,
    } == {
        word: field(word, said)
        for word in (
            "SectionAlignment",
            "FileAlignment",
            "SizeOfImage",
            "SizeOfHeaders",
            "AddressOfEntryPoint",
            "CheckSum",
            "Subsystem",
        )
    }
    assert pe.is_nx_compatible == bool(field("DllCharacteristics", said) & 0x100)
    base = field("ImageBase", said)
    listed = SECTION.findall(said)
    assert [
        (name_of(one, their[0]), size(one), one.virtual_address, one.raw_offset)
        for one, their in zip(pe.sections, listed, strict=True)
    ] == [(name, int(size, 16), int(address, 16) - base, int(at, 16)) for name, size, address, at in listed]
    security = re.search(r"^Entry 4 ([0-9a-f]+) ([0-9a-f]+) Security Directory", said, re.MULTILINE)
    assert security
    assert pe.certificates == (int(security[1], 16), int(security[2], 16))


@pytest.mark.parametrize("name", UKIS)
def test_sections_have_the_contents_that_ukify_sees(world: World, name: str) -> None:
    pe = read_pe(world.image(name))
    theirs = json.loads(world.said(name, "ukify"))
    assert theirs
    for section, facts in theirs.items():
        data = bytes(pe.contents(section))
        assert (len(data), hashlib.sha256(data).hexdigest()) == (facts["size"], facts["sha256"]), section


def common_name(name: str) -> str:
    return name.rpartition("/CN=")[2]


@pytest.mark.parametrize("name", IMAGES)
def test_signatures_are_those_that_sbverify_lists(world: World, name: str) -> None:
    ours = read_signatures(read_pe(world.image(name)))
    status, said = world.answers[name]["sbverify"]
    parts = re.split(r"^signature \d+$", said, flags=re.MULTILINE)[1:]
    assert bool(ours) == (status == 0 and bool(parts))
    theirs = []
    for part in parts:
        issuers = re.findall(r"^ - (/.*)$", part.partition("image signature certificates")[0], re.MULTILINE)
        subjects = re.findall(r"^ - subject: (.*)$", part, re.MULTILINE)
        theirs.append(([common_name(one) for one in issuers], {common_name(one) for one in subjects}))
    assert [([one.issuer], set(one.chain)) for one in ours] == theirs
    for one in ours:
        assert one.subject in one.chain
        assert one.is_valid
        assert one.covers_file == (name != "spoiled.efi")


@pytest.mark.parametrize("name", MADE_PROGRAMS)
@pytest.mark.parametrize(
    ("question", "signer"), [("sbverify-cert", "World signer"), ("sbverify-other", "Another signer")]
)
def test_a_signature_verifies_where_sbverify_says_so(
    world: World, name: str, question: str, signer: str
) -> None:
    ours = [
        one
        for one in read_signatures(read_pe(world.image(name)))
        if one.subject == signer and one.is_valid and one.covers_file
    ]
    status, _ = world.answers[name][question]
    assert bool(ours) == (status == 0)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_are_what_file_says(world: World, name: str) -> None:
    kernel = read_bzimage(world.image(name))
    said = world.said(name, "file")
    version = re.search(r"bzImage, version (\S+)", said)
    protocol = re.search(r"protocol (\d+)\.(\d+)", said)
    assert version
    assert protocol
    assert kernel.version == version[1]
    assert kernel.protocol == (int(protocol[1]), int(protocol[2]))
    assert kernel.relocatable == (", relocatable" in said)
    assert kernel.is_64_bit == ("legacy 64-bit entry point" in said)
