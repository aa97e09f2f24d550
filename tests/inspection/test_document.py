"""The JSON: of the shape that its schema says, and with the facts that matter."""

import gzip
import hashlib
import json
from typing import Any

import pytest
import zstandard
from pydantic import TypeAdapter, ValidationError

from pipeline.checks.catalog import KINDS, take_apart
from pipeline.checks.pe.uki_pcr import expected
from pipeline.checks.pe.uki_profiles import profiles
from pipeline.formats.pe import read_pe
from pipeline.inspection import document
from pipeline.inspection.answer import QUESTIONS
from pipeline.inspection.document import Failure, Inspection, Part
from pipeline.inspection.questions import answers
from tests.conftest import Compare
from tests.fixtures.bzimage import bzimage
from tests.fixtures.elf import elf
from tests.fixtures.gpt import SECTOR, with_gpt
from tests.fixtures.initramfs import changed
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.microcode import INTEL
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.pcrsig import EC_KEY, pcrsig, public
from tests.fixtures.pe import pe
from tests.fixtures.signed import RSA, signed
from tests.fixtures.signer import sign
from tests.fixtures.uki import CMDLINE, uki

PROGRAM = "EFI/BOOT/BOOTX64.EFI"
SHAPE, SHAPE_OF_A_PART = TypeAdapter(Inspection), TypeAdapter(Part)
EARLY = newc([Raw("kernel/x86/microcode/GenuineIntel.bin", FILE, INTEL)])


def early_and_packed() -> bytes:
    return EARLY + changed()


def disk() -> bytes:
    return with_gpt(bytes(64 * SECTOR) + efi_image(), 64, 63 + len(efi_image()) // SECTOR)


def written(name: str, image: bytes) -> str:
    node = take_apart(image, name)
    file = document.written_file(name, error=None, answers=answers(node), node=node)
    return "".join(document.written([file]))


def checked(text: str) -> Inspection:
    """The JSON as the schema's own classes read it: no field too many, none too few, no number a text."""
    return SHAPE.validate_json(text, strict=True, extra="forbid")


def tree(image: bytes) -> Part:
    found = checked(written("x", image)).files[0].tree
    assert found
    return found


def member(part: Part, *names: str) -> Part:
    for name in names:
        part = next(each for each in part.parts if each.name == name)
    return part


def test_the_schema_is_current(golden: Compare) -> None:
    """`pytest --update-golden` writes it anew.

    Kinds and questions that there are now stand there as examples: new ones make no other version.
    """
    described = TypeAdapter(Inspection).json_schema()
    known = described["$defs"]
    known["Part"]["properties"]["kind"]["examples"] = ["", *KINDS]
    known["Answer"]["properties"]["question"]["examples"] = list(QUESTIONS)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    golden("../../docs/inspect.schema.json", json.dumps({"$schema": dialect, **described}, indent=2) + "\n")


@pytest.mark.parametrize(
    "image",
    [
        iso(),
        iso(rock_ridge=False, joliet=False, platform=0, finish=lambda image, *_: image),
        iso()[:60_000],
        efi_image(),
        uki(),
        uki({".linux": b"", ".initrd": b"gone"}),
        bzimage(),
        bzimage(stub=False, version=""),
        elf(interpreter="/lib/ld.so", needed=("libc.so",)),
        disk(),
        early_and_packed(),
        signed(RSA),
        gzip.compress(b"milk, eggs", mtime=0),
        zstandard.compress(newc([Raw("\x1bxx", FILE, b"x")]).replace(b"xx", b"\xff\xfe")),
    ],
)
def test_all_that_is_written_is_of_the_shape(image: bytes) -> None:
    said = checked(written("x", image))
    assert (said.version, [file.name for file in said.files]) == (1, ["x"])
    assert [answer.question for answer in said.files[0].answers] == list(QUESTIONS)


def test_the_shape_is_strict() -> None:
    said = json.loads(written("x", elf()))
    said["files"][0]["tree"]["facts"]["bits"] = "64"
    with pytest.raises(ValidationError):
        checked(json.dumps(said))


def test_a_file_that_cannot_be_read() -> None:
    file = document.written_file("x", error=Failure("is a pipe", "name a file"), answers=[], node=None)
    said = json.loads("".join(document.written([file])))
    assert said["files"] == [
        {
            "name": "x",
            "error": {"message": "is a pipe", "hint": "name a file"},
            "answers": [],
            "findings": [],
            "tree": None,
        }
    ]
    checked(json.dumps(said))


def test_several_files() -> None:
    files = [document.written_file(name, error=None, answers=[], node=None) for name in "ab"]
    assert [file.name for file in checked("".join(document.written(files))).files] == ["a", "b"]


def test_a_finding_says_where() -> None:
    said = checked(written("x.iso", iso(efi_image().replace(b"quiet", b"ro rw"))))
    problem = next(each for each in said.files[0].findings if each.code == "CMD005")
    assert (problem.severity, problem.path) == ("warning", f"x.iso!efi.img!{PROGRAM}!.cmdline")
    assert problem.message
    assert problem.hint


def test_paths_are_those_that_extract_takes() -> None:
    inittab = member(tree(iso()), "efi.img", PROGRAM, ".initrd", "etc/inittab")
    assert inittab.path == f"x!efi.img!{PROGRAM}!.initrd!etc/inittab"
    assert inittab.kind == "inittab"


TWO_PROFILES = read_pe(
    uki({".cmdline": None, ".splash": None}, more=[(".profile", b"ID=main"), (".profile", b"TITLE=Two")])
)

FACTS: tuple[tuple[bytes, tuple[str, ...], dict[str, Any]], ...] = (
    (
        iso(),
        (),
        {"disk_guid": "00000000-0000-4000-8000-000000000001"},
    ),
    (efi_image(), (), {"variant": "FAT12", "label": "EFI", "serial": "1234-ABCD", "cluster_size": 512}),
    (uki(), (), {"machine": "x86-64", "subsystem": 10}),
    (bzimage(), (), {"version": "6.12.1-test", "protocol": "2.15", "compression": "zstd", "efi_stub": True}),
    (bzimage(stub=False), (), {"efi_stub": False}),
    (uki(), (".cmdline",), {"text": CMDLINE.decode()}),
    (
        early_and_packed(),
        (),
        {
            "members": 17,
            "archives": [
                {
                    "offset": 0,
                    "size": len(EARLY),
                    "compression": "",
                    "unpacked_size": len(EARLY),
                    "members": 1,
                    "early": True,
                },
                {
                    "offset": len(EARLY),
                    "size": len(changed()),
                    "compression": "zstd",
                    "unpacked_size": len(zstandard.decompress(changed())),
                    "members": 16,
                    "early": False,
                },
            ],
        },
    ),
    (
        gzip.compress(b"milk, eggs", mtime=0) + b"rest",
        (),
        {"compression": "gzip", "size": 30, "unpacked_size": 10, "trailing": 4},
    ),
    (
        signed(RSA),
        (),
        {
            "nx_compatible": False,
            "sbat": {},
            "signatures": [
                {
                    "subject": "Test signer",
                    "issuer": "Test signer",
                    "digest": "sha256",
                    "covers_file": True,
                    "valid": True,
                    "fault": "",
                    "not_before": "2026-11-21",
                    "not_after": "2036-11-18",
                }
            ],
        },
    ),
    (pe({".text": b"x"}), (), {"profiles": []}),
    (
        uki({".cmdline": None, ".splash": None}, more=[(".profile", b"ID=main"), (".profile", b"TITLE=Two")]),
        (),
        {
            "profiles": [
                {
                    "number": number,
                    "id": id_,
                    "title": title,
                    "sections": {
                        **{name: [name] for name in (".linux", ".osrel", ".initrd", ".uname", ".sbat")},
                        ".profile": [own],
                    },
                    "pcr11": {"sha256": expected(TWO_PROFILES, profiles(TWO_PROFILES)[number])},
                }
                for number, id_, title, own in (
                    (0, "main", "", ".profile"),
                    (1, "", "Two", ".profile (2)"),
                )
            ]
        },
    ),
    (
        uki({".linux": sign(bzimage())}),
        (".linux",),
        {
            "signatures": [
                {
                    "subject": "Test signer",
                    "issuer": "Test signer",
                    "digest": "sha256",
                    "covers_file": True,
                    "valid": True,
                    "fault": "",
                    "not_before": "2026-01-01",
                    "not_after": "2036-01-01",
                }
            ]
        },
    ),
    (
        uki(more=[(".pcrsig", pcrsig([bytes(32)]))]),
        (".pcrsig",),
        {
            "kind": "pcrsig",
            "policies": [
                {
                    "bank": "sha256",
                    "pcrs": [11],
                    "key": hashlib.sha256(public(EC_KEY)).hexdigest(),
                    "digest": "00" * 32,
                }
            ],
        },
    ),
    (
        uki(more=[(".profile", b"ID=main\nTITLE=Main")]),
        (".profile",),
        {"kind": "profile", "id": "main", "title": "Main"},
    ),
    (disk(), (), {"sector_size": 512, "disk_guid": "00000000-0000-4000-8000-000000000001"}),
    (
        elf(interpreter="/lib/ld.so", needed=("libc.so",)),
        (),
        {
            "machine": "x86-64",
            "bits": 64,
            "static": False,
            "interpreter": "/lib/ld.so",
            "needed": ["libc.so"],
        },
    ),
)


@pytest.mark.parametrize(("image", "names", "known"), FACTS)
def test_facts(image: bytes, names: tuple[str, ...], known: dict[str, Any]) -> None:
    facts = json.loads(SHAPE_OF_A_PART.dump_json(member(tree(image), *names)))["facts"]
    assert {key: facts[key] for key in known} == known


def test_boot_entries_and_partitions_lie_where_they_are() -> None:
    facts = json.loads(written("x", iso()))["files"][0]["tree"]["facts"]
    entry, partition = facts["boot_entries"][0], facts["partitions"][0]
    assert (entry["platform"], entry["bootable"], entry["emulation"]) == ("UEFI", True, 0)
    assert (partition["table"], partition["label"]) == ("GPT", "EFI")
    assert partition["type"] == "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
    assert (entry["offset"], entry["size"]) == (partition["offset"], partition["size"])
    assert len(facts["partitions"]) == 1
