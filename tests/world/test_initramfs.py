"""Our readers of initramfs against GNU cpio, bsdtar and readelf."""

import hashlib
import re
import stat
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipeline.formats import elf
from pipeline.formats.cpio_reader import Entry, read
from pipeline.formats.initramfs import read_initramfs
from tests.fixtures.world import ARCHIVES, PROGRAMS, World, mtree
from tests.fixtures.world_tools import PACKED

pytestmark = pytest.mark.container

LINE = re.compile(r"(\S{10}) +(\d+) +(\d+) +(\d+) +(\d+(?:, *\d+)?) \w{3} [ \d]\d [ \d:]{5} (.*)")
TYPES = {
    "file": stat.S_IFREG,
    "dir": stat.S_IFDIR,
    "link": stat.S_IFLNK,
    "char": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
}
MACHINES = {"Advanced Micro Devices X86-64": "x86-64", "Intel 80386": "x86"}


def entries(world: World, name: str) -> list[Entry]:
    return [entry for segment in read_initramfs(world.image(name)) for entry in segment.entries]


def raw_entries(world: World, name: str) -> list[Entry]:
    """Return the entries as they stand in the archive: hard links with no data are left so."""
    (segment,) = read_initramfs(world.image(name))
    archive = segment.archive

    def own(entry: Entry) -> Entry:
        size = int(bytes(archive[entry.offset + 54 : entry.offset + 62]), 16)  # c_filesize
        return replace(entry, data=archive[entry.start : entry.start + size])

    return [own(entry) for entry in read(archive)]


def is_device(entry: Entry) -> bool:
    return stat.S_ISCHR(entry.mode) or stat.S_ISBLK(entry.mode)


def target(entry: Entry) -> str:
    return bytes(entry.data).decode(errors="surrogateescape")


@pytest.mark.parametrize("name", ARCHIVES)
def test_members_are_those_that_cpio_lists(world: World, name: str) -> None:
    expected = []
    for entry in raw_entries(world, name):
        size = "{}, {}".format(*entry.device) if is_device(entry) else str(len(entry.data))
        shown = f"{entry.name} -> {target(entry)}" if stat.S_ISLNK(entry.mode) else entry.name
        facts = stat.filemode(entry.mode), entry.nlink, entry.uid, entry.gid, size, shown
        expected.append(tuple(str(fact) for fact in facts))
    listed = [LINE.fullmatch(line) for line in world.said(name, "cpio").splitlines()]
    assert None not in listed
    assert [(*m.groups()[:4], re.sub(", +", ", ", m[5]), m[6]) for m in listed if m] == expected


@pytest.mark.parametrize("name", ARCHIVES)
def test_members_have_the_facts_and_contents_that_bsdtar_sees(world: World, name: str) -> None:
    ours = {}
    for entry in raw_entries(world, name):
        facts = {
            "type": next(word for word, bits in TYPES.items() if stat.S_IFMT(entry.mode) == bits),
            "mode": f"{entry.permissions:o}",
            "uid": str(entry.uid),
            "gid": str(entry.gid),
            "time": f"{entry.mtime}.0",
        }
        if stat.S_ISREG(entry.mode):
            facts["size"] = str(len(entry.data))
            facts["sha256digest"] = hashlib.sha256(bytes(entry.data)).hexdigest()
        if stat.S_ISLNK(entry.mode):
            facts["link"] = target(entry)
        if is_device(entry):
            facts["device"] = "native,{},{}".format(*entry.device)
        ours[entry.name.removeprefix("./")] = facts
    assert mtree(world.said(name, "bsdtar")) == ours


@pytest.mark.parametrize("name", PACKED)
def test_it_is_the_same_however_it_is_packed(world: World, name: str) -> None:
    def facts(archive: str) -> list[tuple[object, ...]]:
        return [(e.name, e.mode, e.mtime, e.inode, bytes(e.data)) for e in entries(world, archive)]

    assert facts(name) == facts("newc.cpio")
    (segment,) = read_initramfs(world.image(name))
    assert (segment.offset, segment.size) == (0, len(world.image(name)))


def test_sums_that_cpio_wrote_are_right(world: World) -> None:
    sums = {entry.name: entry.checksum for entry in entries(world, "crc.cpio") if stat.S_ISREG(entry.mode)}
    assert sums["one byte"] == ord("x")
    assert all(entry.is_sound for entry in entries(world, "crc.cpio"))


def test_archives_in_a_row(world: World) -> None:
    early, packed, plain = read_initramfs(world.image("early.img"))
    assert [entry.name for entry in early.entries][-1] == "kernel/x86/microcode/GenuineIntel.bin"
    assert early.is_early
    assert not plain.is_early
    assert packed.compression == "zstd"
    assert packed.size == len(world.image("newc.zst"))
    assert plain.size == len(world.image("devices.cpio"))
    assert [entry.name for entry in plain.entries] == [entry.name for entry in entries(world, "devices.cpio")]


def sections_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the files that readelf was given, and what it said of each."""
    _, *parts = re.split(r"^File: \./(.*)$", text, flags=re.MULTILINE)
    return zip(parts[::2], parts[1::2], strict=True)


def listed(text: str, name: str) -> list[str]:
    return re.findall(rf"\({name}\) .*\[(.*)\]$", text, re.MULTILINE)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_what_readelf_says(world: World, name: str) -> None:
    found = {
        entry.name: elf.read_elf(entry.data)
        for entry in entries(world, name)
        if bytes(entry.data[:4]) == elf.MAGIC and stat.S_ISREG(entry.mode)
    }
    ours, theirs = {}, {}
    for path, text in sections_of(world.said(name, "readelf")):
        header = dict(re.findall(r"^ +([A-Z][^:\n]+): +(.*)$", text, re.MULTILINE))
        if "Class" not in header:
            assert path not in found
            continue
        one = found.pop(path)
        ours[path] = (
            f"ELF{one.bits}",
            one.machine,
            one.kind,
            one.entry,
            one.interpreter,
            one.needed,
            one.search,
            one.soname,
            one.stripped,
        )
        theirs[path] = (
            header["Class"],
            MACHINES[header["Machine"]],
            "ET_" + header["Type"].split()[0],
            int(header["Entry point address"], 16),
            "".join(re.findall(r"\[Requesting program interpreter: (.*)\]", text)),
            tuple(listed(text, "NEEDED")),
            tuple(listed(text, "RUNPATH") or listed(text, "RPATH"))[:1],
            "".join(listed(text, "SONAME")),
            not re.search(r"\] \.symtab +SYMTAB", text),
        )
    assert ours == theirs
    assert found == {}
    assert len(ours) >= 2
