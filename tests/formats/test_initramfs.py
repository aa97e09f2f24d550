import dataclasses
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats import initramfs
from pipeline.formats.initramfs import read_initramfs, segments
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
    found = read_initramfs(PACK["gzip"](MAIN) + PACK["zstd"](LAST) + bytes(-len(PACK["gzip"](MAIN)) % 7))
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
    (alone,) = read_initramfs(newc([Raw("a", FILE), Raw("b", FILE), Raw("c", FILE, b"contents")]))
    assert [bytes(entry.data) for entry in alone.entries] == [b"", b"", b"contents"]
    entries = tuple(dataclasses.replace(entry, nlink=3) for entry in alone.entries)
    assert [bytes(entry.data) for entry in initramfs.linked(entries)] == [b"contents"] * 3
    apart = (entries[0], *(dataclasses.replace(entry, source_device=(8, 1)) for entry in entries[1:]))
    assert [bytes(entry.data) for entry in initramfs.linked(apart)] == [b"", b"contents", b"contents"]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "initramfs: no archive in 0 bytes"),
        (bytes(5000), "initramfs: no archive in 5000 bytes"),
        (
            MAIN + b"junk",
            f"initramfs: at offset {len(MAIN):#x}: no stream that Linux unpacks: it starts with b'junk'",
        ),
        (
            MAIN + b"\0" + LAST,
            f"initramfs: at offset {len(MAIN) + 1:#x}: no stream that Linux unpacks: "
            "it starts with b'07070100'",
        ),
        (
            EARLY + PACK["gzip"](MAIN)[:-1],
            f"initramfs: at offset {len(EARLY):#x}: gzip: the stream is cut off, "
            f"at {len(PACK['gzip'](MAIN)) - 1} bytes",
        ),
        (
            PACK["zstd"](b"not an archive".ljust(200)),
            "initramfs: in the zstd stream at offset 0x0: cpio: no newc member at offset 0x0: "
            "it starts with b'not an', not b'070701'",
        ),
        (
            PACK["zstd"](bytes(100)),
            "initramfs: in the zstd stream at offset 0x0: cpio: no archive in 100 bytes",
        ),
        (
            PACK["zstd"](MAIN[:244]),
            "initramfs: in the zstd stream at offset 0x0: cpio: no trailer after 'bin/sh', "
            "where the archive ends (244 bytes)",
        ),
        (
            MAIN + patch(LAST, 5, b"7"),
            f"initramfs: in the archive at offset {len(MAIN):#x}: cpio: no newc member at offset 0x0: "
            "it starts with b'070707', not b'070701'",
        ),
        (LAST * 257, f"initramfs: more than 256 archives in a row, at offset {256 * len(LAST):#x}"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value[:50],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_initramfs(image)
    assert caught.value.message == message


def test_what_comes_before_damage_is_read() -> None:
    found = segments(EARLY + patch(MAIN, 0, b"7"))
    assert next(found).is_early
    with pytest.raises(FormatError):
        next(found)


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
