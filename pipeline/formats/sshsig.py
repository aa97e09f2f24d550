"""Detached signatures of `ssh-keygen -Y sign`, and the public keys that they are checked with.

https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from pipeline.errors import FormatError

MAGIC = b"SSHSIG"
VERSION = 1
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
WIDTH = 70
HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
RSA: dict[bytes, Callable[[], hashes.HashAlgorithm]] = {
    b"rsa-sha2-256": hashes.SHA256,
    b"rsa-sha2-512": hashes.SHA512,
}
CURVES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}


@dataclass(frozen=True)
class Signature:
    """A signature of a message's digest for the use `namespace`; `key` and `value` are as SSH writes them."""

    key: bytes
    namespace: bytes
    hash_name: bytes
    value: bytes

    @property
    def fingerprint(self) -> str:
        """What SSH calls its key."""
        return fingerprint(self.key)

    @property
    def by_hardware(self) -> bool:
        """Whether its key lies in a FIDO token, which signs more than the digest: see PROTOCOL.u2f there."""
        return _kind(self.key).startswith(b"sk-")

    def holds(self, message: bytes) -> bool:
        """Tell whether its key has signed the message. Raises FormatError for a key of an unknown kind."""
        if self.by_hardware:
            raise _only_ssh_keygen(self.key)
        digest = HASHES[self.hash_name](message).digest()
        signed = MAGIC + b"".join(map(_string, (self.namespace, b"", self.hash_name, digest)))
        try:
            _verify(self.key, self.value, signed)
        except InvalidSignature:
            return False
        return True


def fingerprint(key: bytes) -> str:
    """Return what SSH calls a public key."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def read(data: bytes) -> Signature:
    """Return the signature in a file as ssh-keygen writes it, to the byte. Raises FormatError for another."""
    lines = data.decode(errors="replace").split("\n")
    try:
        blob = base64.b64decode("".join(lines[1:-2]), validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    if armoured(blob) != data:
        raise FormatError("is no SSH signature as ssh-keygen writes it")
    if blob[: len(MAGIC)] != MAGIC or blob[len(MAGIC) :][:4] != struct.pack(">I", VERSION):
        raise FormatError("is no SSH signature of version 1")
    key, namespace, reserved, hash_name, value = _strings(blob[len(MAGIC) + 4 :], 5)
    if reserved or hash_name not in HASHES:
        raise FormatError(f"is an SSH signature of an unknown kind: {hash_name[:20]!r}")
    return Signature(key, namespace, hash_name, value)


def armoured(blob: bytes) -> bytes:
    """Return a signature as a file has it."""
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]
    return "\n".join([BEGIN, *lines, END, ""]).encode()


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _strings(data: bytes, count: int) -> list[bytes]:
    """Return all strings in some bytes (RFC 4251, section 5). Raises FormatError unless there are `count`."""
    found: list[bytes] = []
    at = 0
    while at + 4 <= len(data) and len(found) < count:
        (size,) = struct.unpack_from(">I", data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    if len(found) != count or at != len(data):
        raise FormatError("is an SSH signature that is cut off, or too long")
    return found


def _kind(key: bytes) -> bytes:
    return key[4 : 4 + int.from_bytes(key[:4])]


def _only_ssh_keygen(key: bytes) -> FormatError:
    return FormatError(
        f"is of a kind that only ssh-keygen can check: {_kind(key)[:50].decode(errors='replace')!r}"
    )


def _verify(key: bytes, value: bytes, signed: bytes) -> None:
    """Raise InvalidSignature unless `value` is the key's signature of `signed`, else FormatError."""
    kind, raw = _strings(value, 2)
    name = _kind(key)
    try:
        public = load_ssh_public_key(name + b" " + base64.b64encode(key))
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:
        raise FormatError(
            f"is by a key of an unknown kind: {name[:50].decode(errors='replace')!r}"
        ) from error
    match public:
        case ed25519.Ed25519PublicKey() if kind == name == b"ssh-ed25519":
            public.verify(raw, signed)
        case rsa.RSAPublicKey() if kind in RSA:
            public.verify(raw, signed, padding.PKCS1v15(), RSA[kind]())
        case ec.EllipticCurvePublicKey() if kind == name and name.startswith(b"ecdsa-sha2-"):
            numbers = (int.from_bytes(number) for number in _strings(raw, 2))
            der = utils.encode_dss_signature(*numbers)
            public.verify(der, signed, ec.ECDSA(CURVES[public.curve.name]()))
        case _:
            raise _only_ssh_keygen(key)
