"""Values of a TPM's PCRs, and the signed policies over them that systemd puts into .pcrsig.

Specifications: TCG, Trusted Platform Module Library, part 3 (TPM2_PolicyPCR, §23.7); systemd-measure(1)
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import FormatError
from pipeline.formats.fields import Image
from pipeline.formats.pe import read_pe
from pipeline.formats.trust import verifies

SECTION = ".pcrsig"
KERNEL_BOOT = 11  # the PCR that systemd-stub measures a UKI into, and nobody else before it
BANKS: Mapping[str, int] = {"sha1": 0x04, "sha256": 0x0B, "sha384": 0x0C, "sha512": 0x0D}
"""By the name of its hash: the TPM's number for it (TPM_ALG_ID)."""

PHASES = ("enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final")
"""What systemd measures while it starts and ends, one after the other (systemd-pcrphase.service(8))."""

POLICY_PCR = 0x17F  # TPM_CC_PolicyPCR
MAX_SIZE = 1 << 20  # bytes of a .pcrsig
MAX_POLICIES = 4096
HINT = "sign again: ukify build --pcr-private-key=… --pcr-public-key=…"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that somebody signed: that these PCRs have, in this bank, what its digest stands for."""

    bank: str
    pcrs: tuple[int, ...]
    key: str  # fingerprint of the signer's key, in hex
    digest: bytes
    signature: bytes


def extended(bank: str, value: bytes, digests: Iterable[bytes]) -> bytes:
    """Return what a PCR of that value becomes when digests are measured into it, one after the other."""
    for digest in digests:
        value = hashlib.new(bank, value + digest, usedforsecurity=False).digest()
    return value


def initial(bank: str) -> bytes:
    """Return what PCR 11 is before anything is measured."""
    return bytes(hashlib.new(bank, usedforsecurity=False).digest_size)


def phases(bank: str, value: bytes) -> dict[str, bytes]:
    """Return what PCR 11 is after each phase, by the path of phases up to it; "" for before the first."""
    found = {"": value}
    for count, phase in enumerate(PHASES, start=1):
        value = extended(bank, value, [hashlib.new(bank, phase.encode(), usedforsecurity=False).digest()])
        found[":".join(PHASES[:count])] = value
    return found


def policy_digest(bank: str, value: bytes, pcr: int = KERNEL_BOOT) -> bytes:
    """Return the digest of the policy that one PCR has a value: TPM2_PolicyPCR, first thing in a session."""
    selected = (1 << pcr).to_bytes(3, "little")
    selection = (1).to_bytes(4, "big") + BANKS[bank].to_bytes(2, "big") + bytes([len(selected)]) + selected
    values = hashlib.sha256(value).digest()
    return hashlib.sha256(bytes(32) + POLICY_PCR.to_bytes(4, "big") + selection + values).digest()


def read_policies(image: Image) -> tuple[Policy, ...]:
    """Read a .pcrsig. Raises FormatError for anything else."""
    if len(image) > MAX_SIZE:
        raise FormatError(f".pcrsig: {len(image)} bytes are too many", HINT)
    try:
        said = json.loads(bytes(image).rstrip(b"\0").decode())
        found = [_policy(bank, one) for bank, many in said.items() for one in many[:MAX_POLICIES]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f".pcrsig: it is no JSON of signed policies: {error}", HINT) from error
    return tuple(found)


def _policy(bank: str, said: Mapping[str, Any]) -> Policy:
    return Policy(
        bank,
        tuple(int(pcr) for pcr in said["pcrs"]),
        str(said["pkfp"]),
        bytes.fromhex(said["pol"]),
        base64.b64decode(said["sig"], validate=True),
    )


def with_policies(image: bytes, text: str) -> bytes:
    """Return a UKI with the text of signed policies in its .pcrsig, behind which blanks are left.

    Nothing else of it changes, and what is measured of it neither. Raises FormatError where it has no such
    section, or several, where they do not fit, and where it is signed already.
    """
    uki = read_pe(image)
    data, found = text.encode(), uki.named(SECTION)
    if len(found) != 1:
        raise FormatError(f"the UKI has {len(found)} {SECTION} sections, not one", "build it with `[trust]`")
    room = found[0].size
    if uki.certificates != (0, 0):
        raise FormatError(
            f"the UKI is signed already, and another {SECTION} would break that", "give the unsigned one"
        )
    if len(data) > room:
        raise FormatError(
            f"the policies have {len(data)} bytes, and the UKI's {SECTION} has room for {room}",
            "sign fewer states, or with a smaller key",
        )
    start = found[0].raw_offset
    uki.contents_of(found[0])  # whether it lies in the file
    return image[:start] + data.ljust(room) + image[start + room :]


def is_signed(policy: Policy, key: Image) -> bool:
    """Tell whether a policy was signed with the key of which this is the public half, in PEM.

    Raises FormatError for what is no RSA or EC key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        public = serialization.load_pem_public_key(bytes(key[:MAX_SIZE]).rstrip(b"\0"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FormatError(
            ".pcrpkey: it is no public key in PEM", "give ukify --pcr-public-key=, in PEM"
        ) from error
    signed = verifies(public, policy.signature, policy.digest, "sha256")
    if signed is None:
        raise FormatError(".pcrpkey: it is no RSA or EC key", "make one with ukify genkey")
    return signed
