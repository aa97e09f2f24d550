"""Opens keys, in PEM files or in hardware (PKCS #11), for signatures with SHA-256."""

import getpass
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from pipeline.errors import PipelineError

Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
Ask = Callable[[str], str]
"""Asks a person for a secret; it is given the words that the person sees."""

URI = "pkcs11:"
LEAST_BITS = 2048
KEY = "name a private key in PEM, or bring it back from where it is kept"
CERTIFICATE = "name one in PEM or DER"


@dataclass(frozen=True)
class Signer:
    """A key: `sign` returns its signature of data, by PKCS #1 v1.5 or as ECDSA in DER.

    `certificates` has the one of this key first, then those that vouch for it; there may be none.
    """

    public: Public
    certificates: tuple[x509.Certificate, ...]
    sign: Callable[[bytes], bytes] = field(repr=False)


def on_terminal(prompt: str) -> str:
    """Ask without showing what is typed. PipelineError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise PipelineError(
            f"nobody is there to be asked: {prompt}",
            "run it in a terminal; a PIN may be in a file: `pin-source`",
        )
    return getpass.getpass(f"{prompt}: ")


def open_signer(key: str, certificates: Sequence[Path] = (), ask: Ask = on_terminal) -> Signer:
    """Open a PEM file, or what a `pkcs11:` URI names; the certificates come in files of PEM or DER.

    A file may have the URI in it: then the key is elsewhere, and commands find it as if it were here.
    Raises PipelineError for a key or a certificate that cannot be read, and where none is this key's.
    """
    from pipeline.trust import pkcs11

    data = key.encode() if key.startswith(URI) else _read(Path(key), KEY)
    uri = data.decode(errors="replace").strip() if data.startswith(URI.encode()) else ""
    public, sign = pkcs11.opened(uri, ask) if uri else _from_file(Path(key), data, ask)
    bits = public.key_size
    if isinstance(public, rsa.RSAPublicKey) and bits < LEAST_BITS:
        raise PipelineError(
            f"{key}: is RSA of {bits} bits, and firmware wants {LEAST_BITS}", "`./doit keys new`"
        )
    chain = [one for path in certificates for one in read_certificates(path)]
    own = next((one for one in chain if one.public_key() == public), None)
    if chain and own is None:
        names = ", ".join(map(str, certificates))
        raise PipelineError(
            f"{key}: no certificate in {names} is of this key", "name the one that was made for it"
        )
    first = [] if own is None else [own]
    return Signer(public, (*first, *(one for one in chain if one != own)), sign)


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Read certificates. Raises PipelineError for anything else."""
    data = _read(path, CERTIFICATE)
    try:
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except ValueError as error:
        raise PipelineError(f"{path}: is no certificate", CERTIFICATE) from error


def _read(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}", hint) from error


def _from_file(path: Path, data: bytes, ask: Ask) -> tuple[Public, Callable[[bytes], bytes]]:
    try:
        try:
            key = serialization.load_pem_private_key(data, None)
        except TypeError:  # it is encrypted
            key = _decrypted(path, data, ask(f"passphrase of {path}"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PipelineError(
            f"{path}: has no private key in PEM", "name one, as `./doit keys new` makes it"
        ) from error
    if isinstance(key, rsa.RSAPrivateKey):
        return key.public_key(), lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.public_key(), lambda data: key.sign(data, ec.ECDSA(hashes.SHA256()))
    raise PipelineError(f"{path}: is no RSA or EC key", "firmware knows no other")


def _decrypted(path: Path, data: bytes, passphrase: str) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(data, passphrase.encode())
    except (ValueError, TypeError) as error:
        raise PipelineError(f"{path}: the passphrase does not open it", "type it again") from error
