"""Who signed what firmware starts."""

import struct

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.kind import Member, Node
from pipeline.checks.pe import dbx
from pipeline.formats.authenticode import image_digest, read_signatures
from pipeline.formats.pe import read_pe
from pipeline.inspection import secure
from pipeline.inspection.answer import Said
from tests.fixtures import patch
from tests.fixtures.fat import fat
from tests.fixtures.pe import PE_OFFSET, pe
from tests.fixtures.signed import EC, RSA, SECURITY, UNSIGNED, signed
from tests.fixtures.signer import sign
from tests.fixtures.uki import uki

SBAT = b"sbat,1,SBAT Version,sbat,1,https://example.org/\nshim,4,UEFI shim,shim,1,https://example.org/\n"
SHIM = "; it is shim, which starts only what is signed too"
X64, AA64 = "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/BOOTAA64.EFI"


def node(image: bytes) -> Node:
    return take_apart(image, "artifact")


def alone(image: bytes) -> Node:
    return Node(Member("artifact", image), None, None)


OF_RSA = "certificate f81df7de4c97c2a59170413ffa190f76bab0c28194c45a37bfc4a2dc464ba6f5"
OF_EC = "certificate 414993c11ba200a8833398eae24d331f0f73844e4792671b709c2489338bd2bd"


def asked(said: Said) -> list[tuple[str, str]]:
    """What a machine is asked besides what its db holds."""
    return [(each.what, each.value) for each in said.conditions if each.what != "db"]


def changed(image: bytes) -> bytes:
    return patch(image, 0x400, bytes([image[0x400] ^ 0xFF]))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (UNSIGNED, ("no", "", "it is not signed")),
        (signed(RSA), ("yes", "if the firmware trusts Test signer", "it is signed by Test signer")),
        (
            signed(RSA, EC),
            (
                "yes",
                "if the firmware trusts Test signer or Second signer",
                "it is signed by Test signer, Second signer",
            ),
        ),
        (
            signed(RSA, image=changed(UNSIGNED)),
            (
                "no",
                "",
                "it is signed by Test signer, but the signature is of another file: it was changed after it "
                "was signed",
            ),
        ),
        (
            signed(patch(RSA, len(RSA) - 1, bytes([RSA[-1] ^ 1]))),
            (
                "no",
                "",
                "it is signed by Test signer, but the signature was not made with the signer's key",
            ),
        ),
    ],
)
def test_a_program(image: bytes, said: tuple[str, str, str]) -> None:
    found = secure.of_program(alone(image))
    assert (found.verdict, found.value, found.because) == said


def sbat(name: str, generation: int, vendor: str = "") -> bytes:
    """The .sbat of a program, with a vendor's line where there is one."""
    lines = [
        "sbat,1,SBAT Version,sbat,1,https://example.org/",
        f"{name},{generation},x,{name},1,https://example.org/",
    ]
    if vendor:
        lines.append(f"{name}.{vendor},{generation},x,{name},1,https://example.org/")
    return "\n".join([*lines, ""]).encode()


def program(declared: bytes | None) -> bytes:
    return pe({".text": b"\xc3", **({".sbat": declared} if declared else {})})


TABLE = len(UNSIGNED)
DIGESTS = [f"{name} {image_digest(read_pe(UNSIGNED), name).hex()}" for name in secure.OF_UNSIGNED]


@pytest.mark.parametrize(
    ("image", "conditions"),
    [
        (UNSIGNED, [("db", "the program's digest", DIGESTS)]),
        (
            patch(UNSIGNED, SECURITY, struct.pack("<II", len(UNSIGNED), 0)),
            [("db", "the program's digest", DIGESTS)],
        ),
        (signed(RSA), [("db", "Test signer", [OF_RSA, DIGESTS[0]])]),
        (signed(RSA, EC), [("db", "Test signer or Second signer", [OF_RSA, DIGESTS[0], OF_EC, DIGESTS[2]])]),
        (signed(EC), [("db", "Second signer", [OF_EC, DIGESTS[2]]), ("signature", "ECDSA", [])]),
        (
            signed(patch(RSA, len(RSA) - 1, bytes([RSA[-1] ^ 1]))),
            [("db", "the program's digest", DIGESTS[:1])],
        ),
        (signed(RSA, kind=1), []),
        (signed(b"no DER at all"), []),
    ],
)
def test_what_db_has_to_hold(image: bytes, conditions: list[tuple[str, str, list[str]]]) -> None:
    found = secure.of_program(node(image)).conditions
    assert [(each.what, each.value, list(each.one_of)) for each in found] == conditions


def entry(offset: int, image: bytes, more: int = 0) -> bytes:
    """The image whose table begins elsewhere, or is larger."""
    size = len(signed(RSA)) - TABLE + more
    return patch(image, SECURITY, struct.pack("<II", offset, size))


@pytest.mark.parametrize(
    ("image", "verdict", "because"),
    [
        (signed(RSA), "yes", "it is signed by Test signer"),
        (signed(RSA + bytes(-len(RSA) % 8)), "yes", "it is signed by Test signer"),
        (patch(signed(RSA), PE_OFFSET + 24 + 64, b"\xef\xbe\xad\xde"), "yes", "it is signed by Test signer"),
        (signed(b"no DER at all", RSA), "yes", "it is signed by Test signer"),
        (
            signed(b"no DER at all", RSA, image=changed(UNSIGNED)),
            "no",
            "it is signed by Test signer, but the signature is of another file: "
            "it was changed after it was signed",
        ),
        (
            entry(TABLE, signed(RSA) + b"SMUGGLED" * 32, more=256),
            "no",
            "the signature of it cannot be read: Authenticode: behind the last certificate, at offset 0xdd8, "
            "the certificate table has 256 more bytes, which are none",
        ),
        (
            signed(RSA) + b"APPENDED" * 32,
            "no",
            "it is signed by Test signer, but 256 bytes were appended behind its certificate table: firmware "
            "reads them as part of the program, and nobody signed them",
        ),
        (
            entry(TABLE + 4, signed(RSA)[:TABLE] + bytes(4) + signed(RSA)[TABLE:]),
            "no",
            "it is signed by Test signer, but 4 bytes lie between what was signed and its certificate table, "
            "and so it begins at 0x804, no multiple of 8: "
            "firmware reads them as part of the program, and nobody signed them",
        ),
    ],
)
def test_what_surrounds_a_signature_counts(image: bytes, verdict: str, because: str) -> None:
    found = secure.of_program(node(image))
    assert (found.verdict, found.because) == (verdict, because)
    assert (found.finding, bool(found.hint)) == (("", False) if verdict == "yes" else ("EFI006", True))


GRUB = "EFI/BOOT/GRUBX64.EFI"
CHAIN = f"{X64} is signed by Test signer; it is shim, and of what it starts {GRUB} is signed by Test signer"
TRUST = "if the firmware trusts Test signer"


@pytest.mark.parametrize(
    ("shim", "grub", "level", "because"),
    [
        (
            sbat("shim", 1, "debian"),
            sbat("grub", 1, "debian"),
            "2022052400",
            "; SbatLevel 2022052400 and newer refuse shim,1 and grub,1, "
            "2023012900 and newer refuse grub.debian,1",
        ),
        (
            sbat("shim", 4, "debian"),
            sbat("grub", 5, "debian"),
            "2025112400",
            "; SbatLevel 2025112400 and newer refuse grub,5",
        ),
        (
            sbat("shim", 4),
            sbat("grub", 6),
            "",
            "",
        ),
    ],
)
def test_the_level_that_refuses_what_shim_starts(shim: bytes, grub: bytes, level: str, because: str) -> None:
    medium = node(fat({X64: sign(program(shim)), GRUB: sign(program(grub))}, clusters=200))
    found, declared = secure.of_medium(medium), secure.sbat_of_medium(medium)
    assert (found.verdict, found.value, found.because) == ("yes", TRUST, CHAIN + because)
    for said in (found, declared):
        assert asked(said) == [("sbat_level", level)] * bool(level)
        assert said.finding == ("EFI008" if level else "")


def test_the_dbx_that_refuses_a_program_without_sbat(monkeypatch: pytest.MonkeyPatch) -> None:
    image = sign(program(None))
    digest = image_digest(read_pe(image), "sha256").hex().upper()
    monkeypatch.setattr(dbx, "_published", lambda: {digest[:16]: "2020-07"})
    medium = node(fat({X64: image}, clusters=200))
    found = secure.of_medium(medium)
    assert (found.verdict, found.because) == (
        "yes",
        f"{X64} is signed by Test signer; dbx of 2020-07 and newer refuses {X64}",
    )
    assert (asked(found), found.finding) == ([("dbx", "2020-07")], "EFI008")
    (finding,) = medium.all_findings()
    assert finding.message.endswith("firmware refuses the EFI program: dbx has its digest since 2020-07")
    for other in (program(None), sign(program(sbat("grub", 9)))):
        assert asked(secure.of_program(node(other))) == []


@pytest.mark.parametrize(
    ("grub", "why"),
    [
        (program(sbat("grub", 5)), f"{GRUB} is not signed"),
        (sign(program(None)), f"{GRUB}: there is no .sbat, which shim asks of what it starts"),
        (b"text", None),
    ],
)
def test_shim_refuses_what_it_starts(grub: bytes, why: str | None) -> None:
    shim = sign(program(sbat("shim", 4)))
    found = secure.of_medium(node(fat({X64: shim, GRUB: grub}, clusters=200)))
    assert found.verdict == "no"
    assert found.because.startswith(f"{X64} is shim, and refuses what it starts: {why or ''}")


def test_a_loader_that_is_no_shim_starts_what_it_wants() -> None:
    image = fat({X64: sign(program(sbat("systemd-boot", 1))), GRUB: program(sbat("grub", 1))}, clusters=200)
    found = secure.of_medium(node(image))
    assert (found.verdict, found.because, asked(found)) == ("yes", f"{X64} is signed by Test signer", [])


def test_a_medium_names_the_generations_of_all_that_is_started() -> None:
    image = fat({X64: sign(program(sbat("shim", 4))), GRUB: sign(program(sbat("grub", 6)))}, clusters=200)
    assert secure.sbat_of_medium(node(image)).value == f"{X64}: sbat 1, shim 4; {GRUB}: sbat 1, grub 6"


def test_shim_is_known_by_what_it_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    good = read_signatures(read_pe(signed(RSA)))
    monkeypatch.setattr(secure, "read_signatures", lambda _pe: good)
    for ident, what in ((b"UEFI SHIM\n$Version: 15.8 $\n", SHIM), (b"MokManager", "")):
        found = secure.of_program(alone(pe({".text": b"\xc3", ".ident": ident})))
        assert found.because == f"it is signed by Test signer{what}"


def test_a_signature_that_cannot_be_read() -> None:
    found = secure.of_program(alone(signed(b"no DER at all")))
    assert found.verdict == "no"
    assert found.because.startswith("the signature of it cannot be read: ")


OF_NO_PROGRAM = RSA.replace(bytes.fromhex("2b060104018237020104"), bytes.fromhex("2b060104018237020105"))


@pytest.mark.parametrize(
    ("blobs", "conditions"),
    [((OF_NO_PROGRAM,), ["db"]), ((RSA[:-1],), []), ((OF_NO_PROGRAM, RSA[:-1]), [])],
)
def test_its_digest_starts_what_has_a_signature_of_no_program(
    blobs: tuple[bytes, ...], conditions: list[str]
) -> None:
    found = secure.of_program(alone(signed(*blobs)))
    assert (found.verdict, [each.what for each in found.conditions]) == ("no", conditions)


def test_what_is_no_program_is_not_asked() -> None:
    assert secure.of_program(alone(b"milk, eggs")).verdict == "not applicable"
    assert secure.sbat_of_program(alone(b"milk, eggs")).verdict == "not applicable"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({X64: signed(RSA)}, ("yes", f"{X64} is signed by Test signer")),
        ({X64: uki()}, ("no", f"{X64} is not signed")),
        ({X64: signed(RSA), AA64: pe({".text": b"\xc3"}, machine=0xAA64)}, ("no", f"{AA64} is not signed")),
        ({"README.TXT": b"x"}, ("no", "there is no program that UEFI starts")),
    ],
)
def test_a_medium(files: dict[str, bytes], said: tuple[str, str]) -> None:
    found = secure.of_medium(node(fat(files)))
    assert (found.verdict, found.because) == said


@pytest.mark.parametrize(
    ("sbat", "said"),
    [
        (SBAT, ("yes", "sbat 1, shim 4", "")),
        (None, ("no", "", "there is no .sbat, which shim asks of what it starts")),
        (
            b"milk, eggs",
            (
                "no",
                "",
                ".sbat: line 1 is not component, generation, vendor, package, version and URL: 'milk, eggs'",
            ),
        ),
    ],
)
def test_sbat(sbat: bytes | None, said: tuple[str, str, str]) -> None:
    for image, ask in (
        (uki({".sbat": sbat}), secure.sbat_of_program),
        (fat({X64: uki({".sbat": sbat})}), secure.sbat_of_medium),
    ):
        found = ask(node(image))
        assert (found.verdict, found.value, found.because) == said


def test_a_medium_without_programs_has_no_sbat() -> None:
    assert secure.sbat_of_medium(node(fat({}))).verdict == "not applicable"
