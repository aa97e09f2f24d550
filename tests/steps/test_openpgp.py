import os
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps.openpgp import OTHER_KEY, is_secret_key, signature
from tests.fixtures.release_folder import Keys, run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"what is signed\n")
    return path


def verify(keys: Keys, file: Path, armored: str) -> None:
    """Raise CalledProcessError unless this is a signature of a file by that key."""
    ring, made = file.with_name("ring.gpg"), file.with_name("signature")
    ring.unlink(missing_ok=True)
    made.write_text(armored)
    run("gpg", "--homedir", keys.home, "--output", ring, "--export", keys.fingerprint)
    run("gpgv", "--keyring", ring, made, file)


def test_a_key_of_the_keyring(keys: Keys, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNUPGHOME", str(keys.home))
    verify(keys, file, signature(file, keys.fingerprint))


@pytest.mark.parametrize("armor", [("--armor",), ()])
def test_a_secret_key(
    keys: Keys, file: Path, tmp_path: Path, armor: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, places = (
        tmp_path / "secret",
        tmp_path / "tmp",
    )  # a socket below it has a path of 107 bytes at most
    run("gpg", "--homedir", keys.home, "--batch", *armor, "--output", secret, "--export-secret-keys")
    places.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(places))
    assert is_secret_key(secret)
    verify(keys, file, signature(file, secret))
    assert [*places.iterdir()] == []
    assert os.environ.get("GNUPGHOME", "").find(str(places)) == -1


@pytest.mark.parametrize(
    "data", [b"", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"]
)
def test_no_secret_key(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key").write_bytes(data)
    assert not is_secret_key(tmp_path / "key")


def test_a_key_that_is_damaged(keys: Keys, file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n"
    )
    with pytest.raises(PipelineError) as caught:
        signature(file, secret)
    assert caught.value.message.startswith("gpg does not take the key: ")
    assert caught.value.hint == OTHER_KEY


def test_without_gpg(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError) as caught:
        signature(file, file)
    assert str(caught.value) == "gpg is not there, and has to take the key\n  hint: install gpg"
