"""Signatures of the real ssh-keygen, and what was made of them."""

import base64
import contextlib
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats import sshsig
from tests.conftest import lacking
from tests.fixtures.release_folder import new_ssh_key, run

MESSAGE = b"to be signed\n"
KINDS = [
    ("ed25519",),
    ("rsa", "-b", "2048"),
    ("ecdsa", "-b", "256"),
    ("ecdsa", "-b", "384"),
    ("ecdsa", "-b", "521"),
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("ssh-keygen") is None:
        lacking("no SSH signatures can be made here: ssh-keygen is missing")
    return tmp_path_factory.mktemp("sshsig")


def signed(key: Path, *options: str) -> bytes:
    command = ["ssh-keygen", "-Y", "sign", "-n", "file", *options, "-f", str(key)]
    return subprocess.run(command, input=MESSAGE, check=True, capture_output=True).stdout


@pytest.fixture(scope="session")
def good(folder: Path) -> bytes:
    """A signature by a key of Ed25519."""
    return signed(new_ssh_key(folder / "good"))


@pytest.mark.parametrize("options", [(), ("-O", "hashalg=sha256")], ids=["sha512", "sha256"])
@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_signature_of_ssh_keygen(folder: Path, kind: tuple[str, ...], options: tuple[str, ...]) -> None:
    key = new_ssh_key(folder / f"{'-'.join(kind)}-{len(options)}", *kind)
    found = sshsig.read(signed(key, *options))
    assert found.namespace == b"file"
    assert found.fingerprint == run("ssh-keygen", "-l", "-f", key).split()[1]
    assert found.holds(MESSAGE)
    assert not found.holds(MESSAGE + b"\n")
    spoiled = bytearray(found.value)
    spoiled[-1] ^= 1
    assert not sshsig.Signature(found.key, b"file", found.hash_name, bytes(spoiled)).holds(MESSAGE)
    assert not sshsig.Signature(found.key, b"git", found.hash_name, found.value).holds(MESSAGE)


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def blob(
    *, magic: bytes = b"SSHSIG", version: int = 1, reserved: bytes = b"", hash_name: bytes = b"sha512"
) -> bytes:
    parts = (b"key", b"file", reserved, hash_name, b"value")
    return magic + struct.pack(">I", version) + b"".join(map(string, parts))


NOT_WRITTEN = "is no SSH signature as ssh-keygen writes it"
NOT_ONE = "is no SSH signature of version 1"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", NOT_WRITTEN),
        (b"\xff" * 100, NOT_WRITTEN),
        (sshsig.armoured(blob()).replace(b"\n", b"\r\n"), NOT_WRITTEN),
        (sshsig.armoured(blob()) + b"\n", NOT_WRITTEN),
        (sshsig.armoured(blob()).replace(b"U0", b"U-"), NOT_WRITTEN),
        (sshsig.armoured(blob(magic=b"SSHSIX")), NOT_ONE),
        (sshsig.armoured(blob(version=2)), NOT_ONE),
        (sshsig.armoured(blob()[:4]), NOT_ONE),
        (sshsig.armoured(blob()[:-1]), "is an SSH signature that is cut off, or too long"),
        (sshsig.armoured(blob() + b"x"), "is an SSH signature that is cut off, or too long"),
        (sshsig.armoured(blob()[:20]), "is an SSH signature that is cut off, or too long"),
        (sshsig.armoured(blob(reserved=b"x")), "is an SSH signature of an unknown kind: b'sha512'"),
        (sshsig.armoured(blob(hash_name=b"md5")), "is an SSH signature of an unknown kind: b'md5'"),
    ],
)
def test_what_is_no_signature(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        sshsig.read(data)
    assert caught.value.message == message


@pytest.mark.parametrize("at", range(0, 300, 7))
def test_no_byte_can_be_another(good: bytes, at: int) -> None:
    spoiled = bytearray(good)
    spoiled[at % len(good)] ^= 1
    with contextlib.suppress(FormatError):
        assert not sshsig.read(bytes(spoiled)).holds(MESSAGE)


def of_kind(
    good: bytes, key: bytes | None = None, kind: bytes | None = None, raw: bytes | None = None
) -> sshsig.Signature:
    found = sshsig.read(good)
    its_kind, its_raw = sshsig._strings(found.value, 2)
    value = string(its_kind if kind is None else kind) + string(its_raw if raw is None else raw)
    return sshsig.Signature(found.key if key is None else key, b"file", b"sha512", value)


POINT = b"\x02" + bytes(32)  # a compressed one
COMPRESSED = string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(POINT)
HARDWARE = string(b"sk-ssh-ed25519@openssh.com") + string(bytes(32)) + string(b"ssh:")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"key": b""}, "is by a key of an unknown kind: ''"),
        ({"key": b"\xff" * 40}, "is by a key of an unknown kind: '" + "\ufffd" * 36 + "'"),
        ({"key": string(b"ssh-dss") + string(b"x")}, "is by a key of an unknown kind: 'ssh-dss'"),
        ({"key": string(b"ssh-ed25519") + string(b"x")}, "is by a key of an unknown kind: 'ssh-ed25519'"),
        ({"key": COMPRESSED}, "is by a key of an unknown kind: 'ecdsa-sha2-nistp256'"),
        ({"key": HARDWARE}, "is of a kind that only ssh-keygen can check: 'sk-ssh-ed25519@openssh.com'"),
        ({"kind": b"ssh-rsa"}, "is of a kind that only ssh-keygen can check: 'ssh-ed25519'"),
    ],
)
def test_keys_that_are_not_known(good: bytes, changed: dict[str, bytes], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        of_kind(good, **changed).holds(MESSAGE)
    assert caught.value.message == message


def test_a_signature_by_hardware_has_more_parts() -> None:
    value = string(b"sk-ssh-ed25519@openssh.com") + string(bytes(64)) + b"\x01" + bytes(4)
    with pytest.raises(FormatError) as caught:
        sshsig.Signature(HARDWARE, b"file", b"sha512", value).holds(MESSAGE)
    said = "is of a kind that only ssh-keygen can check: 'sk-ssh-ed25519@openssh.com'"
    assert caught.value.message == said


def test_numbers_of_ecdsa_that_are_none(folder: Path) -> None:
    ecdsa = signed(new_ssh_key(folder / "ecdsa", "ecdsa"))
    for raw in (string(b"") + string(b""), string(b"\xff" * 40) + string(b"\x80")):
        assert not of_kind(ecdsa, raw=raw).holds(MESSAGE)
    with pytest.raises(FormatError):
        of_kind(ecdsa, raw=b"").holds(MESSAGE)


def test_the_text_is_that_of_ssh_keygen(good: bytes) -> None:
    raw = base64.b64decode(b"".join(good.splitlines()[1:-1]))
    assert sshsig.armoured(raw) == good
