"""Our readers of ISO 9660 and El Torito against xorriso, isoinfo and bsdtar."""

import hashlib
import re
import stat
import time

import pytest

from pipeline.formats import eltorito
from pipeline.formats.iso9660 import Iso9660, read_iso9660
from pipeline.formats.iso9660_directory import contents
from tests.fixtures.world import ISOS, World, mtree

pytestmark = pytest.mark.container

PLATFORMS = {"BIOS": 0, "PPC": 1, "Mac": 2, "UEFI": 0xEF}
EMULATIONS = {"none": 0, "fd1.2": 1, "fd1.4": 2, "fd2.8": 3, "hd": 4}
ENTRY = re.compile(
    r"^El Torito boot img : +\d+ +(\w+) +([yn]) +(\S+) +0x[0-9a-f]+ +0x[0-9a-f]+ +(\d+) +(\d+)$", re.MULTILINE
)
FILE = re.compile(r"^File data lba: +(\d+) , +(\d+) , +(\d+) , +(\d+) , '(.*)'$", re.MULTILINE)
LINK = re.compile(r" '(/.*)' -> '(.*)'$", re.MULTILINE)
BOOTABLE = tuple(name for name in ISOS if name != "plain.iso")


def field(name: str, text: str) -> str:
    found = re.search(rf"^{name}: (.*)$", text, re.MULTILINE)
    assert found, f"{name} is not in {text!r}"
    return found[1].strip()


@pytest.mark.parametrize("name", ISOS)
def test_the_volume_is_what_isoinfo_says(world: World, name: str) -> None:
    ours = read_iso9660(world.image(name))
    said = world.said(name, "isoinfo")
    assert ours.label == field("Volume id", said)
    assert ours.size == int(field("Volume size is", said)) * 2048
    assert ours.has_joliet == (not re.search(r"^NO Joliet present", said, re.MULTILINE))
    assert ours.has_rock_ridge == (not re.search(r"^NO Rock Ridge present", said, re.MULTILINE))
    assert ours.oddities == ()


def members(world: World, name: str, iso: Iso9660) -> dict[str, dict[str, str]]:
    """Return what we see of the members, in the words of an mtree listing."""
    found = {}
    for member in iso.members:
        facts = {"type": "dir" if member.is_directory else "link" if member.target else "file"}
        if member.mode is not None and stat.S_ISFIFO(member.mode):
            facts["type"] = "fifo"
        if iso.has_rock_ridge and member.mode is not None and member.owner is not None:
            facts["mode"] = f"{stat.S_IMODE(member.mode):o}"
            facts["uid"], facts["gid"] = map(str, member.owner)
        if facts["type"] == "file":
            data = bytes(contents(world.image(name), member))
            facts |= {"size": str(len(data)), "sha256digest": hashlib.sha256(data).hexdigest()}
        found[member.path.strip("/") or "."] = facts
    return found


def linked(iso: Iso9660) -> list[str]:
    """Return the files that lie where one before them lies."""
    seen: set[object] = set()
    found = []
    for member in iso.members:
        if member.size and not member.is_directory:
            if member.extents in seen:
                found.append(member.path.strip("/"))
            seen.add(member.extents)
    return found


@pytest.mark.parametrize("name", ISOS)
def test_members_have_the_facts_and_contents_that_bsdtar_sees(world: World, name: str) -> None:
    iso = read_iso9660(world.image(name))
    theirs = mtree(world.said(name, "iso-tree"))
    ours = members(world, name, iso)
    for facts in theirs.values():
        del facts["time"]
        facts.pop("link", None)  # bsdtar 3.7 drops a slash of a target that goes on in a second field
        if not iso.has_rock_ridge:  # made up
            del facts["mode"], facts["uid"], facts["gid"]
    for path in linked(iso):  # bsdtar takes out the first of several links to a file, and shows no others
        del ours[path], theirs[path]
    assert ours == theirs


@pytest.mark.parametrize("name", ISOS)
def test_links_lead_where_xorriso_says(world: World, name: str) -> None:
    theirs = dict(LINK.findall(world.said(name, "xorriso-links")))
    ours = {one.path: one.target for one in read_iso9660(world.image(name)).members if one.target}
    assert ours == theirs
    assert ours or name != "appended.iso"


@pytest.mark.parametrize("name", ISOS)
def test_times_are_those_that_bsdtar_sees(world: World, name: str) -> None:
    iso = read_iso9660(world.image(name))
    theirs = mtree(world.said(name, "iso-tree"))
    assert {
        member.path.strip("/") or ".": (member.posix_times or (member.time,))[0] for member in iso.members
    } == {
        path: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(float(facts["time"])))
        for path, facts in theirs.items()
    }


@pytest.mark.parametrize("name", ISOS)
def test_files_lie_where_xorriso_says(world: World, name: str) -> None:
    ours = {}
    for member in read_iso9660(world.image(name)).members:
        for number, (offset, size) in enumerate(member.extents):
            if not member.is_directory and size:
                ours[member.path, number] = (offset // 2048, size)
    theirs = {
        (path, int(number)): (int(block), int(size))
        for number, block, _, size, path in FILE.findall(world.said(name, "xorriso-files"))
        if int(size)
    }
    catalog = re.search(r"^El Torito cat path : (.*)$", world.said(name, "xorriso"), re.MULTILINE)
    ours = {key: value for key, value in ours.items() if not catalog or key[0] != catalog[1]}
    assert ours == theirs


@pytest.mark.parametrize("name", BOOTABLE)
def test_boot_entries_are_what_xorriso_says(world: World, name: str) -> None:
    found = [
        (PLATFORMS[platform], bootable == "y", EMULATIONS[emulation], int(count), int(block))
        for platform, bootable, emulation, count, block in ENTRY.findall(world.said(name, "xorriso"))
    ]
    assert found
    assert [
        (one.platform, one.bootable, one.media, one.sector_count, one.load_rba)
        for one in eltorito.read_catalog(world.image(name))
    ] == found


@pytest.mark.parametrize("name", BOOTABLE)
def test_boot_images_are_those_that_xorriso_takes_out(world: World, name: str) -> None:
    image = world.image(name)
    theirs = {
        file: digest
        for digest, file in (line.split("  ") for line in world.said(name, "xorriso-boot").splitlines())
    }
    for number, entry in enumerate(eltorito.read_catalog(image), 1):
        if entry.platform == eltorito.PLATFORM_EFI:
            data = bytes(image[entry.offset : entry.offset + entry.size])
            assert theirs[f"eltorito_img{number}_uefi.img"] == hashlib.sha256(data).hexdigest()
        else:
            assert f"eltorito_img{number}_bios.img" in theirs
