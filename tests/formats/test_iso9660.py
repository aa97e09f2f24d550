import io
import struct
from pathlib import Path

import pytest
from pycdlib import PyCdlib

from pipeline.errors import FormatError
from pipeline.formats import iso9660_directory
from pipeline.formats.fields import Extents
from pipeline.formats.iso9660 import Iso9660, has_udf, read_iso9660
from pipeline.formats.iso9660_directory import Member, contents
from pipeline.formats.magic import is_iso9660
from tests.fixtures import patch
from tests.fixtures.iso import iso
from tests.fixtures.iso_tree import DEEP, LONG, iso_tree
from tests.fixtures.sparse import counted, sparse

GOOD = iso()
TREE = iso_tree()
PLAIN = iso_tree(rock_ridge=False, joliet=False)
TIME = "2023-11-14 22:13:20"
PRIMARY = 16 * 2048
ROOT = struct.unpack_from("<I", PLAIN, PRIMARY + 158)[0]


def record(image: bytes, name: bytes) -> int:
    """Return the offset of the first directory record of that name."""
    return image.index(bytes([len(name)]) + name, PRIMARY + 2048) - 32


def by_path(found: Iso9660) -> dict[str, Member]:
    return {member.path: member for member in found.members}


def both(number: int) -> bytes:
    return struct.pack("<I", number) + struct.pack(">I", number)


def test_the_file_system_is_read() -> None:
    found = read_iso9660(GOOD)
    assert (found.has_rock_ridge, found.has_joliet, found.names) == (True, True, "Rock Ridge")
    assert (found.created, found.modified) == (TIME, TIME)
    assert found.size == struct.unpack_from("<I", GOOD, 16 * 2048 + 80)[0] * 2048
    assert [(member.path, member.time, member.owner) for member in found.members] == [
        ("/", TIME, (0, 0)),
        ("/boot.cat", TIME, (0, 0)),
        ("/efi.img", TIME, (0, 0)),
    ]
    assert found.oddities == ()


def test_the_descriptor_is_read() -> None:
    found = read_iso9660(TREE)
    assert found.label == "TREE"


def test_rock_ridge_is_read() -> None:
    found = by_path(read_iso9660(TREE))
    assert (found["/dir/link"].target, found["/dir/link"].mode) == ("../hello.txt", 0o120555)
    assert found["/dir/root"].target == "/usr/./" + "y" * 200
    assert (found["/hello.txt"].size, found["/hello.txt"].mode) == (5, 0o100444)
    assert found["/hello.txt"].posix_times == (TIME,) * 3
    assert (found["/dir"].is_directory, found["/dir"].extents) == (True, ())
    assert found["/" + LONG].size == 4
    assert DEEP in found


def test_files_are_found() -> None:
    found = by_path(read_iso9660(TREE))
    assert bytes(contents(TREE, found["/hello.txt"])) == b"hello"
    assert bytes(contents(TREE, found["/dir/inside"])) == b"x" * 5000
    assert bytes(contents(TREE, found["/dir/link"])) == b""


def test_directories_that_were_moved_are_where_they_belong() -> None:
    paths = [member.path for member in read_iso9660(TREE).members]
    assert [path for path in paths if "deep" in path] == [
        "/" + "/".join(f"deep{one}" for one in range(1, level + 1)) for level in range(1, 10)
    ]


def test_joliet_is_read_where_there_is_no_rock_ridge() -> None:
    found = read_iso9660(iso_tree(rock_ridge=False))
    assert (found.has_rock_ridge, found.has_joliet, found.names) == (False, True, "Joliet")
    assert [member.path for member in found.members] == [
        "/",
        "/" + LONG[:60],
        "/dir",
        "/hello.txt",
        "/dir/inside",
    ]


def test_plain_names_have_no_version() -> None:
    found = read_iso9660(PLAIN)
    assert (found.has_rock_ridge, found.has_joliet, found.names) == (False, False, "ISO 9660")
    assert [(member.path, member.owner, member.mode) for member in found.members] == [
        ("/", None, None),
        ("/DIR", None, None),
        ("/HELLO.TXT", None, None),
        ("/LONG", None, None),
        ("/DIR/INSIDE", None, None),
    ]


@pytest.mark.parametrize("image", [TREE, iso_tree(joliet=False)], ids=["with Joliet", "without"])
def test_pycdlib_reads_the_same(image: bytes) -> None:
    other = PyCdlib()
    other.open_fp(io.BytesIO(image))
    theirs = set()
    for folder, directories, files in other.walk(rr_path="/"):
        theirs |= {folder.rstrip("/") + "/" + name for name in [*directories, *files]}
    moved = {path for path in theirs if "rr_moved" in path.lower()}
    ours = {member.path for member in read_iso9660(image).members} - {"/"}
    assert theirs - moved == {path for path in ours if "rr_moved" not in path.lower()}
    found = by_path(read_iso9660(image))
    for path in ("/hello.txt", "/dir/inside", "/" + LONG):
        data = io.BytesIO()
        other.get_file_from_iso_fp(data, rr_path=path)
        assert bytes(contents(image, found[path])) == data.getvalue()


def test_a_file_may_lie_in_several_extents() -> None:
    image = patch(PLAIN, record(PLAIN, b"HELLO.TXT;1") + 25, b"\x80")
    (member,) = (one for one in read_iso9660(image).members if one.path == "/LONG")
    assert (len(member.extents), member.size) == (2, 9)
    assert bytes(contents(image, member)) == b"hellolong"


def test_extended_attributes_come_before_a_file() -> None:
    image = patch(PLAIN, record(PLAIN, b"HELLO.TXT;1") + 1, b"\1")
    assert bytes(contents(image, by_path(read_iso9660(image))["/HELLO.TXT"])) == b"long\0"


def test_associated_files_are_left_out() -> None:
    image = patch(PLAIN, record(PLAIN, b"HELLO.TXT;1") + 25, b"\4")
    assert "/HELLO.TXT" not in by_path(read_iso9660(image))


def test_only_directories_of_a_large_file_system_are_read(tmp_path: Path) -> None:
    size = 0xFFFF_F000
    image = patch(PLAIN, record(PLAIN, b"LONG.;1") + 10, both(size))
    with counted() as count:
        large = sparse(tmp_path / "it.iso", 1 << 33, {0: image})
        member = by_path(read_iso9660(large))["/LONG"]
        found = contents(large, member)
        assert count() < 20_000
    assert isinstance(found, Extents)
    assert (len(found), bytes(found[:4])) == (size, b"long")


def test_an_iso_is_known_by_its_descriptor() -> None:
    assert is_iso9660(GOOD)
    assert not is_iso9660(GOOD[: 16 * 2048 + 5])


@pytest.mark.parametrize(
    ("identifiers", "found"),
    [
        ([b"CD001", b"BEA01", b"NSR02", b"TEA01"], True),
        ([b"BEA01", b"NSR03"], True),
        ([b"CD001", b"\0\0\0\0\0", b"NSR02"], False),
        ([b"CD001"] * 100, False),
        ([], False),
    ],
)
def test_udf_is_seen(identifiers: list[bytes], found: bool) -> None:
    sectors = [b"\0" + identifier.ljust(2047, b"\0") for identifier in identifiers]
    assert has_udf(bytes(16 * 2048) + b"".join(sectors)) == found


@pytest.mark.parametrize(
    ("image", "oddity"),
    [
        (
            patch(PLAIN, PRIMARY + 87, b"\xff"),
            f"the volume's size is {len(PLAIN) // 2048} in one byte order, 255 in the other",
        ),
        (
            patch(PLAIN, record(PLAIN, b"LONG.;1") + 14, b"\0\0\0\5"),
            f"the size in the record at {record(PLAIN, b'LONG.;1'):#x} is 4 in one byte order, "
            "5 in the other",
        ),
        (
            patch(PLAIN, record(PLAIN, b"DIR") + 2, both(ROOT)),
            f"/DIR is the same directory as another, at block {ROOT}",
        ),
    ],
    ids=["volume", "record", "circle"],
)
def test_what_is_odd_is_noted(image: bytes, oddity: str) -> None:
    assert read_iso9660(image).oddities == (oddity,)


def test_not_everything_odd_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iso9660_directory, "MAX_ODDITIES", 1)
    image = patch(PLAIN, PRIMARY + 87, b"\xff")
    image = patch(image, record(PLAIN, b"LONG.;1") + 14, b"\0\0\0\5")
    assert len(read_iso9660(image).oddities) == 1


HELLO = record(PLAIN, b"HELLO.TXT;1")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "ISO 9660: volume descriptor: 2048 bytes at offset 0x8000 do not lie inside the 0 bytes given"),
        (
            patch(PLAIN, PRIMARY + 2049, b"X"),
            "ISO 9660: no volume descriptor in sector 17: it says 'XD001', not 'CD001'",
        ),
        (patch(PLAIN, PRIMARY, b"\3"), "ISO 9660: there is no primary volume descriptor"),
        (
            PLAIN[:PRIMARY] + PLAIN[PRIMARY : PRIMARY + 2048] * 64,
            "ISO 9660: none of 64 volume descriptors is the last",
        ),
        (
            patch(PLAIN, PRIMARY + 128, b"\0\x10"),
            "ISO 9660: the primary volume descriptor says that blocks have 4096 bytes",
        ),
        (
            patch(PLAIN, PRIMARY + 158, both(1 << 30)),
            "ISO 9660: directory /: 2048 bytes at offset 0x20000000000 do not lie inside "
            f"the {len(PLAIN)} bytes given",
        ),
        (patch(PLAIN, PRIMARY + 156, bytes(10)), "ISO 9660: there is no root directory at offset 0x0"),
        (
            patch(PLAIN, PRIMARY + 158, both(16)),
            "ISO 9660: /: the directory record at offset 0x8000 has 1 bytes, 32 of them a name, "
            "which cannot be",
        ),
        (
            patch(PLAIN, PRIMARY + 166, both(0x7FFF_FFFF)),
            "ISO 9660: /: here end the 33554432 bytes of directories that are read",
        ),
        (
            patch(PLAIN, HELLO, b"\x22"),
            f"ISO 9660: /: the directory record at offset {HELLO:#x} has 34 bytes, 11 of them a name, "
            "which cannot be",
        ),
        (
            patch(PLAIN, HELLO + 32, b"\0"),
            f"ISO 9660: /: the directory record at offset {HELLO:#x} has 44 bytes, 0 of them a name, "
            "which cannot be",
        ),
    ],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_iso9660(image)
    assert caught.value.message == message


@pytest.mark.parametrize(("limit", "value"), [("MAX_MEMBERS", 3), ("MAX_PATHS", 15)])
def test_more_than_is_read_is_told(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iso9660_directory, limit, value)
    with pytest.raises(FormatError) as caught:
        read_iso9660(PLAIN)
    assert caught.value.message.startswith("ISO 9660: /LONG: here end the ")


def test_a_file_of_too_many_extents_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iso9660_directory, "MAX_EXTENTS", 1)
    at = record(PLAIN, b"LONG.;1")
    with pytest.raises(FormatError) as caught:
        read_iso9660(patch(PLAIN, HELLO + 25, b"\x80"))
    assert caught.value.message == f"ISO 9660: /: a file has more than 1 extents, at offset {at:#x}"


@pytest.mark.parametrize(
    ("size", "areas", "message"),
    [
        (2049, 10, "of 2049 bytes is not possible, at block 7, after 0 others"),
        (20, 0, "of 20 bytes is not possible, at block 7, after 0 others"),
    ],
)
def test_areas_without_end_are_told(
    size: int, areas: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iso9660_directory, "MAX_AREAS", areas)
    with pytest.raises(FormatError) as caught:
        iso9660_directory.Reader(TREE, 2048).continuation(7, 0, size)
    assert caught.value.message == f"Rock Ridge: a continuation area {message}"


def test_a_moved_directory_that_is_not_there_is_told() -> None:
    at = TREE.index(b"CL\x0c\x01") + 4
    with pytest.raises(FormatError) as caught:
        read_iso9660(patch(TREE, at, both(16)))
    assert caught.value.message.endswith(" it should have been moved to block 16, but there is no directory")


def test_a_file_outside_is_told() -> None:
    image = patch(PLAIN, HELLO + 10, both(1 << 20))
    with pytest.raises(FormatError) as caught:
        contents(image, by_path(read_iso9660(image))["/HELLO.TXT"])
    assert caught.value.message.startswith("ISO 9660: /HELLO.TXT: 1048576 bytes at offset ")
