"""Who vouches for what a step made: claims in signed envelopes.

An envelope is DSSE (https://github.com/secure-systems-lab/dsse/blob/master/protocol.md), the signature is
Ed25519 (RFC 8032) with a key as `ssh-keygen -t ed25519` makes it.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Base64Bytes, Field, ValidationError

from pipeline import config
from pipeline.config import Sha256
from pipeline.errors import PipelineError
from pipeline.store.cache import Blob

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KIND = "application/vnd.installer-iso.result+json"
MAKE_ONE = "`ssh-keygen -t ed25519 -N '' -f FILE` makes one"


@dataclass(frozen=True)
class Claim:
    """What the step with this key made, by the outputs' names, and how many seconds it took."""

    key: Sha256
    outputs: dict[str, Blob]
    seconds: Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class _Signature:
    sig: Base64Bytes
    keyid: str = ""


@dataclass(frozen=True)
class _Envelope:
    payloadType: str  # noqa: N815
    payload: Base64Bytes
    signatures: tuple[_Signature, ...]


def _signed_bytes(payload: bytes) -> bytes:
    """Return what a signature is of: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %b %d %b" % (len(KIND), KIND.encode(), len(payload), payload)


def private_key(path: Path) -> "Ed25519PrivateKey":
    """Return the key in a file of OpenSSH's. Raises PipelineError for what is none, or has a passphrase."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        key = load_ssh_private_key(path.read_bytes(), None)
    except OSError as error:
        raise PipelineError(f"{path}: {error.strerror}", MAKE_ONE) from error
    except TypeError:
        raise PipelineError(f"{path}: this key has a passphrase", f"take one without; {MAKE_ONE}") from None
    except Exception:  # the library documents no complete list
        raise PipelineError(f"{path}: is not an OpenSSH private key", MAKE_ONE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise PipelineError(f"{path}: is not an Ed25519 key", MAKE_ONE)
    return key


def seal(claim: Claim, key: "Ed25519PrivateKey") -> bytes:
    """Return the envelope of a claim, signed."""
    payload = json.dumps(asdict(claim), sort_keys=True).encode()
    envelope = {
        "payloadType": KIND,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": base64.b64encode(key.sign(_signed_bytes(payload))).decode()}],
    }
    return json.dumps(envelope).encode() + b"\n"


def opened(envelope: bytes, keys: Sequence[str]) -> Claim | None:
    """Return the claim in an envelope that one of `keys` has signed; None for anything else.

    `keys` are lines of `ssh-ed25519`, as a `.pub` file has them and `config.PublicKey` accepts.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        found = config.adapter(_Envelope).validate_json(envelope)
    except ValidationError:
        return None
    if found is None or found.payloadType != KIND:
        return None
    for line in keys:
        key = load_ssh_public_key(line.encode())
        for signature in found.signatures:
            try:
                cast("Ed25519PublicKey", key).verify(signature.sig, _signed_bytes(found.payload))
                claim: Claim | None = config.adapter(Claim).validate_json(found.payload)
            except (InvalidSignature, ValidationError):
                continue
            return claim
    return None
