import io

import pytest

from pipeline.errors import PipelineError
from pipeline.formats import vmdk
from pipeline.formats.vmdk_writer import write_vmdk

COVERED = 32 << 20  # bytes, by one grain table


@pytest.mark.parametrize(
    ("size", "name", "message"),
    [
        (0, "x", "the disk has 0 bytes, no whole number of grains of 65536"),
        (512, "x", "the disk has 512 bytes, no whole number of grains of 65536"),
        (1 << 20, "n" * 11_000, f"the name '{'n' * 40}'… is too long for a VMDK's descriptor"),
    ],
)
def test_what_cannot_be_written(size: int, name: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        write_vmdk(io.BytesIO(bytes(size)), size, io.BytesIO(), "12345678", name)
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize("at", [(), (0,), (COVERED - 1, COVERED), (2 * COVERED + 5,)])
def test_tables_without_grains_are_left_out(at: tuple[int, ...]) -> None:
    size = 3 * COVERED
    disk = bytearray(size)
    for offset in at:
        disk[offset] = 1
    target = io.BytesIO()
    write_vmdk(io.BytesIO(disk), size, target, "12345678", "x")
    found = vmdk.read_vmdk(target.getvalue())
    assert [number for number, _ in vmdk.grains(found)] == [offset >> 16 for offset in at]
    image = vmdk.open_disk(found)
    assert all(bytes(image[offset : offset + 1]) == b"\1" for offset in at)
    assert bytes(image[:COVERED]) == disk[:COVERED]
