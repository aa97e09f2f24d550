import pytest

from pipeline.errors import FormatError
from pipeline.formats.cpio_reader import read, read_run
from tests.fixtures import patch
from tests.fixtures.newc import DEVICE, DIRECTORY, FILE, Raw, newc

ONE = newc([Raw("bin", DIRECTORY), Raw("bin/sh", FILE | 0o111, b"hello")])
OTHER = newc([Raw("dev", DEVICE, device=(5, 1), uid=1, gid=2, mtime=3)])


def names(archive: bytes) -> list[str]:
    return [entry.name for entry in read(archive)]


def test_fields_are_read() -> None:
    entry = next(read(OTHER))
    assert (entry.uid, entry.gid, entry.mtime, entry.nlink, entry.device) == (1, 2, 3, 1, (5, 1))
    assert (entry.mode, entry.permissions, entry.offset, entry.data) == (DEVICE, 0o600, 0, b"")


def test_data_is_read() -> None:
    assert [entry.data for entry in read(ONE)] == [b"", b"hello"]


def test_hexadecimal_may_be_upper_case() -> None:
    assert names(patch(ONE, 6, b"0000000A")) == ["bin", "bin/sh"]


def test_archives_with_checksums_are_read() -> None:
    with_sum = ONE.replace(b"070701", b"070702").replace(b"00000000bin/sh", b"00000214bin/sh")
    directory, file = read(with_sum)
    assert (directory.checksum, file.checksum, file.is_sound) == (None, 0x214, True)
    (file,) = (entry for entry in read(patch(with_sum, 236, b"H")) if entry.checksum)
    assert not file.is_sound
    assert all(entry.checksum is None and entry.is_sound for entry in read(ONE))


@pytest.mark.parametrize("zeros", [0, 4, 512, 10000])
def test_archives_in_a_row_are_read_as_one(zeros: int) -> None:
    assert names(ONE + bytes(zeros) + OTHER + bytes(zeros)) == ["bin", "bin/sh", "dev"]


def test_a_memoryview_will_do() -> None:
    assert [entry.data for entry in read(memoryview(ONE))] == [b"", b"hello"]


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (patch(ONE, 5, b"x"), "cpio: no newc member at offset 0x0: it starts with '07070x', not '070701'"),
        (ONE[:50], "cpio: header: 110 bytes at offset 0x0 do not lie inside the 50 bytes given"),
        (ONE[:112], "cpio: name: 4 bytes at offset 0x6e do not lie inside the 112 bytes given"),
        (ONE[:236], "cpio: bin/sh: 5 bytes at offset 0xec do not lie inside the 236 bytes given"),
        (patch(ONE, 113, b"x"), "cpio: the name at offset 0x6e does not end at its one NUL: 'binx'"),
    ],
)
def test_damage_is_told(archive: bytes, message: str) -> None:
    run = read_run(archive, 0, 100)
    fault = run.fault or run.cut
    assert (fault and fault.message, run.has_trailer) == (message, False)


@pytest.mark.parametrize(
    ("archive", "kept"),
    [
        (patch(ONE, 111, b"\0"), ["b", "bin/sh"]),
        (patch(ONE, 20, b"x"), ["bin", "bin/sh"]),
    ],
    ids=["a NUL in a name", "a number that is not hexadecimal"],
)
def test_what_linux_makes_of_odd_members(archive: bytes, kept: list[str]) -> None:
    assert [entry.name for entry in read_run(archive, 0, 100).entries] == kept


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"", "cpio: no archive in 0 bytes"),
        (bytes(512), "cpio: no archive in 512 bytes"),
        (ONE[:244], "cpio: no trailer, at 244 bytes"),
        (ONE[:236], "cpio: bin/sh: 5 bytes at offset 0xec do not lie inside the 236 bytes given"),
        (ONE + b"x", "cpio: no newc member at offset 0x170: it starts with 'x', not '070701'"),
    ],
)
def test_all_of_it_is_read_or_none_is_taken_for_whole(archive: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        list(read(archive))
    assert caught.value.message == message
