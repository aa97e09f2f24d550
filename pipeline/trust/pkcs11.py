"""Keys that stay in hardware: smart cards, security keys, HSMs here and in a cloud, and SoftHSM.

Specifications: RFC 7512, "The PKCS #11 URI Scheme"; OASIS, PKCS #11 Specification Version 3.1
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pipeline.errors import PipelineError
from pipeline.store.files import explained

if TYPE_CHECKING:
    from pipeline.trust.signer import Ask, Public

EXAMPLE = "pkcs11:token=NAME;object=db?module-path=/usr/lib/…/libsofthsm2.so&pin-source=/path/of/pin"
KNOWN = ("token", "serial", "object", "id", "type", "module-path", "pin-source")


@dataclass(frozen=True)
class Uri:
    """Which key it is, as far as that is said; `pin_source` is a file, "" for asking."""

    module: str
    token: str | None = None
    serial: str | None = None
    object: str | None = None
    id: bytes | None = None
    pin_source: str = ""


def parsed(uri: str) -> Uri:
    """Read a URI. Raises PipelineError for what it cannot say here, and for a PIN in it."""
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    said: dict[str, str] = {}
    for part in (*path.split(";"), *query.split("&")):
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise PipelineError(
                "a PIN in a URI can be read by everybody on this machine",
                "name a file by `pin-source`, or leave it out to be asked",
            )
        if part and (name not in KNOWN or not equals or name in said):
            raise PipelineError(
                f"{name!r} cannot be said in a PKCS #11 URI, or not twice", f"write {EXAMPLE}"
            )
        if part:
            said[name] = value
    text = {name: unquote(value) for name, value in said.items()}
    source = text.get("pin-source", "").removeprefix("file:")
    if text.get("type", "private") != "private" or source.startswith("|"):
        raise PipelineError(f"{uri}: names no private key, or runs a command", f"write {EXAMPLE}")
    if "module-path" not in said:
        raise PipelineError(
            f"{uri}: has no module-path, the library of the hardware's maker", f"write {EXAMPLE}"
        )
    identifier = unquote_to_bytes(said["id"]) if "id" in said else None
    return Uri(
        text["module-path"], text.get("token"), text.get("serial"), text.get("object"), identifier, source
    )


def opened(uri: str, ask: "Ask") -> "tuple[Public, Callable[[bytes], bytes]]":
    """Return the public half of a key, and what signs with it. Raises PipelineError where that cannot be."""
    wanted = parsed(uri)
    with _told(uri):
        key = _key(wanted, ask)
        public = _public(wanted, key)

    def sign(data: bytes) -> bytes:
        from pkcs11 import Mechanism
        from pkcs11.util.ec import encode_ecdsa_signature

        with _told(uri):
            if isinstance(public, rsa.RSAPublicKey):
                return bytes(key.sign(data, mechanism=Mechanism.SHA256_RSA_PKCS))
            digest = hashlib.sha256(data).digest()
            return bytes(encode_ecdsa_signature(key.sign(digest, mechanism=Mechanism.ECDSA)))

    return public, sign


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """Turn the library's errors, whose names are those of PKCS #11, into a sentence."""
    from pkcs11.exceptions import MultipleObjectsReturned, NoSuchKey, PinIncorrect, PKCS11Error

    try:
        yield
    except PinIncorrect as error:
        raise PipelineError(f"{uri}: the PIN is wrong", "after a few attempts it locks") from error
    except NoSuchKey as error:
        raise PipelineError(
            f"{uri}: the token has no such private key",
            "`pkcs11-tool --list-objects` shows its keys",
        ) from error
    except MultipleObjectsReturned as error:
        raise PipelineError(f"{uri}: several keys are called so", "say which by `id`") from error
    except (PKCS11Error, RuntimeError) as error:
        raise PipelineError(
            f"{uri}: the token does not do it: {str(error) or type(error).__name__}",
            "see that the module is there, and the hardware plugged in",
        ) from error


def _key(wanted: Uri, ask: "Ask") -> Any:
    import pkcs11

    tokens = list(
        pkcs11.lib(wanted.module).get_tokens(
            token_label=wanted.token, token_serial=wanted.serial.encode() if wanted.serial else None
        )
    )
    if len(tokens) != 1:
        raise PipelineError(f"{len(tokens)} tokens fit that URI, not one", "say which by `token` or `serial`")
    (token,) = tokens
    if pkcs11.TokenFlag.PROTECTED_AUTHENTICATION_PATH in token.flags:  # it has keys of its own to type a PIN
        pin: Any = pkcs11.PROTECTED_AUTH
    else:
        pin = _pin(wanted, token.label, ask) if pkcs11.TokenFlag.LOGIN_REQUIRED in token.flags else None
    try:
        session = token.open(user_pin=pin)
    except pkcs11.UserAlreadyLoggedIn:  # for another of its keys: that counts for the whole program
        session = token.open()
    return session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=wanted.object, id=wanted.id)


def _pin(wanted: Uri, token: str, ask: "Ask") -> str:
    if not wanted.pin_source:
        return ask(f"PIN of {token}")
    path = Path(wanted.pin_source)
    with explained(path, "read", cache=False):
        return path.read_text(encoding="utf-8").rstrip("\r\n")


def _public(wanted: Uri, key: Any) -> "Public":
    import pkcs11
    from pkcs11.util.ec import encode_ec_public_key
    from pkcs11.util.rsa import encode_rsa_public_key

    if key.key_type == pkcs11.KeyType.RSA:
        found = serialization.load_der_public_key(encode_rsa_public_key(key))
    elif key.key_type == pkcs11.KeyType.EC:
        public = key.session.get_key(
            object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=key.label, id=wanted.id
        )
        found = serialization.load_der_public_key(encode_ec_public_key(public))
    else:
        found = None
    if not isinstance(found, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        raise PipelineError(f"{key.label!r} is no RSA or EC key", "firmware knows no other")
    return found
