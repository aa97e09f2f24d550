"""Updates that do not hang together: each fault by its code."""

import hashlib
import io
import tarfile
from collections.abc import Mapping

import pytest

from tests.fixtures.case import Case, found, name, told
from tests.fixtures.uki import CMDLINE, uki

DATA, TREE = "00112233-4455-6677-8899-aabbccddeeff", "fedcba98-7654-3210-0123-456789abcdef"
ROOT_HASH = f"{DATA}{TREE}".replace("-", "")
OTHER = "00000000-0000-0000-0000-000000000000"
UKI, ROOT, HASHES = "toy_1.0.efi", f"toy_1.0_{DATA}.root.erofs", f"toy_1.0_{TREE}.root.verity"


def booting(root_hash: str = ROOT_HASH) -> bytes:
    return uki({".cmdline": CMDLINE + f" roothash={root_hash}".encode()})


FILES = {UKI: booting(), ROOT: b"data", HASHES: b"hashes"}


def sums(files: Mapping[str, bytes]) -> str:
    return "".join(f"{hashlib.sha256(data).hexdigest()} *{name}\n" for name, data in files.items())


def update(files: Mapping[str, bytes], listed: str | None = None) -> bytes:
    """An update of these files, with a list of its own, or that of the files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for each, data in {"SHA256SUMS": (listed or sums(files)).encode(), **files}.items():
            info = tarfile.TarInfo(each)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def without(*names: str) -> dict[str, bytes]:
    return {each: data for each, data in FILES.items() if each not in names}


DIGEST = hashlib.sha256(b"data").hexdigest()
GOOD = update(FILES)
CASES = (
    Case(
        "UPD000",
        GOOD[:600],
        ("tar: a member: 323 bytes at offset 0x200 do not lie inside the 600 bytes given",),
    ),
    Case(
        "UPD001",
        update(FILES, sums({**FILES, ROOT: b"x"})),
        (f"{ROOT} has the SHA-256 {DIGEST}, SHA256SUMS says {hashlib.sha256(b'x').hexdigest()}",),
    ),
    Case(
        "UPD001",
        update(FILES, sums({**without(HASHES), "x": b""})),
        (f"{HASHES} is not in SHA256SUMS", "x is in SHA256SUMS alone"),
    ),
    Case(
        "UPD002",
        update(without(UKI)),
        (f"there is no IMAGE_VERSION.efi; it has SHA256SUMS, {ROOT}, {HASHES}",),
    ),
    Case(
        "UPD002",
        update({**without(UKI), "toy.efi": FILES[UKI]}),
        (f"there is no IMAGE_VERSION.efi; it has SHA256SUMS, toy.efi, {ROOT}, {HASHES}",),
    ),
    Case(
        "UPD002",
        update({**without(ROOT), ROOT.replace("1.0", "1.1"): b"data"}),
        (
            f"beside {UKI} there are {HASHES}, {ROOT.replace('1.0', '1.1')}, "
            "not toy_1.0_UUID.… for data and hashes",
        ),
    ),
    Case(
        "UPD002",
        update({**FILES, "x": b""}),
        (f"beside {UKI} there are {ROOT}, {HASHES}, x, not toy_1.0_UUID.… for data and hashes",),
    ),
)
TOGETHER = (
    Case(
        "UPD003",
        update({**FILES, UKI: uki()}),
        (f"the command line of {UKI} has no roothash=",),
    ),
    Case(
        "UPD003",
        update({**without(ROOT), ROOT.replace(DATA, OTHER): b"data"}),
        (f"its files are for partitions {OTHER}, {TREE}, its UKI looks for {DATA}, {TREE}",),
    ),
)


def test_a_good_one_has_no_fault() -> None:
    assert found("update", GOOD) == []


@pytest.mark.parametrize("case", [*CASES, *TOGETHER], ids=name)
def test_a_fault_is_told(case: Case) -> None:
    assert told(found("update", case.image)) == case.expected
