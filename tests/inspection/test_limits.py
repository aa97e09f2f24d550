"""Large and hostile files: how much of them is read, and how much memory that takes at its peak."""

import errno
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
import zstandard

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Severity
from pipeline.checks.gate import Gate
from pipeline.errors import FormatError, PipelineError
from pipeline.formats import fields
from pipeline.formats.budget import (
    ARCHIVES,
    DEPTH,
    MEMBERS,
    READ,
    ROOM,
    STEPS,
    TIME,
    UNPACKED,
    Spent,
)
from pipeline.inspection import extract
from pipeline.inspection.open import guarded
from pipeline.inspection.questions import answers
from tests.conftest import ROOT, lacking
from tests.fixtures.fat import fat
from tests.fixtures.gpt import ENTRIES, ESP, SECTOR, entry, header, mbr
from tests.fixtures.initramfs import changed, members
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.multipliers import MULTIPLIERS, bomb, overlaid
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.sparse import counted, sparse
from tests.fuzz.oracle import looked_at

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
    entries = entry(ESP, FIRST, SIZE // SECTOR - 34, "EFI").ljust(ENTRIES, b"\0")
    front = mbr() + header(1, SIZE // SECTOR - 1, 2, entries) + entries
    return {0: front, FIRST * SECTOR: efi_image()}


@pytest.mark.parametrize(("parts", "kind"), [({0: iso()}, "iso"), (disk(), "disk")])
def test_of_a_large_file_little_is_read(tmp_path: Path, parts: dict[int, bytes], kind: str) -> None:
    image = sparse(tmp_path / "large", SIZE, parts)
    with counted() as read:
        node = take_apart(image, "large")
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


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: expanding(300 << 20), 0),
        (lambda: many(90_000), 0),
        (lambda: many(110_000), 0),
        (MULTIPLIERS["a member of zeros"], 0),
        (MULTIPLIERS["sections over parts of one stream"], 1),
        (MULTIPLIERS["sections over parts of one command line"], 1),
    ],
    ids=["expanding", "many", "too many", "endless", "streams", "command lines"],
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


SPENT: Mapping[str, list[str]] = {
    "sections over one stream": [UNPACKED],
    "sections over parts of one stream": [UNPACKED],
    "sections over one kernel": [STEPS],
    "sections over parts of one kernel": [STEPS],
    "sections over parts of one command line": [STEPS],
    "sections over zeros": [READ],
    "files over one stream": [UNPACKED],
    "directories in directories": [STEPS],
    "areas of Rock Ridge": [STEPS],
    "directories over one chain": [MEMBERS],
    "packed files that are recognised": [UNPACKED],
    "packed files that are unpacked": [UNPACKED],
    "folders of libraries": [STEPS],
    "archives in a stream": [STEPS],
    "streams in a row": [ARCHIVES],
    "members of an archive": [STEPS],
    "a member of zeros": [UNPACKED],
    "packed files in packed files": [DEPTH],
    "files of ext4 over one stream": [UNPACKED],
    "directories of ext4 that are one": [STEPS],
    "directories of squashfs that are one": [STEPS],
    "files of EROFS that unpack to much": [UNPACKED],
    "an exabyte of qcow2": [STEPS],
    "VHDs in VHDs": [DEPTH],
}
"""What ends looking at what multiplies; all else is looked at to its end."""


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_what_multiplies_ends(name: str) -> None:
    """Each structure in which few bytes can refer to others many times; counted, so that no clock decides."""
    found = looked_at(MULTIPLIERS[name]())
    assert found.node.kind
    assert found.budget.spent == SPENT.get(name, [])
    codes = [finding.code for finding in found.node.findings]
    assert codes.count("INS001") == len(found.budget.spent)
    assert all(len(finding.message) <= 320 for _, node in found.node.walk() for finding in node.findings)


def test_what_was_not_looked_at_is_no_fault_of_the_file_but_ends_a_build(tmp_path: Path) -> None:
    path = tmp_path / "initramfs"
    path.write_bytes(MULTIPLIERS["archives in a stream"]())
    node = take_apart(path.read_bytes(), "it")
    assert [(finding.code, finding.severity) for finding in node.findings] == [("INS001", Severity.WARNING)]
    assert [finding.code for finding in Gate("initramfs")(path)] == ["INS001"]
    assert Gate("initramfs")(path)[0].severity is Severity.ERROR


def test_what_was_looked_at_is_answered() -> None:
    """Headers say some of it, whatever is inside; what is inside might be what was asked for."""
    node = take_apart(overlaid([".linux", ".initrd"], bomb(1024)), "it")
    said = {answer.question: (answer.verdict, answer.because) for answer in answers(node)}
    assert said["secure_boot"] == ("no", "it is not signed")
    assert said["cmdline"] == (
        "unknown",
        "only part of it was inspected; so far, no UKI inside has a .cmdline that can be read",
    )
    alone = take_apart(MULTIPLIERS["archives in a stream"](), "it")
    assert [answer.because for answer in answers(alone) if answer.question == "init"] == [
        "inspecting it exceeds the limits for one file"
    ]


@pytest.mark.parametrize("name", ["archives in a stream", "a member of zeros"])
def test_the_first_of_two_does_not_take_all(name: str) -> None:
    """What never ends takes half of what there is; what comes behind it is looked at."""
    image = fat({"A": MULTIPLIERS[name](), "B": changed()}, clusters=100)
    first, second = take_apart(image, "it").children
    assert (first.artifact, first.left_out) == (None, True)
    assert second.artifact
    assert not second.left_out


def test_what_is_unpacked_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a kernel only its configuration is kept, and of an error only what it says."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        lacking("only Linux says which files are open")
    monkeypatch.setattr(fields, "SPOOL", 1)
    before = len(list(descriptors.iterdir()))
    node = take_apart(MULTIPLIERS["a line of a configuration"](), "it", "kernel")
    assert isinstance(node.artifact.config, FormatError)
    assert len(list(descriptors.iterdir())) == before


def test_a_full_disk_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    node = take_apart(zstandard.compress(newc(members().values())), "it")
    assert [(finding.code, finding.message, finding.hint) for finding in node.findings] == [
        ("INS001", f"more is not looked at: there is no {ROOM}", "name another folder in TMPDIR")
    ]


def test_taking_out_ends_too(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(MULTIPLIERS["a member of zeros"]())
    with pytest.raises(PipelineError, match="too many bytes of unpacking for a file of its size"):
        extract.find(f"{path}!contents!x")


def raising(error: Exception) -> Callable[[], object]:
    def read() -> object:
        raise error

    return read


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Spent(TIME), "more is not looked at: it takes too many seconds of computing for a file of its size"),
        (MemoryError(), "more is not looked at: it takes too much memory"),
    ],
)
def test_the_last_net_says_so(error: Exception, message: str) -> None:
    with pytest.raises(PipelineError) as told:
        guarded(raising(error))
    assert told.value.message == message


def test_the_process_has_limits_of_its_own(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pipeline.inspection import cli; cli.main = lambda _: 0; "
        "cli.command(sys.argv[1:]); print(*(resource.getrlimit(limit)[0] for limit in "
        "(resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)))"
    )

    def limits(*arguments: str) -> list[int]:
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return [int(limit) for limit in done.stdout.split()]

    assert limits("a", "b") == [2 << 30, 1260, 4 << 30, 0]
    assert limits("--extract", "a!b", "c")[2] == -1
