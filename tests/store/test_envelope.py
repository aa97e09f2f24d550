"""Who vouches for a claim: signatures that hold, and all that does not."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pipeline.errors import PipelineError
from pipeline.store.envelope import KIND, MAKE_ONE, Claim, opened, private_key, seal
from tests.conftest import lacking
from tests.fixtures.caches import KEY, STRANGER, blob_of, public, write_key

CLAIM = Claim("1" * 64, {"made": blob_of(b"made")}, 1.5)
SEALED = seal(CLAIM, KEY)


def test_what_is_sealed_opens_with_the_key() -> None:
    assert opened(SEALED, [public(STRANGER), public(KEY) + " build@example.org"]) == CLAIM


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(SEALED) | fields).encode()


def payload(text: bytes) -> dict[str, str]:
    return {"payload": base64.b64encode(text).decode()}


def signed(text: bytes, kind: str = KIND) -> bytes:
    """Return an envelope of any bytes, with a good signature."""
    signature = KEY.sign(b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(text), text))
    return changed(
        **payload(text), payloadType=kind, signatures=[{"sig": base64.b64encode(signature).decode()}]
    )


RIGHT = base64.b64decode(json.loads(SEALED)["payload"])


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"a":' * 100_000,
        changed(payload="%"),
        changed(**payload(RIGHT.replace(b"1.5", b"2.5"))),
        changed(payloadType="other"),
        changed(signatures=[]),
        changed(signatures=[{"sig": base64.b64encode(bytes(64)).decode()}]),
        changed(signatures=[{"sig": "AA=="}]),
        changed(more=1),
        seal(CLAIM, STRANGER),
        signed(RIGHT, "other"),
        signed(b"{}"),
        signed(RIGHT.replace(b'"size": 4', b'"size": -4')),
        signed(RIGHT.replace(b"1" * 64, b"../x")),
    ],
    ids=range(16),
)
def test_what_does_not_hold_is_none(envelope: bytes) -> None:
    assert opened(envelope, [public(KEY)]) is None


def test_the_control_holds() -> None:
    assert opened(signed(RIGHT), [public(KEY)]) == CLAIM
    assert opened(SEALED, []) is None


def test_a_key_of_ssh_keygen(tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        lacking("ssh-keygen is missing")
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    line = path.with_suffix(".pub").read_text().strip()
    assert opened(seal(CLAIM, private_key(path)), [line]) == CLAIM


def key_file(kind: str) -> bytes:
    if kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
        return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    if kind == "passphrase":
        return KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"x"))
    return b"no key"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("rsa", "is not an Ed25519 key"),
        ("passphrase", "this key has a passphrase"),
        ("none", "is not an OpenSSH private key"),
        ("missing", "No such file or directory"),
    ],
)
def test_a_file_that_is_no_key(kind: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if kind != "missing":
        path.write_bytes(key_file(kind))
    with pytest.raises(PipelineError) as caught:
        private_key(path)
    assert caught.value.message == f"{path}: {message}"
    assert caught.value.hint.endswith(MAKE_ONE)
    assert private_key(write_key(path)).public_key() == KEY.public_key()
