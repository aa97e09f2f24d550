"""What sbsigntool, osslsigncode and efitools say of what is signed here, and a token that signs the same."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import serialization

from pipeline.build.build import run_uncached
from pipeline.build.session import Session
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.authenticode_attach import attached
from pipeline.formats.efi_auth import read_authenticated
from pipeline.formats.efi_signature_list import X509, Entry, signature_lists
from pipeline.formats.pe import read_pe
from pipeline.formats.trust import verifies
from pipeline.plan.step import Source, Step
from pipeline.report import Line
from pipeline.sandbox.docker import Engine
from pipeline.trust.cms import authenticode_signature, signed_variable
from tests.fixtures import keys, trust_tools
from tests.fixtures.signed import UNSIGNED
from tests.fixtures.time_stamps import authority
from tests.trust.test_cms import signer

ODD = UNSIGNED + b"behind the sections"
PLAIN = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
TIME = datetime.fromisoformat(trust_tools.TIME).replace(tzinfo=UTC)

pytestmark = pytest.mark.container


@dataclass(frozen=True)
class Judged:
    """What the tools said, and made."""

    answers: dict[str, tuple[int, str]]
    files: dict[str, bytes]


def _inputs(folder: Path) -> dict[str, bytes]:
    signature = authenticode_signature(UNSIGNED, signer("vendor"))
    chain = authenticode_signature(UNSIGNED, signer("below", "intermediate"))
    with authority(folder) as clock:
        stamped = authenticode_signature(UNSIGNED, signer("vendor"), clock.url)
    return {
        "unsigned.efi": UNSIGNED,
        "signature": signature,
        "signed.efi": attached(UNSIGNED, [signature]),
        "odd.efi": attached(ODD, [authenticode_signature(ODD, signer("vendor"))]),
        "chain.efi": attached(UNSIGNED, [chain]),
        "stamped.efi": attached(UNSIGNED, [stamped]),
        "tsa.pem": (folder / "tsa.pem").read_bytes(),
        **{f"{name}.pem": keys.pem(name) for name in ("vendor", "stranger", "root", "owner", "ec")},
        **{f"{name}.key": keys.key(name).private_bytes(*PLAIN) for name in ("vendor", "owner", "ec")},
    }


@pytest.fixture(scope="module")
def judged(session: Session, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("given")
    given = _inputs(tmp_path_factory.mktemp("clock"))
    for name, data in given.items():
        (folder / name).write_bytes(data)
    step = Step(
        name="trust-judged",
        summary="Have others judge signatures.",
        container=session.project.lock_of("tools"),
        inputs={name: Source(folder / name) for name in given},
        outputs=("answers.json", "vendor.p7", "ec.p7", *trust_tools.MADE),
        run=trust_tools.judge,
    )
    out = tmp_path_factory.mktemp("judged")
    run_uncached(step, session.builder, out, out / "log", Line.silent(), known_as=step.name)
    return Judged(
        json.loads((out / "answers.json").read_text()),
        {name: (out / name).read_bytes() for name in step.outputs},
    )


@pytest.mark.parametrize(
    ("name", "good"),
    [(name, not name.endswith("of another")) for name in trust_tools.ASKED],
)
def test_the_judges_agree(judged: Judged, name: str, good: bool) -> None:
    status, said = judged.answers[name]
    assert (status == 0) == good, said


def test_a_time_stamp_is_found(judged: Judged) -> None:
    assert "Timestamp is not available" in judged.answers["osslsigncode"][1]
    assert "CN=Clock" in judged.answers["osslsigncode stamped"][1]
    assert "Timestamp is not available" not in judged.answers["osslsigncode stamped"][1]


def test_attaching_does_what_sbattach_does(judged: Judged) -> None:
    ours = attached(UNSIGNED, [authenticode_signature(UNSIGNED, signer("vendor"))])
    assert ours == judged.files["attached.efi"]


def test_a_token_makes_the_same_bytes(judged: Judged) -> None:
    assert judged.files["vendor.p7"] == authenticode_signature(UNSIGNED, signer("vendor"))
    assert bytes.fromhex(judged.answers["asked"][1]) == signer("vendor").sign(b"data")


def test_a_token_s_key_on_a_curve_signs(judged: Judged) -> None:
    (found,) = read_signatures(read_pe(attached(UNSIGNED, [judged.files["ec.p7"]])))
    assert (found.subject, found.fault, found.is_rsa) == ("Jury ec", "", False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pin", ": the PIN is wrong"),
        ("key", ": the token has no such private key"),
        ("token", "0 tokens fit that URI, not one"),
    ],
)
def test_what_a_token_refuses_is_told(judged: Judged, name: str, message: str) -> None:
    status, said = judged.answers[f"wrong {name}"]
    assert status == 1
    assert said.endswith(message)
    assert "1234" not in said


def test_lists_are_those_of_efitools(judged: Judged) -> None:
    ours = signature_lists([Entry(X509, UUID(trust_tools.OWNER), keys.der("vendor"))])
    assert ours == judged.files["vendor.esl"]


@pytest.mark.parametrize(
    ("name", "variable", "append"), [("vendor.auth", "db", False), ("appended.auth", "dbx", True)]
)
def test_variables_are_signed_as_efitools_signs_them(
    judged: Judged, name: str, variable: str, append: bool
) -> None:
    theirs = read_authenticated(judged.files[name])
    ours = read_authenticated(
        signed_variable(variable, TIME, judged.files["vendor.esl"], signer("owner"), append=append)
    )
    assert (ours.time, ours.data) == (theirs.time, theirs.data)
    made = [cms.SignedData.load(one.signature)["signer_infos"][0] for one in (ours, theirs)]
    assert made[0]["signature"].native == made[1]["signature"].native
    assert verifies(keys.key("owner").public_key(), made[0]["signature"].native, b"", "sha256") is False
