import base64
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.release import trust
from pipeline.release.trust import Trust, read_keys

KEY = base64.b64encode(b"a key").decode()
OTHER = base64.b64encode(b"another").decode()
NO_KEY = "is no public key of OpenPGP or SSH, and no allowed signer"
NAME = "name one that ends in .pub, what `gpg --export` writes, or one in the form of allowed_signers"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"ssh-ed25519 {KEY} me@here\n", Trust(ssh={b"a key": "me@here"})),
        (f"ssh-ed25519 {KEY}\n", Trust(ssh={b"a key": ""})),
        (f"ssh-rsa {KEY} my old key\n", Trust(ssh={b"a key": "my old key"})),
        (
            f"# who signs\n\nme@here ssh-ed25519 {KEY}\n"
            f'you@there namespaces="file" sk-ssh-ed25519@openssh.com {OTHER} x\n',
            Trust(ssh={b"a key": "me@here", b"another": "you@there"}),
        ),
        (f"me@here ecdsa-sha2-nistp256 {KEY}", Trust(ssh={b"a key": "me@here"})),
        (
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n…",
            Trust(openpgp="-----BEGIN PGP PUBLIC KEY BLOCK-----\n…".encode()),
        ),
        (b"\x99\x01\x0d", Trust(openpgp=b"\x99\x01\x0d")),
    ],
)
def test_keys(tmp_path: Path, text: str | bytes, expected: Trust) -> None:
    (tmp_path / "keys").write_bytes(text.encode() if isinstance(text, str) else text)
    assert read_keys(tmp_path / "keys") == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "has no public key", "name a file with one"),
        ("# nobody\n", "has no public key", "name a file with one"),
        ("hello\n", f"line 1: {NO_KEY}", NAME),
        (f"ssh-ed25519 {KEY}\nme@here\n", f"line 2: {NO_KEY}", NAME),
        ("ssh-ed25519", f"line 1: {NO_KEY}", NAME),
        ("ssh-ed25519 not-base64", f"line 1: {NO_KEY}", NAME),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", f"line 1: {NO_KEY}", NAME),
        (
            f"me@here cert-authority ssh-ed25519 {KEY}",
            "line 1: 'cert-authority' is not understood here",
            'take only namespaces="file", or use ssh-keygen -Y verify',
        ),
        (
            f'me@here valid-before="20200101" ssh-ed25519 {KEY}',
            "line 1: 'valid-before=\"20200101\"' is not understood here",
            'take only namespaces="file", or use ssh-keygen -Y verify',
        ),
    ],
)
def test_what_has_no_keys(tmp_path: Path, text: str, message: str, hint: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(PipelineError) as caught:
        read_keys(path)
    assert str(caught.value) == f"{path}: {message}\n  hint: {hint}"


def test_files_that_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PipelineError) as caught:
        read_keys(tmp_path)
    assert caught.value.message == f"{tmp_path}: cannot be read: Is a directory"
    monkeypatch.setattr(trust, "MOST", 3)
    (tmp_path / "keys").write_text("1234")
    with pytest.raises(PipelineError) as caught:
        read_keys(tmp_path / "keys")
    assert caught.value.message == f"{tmp_path / 'keys'}: is too large for a file with keys"


@pytest.mark.parametrize(
    ("asked", "tool"),
    [(Trust(openpgp=b"x"), "gpg"), (Trust(ssh={b"x": ""}), "ssh"), (Trust(identity="x"), "sigstore")],
)
def test_what_has_to_be_there(asked: Trust, tool: str) -> None:
    assert [each for each in ("gpg", "ssh", "sigstore") if asked.asks(each)] == [tool]
