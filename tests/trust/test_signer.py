import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from pipeline.errors import PipelineError
from pipeline.formats.trust import verifies
from pipeline.trust.signer import on_terminal, open_signer, read_certificates
from tests.fixtures import keys

PKCS8 = serialization.PrivateFormat.PKCS8
PEM = serialization.Encoding.PEM
SECRET = "good for nothing"  # noqa: S105


def nobody(_prompt: str) -> str:
    raise AssertionError("nobody is to be asked")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("vendor", "ec", "below", "intermediate", "root"):
        key = keys.key(name)
        (tmp_path / f"{name}.key").write_bytes(key.private_bytes(PEM, PKCS8, serialization.NoEncryption()))
        (tmp_path / f"{name}.pem").write_bytes(keys.pem(name))
        (tmp_path / f"{name}.cer").write_bytes(keys.der(name))
    sealed = serialization.BestAvailableEncryption(SECRET.encode())
    (tmp_path / "sealed.key").write_bytes(keys.key("vendor").private_bytes(PEM, PKCS8, sealed))
    return tmp_path


@pytest.mark.parametrize("name", ["vendor", "ec"])
@pytest.mark.parametrize("ending", ["pem", "cer"])
def test_a_key_in_a_file_signs(files: Path, name: str, ending: str) -> None:
    signer = open_signer(str(files / f"{name}.key"), [files / f"{name}.{ending}"], nobody)
    assert signer.certificates == (keys.certificate(name),)
    assert verifies(signer.public, signer.sign(b"data"), b"data", "sha256")


def test_the_passphrase_is_asked_for(files: Path) -> None:
    asked = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    signer = open_signer(str(files / "sealed.key"), (), ask)
    assert asked == [f"passphrase of {files}/sealed.key"]
    assert signer.sign(b"data") == open_signer(str(files / "vendor.key")).sign(b"data")
    assert SECRET not in repr(signer)


def test_the_key_s_certificate_comes_first(files: Path) -> None:
    chain = files / "chain.pem"
    chain.write_bytes(keys.pem("root", "intermediate", "below"))
    signer = open_signer(str(files / "below.key"), [chain])
    assert signer.certificates == tuple(map(keys.certificate, ("below", "root", "intermediate")))


def told(key: Path, *certificates: Path, said: str = "wrong") -> str:
    with pytest.raises(PipelineError) as caught:
        open_signer(str(key), certificates, lambda _: said)
    assert caught.value.hint
    return caught.value.message


def test_what_is_no_key_is_told(files: Path) -> None:
    empty, small, other = files / "empty", files / "small", files / "other"
    empty.write_bytes(b"")
    plain = serialization.NoEncryption()
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505
    small.write_bytes(short.private_bytes(PEM, PKCS8, plain))
    other.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, plain))
    (files / "elsewhere.key").write_text("pkcs11:object=db\n")
    assert told(files / "elsewhere.key") == (
        "pkcs11:object=db: has no module-path, the library of the hardware's maker"
    )
    assert told(files / "none") == f"{files}/none: cannot be read: No such file or directory"
    assert told(empty) == f"{empty}: has no private key in PEM"
    assert told(files / "vendor.pem") == f"{files}/vendor.pem: has no private key in PEM"
    assert told(small) == f"{small}: is RSA of 1024 bits, and firmware wants 2048"
    assert told(other) == f"{other}: is no RSA or EC key"
    for secret in ("wrong", ""):
        assert told(files / "sealed.key", said=secret) == (
            f"{files}/sealed.key: the passphrase does not open it"
        )


def test_a_certificate_of_another_key_is_told(files: Path) -> None:
    assert told(files / "vendor.key", files / "ec.pem", files / "root.cer") == (
        f"{files}/vendor.key: no certificate in {files}/ec.pem, {files}/root.cer is of this key"
    )
    assert told(files / "vendor.key", files / "vendor.key") == f"{files}/vendor.key: is no certificate"
    (files / "bytes").write_bytes(b"\x30\x03")
    with pytest.raises(PipelineError, match="is no certificate"):
        read_certificates(files / "bytes")


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(PipelineError, match="nobody is there to be asked: PIN of card"):
        on_terminal("PIN of card")
