import random
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats import initramfs
from pipeline.formats.initramfs import Unpacked, read_initramfs, unpack
from tests.fixtures import patch
from tests.fixtures.newc import DIRECTORY, FILE, LINK, Raw, newc
from tests.fixtures.packed import PACK
from tests.fixtures.sparse import counted, sparse

EARLY = newc(
    [
        Raw("kernel", DIRECTORY),
        Raw("kernel/x86/microcode/GenuineIntel.bin", FILE, b"m" * 100),
    ]
)
MAIN = newc([Raw("bin", DIRECTORY), Raw("bin/sh", FILE | 0o111, b"hello"), Raw("init", LINK, b"bin/sh")])
LAST = newc([Raw("etc", DIRECTORY)])
NAMES = ["bin", "bin/sh", "init"]


def names(image: bytes) -> list[list[str]]:
    return [[entry.name for entry in segment.entries] for segment in read_initramfs(image)]


def kept(found: Unpacked) -> list[str]:
    """Return the names of what Linux has, with how much of it."""
    entries = [entry for segment in found.segments for entry in segment.entries]
    return [
        f"{entry.name} {len(entry.data)} of {len(entry.data) + entry.missing}"
        if entry.missing
        else entry.name
        for entry in entries
    ]


@pytest.mark.parametrize("name", PACK)
def test_microcode_comes_before_what_is_packed(name: str) -> None:
    packed = PACK[name](MAIN)
    early, main = read_initramfs(EARLY + bytes(512) + packed)
    assert (early.offset, early.size, early.compression, early.is_early) == (0, len(EARLY), "", True)
    assert bytes(early.archive) == EARLY
    assert (main.offset, main.size, main.compression) == (len(EARLY) + 512, len(packed), name)
    assert (bytes(main.archive), main.is_early) == (MAIN, False)
    assert [entry.name for entry in main.entries] == NAMES
    assert bytes(main.entries[1].data) == b"hello"


def test_what_is_packed_may_be_followed() -> None:
    found = read_initramfs(PACK["gzip"](MAIN) + bytes(3) + PACK["zstd"](LAST) + bytes(5))
    assert [segment.compression for segment in found] == ["gzip", "zstd"]


def test_an_archive_as_it_is_may_follow_at_a_multiple_of_4() -> None:
    packed = PACK["gzip"](MAIN)
    image = packed + bytes(-len(packed) % 4) + LAST
    assert names(image) == [NAMES, ["etc"]]


def test_archives_in_a_row() -> None:
    assert names(bytes(8) + MAIN + LAST + bytes(4) + EARLY) == [
        NAMES,
        ["etc"],
        ["kernel", "kernel/x86/microcode/GenuineIntel.bin"],
    ]
    assert names(PACK["xz"](MAIN + bytes(500) + LAST)) == [[*NAMES, "etc"]]


def test_hard_links_have_the_contents_of_their_file() -> None:
    def contents(*nlinks: int) -> list[bytes]:
        raws = [Raw(name, FILE, data, nlink=n) for name, data, n in zip("abc", LINKED, nlinks, strict=True)]
        (alone,) = read_initramfs(newc(raws))
        return [bytes(entry.data) for entry in alone.entries]

    assert contents(1, 1, 1) == [b"", b"", b"contents"]
    assert contents(3, 3, 3) == [b"contents"] * 3
    assert contents(1, 2, 2) == [b"", b"contents", b"contents"]


LINKED = (b"", b"", b"contents")
ODD = PACK["gzip"](MAIN)
ODD += bytes((1 - len(ODD)) % 4)
NO_NUL = patch(MAIN, 113, b"x")
TAR = bytes(257) + b"ustar" + bytes(250)


@pytest.mark.parametrize(
    ("image", "message", "has"),
    [
        (b"", "initramfs: no archive in 0 bytes", []),
        (bytes(5000), "initramfs: no archive in 5000 bytes", []),
        (
            MAIN + b"junk",
            f"initramfs: at offset {len(MAIN):#x}: what follows is nothing that Linux unpacks: "
            "it starts with 'junk'",
            NAMES,
        ),
        (
            PACK["zstd"](MAIN) + b"garbage!",
            f"initramfs: at offset {len(PACK['zstd'](MAIN)):#x}: what follows is nothing that Linux unpacks: "
            "it starts with 'garbage!'",
            NAMES,
        ),
        (
            MAIN + b"\0" + LAST,
            "initramfs: in the archive at offset 0x0: cpio: what follows the archive starts at offset "
            f"{len(MAIN) + 1:#x}, no multiple of 4",
            NAMES,
        ),
        (
            EARLY + bytes(2) + PACK["gzip"](MAIN),
            "initramfs: in the archive at offset 0x0: cpio: what follows the archive starts at offset "
            f"{len(EARLY) + 2:#x}, no multiple of 4",
            ["kernel", "kernel/x86/microcode/GenuineIntel.bin"],
        ),
        (
            ODD + LAST,
            f"initramfs: at offset {len(ODD):#x}: an uncompressed archive has to start at a multiple of 4",
            NAMES,
        ),
        (
            PACK["zstd"](b"not an archive".ljust(200)),
            "initramfs: in the zstd stream at offset 0x0: cpio: no newc member at offset 0x0: "
            "it starts with 'not an', not '070701'",
            [],
        ),
        (
            PACK["zstd"](bytes(100)),
            "initramfs: in the zstd stream at offset 0x0: cpio: no archive in 100 bytes",
            [],
        ),
        (
            PACK["zstd"](bytes(4) + MAIN),
            "initramfs: in the zstd stream at offset 0x0: cpio: no newc member at offset 0x0: "
            "it starts with 000000003037, not '070701'",
            [],
        ),
        (
            PACK["zstd"](MAIN[:240]),
            "initramfs: in the zstd stream at offset 0x0: cpio: bin/sh: 5 bytes at offset 0xec "
            "do not lie inside the 240 bytes given",
            ["bin", "bin/sh 4 of 5"],
        ),
        (
            PACK["zstd"](MAIN[:241]),
            "initramfs: in the zstd stream at offset 0x0: cpio: the archive's 241 bytes are no multiple of 4",
            ["bin", "bin/sh"],
        ),
        (
            PACK["gzip"](MAIN + b"junk"),
            f"initramfs: in the gzip stream at offset 0x0: cpio: no newc member at offset {len(MAIN):#x}: "
            "it starts with 'junk', not '070701'",
            NAMES,
        ),
        (
            MAIN + patch(LAST, 5, b"7"),
            f"initramfs: in the archive at offset {len(MAIN):#x}: cpio: this is a cpio archive in the old "
            "format odc; Linux takes cpio's format newc only",
            NAMES,
        ),
        (
            PACK["gzip"](TAR),
            "initramfs: in the gzip stream at offset 0x0: cpio: this is a tar archive; "
            "Linux takes cpio's format newc only",
            [],
        ),
        (NO_NUL, "initramfs: in the archive at offset 0x0: cpio: the name at offset 0x6e does not end", []),
        *(
            (
                PACK[name](MAIN[:200]) + PACK[name](MAIN[200:]),
                f"initramfs: in the {name} stream at offset 0x0: the archive goes on in another stream, "
                "and Linux wants all of it in one",
                ["bin"],
            )
            for name in ("gzip", "bzip2", "xz", "zstd")
        ),
        (
            PACK["lz4"](MAIN) + LAST,
            "initramfs: at offset 0x0: lz4: the block at offset ",
            NAMES,
        ),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value)[:70],
)
def test_linux_keeps_what_it_has_where_it_stops(image: bytes, message: str, has: list[str]) -> None:
    found = unpack(image)
    assert found.fault
    assert found.fault.message.startswith(message)
    assert found.fault.hint
    assert kept(found) == has
    with pytest.raises(FormatError) as caught:
        read_initramfs(image)
    assert caught.value.message == found.fault.message


@pytest.mark.parametrize(
    ("image", "message", "has"),
    [
        (
            MAIN[:240],
            "initramfs: in the archive at offset 0x0: cpio: bin/sh: 5 bytes at offset 0xec "
            "do not lie inside the 240 bytes given",
            ["bin", "bin/sh 4 of 5"],
        ),
        (
            newc([Raw("a", FILE, b"x")])[:112],
            "initramfs: in the archive at offset 0x0: cpio: a: 1 bytes at offset 0x70",
            ["a 0 of 1"],
        ),
        (
            newc([Raw("abc", FILE, b"x")])[:115],
            "initramfs: in the archive at offset 0x0: cpio: abc: 1 bytes at offset 0x74",
            [],
        ),
        (
            MAIN[:50],
            "initramfs: in the archive at offset 0x0: cpio: header: 110 bytes at offset 0x0 "
            "do not lie inside the 50 bytes given",
            [],
        ),
        (
            MAIN[:112],
            "initramfs: in the archive at offset 0x0: cpio: name: 4 bytes at offset 0x6e "
            "do not lie inside the 112 bytes given",
            [],
        ),
        (
            MAIN[:244],
            "initramfs: in the archive at offset 0x0: cpio: no trailer after 'bin/sh', "
            "where the archive ends (244 bytes)",
            ["bin", "bin/sh"],
        ),
        (
            PACK["zstd"](MAIN[:244]),
            "initramfs: in the zstd stream at offset 0x0: cpio: no trailer after 'bin/sh', "
            "where the archive ends (244 bytes)",
            ["bin", "bin/sh"],
        ),
        (
            patch(PACK["gzip"](MAIN), len(PACK["gzip"](MAIN)) - 8, b"xxxx"),
            "initramfs: in the gzip stream at offset 0x0: gzip: the checksum is wrong",
            NAMES,
        ),
    ],
)
def test_linux_does_not_notice_some_damage(image: bytes, message: str, has: list[str]) -> None:
    found = unpack(image)
    assert found.fault is None
    assert [error.message.startswith(message) for error in found.doubts] == [True]
    assert kept(found) == has


@pytest.mark.parametrize(
    ("image", "has"),
    [
        (MAIN + LAST, [*NAMES, "etc"]),
        (newc([Raw("a", FILE)])[:-124] + LAST, ["a", "etc"]),
        (PACK["lz4"](MAIN) + bytes(4 + -len(PACK["lz4"](MAIN)) % 4) + LAST, [*NAMES, "etc"]),
        (PACK["gzip"](MAIN) + PACK["gzip"](b"") + PACK["gzip"](bytes(8) + LAST), [*NAMES, "etc"]),
        (patch(MAIN, 6, b"x"), NAMES),
        (patch(MAIN, 94, b"0x000004"), NAMES),
        (newc([Raw("a\0b", FILE), Raw("c" * 5000, FILE), Raw("d", DIRECTORY, b"x")]), ["a"]),
        (newc([Raw("l", LINK, b"x" * 4097), Raw("m", LINK, b"a")]), ["m"]),
    ],
)
def test_linux_takes_more_than_the_format_has(image: bytes, has: list[str]) -> None:
    found = unpack(image)
    assert (found.fault, found.doubts, kept(found)) == (None, (), has)


BIG = newc([Raw(f"f{n}", FILE, random.Random(n).randbytes(50_000)) for n in range(8)])  # noqa: S311


@pytest.mark.parametrize("name", PACK)
def test_of_a_stream_that_is_cut_off_linux_has_the_beginning(name: str) -> None:
    packed = PACK[name](BIG)
    found = unpack(packed[: len(packed) * 3 // 4])
    assert found.fault
    few = {"lz4": 0, "lzma": 0, "bzip2": 0}
    assert len(kept(found)) == few.get(name, len(kept(found)) or -1)


def test_what_comes_before_damage_is_read() -> None:
    found = unpack(EARLY + patch(MAIN, 0, b"7"))
    assert [segment.is_early for segment in found.segments] == [True]
    assert found.end == len(EARLY)


def test_all_segments_together_have_a_limit() -> None:
    one = PACK["zstd"](newc([Raw("a", FILE, bytes(1 << 20))]))
    assert len(read_initramfs(one * 3, 4 << 20)) == 3
    with pytest.raises(FormatError) as caught:
        read_initramfs(one * 4, 4 << 20)
    assert caught.value.message.startswith(
        f"initramfs: at offset {3 * len(one):#x}: zstd: the stream unpacks to more than "
    )


def test_all_segments_together_have_so_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initramfs, "MAX_MEMBERS", 5)
    assert len(read_initramfs(MAIN + LAST)) == 2
    with pytest.raises(FormatError) as caught:
        read_initramfs(PACK["zstd"](MAIN) + PACK["zstd"](MAIN))
    assert caught.value.message == (
        f"initramfs: in the zstd stream at offset {len(PACK['zstd'](MAIN)):#x}: "
        "cpio: at the member at offset 0xf4 end the 2 members and 33554432 characters of names that are read"
    )


def test_only_headers_of_an_archive_as_it_is_are_read(tmp_path: Path) -> None:
    size = 0xF000_0000
    large = patch(newc([Raw("large", FILE)]), 54, b"%08X" % size)
    head, end = large[:116], newc([])
    image = sparse(tmp_path / "it", 116 + size + len(end), {0: head, 116 + size: end})
    with counted() as count:
        (segment,) = read_initramfs(image)
        assert count() < 5000
    assert len(segment.entries[0].data) == size
