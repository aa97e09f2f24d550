import tarfile

import pytest

from pipeline.errors import FormatError
from pipeline.formats.sparse_tar import number
from pipeline.formats.tar import read_tar
from tests.fixtures import patch
from tests.fixtures.disk_images import pax_sparse_tar, sparse_tar, tar_of

PARTS = {1024 * at: bytes([at]) * 512 for at in range(1, 40)}
SIZE = 64 << 10
WHOLE = b"".join(PARTS.get(at, bytes(512)) for at in range(0, SIZE, 512))
OLD = sparse_tar("disk.raw", SIZE, PARTS)
PAX = pax_sparse_tar("disk.raw", SIZE, PARTS)
LONG = "d/" * 100 + "x"


def resummed(archive: bytes) -> bytes:
    """The archive with the checksum of its first header put right."""
    head = patch(archive[:512], 148, b" " * 8)
    return patch(archive, 148, b"%06o\0 " % sum(head))


@pytest.mark.parametrize("archive", [OLD, PAX, sparse_tar("disk.raw", SIZE, PARTS, end=False)])
def test_holes_are_filled(archive: bytes) -> None:
    (member,) = read_tar(archive)
    assert (member.name, len(member.image or b"")) == ("disk.raw", SIZE)
    assert member.image is not None
    assert bytes(member.image) == WHOLE
    assert bytes(member.image[1000:3000]) == WHOLE[1000:3000]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_and_contents_in_any_format(form: int) -> None:
    found = [
        (one.name, bytes(one.image or b"")) for one in read_tar(tar_of([(LONG, b"1"), ("y", b"22")], form))
    ]
    assert found == [(LONG, b"1"), ("y", b"22")]


def test_a_number_too_large_for_octal_digits_is_binary() -> None:
    assert number(8, 12) == b"00000000010\0"
    assert number(1 << 40, 12) == b"\x80" + (1 << 40).to_bytes(11, "big")
    big = sparse_tar("disk.raw", 1 << 40, {0: b"x" * 512})
    (member,) = read_tar(big)
    assert len(member.image or b"") == 1 << 40


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"x" * 100, "tar: no archive"),
        (b"x" * 512, "tar: there is no header at offset 0x0"),
        (
            resummed(patch(OLD, 124, b"x")),
            "tar: the header at offset 0x0 has no number where one has to be",
        ),
        (
            resummed(patch(OLD, 483, number(4096, 12))),
            "tar: the sparse member at offset 0x0 has a piece of 512 bytes at 4096, "
            "before the last one's end or behind the file's, 4096",
        ),
        (
            resummed(patch(OLD, 386 + 24, number(0, 12))),
            "tar: the sparse member at offset 0x0 has a piece of 512 bytes at 0, "
            f"before the last one's end or behind the file's, {SIZE}",
        ),
        (
            resummed(patch(OLD, 386 + 12, number(1000, 12))),
            "tar: the sparse member at offset 0x0 has 19968 bytes, fewer than its pieces",
        ),
        (
            PAX.replace(b"major=1", b"major=7"),
            "tar: the sparse member at offset 0x400 is of no format that is read here",
        ),
        (
            PAX.replace(b" GNU.sparse.major", b"+GNU.sparse.major"),
            "tar: the pax header at offset 0x0 is damaged",
        ),
        (PAX.replace(b"39\n1024\n", b"3x\n1024\n"), None),
        (
            resummed(patch(tar_of([("x", b"y")], tarfile.GNU_FORMAT), 156, b"L")).replace(
                b"00000000001\0", b"00007777777\0"
            ),
            None,
        ),
    ],
)
def test_what_is_no_tar_or_a_damaged_one(archive: bytes, message: str | None) -> None:
    with pytest.raises(FormatError) as caught:
        list(read_tar(archive))
    assert caught.value.message == message or message is None
    assert caught.value.hint
