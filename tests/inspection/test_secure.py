"""Who signed what firmware starts."""

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.kind import Member, Node
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.pe import read_pe
from pipeline.inspection import secure
from tests.fixtures import patch
from tests.fixtures.fat import fat
from tests.fixtures.pe import pe
from tests.fixtures.signed import EC, RSA, UNSIGNED, signed
from tests.fixtures.uki import uki

SBAT = b"sbat,1,SBAT Version,sbat,1,https://example.org/\nshim,4,UEFI shim,shim,1,https://example.org/\n"
SHIM = "; it is shim, which starts only what is signed too"
X64, AA64 = "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/BOOTAA64.EFI"


def node(image: bytes) -> Node:
    return take_apart(image, "artifact", house=False)


def alone(image: bytes) -> Node:
    return Node(Member("artifact", image), None, None)


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
