import io
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli.keys import keys
from pipeline.errors import PipelineError
from pipeline.report import Report
from pipeline.trust.signer import read_certificates
from tests.conftest import ROOT


def test_the_way_of_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    screen = io.StringIO()
    session = Session(ROOT, Report(screen))
    keys(session, "", ["new", "keys"])
    keys(session, "", ["rotate", "keys"])
    keys(session, "", ["revoke", "keys", "db"])
    assert screen.getvalue() == (
        "keys/private: PK, KEK, db and pcr: keep them off the network, and a copy\n"
        'keys/public: for recipes (`[trust] keys = "…"`), firmware and machines\n'
        "keys/private/db-2.key: the next db key\n"
        "bring db-2.auth to all machines before anything is signed with it alone: docs/keys.md\n"
        "keys/public: recipes need a new copy of it, in place of the one that they have\n"
        "keys/public: dbx.auth revokes db, dbx-db.auth appends that\n"
        "keys/public: recipes need a new copy of it, in place of the one that they have\n"
    )
    (certificate,) = read_certificates(tmp_path / "keys/public/PK.pem")
    assert "O=TruthDB" in certificate.subject.rfc4514_string()


@pytest.mark.parametrize(
    ("organisation", "words", "message"),
    [
        ("", [], "./doit keys: is not understood"),
        ("", ["new"], "./doit keys new: is not understood"),
        ("", ["make", "x"], "./doit keys make x: is not understood"),
        ("", ["rotate", "x", "db"], "./doit keys rotate x db: is not understood"),
        ("", ["revoke", "x"], "./doit keys revoke x: is not understood"),
        ("Acme", ["rotate", "x"], "--organisation: belongs to new keys alone"),
    ],
)
def test_what_is_no_command_is_told(organisation: str, words: list[str], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        keys(Session(ROOT, Report(io.StringIO())), organisation, words)
    assert caught.value.message == message
