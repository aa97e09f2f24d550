"""Signatures by the real gpg and ssh-keygen, and by a stand-in for Sigstore; each holds, or says why not."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from sigstore.errors import VerificationError
from sigstore.models import Bundle
from sigstore.verify import Verifier

from pipeline.formats import sshsig
from pipeline.release import signatures
from pipeline.release.layout import ENDINGS, RUN_SUMS, SUMS
from pipeline.release.sign import sign
from pipeline.release.signatures import Verdict, judge
from pipeline.release.trust import Trust, read_keys
from tests.fixtures.release_folder import Keys, new_ssh_key, run

LIST = b"a list\n"
ASC, SIG, BUNDLE = (f"{SUMS}{ending}" for ending in ENDINGS.values())
RUN_SIG = f"{RUN_SUMS}.sig"


@pytest.fixture
def signed(tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A list, and its signatures by gpg and SSH."""
    monkeypatch.setenv("GNUPGHOME", str(keys.home))
    (tmp_path / SUMS).write_bytes(LIST)
    (tmp_path / RUN_SUMS).write_bytes(LIST)
    sign(tmp_path, "gpg", keys.fingerprint)
    sign(tmp_path, "ssh", str(keys.ssh))
    return {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def only(files: dict[str, bytes], name: str, **changed: bytes) -> dict[str, bytes]:
    return {SUMS: files[SUMS], name: files[name]} | changed


def fingerprint(keys: Keys) -> str:
    return run("ssh-keygen", "-l", "-f", keys.ssh).split()[1]


def test_those_that_hold(signed: dict[str, bytes], keys: Keys) -> None:
    assert list(judge(only(signed, ASC), read_keys(keys.openpgp))) == [
        Verdict(ASC, True, f"holds, by Me <me@example.org> (OpenPGP {keys.fingerprint})")
    ]
    assert list(judge(only(signed, SIG), read_keys(keys.ssh_public))) == [
        Verdict(SIG, True, f"holds, by me@example.org ({fingerprint(keys)})")
    ]


def test_each_list_has_signatures_of_its_own(signed: dict[str, bytes], keys: Keys) -> None:
    trust, files = read_keys(keys.ssh_public), {RUN_SUMS: b"another\n", RUN_SIG: signed[RUN_SIG]}
    changed = f"does not hold: the key {fingerprint(keys)} has not signed this {RUN_SUMS}"
    assert list(judge(files, trust)) == [Verdict(RUN_SIG, False, changed)]
    assert list(judge({RUN_SUMS: LIST}, trust)) == [
        Verdict(RUN_SIG, False, "is not there: whom you named has not signed this")
    ]
    assert list(judge({RUN_SIG: signed[RUN_SIG]}, trust)) == []  # of no list, which is said elsewhere


def test_without_a_key_nobody_is_trusted(signed: dict[str, bytes], keys: Keys) -> None:
    assert list(
        judge({SUMS: LIST, **{name: signed[name] for name in (ASC, SIG)}, BUNDLE: b"{}"}, Trust())
    ) == [
        Verdict(ASC, None, "is not judged: --key FILE says with which OpenPGP key it has to be made"),
        Verdict(
            SIG,
            None,
            f"holds, by the key {fingerprint(keys)}; --key FILE says whether that is whose it has to be",
        ),
        Verdict(BUNDLE, None, "is not judged: --identity and --issuer say whose it has to be"),
    ]
    assert list(judge({SUMS: LIST}, Trust())) == []


def test_whom_somebody_names_has_to_have_signed() -> None:
    trust = Trust(openpgp=b"x", ssh={b"x": ""}, identity="me", issuer="you")
    said = "is not there: whom you named has not signed this"
    assert list(judge({SUMS: LIST}, trust)) == [Verdict(name, False, said) for name in (ASC, SIG, BUNDLE)]


BAD = f"does not hold for this {SUMS}, by the key that you named: gpg says"


def test_openpgp_signatures_that_do_not_hold(signed: dict[str, bytes], keys: Keys) -> None:
    lines = signed[ASC].splitlines(keepends=True)
    cut = b"".join(lines[:3] + lines[-1:])
    trust = read_keys(keys.openpgp)
    (found,) = judge({SUMS: LIST + b"\n", ASC: signed[ASC]}, trust)
    assert found == Verdict(ASC, False, f"{BAD} BADSIG")
    for signature in (cut, b"", b"\xff" * 1000, signed[SIG]):
        (found,) = judge({SUMS: LIST, ASC: signature}, trust)
        assert (found.good, found.sentence[: len(BAD)]) == (False, BAD), signature


@pytest.mark.parametrize("form", ["--sign", "--clear-sign"])
def test_an_openpgp_signature_has_to_be_of_the_list(keys: Keys, form: str) -> None:
    command = ["gpg", "--homedir", str(keys.home), "--batch", "--armor", form]
    whole = subprocess.run(command, input=b"something else\n", check=True, capture_output=True).stdout
    (found,) = judge({SUMS: LIST, ASC: whole}, read_keys(keys.openpgp))
    assert found.good is False


def test_an_openpgp_key_that_is_another(
    signed: dict[str, bytes], keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpg = ("gpg", "--homedir", keys.home, "--batch", "--passphrase", "")
    run(*gpg, "--quick-gen-key", "Other <other@example.org>", "ed25519", "sign", "never")
    other = tmp_path / "other.asc"
    other.write_text(run("gpg", "--homedir", keys.home, "--armor", "--export", "other@example.org"))
    (found,) = judge(only(signed, ASC), read_keys(other))
    assert found == Verdict(ASC, False, f"{BAD} ERRSIG")


@pytest.mark.parametrize("word", ["EXPSIG", "EXPKEYSIG", "REVKEYSIG"])
def test_what_gpg_takes_back(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    status = f"[GNUPG:] VALIDSIG F\n[GNUPG:] GOODSIG A Me\n[GNUPG:] {word} A Me\n"
    monkeypatch.setattr(signatures, "_gpg", lambda *_: status)
    (found,) = judge({SUMS: LIST, ASC: b"x"}, Trust(openpgp=b"x"))
    assert found == Verdict(ASC, False, f"{BAD} {word}")


def test_where_gpg_is_not_there_or_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    files, trust = {SUMS: LIST, ASC: b"x"}, Trust(openpgp=b"x")
    for error, said in (
        (FileNotFoundError(), "there is no gpg here; install GnuPG"),
        (subprocess.TimeoutExpired("gpg", 20), "gpg did not end within 20 s"),
    ):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(subprocess, "run", fail)
        assert list(judge(files, trust)) == [Verdict(ASC, False, f"cannot be judged: {said}")]


def test_ssh_signatures_that_do_not_hold(signed: dict[str, bytes], keys: Keys, tmp_path: Path) -> None:
    key, whose = fingerprint(keys), read_keys(keys.ssh_public)
    changed = f"does not hold: the key {key} has not signed this {SUMS}"
    assert list(judge(only(signed, SIG, **{SUMS: b"another\n"}), whose)) == [Verdict(SIG, False, changed)]
    assert list(judge(only(signed, SIG, **{SUMS: b"another\n"}), Trust())) == [Verdict(SIG, False, changed)]
    assert list(judge({SUMS: LIST, SIG: b"x"}, whose)) == [
        Verdict(SIG, False, "is no SSH signature as ssh-keygen writes it")
    ]
    other = read_keys(new_ssh_key(tmp_path / "other").with_suffix(".pub"))
    assert list(judge(only(signed, SIG), other)) == [
        Verdict(SIG, False, f"is by the key {key}, which you did not name")
    ]


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def test_a_signature_by_hardware() -> None:
    kind = b"sk-ssh-ed25519@openssh.com"
    key = string(kind) + string(bytes(32)) + string(b"ssh:")
    value = string(kind) + string(bytes(64)) + b"\x01" + bytes(4)
    parts = (key, b"file", b"", b"sha512", value)
    signature = sshsig.armoured(b"SSHSIG" + struct.pack(">I", 1) + b"".join(map(string, parts)))
    said = f"is not judged: only ssh-keygen can check the hardware key {sshsig.fingerprint(key)}"
    assert list(judge({SUMS: LIST, SIG: signature}, Trust())) == [Verdict(SIG, None, said)]
    said = f"is of a kind that only ssh-keygen can check: {kind.decode()!r}"
    assert list(judge({SUMS: LIST, SIG: signature}, Trust(ssh={key: ""}))) == [Verdict(SIG, False, said)]


def test_a_signature_for_another_use(keys: Keys) -> None:
    command = ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(keys.ssh)]
    signature = subprocess.run(command, input=LIST, check=True, capture_output=True).stdout
    (found,) = judge({SUMS: LIST, SIG: signature}, read_keys(keys.ssh_public))
    assert found.good is False


def test_what_a_verifier_without_this_program_does(
    signed: dict[str, bytes], keys: Keys, tmp_path: Path
) -> None:
    assert shutil.which("ssh-keygen")
    (tmp_path / "allowed").write_text(f"me@example.org {keys.ssh_public.read_text()}")
    command = ("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "me@example.org", "-n", "file", "-s", SIG)
    subprocess.run(command, cwd=tmp_path, input=LIST, check=True, capture_output=True)
    subprocess.run(
        ["gpg", "--homedir", str(keys.home), "--verify", ASC, SUMS],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )


class Service:
    """Sigstore, as far as it is asked here: it knows one bundle, of one message."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    def verify_artifact(self, message: bytes, bundle: str, _policy: object) -> None:
        if self.failure:
            raise self.failure
        assert (message, bundle) == (LIST, "{}")


def test_sigstore(monkeypatch: pytest.MonkeyPatch) -> None:
    trust = Trust(identity="me@example.org", issuer="https://accounts.example.org")
    files = {SUMS: LIST, BUNDLE: b"{}"}
    monkeypatch.setattr(Bundle, "from_json", lambda data: data.decode())
    for failure, good, said in (
        (None, True, "holds, by me@example.org, as https://accounts.example.org says"),
        (VerificationError("no"), False, f"does not hold for this {SUMS}: VerificationError: no"),
        (RecursionError("deep"), False, f"does not hold for this {SUMS}: RecursionError: deep"),
    ):
        service = Service(failure)
        monkeypatch.setattr(Verifier, "production", lambda *, offline, it=service: it if offline else None)
        assert list(judge(files, trust)) == [Verdict(BUNDLE, good, said)]


def test_sigstore_that_has_no_keys_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*, offline: bool) -> None:
        raise PermissionError(13, "Permission denied", "/home")

    monkeypatch.setattr(Verifier, "production", fail)
    (found,) = judge({SUMS: LIST, BUNDLE: b"{}"}, Trust(identity="me", issuer="you"))
    said = "cannot be judged: PermissionError: [Errno 13] Permission denied: '/home'"
    assert found == Verdict(BUNDLE, False, said)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"mediaType": 5}'])
def test_bundles_that_are_none(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (found,) = judge({SUMS: LIST, BUNDLE: data}, Trust(identity="me", issuer="you"))
    assert found.good is False
    assert found.sentence.startswith(f"does not hold for this {SUMS}: ")
