import hashlib
import tarfile

import pytest

from pipeline.checks.catalog import take_apart
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.disk_images import manifest_of, ova_files, tar_of, whole_disk

FILES = ova_files(whole_disk())
OVF, MF, VMDK = FILES
GOOD = tar_of(list(FILES.items()))


def changed(ovf: bytes | None = None, mf: bytes | None = None, **more: bytes) -> bytes:
    """The good OVA with another descriptor, and the manifest that belongs to it unless another is given."""
    files = FILES | ({OVF: ovf} if ovf is not None else {}) | {f"x.{end}": data for end, data in more.items()}
    digests = manifest_of({name: data for name, data in files.items() if name != MF})
    return tar_of(list((files | {MF: digests if mf is None else mf}).items()))


def ordered(*names: str) -> bytes:
    return tar_of([(name, FILES[name]) for name in names])


DIGEST = hashlib.sha256(FILES[VMDK]).hexdigest()
SHA1 = "".join(
    f"SHA1({name})= {hashlib.new('sha1', FILES[name], usedforsecurity=False).hexdigest()}\n"
    for name in (OVF, VMDK)
)
WRONG = manifest_of({OVF: FILES[OVF], VMDK: b""})
GONE = manifest_of({name: FILES.get(name, b"") for name in (OVF, VMDK, "y")})
SIZE = len(FILES[VMDK])

CASES = (
    Case("OVA000", ordered(MF, VMDK), ("OVA: the tar has no .ovf file",)),
    Case("OVA000", changed(b"<a>"), ("OVF: the descriptor is no XML: no element found: line 1, column 3",)),
    Case("OVA000", changed(b"<a/>"), ("OVF: the descriptor is a 'a', no 'Envelope'",)),
    Case(
        "OVA000",
        changed(b'<!DOCTYPE a [<!ENTITY b "c">]><Envelope/>'),
        ("OVF: the descriptor declares a document type, which an OVF never needs",),
    ),
    Case(
        "OVA000",
        changed(b'<?xml version="1.0" encoding="none"?><Envelope/>'),
        ("OVF: the descriptor is in an encoding that is not known",),
    ),
    Case(
        "OVA000",
        changed(b"<Envelope>" + 1001 * b"<File/>" + b"</Envelope>"),
        ("OVF: it names more than 1000 files, disks and systems",),
    ),
    Case(
        "OVA000",
        GOOD[:1000],
        (f"tar: a member: {len(FILES[OVF])} bytes at offset 0x200 do not lie inside the 1000 bytes given",),
    ),
    Case("OVA001", ordered(MF, OVF, VMDK), ("the first file is 'toy.mf', no .ovf",)),
    Case("OVA002", ordered(OVF, VMDK, MF), ("the order is toy.ovf, toy-disk1.vmdk, toy.mf",)),
    Case("OVA003", changed(mf=b"x\n"), ("OVF: line 1 of the manifest is 'x', no `SHA256(FILE)= DIGEST`",)),
    Case(
        "OVA003",
        changed(mf=WRONG),
        (f"{VMDK} has the SHA256 digest {DIGEST}, the manifest says {hashlib.sha256().hexdigest()}",),
    ),
    Case("OVA003", changed(mf=GONE), ("the manifest has a digest of 'y', which is not there",)),
    Case("OVA004", ordered(OVF, VMDK), (f"there is no SHA-256 digest of {OVF}, {VMDK}",)),
    Case("OVA004", changed(mf=SHA1.encode()), (f"there is no SHA-256 digest of {OVF}, {VMDK}",)),
    Case(
        "OVA005",
        changed(FILES[OVF].replace(VMDK.encode(), b"other.vmdk")),
        ("the descriptor refers to the file 'other.vmdk', which is not there",),
    ),
    Case(
        "OVA005",
        changed(FILES[OVF].replace(b'ovf:size="%d"' % SIZE, b'ovf:size="7"')),
        (f"the descriptor says that {VMDK} has 7 bytes, it has {SIZE}",),
    ),
    Case(
        "OVA005",
        changed(FILES[OVF].replace(b'fileRef="file1"', b'fileRef="file2"')),
        ("the disk 'vmdisk1' is in the file 'file2', which is not listed",),
    ),
    Case("OVA005", changed(b"<Envelope/>"), ("the descriptor has no disk",)),
    Case(
        "OVA006",
        tar_of(list(FILES.items()), tarfile.GNU_FORMAT),
        tuple(f"the header of {each} is not in the format ustar" for each in FILES),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_archive_is_told(case: Case) -> None:
    assert told(found("ova", case.image)) == case.expected


def test_the_disk_in_it_is_looked_into() -> None:
    node = take_apart(GOOD, "x")
    assert node.kind
    assert node.kind.name == "ova"
    assert [child.kind and child.kind.name for child in node.children] == [None, None, "vmdk"]
    (disk,) = node.children[2].children
    assert bytes(disk.member.image) == whole_disk()
