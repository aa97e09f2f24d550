"""Large and hostile files: how much of them is read, and how much memory that takes at its peak."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import zstandard

from pipeline.checks.catalog import take_apart
from pipeline.inspection.interview import answers
from tests.conftest import ROOT, lacking
from tests.fixtures.gpt import SECTOR, with_gpt
from tests.fixtures.initramfs import members
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.sparse import counted, sparse

SIZE = 4 << 30  # bytes
MAX_READ = 4 << 20  # bytes
MAX_MEMORY = 200_000  # kB
MEASURED = """
import sys
from pathlib import Path
from pipeline.inspection.cli import main
status = main(sys.argv[1:])
lines = Path("/proc/self/status").read_text().splitlines(keepends=True)
sys.stderr.writelines(line for line in lines if line.startswith("VmHWM"))
sys.exit(status)
"""

FIRST = 2048  # where the partition of the disk below begins


def disk() -> dict[int, bytes]:
    """The first and last blocks of a disk of 4 GiB, and the FAT file system of its one partition."""
    small = with_gpt(bytes(FIRST * SECTOR) + efi_image(), FIRST, SIZE // SECTOR - 34)
    return {0: small[: 34 * SECTOR], FIRST * SECTOR: efi_image()}


@pytest.mark.parametrize(("parts", "kind"), [({0: iso()}, "iso"), (disk(), "disk")])
def test_of_a_large_file_little_is_read(tmp_path: Path, parts: dict[int, bytes], kind: str) -> None:
    image = sparse(tmp_path / "large", SIZE, parts)
    with counted() as read:
        node = take_apart(image, "large", house=False)
        said = {answer.question: answer.verdict for answer in answers(node)}
    assert node.kind
    assert (node.kind.name, said["uefi_disk"], said["init"]) == (kind, "yes", "yes")
    assert read() < MAX_READ


def zeros(size: int) -> Iterable[bytes]:
    return (bytes(1 << 20) for _ in range(size >> 20))


def expanding(size: int) -> bytes:
    """An initramfs of a few kB with one file of `size` bytes."""
    whole = newc([Raw("init", FILE | 0o111, bytes(4))])
    head = whole.replace(b"%08x" % 4, b"%08x" % size, 1)
    start = whole.index(b"070701", 6) - 4
    compressor = zstandard.ZstdCompressor().compressobj()
    parts = [head[:start], *zeros(size), whole[start + 4 :]]
    return b"".join([*(compressor.compress(part) for part in parts), compressor.flush()])


def many(count: int) -> bytes:
    return zstandard.compress(newc([*members().values(), *(Raw(f"d{n}", FILE) for n in range(count))]))


def endless() -> bytes:
    """More zeros than anybody unpacks."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return b"".join([*(compressor.compress(part) for part in zeros(1100 << 20)), compressor.flush()])


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: expanding(300 << 20), 0),
        (lambda: many(90_000), 0),
        (lambda: many(110_000), 1),
        (endless, 1),
    ],
    ids=["expanding", "many", "too many", "endless"],
)
def test_memory_has_a_bound(tmp_path: Path, make: Callable[[], bytes], status: int) -> None:
    if not Path("/proc/self/status").exists():
        lacking("only Linux says what a program took at its peak")
    (tmp_path / "x").write_bytes(make())
    command = [sys.executable, "-c", MEASURED, "--json", str(tmp_path / "x")]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    peak = re.fullmatch(r"VmHWM:\s*(\d+) kB\n", done.stderr)
    assert peak
    assert done.returncode == status
    assert int(peak[1]) < MAX_MEMORY
