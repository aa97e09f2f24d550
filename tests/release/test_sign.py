"""Signing with the real gpg and ssh-keygen, and with a stand-in for Sigstore."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from requests import ConnectionError as NoConnectionError
from sigstore import oidc
from sigstore.models import ClientTrustConfig
from sigstore.oidc import ExpiredIdentity, IdentityError
from sigstore.sign import SigningContext

from pipeline.errors import PipelineError
from pipeline.release.layout import RUN_SUMS, SUMS
from pipeline.release.sign import sign, tool_for
from tests.fixtures.release_folder import Keys

NO_KEY = "is no file, and no fingerprint or mail address of an OpenPGP key"


@pytest.mark.parametrize(
    ("key", "tool"),
    [
        ("26E1E27194087528C6ED04EA956234F7CFA37955", "gpg"),
        ("0x956234F7CFA37955!", "gpg"),
        ("me@example.org", "gpg"),
        ("Me <me@example.org>", "gpg"),
        ("private", "ssh"),
        ("key.pub", "ssh"),
    ],
)
def test_a_key_says_what_signs(tmp_path: Path, key: str, tool: str) -> None:
    (tmp_path / "private").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n")
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA me\n")
    assert tool_for(key, tmp_path / key) == tool


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("me", f"--key 'me': {NO_KEY}", "name an SSH key file, or write `--with gpg`"),
        ("a/me@x", f"--key 'a/me@x': {NO_KEY}", "name an SSH key file, or write `--with gpg`"),
        (
            "key.asc",
            "--key key.asc: is not an SSH key",
            "gpg takes keys of its own keyring: name one by its fingerprint",
        ),
    ],
)
def test_what_is_no_key(tmp_path: Path, key: str, message: str, hint: str) -> None:
    (tmp_path / "key.asc").write_text("-----BEGIN PGP PRIVATE KEY BLOCK-----\n")
    with pytest.raises(PipelineError) as caught:
        tool_for(key, tmp_path / key)
    assert str(caught.value) == f"{message}\n  hint: {hint}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / SUMS).write_bytes(b"a list\n")
    (tmp_path / RUN_SUMS).write_bytes(b"of a run\n")
    return tmp_path


def test_the_folder_gets_signatures_and_nothing_else(
    folder: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNUPGHOME", str(keys.home))
    openpgp, ssh = (
        [folder / f"{listing}{ending}" for listing in (SUMS, RUN_SUMS)] for ending in (".asc", ".sig")
    )
    assert sign(folder, "gpg", keys.fingerprint) == openpgp
    assert sign(folder, "ssh", str(keys.ssh)) == ssh
    sign(folder, "ssh", str(keys.ssh))  # once more takes their place
    assert {*folder.iterdir()} == {folder / SUMS, folder / RUN_SUMS, *openpgp, *ssh}


def test_a_key_that_does_not_sign(folder: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNUPGHOME", str(keys.home))
    with pytest.raises(PipelineError) as caught:
        sign(folder, "gpg", "nobody@example.org")
    assert caught.value.message.startswith("gpg does not sign: ")
    with pytest.raises(PipelineError) as caught:
        sign(folder, "ssh", str(folder / "none"))
    assert caught.value.message.startswith("ssh-keygen does not sign: ")
    assert {path.name for path in folder.iterdir()} == {SUMS, RUN_SUMS}


def test_where_no_program_signs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    for tool, program in (("gpg", "gpg"), ("ssh", "ssh-keygen")):
        with pytest.raises(PipelineError) as caught:
            sign(folder, tool, "x")
        assert str(caught.value) == f"{program} is not there, and has to sign\n  hint: install {program}"


class Signer:
    """Sigstore, as far as it is asked here."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    @contextmanager
    def signer(self, token: str) -> Iterator["Signer"]:
        assert token.startswith("a ")
        if self.failure:
            raise self.failure
        yield self

    def sign_artifact(self, message: bytes) -> SimpleNamespace:
        return SimpleNamespace(to_json=lambda: f"signed {message!r}")


@pytest.fixture
def vouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Surroundings that vouch for somebody."""
    monkeypatch.setattr(oidc, "detect_credential", lambda: "a token")
    monkeypatch.setattr(oidc, "IdentityToken", str)
    monkeypatch.setattr(ClientTrustConfig, "production", lambda: None)


@pytest.mark.usefixtures("vouched")
def test_sigstore(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SigningContext, "from_trust_config", lambda _: Signer())
    made = [path.read_text() for path in sign(folder, "sigstore", "")]
    assert made == ["signed b'a list\\n'", "signed b'of a run\\n'"]


@pytest.mark.usefixtures("vouched")
@pytest.mark.parametrize("failure", [NoConnectionError("no route"), ExpiredIdentity("no route")])
def test_sigstore_that_does_not_sign(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(SigningContext, "from_trust_config", lambda _: Signer(failure))
    with pytest.raises(PipelineError) as caught:
        sign(folder, "sigstore", "")
    assert str(caught.value) == (
        "Sigstore does not sign: no route\n  hint: its services have to be reachable"
    )


def test_where_nothing_vouches_for_who_signs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "detect_credential", lambda: None)
    with pytest.raises(PipelineError) as caught:
        sign(folder, "sigstore", "")
    assert caught.value.message == (
        "nothing here vouches for who signs: Sigstore needs an identity of the surroundings"
    )

    def fail() -> None:
        raise IdentityError("a token was refused")

    monkeypatch.setattr(oidc, "detect_credential", fail)
    with pytest.raises(PipelineError) as caught:
        sign(folder, "sigstore", "")
    assert caught.value.message == "Sigstore does not sign: a token was refused"
