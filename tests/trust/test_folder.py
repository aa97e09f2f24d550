import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipeline.errors import PipelineError
from pipeline.formats.efi_auth import read_authenticated, signed_content
from pipeline.formats.efi_signature_list import X509, read_signature_lists
from pipeline.formats.trust import verifies
from pipeline.trust import folder, issue
from pipeline.trust.folder import DB, Keys

NOW = datetime(2026, 11, 28, 7, 0, 5, tzinfo=UTC)
LATER = NOW + timedelta(days=400)
FORMS = {"pem", "cer", "esl", "auth"}
NEW = {f"{name}.{form}" for name in ("PK", "KEK", "db") for form in FORMS} | {
    "owner.txt",
    "noPK.auth",
    "pcr.pem",
}
DRAWN: list[rsa.RSAPrivateKey] = []


@pytest.fixture(autouse=True)
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw each key once for all tests: it takes its time."""
    left = iter(range(100))

    def key() -> rsa.RSAPrivateKey:
        number = next(left)
        if number == len(DRAWN):
            DRAWN.append(issue_key())
        return DRAWN[number]

    monkeypatch.setattr(folder, "made_key", key)


issue_key = issue.made_key


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = Keys(tmp_path / "keys", NOW)
    folder.new(made, "Acme GmbH")
    return made


def files(path: Path) -> set[str]:
    return {one.name for one in path.iterdir() if one.name != ".gitignore"}


def certificate(keys: Keys, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((keys.public / f"{name}.pem").read_bytes())


def contents(keys: Keys, name: str) -> list[str]:
    """Whose certificates are in a list."""
    entries = list(read_signature_lists((keys.public / f"{name}.esl").read_bytes()))
    assert {(one.kind, one.owner) for one in entries} <= {(X509, keys.owner)}
    found = [x509.load_der_x509_certificate(one.data).subject for one in entries]
    return [str(one.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value) for one in found]


def judge(keys: Keys, name: str, variable: str, by: str, *, append: bool = False) -> datetime:
    """Have firmware's questions answered of an `.auth`; return its time."""
    made = read_authenticated((keys.public / f"{name}.auth").read_bytes())
    if name != "noPK":
        assert made.data == (keys.public / f"{name}.esl").read_bytes()
    (info,) = cms.SignedData.load(made.signature)["signer_infos"]
    content = signed_content(variable, made.time, made.data, append=append)
    assert verifies(certificate(keys, by).public_key(), info["signature"].native, content, "sha256")
    return made.time


def test_new_keys_come_in_all_forms(keys: Keys) -> None:
    assert files(keys.private) == {"PK.key", "KEK.key", "db.key", "pcr.key"}
    assert files(keys.public) == NEW
    assert (keys.private / ".gitignore").read_text() == "*\n"
    assert stat.S_IMODE(keys.private.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.private.iterdir()} == {0o600}
    for name, by in (("PK", "PK"), ("KEK", "PK"), ("db", "KEK")):
        assert judge(keys, name, name, by) == NOW
    assert judge(keys, "noPK", "PK", "PK") > NOW
    assert read_authenticated((keys.public / "noPK.auth").read_bytes()).data == b""


@pytest.mark.parametrize(("name", "years"), [("PK", 20), ("KEK", 20), ("db", 10)])
def test_certificates_say_whose_they_are_and_how_long(keys: Keys, name: str, years: int) -> None:
    found = certificate(keys, name)
    assert found.subject.rfc4514_string() == f"CN=Acme GmbH Secure Boot {name} 2026,O=Acme GmbH"
    assert found.not_valid_before_utc <= NOW < found.not_valid_after_utc
    assert found.not_valid_after_utc.year == 2026 + years
    assert (keys.public / f"{name}.cer").read_bytes() == found.public_bytes(serialization.Encoding.DER)
    public = found.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == 2048
    assert keys.signer(name).public == public
    assert contents(keys, name) == [f"Acme GmbH Secure Boot {name} 2026"]


def test_the_pcr_key_is_a_public_key_alone(keys: Keys) -> None:
    key = serialization.load_pem_private_key((keys.private / "pcr.key").read_bytes(), None)
    assert key.public_key() == serialization.load_pem_public_key((keys.public / "pcr.pem").read_bytes())
    assert len({path.read_bytes() for path in keys.private.glob("*.key")}) == 4


def test_keys_are_never_overwritten(keys: Keys) -> None:
    before = {path: path.read_bytes() for path in keys.folder.rglob("*") if path.is_file()}
    with pytest.raises(PipelineError, match="has keys already, and they are never overwritten"):
        folder.new(keys, "Acme")
    (keys.private / "PK.key").unlink()
    keys.public.rename(keys.folder / "elsewhere")
    with pytest.raises(PipelineError, match="has keys already"):
        folder.new(keys, "Acme")
    assert len(before) == len(NEW) + 5


@pytest.mark.parametrize("name", ["", "x" * 44, "two\nlines"])
def test_a_name_that_no_certificate_can_have_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(PipelineError, match="cannot be in a certificate's name"):
        folder.new(Keys(tmp_path / "keys", NOW), name)
    assert not (tmp_path / "keys").exists()
    folder.new(Keys(tmp_path / "keys", NOW), "x" * 43)


def test_a_second_key_is_added(keys: Keys) -> None:
    later = Keys(keys.folder, LATER)
    assert folder.rotate(later) == "db-2"
    assert folder.rotate(later) == "db-3"
    assert later.names(DB) == ["db", "db-2", "db-3"]
    assert contents(later, "db-2") == ["Acme GmbH Secure Boot db 2028 (2)"]
    assert contents(later, "db") == [
        "Acme GmbH Secure Boot db 2026",
        "Acme GmbH Secure Boot db 2028 (2)",
        "Acme GmbH Secure Boot db 2028 (3)",
    ]
    assert judge(later, "db-2", "db", "KEK", append=True) == LATER
    assert judge(later, "db", "db", "KEK") == LATER + timedelta(seconds=1)  # the third came after the second
    assert later.owner == keys.owner
    assert stat.S_IMODE((keys.private / "db-3.key").stat().st_mode) == 0o600


def test_a_clock_that_went_back_keeps_nothing_from_being_newer(keys: Keys) -> None:
    folder.rotate(Keys(keys.folder, NOW - timedelta(days=400)))
    assert judge(keys, "db", "db", "KEK") == NOW + timedelta(seconds=1)


def test_a_key_is_revoked(keys: Keys) -> None:
    later = Keys(keys.folder, LATER)
    folder.rotate(later)
    folder.rotate(later)
    folder.revoke(later, "db")
    assert later.names(DB) == ["db-2", "db-3"]
    assert contents(later, "db") == [f"Acme GmbH Secure Boot db 2028 ({number})" for number in (2, 3)]
    assert contents(later, "dbx") == contents(later, "dbx-db") == ["Acme GmbH Secure Boot db 2026"]
    first = judge(later, "dbx", "dbx", "KEK")
    judge(later, "dbx-db", "dbx", "KEK", append=True)
    folder.revoke(later, "db-2")
    assert contents(later, "dbx") == ["Acme GmbH Secure Boot db 2026", "Acme GmbH Secure Boot db 2028 (2)"]
    assert contents(later, "dbx-db-2") == ["Acme GmbH Secure Boot db 2028 (2)"]
    assert judge(later, "dbx", "dbx", "KEK") > first
    assert later.names(DB) == ["db-3"]
    assert files(keys.private) == {
        *("PK.key", "KEK.key", "pcr.key", "db-3.key"),
        *("revoked-db.key", "revoked-db-2.key"),
    }
    assert {name for name in files(keys.public) if re.match("revoked|db-2", name)} == {
        f"revoked-{name}.{form}" for name in ("db", "db-2") for form in ("pem", "cer")
    }
    assert folder.rotate(later) == "db-4"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("db", "db is the only key of db: without it nothing would start"),
        ("db-2", "has no certificate 'db-2' of db"),
        ("PK", "has no certificate 'PK' of db"),
        ("../db", "has no certificate '../db' of db"),
    ],
)
def test_what_cannot_be_revoked_is_told(keys: Keys, name: str, message: str) -> None:
    with pytest.raises(PipelineError, match=re.escape(message)):
        folder.revoke(keys, name)
    assert files(keys.public) == NEW


def test_a_folder_without_what_it_needs_is_told(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="none: has no private keys"):
        folder.rotate(Keys(tmp_path / "none", NOW))
    (keys.public / "owner.txt").write_text("nobody")
    with pytest.raises(PipelineError, match="'nobody' is no GUID"):
        folder.rotate(keys)
    (keys.private / "KEK.key").unlink()
    with pytest.raises(PipelineError, match=r"KEK\.key: cannot be read: No such file"):
        folder.rotate(keys)
    assert files(keys.public) == NEW


def test_an_encrypted_key_is_asked_for(keys: Keys) -> None:
    path = keys.private / "KEK.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )
    folder.rotate(Keys(keys.folder, LATER, lambda _: "word"))
    assert judge(keys, "db-2", "db", "KEK", append=True) == LATER
