import pytest

from pipeline.checks.attempt import attempt
from pipeline.errors import FormatError
from pipeline.formats.iso9660_directory import contents
from pipeline.formats.udf import BLOCK, Udf, has_two_anchors, has_udf, read_udf
from tests.fixtures import patch
from tests.fixtures.iso import iso
from tests.fixtures.udf import udf, with_two_partitions

FILES = {"bootmgr.efi": b"boot", "sources/install.wim": bytes(5000), "efi/boot/bootx64.efi": b"MZ"}
GOOD = udf(FILES)


def test_the_volume_and_its_files_are_read() -> None:
    found = read_udf(GOOD)
    assert (found.label, found.complete) == ("CCCOMA_X64", True)
    files = {member.path[1:]: bytes(contents(GOOD, member)) for member in found.members if member.extents}
    assert files == FILES
    folders = [member.path for member in found.members if member.is_directory]
    assert sorted(folders) == ["/efi", "/efi/boot", "/sources"]


def test_what_is_one() -> None:
    assert has_udf(GOOD)
    assert has_two_anchors(GOOD)
    assert not has_udf(iso())
    assert not has_udf(GOOD[: 256 * BLOCK])
    assert not has_two_anchors(GOOD[: 257 * BLOCK])


@pytest.mark.parametrize("length", range(257 * BLOCK, len(GOOD), 7 * BLOCK))
def test_one_that_is_cut_off_is_told(length: int) -> None:
    found = attempt(read_udf, GOOD[:length])
    assert isinstance(found, Udf) or found.message.startswith("UDF: ")


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (256 * BLOCK + 20, bytes([255, 255, 0, 0]), "UDF: volume descriptor: 2048 bytes at offset"),
        (256 * BLOCK + 20, bytes([100, 0, 0, 0]), "UDF: there is no logical volume on a partition"),
    ],
)
def test_damage_is_told(offset: int, data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_udf(patch(GOOD, offset, data))
    assert caught.value.message.startswith(message)


def test_other_partitions_are_told() -> None:
    with pytest.raises(FormatError) as caught:
        read_udf(with_two_partitions(GOOD))
    assert "2 partitions" in caught.value.message
