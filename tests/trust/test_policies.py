import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from pipeline.checks.pe.uki_pcr import expected, is_for_this_file
from pipeline.checks.pe.uki_profiles import profiles
from pipeline.errors import PipelineError
from pipeline.formats import pcr
from pipeline.formats.pe import read_pe
from pipeline.trust.policies import fingerprint, policies
from pipeline.trust.signer import Signer
from tests.fixtures import keys
from tests.fixtures.pcrsig import EC_KEY, RSA_KEY, public
from tests.fixtures.uki import uki

SIGNER = Signer(
    RSA_KEY.public_key(), (), lambda data: RSA_KEY.sign(data, padding.PKCS1v15(), hashes.SHA256())
)
ROOM = b"{}".ljust(4096)
UKI = uki(more=[(".pcrpkey", public(RSA_KEY)), (".pcrsig", ROOM)])


def test_both_states_are_signed() -> None:
    text = policies(UKI, SIGNER)
    made = read_pe(pcr.with_policies(UKI, text))
    (profile,) = profiles(made)
    values = expected(made, profile)
    found = pcr.read_policies(text.encode())
    assert [one.digest for one in found] == [
        pcr.policy_digest("sha256", bytes.fromhex(values[state])) for state in ("", "enter-initrd")
    ]
    assert all(pcr.is_signed(one, public(RSA_KEY)) and one.pcrs == (11,) for one in found)
    assert list(is_for_this_file(made)) == []
    assert text == policies(UKI, SIGNER)


def test_another_command_line_has_other_policies() -> None:
    other = uki({".cmdline": b"init=/bin/sh"}, more=[(".pcrpkey", public(RSA_KEY)), (".pcrsig", ROOM)])
    assert policies(other, SIGNER) != policies(UKI, SIGNER)
    wrong = read_pe(pcr.with_policies(other, policies(UKI, SIGNER)))
    assert "is for another PCR 11" in str(list(is_for_this_file(wrong)))


def test_each_profile_is_signed() -> None:
    more = [
        (".pcrpkey", public(RSA_KEY)),
        (".pcrsig", ROOM),
        (".profile", b"ID=main\n"),
        (".profile", b"ID=rescue\n"),
        (".cmdline", b"rescue"),
    ]
    image = uki(more=more)
    text = policies(image, SIGNER)
    assert len(json.loads(text)["sha256"]) == 4
    assert list(is_for_this_file(read_pe(pcr.with_policies(image, text)))) == []


def test_a_key_is_named_as_systemd_names_it() -> None:
    """`openssl rsa -RSAPublicKey_out -outform DER | sha256sum`, and the point of one on a curve."""
    assert fingerprint(keys.key("vendor").public_key()) == (
        "7be49a4a5155a94f02d051bca0868793471fc199f9e204b84891df1fb90487a5"
    )
    assert fingerprint(keys.key("ec").public_key()) == (
        "b98d65d26ba09df21337a713461aa3fc261cf427ef3fc072f371c26f1ee2c0bf"
    )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (uki(more=[(".pcrsig", ROOM)]), "the UKI brings no public key in its .pcrpkey"),
        (
            uki(more=[(".pcrpkey", public(EC_KEY)), (".pcrsig", ROOM)]),
            "the UKI's .pcrpkey is of another key than the one that signs its policies",
        ),
    ],
)
def test_a_uki_of_another_key_is_told(image: bytes, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        policies(image, SIGNER)
    assert caught.value.message == message
