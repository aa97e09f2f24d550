"""Which entries of firmware's db vouch for a signer. OVMF judges the same chains in tests/world/jury."""

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from pipeline.formats.trust import by_certificates, by_digest, not_taken
from tests.fixtures import keys


def certificate(name: str) -> str:
    return f"certificate {keys.certificate(name).fingerprint(SHA256()).hex()}"


@pytest.mark.parametrize(
    ("signer", "others", "above"),
    [
        ("vendor", [], []),
        ("signer", [], ["issuer CN=Jury root"]),
        ("signer", ["root"], [certificate("root")]),
        ("signer", ["namesake"], ["issuer CN=Jury root"]),
        ("signer", ["namesake", "root"], [certificate("root")]),
        ("below", ["root"], ["issuer CN=Jury intermediate"]),
        ("below", ["root", "intermediate"], [certificate("intermediate"), certificate("root")]),
        ("under-no-ca", ["no-ca"], []),
        ("under-mute", ["mute-ca"], []),
        ("under-short", ["short"], [certificate("short")]),
        ("below-short", ["under-short", "short"], [certificate("under-short")]),
        ("under-odd", ["odd-ca"], []),
    ],
)
def test_who_vouches_for_a_signer(signer: str, others: list[str], above: list[str]) -> None:
    bag = [keys.certificate(name) for name in [*others, signer]]
    assert list(by_certificates(keys.certificate(signer), bag)) == [certificate(signer), *above]


def test_a_digest_is_an_entry() -> None:
    assert by_digest("sha256", b"\xab\xcd") == "sha256 abcd"


@pytest.mark.parametrize(
    ("signer", "size", "announced", "made", "why"),
    [
        ("vendor", 0x10003, ["sha256"], "sha256", ""),
        (
            "vendor",
            0x10004,
            ["sha256"],
            "sha256",
            "it has 65540 bytes, and firmware reads none of more than 65539",
        ),
        ("vendor", 999, ["sha256", "sha512"], "sha512", ""),
        ("vendor", 999, ["sha256"], "sha512", "it is made with sha512, which is not announced"),
        (
            "vendor",
            999,
            ["sha512", "sha256"],
            "sha256",
            "its digest is sha256, and firmware makes sha512, which is announced first",
        ),
        (
            "odd",
            999,
            ["sha256"],
            "sha256",
            "the certificate has the critical extension 1.3.6.1.4.1.99999.1, which firmware does not know",
        ),
    ],
)
def test_why_a_right_signature_is_not_taken(
    signer: str, size: int, announced: list[str], made: str, why: str
) -> None:
    assert not_taken(keys.certificate(signer), size, "sha256", announced, made) == why
