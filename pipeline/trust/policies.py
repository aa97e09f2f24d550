"""Signs what PCR 11 may be when a UKI has been measured, as `systemd-measure sign` does (`.pcrsig`).

Specification: systemd-measure(1); systemd, src/measure/measure-tool.c (verb_sign)
"""

import base64
import hashlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipeline.checks.pe.uki_pcr import values
from pipeline.checks.pe.uki_profiles import profiles
from pipeline.errors import PipelineError
from pipeline.formats import pcr
from pipeline.formats.pe import read_pe
from pipeline.formats.signatures_file import compact
from pipeline.trust.signer import Public, Signer

BANK = "sha256"
STATES = ("", "enter-initrd")
"""When a disk is unlocked: before anything but the stub has measured, and in an initramfs of systemd."""


def policies(uki: bytes, signer: Signer) -> str:
    """Return signed policies for each value that PCR 11 may have in these states, in JSON.

    Raises PipelineError where the UKI brings the public half of another key, FormatError for what is no UKI.
    """
    pe = read_pe(uki)
    _judge(bytes(pe.contents(".pcrpkey")), signer.public)
    digests = list[bytes]()
    for profile in profiles(pe):
        for value in values(pe, profile, BANK, {}):
            found = pcr.phases(BANK, value)
            digests += [pcr.policy_digest(BANK, found[state]) for state in STATES]
    return compact({BANK: [_signed(digest, signer) for digest in dict.fromkeys(digests)]})


def _judge(pem: bytes, public: Public) -> None:
    try:
        brought = serialization.load_pem_public_key(pem.rstrip(b"\0"))
    except ValueError as error:
        raise PipelineError(
            "the UKI brings no public key in its .pcrpkey", "build it with `[trust]`"
        ) from error
    if brought != public:
        raise PipelineError(
            "the UKI's .pcrpkey is of another key than the one that signs its policies",
            "sign with the private half of the pcr.pem that `trust.keys` names",
        )


def _signed(digest: bytes, signer: Signer) -> dict[str, object]:
    return {
        "pcrs": [pcr.KERNEL_BOOT],
        "pkfp": fingerprint(signer.public),
        "pol": digest.hex(),
        "sig": base64.b64encode(signer.sign(digest)).decode(),
    }


def fingerprint(public: Public) -> str:
    """Return the SHA-256 by which systemd finds the policies of a key: of i2d_PublicKey(3), in hex."""
    if isinstance(public, rsa.RSAPublicKey):
        data = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    else:
        data = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return hashlib.sha256(data).hexdigest()
