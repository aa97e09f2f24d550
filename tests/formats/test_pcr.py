"""PCR 11 by numbers: as systemd-measure 257 calculated them, and a TPM kept them."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pipeline.errors import FormatError
from pipeline.formats import pcr
from pipeline.formats.pcr import (
    Policy,
    extended,
    initial,
    is_signed,
    phases,
    policy_digest,
    read_policies,
    with_policies,
)
from pipeline.formats.pe import read_pe
from tests.fixtures.pcrsig import EC_KEY, RSA_KEY, pcrsig, public
from tests.fixtures.signer import sign
from tests.fixtures.uki import uki


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_values_are_extended() -> None:
    once = sha256(bytes(32) + sha256(b"a"))
    assert extended("sha256", initial("sha256"), [sha256(b"a")]) == once
    assert extended("sha256", initial("sha256"), [sha256(b"a"), sha256(b"b")]) == sha256(once + sha256(b"b"))
    assert [len(initial(bank)) for bank in pcr.BANKS] == [20, 32, 48, 64]


def test_phases_follow_each_other() -> None:
    found = phases("sha256", bytes(32))
    assert list(found)[:3] == ["", "enter-initrd", "enter-initrd:leave-initrd"]
    assert found["enter-initrd"] == sha256(bytes(32) + sha256(b"enter-initrd"))
    assert len(found) == 7


@pytest.mark.parametrize(
    ("bank", "number"), [("sha1", "0004"), ("sha256", "000b"), ("sha384", "000c"), ("sha512", "000d")]
)
def test_a_policy_s_digest(bank: str, number: str) -> None:
    value = bytes(range(20))
    data = bytes(32) + bytes.fromhex(f"0000017f 00000001 {number} 03 000800") + sha256(value)
    assert policy_digest(bank, value) == sha256(data)


def test_policies_are_read() -> None:
    one = {"pcrs": [11], "pkfp": "ab", "pol": "00ff", "sig": "cw=="}
    said = json.dumps({"sha1": [], "sha256": [one]}).encode() + b"\0\0"
    assert read_policies(said) == (Policy("sha256", (11,), "ab", b"\0\xff", b"s"),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"sha256": 1}',
        b'{"sha256": [1]}',
        b'{"sha256": [{}]}',
        b'{"sha256": [{"pcrs": [11], "pkfp": "", "pol": "x", "sig": ""}]}',
        b'{"sha256": [{"pcrs": [11], "pkfp": "", "pol": "", "sig": "#"}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_policy_is_told(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"\.pcrsig: it is no JSON of signed policies"):
        read_policies(data)
    with pytest.raises(FormatError, match="are too many"):
        read_policies(bytes(pcr.MAX_SIZE + 1))


@pytest.mark.parametrize("key", [RSA_KEY, EC_KEY], ids=["RSA", "EC"])
def test_a_policy_is_signed_by_its_key(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    (policy,) = read_policies(pcrsig([bytes(32)], key))
    assert is_signed(policy, public(key) + b"\0")
    other = EC_KEY if key is RSA_KEY else RSA_KEY
    assert not is_signed(policy, public(other))
    assert not is_signed(Policy("sha256", (11,), "", sha256(b"other"), policy.signature), public(key))


def test_what_is_no_key_is_told() -> None:
    (policy,) = read_policies(pcrsig([bytes(32)], EC_KEY))
    with pytest.raises(FormatError, match=r"\.pcrpkey: it is no public key in PEM"):
        is_signed(policy, b"no key")


ROOM = 4096
UKI = uki(more=[(".pcrsig", b"{}".ljust(ROOM))])


def test_policies_are_put_in_place() -> None:
    text = pcrsig([bytes(32)], RSA_KEY).decode()
    made = with_policies(UKI, text)
    assert [one.digest for one in read_policies(read_pe(made).contents(".pcrsig"))] == [bytes(32)]
    assert with_policies(made, "{}") == UKI
    assert len(made) == len(UKI)
    before, after = (
        [bytes(pe.contents_of(one)) for one in pe.sections if one.name != ".pcrsig"]
        for pe in (read_pe(UKI), read_pe(made))
    )
    assert before == after


@pytest.mark.parametrize(
    ("image", "text", "message"),
    [
        (uki(), "{}", "the UKI has 0 .pcrsig sections, not one"),
        (uki(more=[(".pcrsig", b" ")] * 2), "{}", "the UKI has 2 .pcrsig sections, not one"),
        (sign(UKI), "{}", "the UKI is signed already, and another .pcrsig would break that"),
        (UKI, "x" * 4097, "the policies have 4097 bytes, and the UKI's .pcrsig has room for 4096"),
        (
            UKI[:-1],
            "{}",
            f"PE: section .pcrsig: 4096 bytes at offset {len(UKI) - 4096:#x} do not lie inside the "
            f"{len(UKI) - 1} bytes given",
        ),
    ],
)
def test_what_has_no_room_for_policies_is_told(image: bytes, text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        with_policies(image, text)
    assert caught.value.message == message
    assert caught.value.hint
