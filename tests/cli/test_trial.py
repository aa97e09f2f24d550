"""Images of trial: their keys are made once, lie apart, and only stories that want them get them."""

import io
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.builder import Builder
from pipeline.build.session import Session
from pipeline.cli import addon, commands, realise, sign_images, trial
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.pe import read_pe
from pipeline.plan.step import Output, Source
from pipeline.project.proof import Acceptance
from pipeline.report import Report
from pipeline.steps.uki import NO_POLICIES
from tests.fixtures import checkout
from tests.fixtures.trust import with_trust
from tests.fixtures.uki import uki


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(screen: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session of a toy whose UKI is there without a container."""
    key = b"-----BEGIN PUBLIC KEY-----"
    image = uki(more=((".pcrpkey", key), (".pcrsig", NO_POLICIES.encode())))
    monkeypatch.setattr(realise, "realise", lambda *_: None)
    monkeypatch.setattr(sign_images, "_unsigned", lambda *_: image)
    monkeypatch.setattr("pipeline.trust.policies.policies", lambda *_: '{"sha256": []}')
    monkeypatch.setattr(trial, "build_step", lambda *_, **__: None)
    monkeypatch.setattr(addon, "made", lambda _, cmdline: uki({".cmdline": cmdline.encode()}))

    def made(_: Builder, output: Output, *_more: object) -> Path:
        (tmp_path / "made.efi").write_bytes(uki({".sbat": output.step.params["sbat"].encode()}))
        return tmp_path / "made.efi"

    monkeypatch.setattr(Builder, "output", made)
    return Session(checkout.write(tmp_path), Report(screen))


def test_only_stories_that_the_recipe_names_want_it(session: Session) -> None:
    recipe = session.project.recipes["toy"]
    told = replace(recipe, acceptance=Acceptance(trusted=("locked",)))
    vars(session)["project"] = replace(session.project, recipes={"toy": told})
    assert trial.is_wanted(session, "toy", ["plain", "locked"])
    assert not trial.is_wanted(session, "toy", ["plain"])


def test_what_stories_are_given_is_signed_and_lies_apart(session: Session) -> None:
    found = trial.make(session, "toy")
    folder = session.root / "artifacts/trial"
    files = {name: each.path for name, each in found.items() if isinstance(each, Source)}
    assert files.pop("trusted-keys") == folder / "keys/public"
    programs = {name: read_pe(path.read_bytes()) for name, path in files.items()}
    signers = {name: read_signatures(pe)[0].subject for name, pe in programs.items()}
    assert {name: signer.partition(" Boot ")[2][:3] for name, signer in signers.items()} == {
        "trusted-next": "db ",
        "trusted-addon": "db ",
        "strange-addon": "KEK",
    }
    assert bytes(programs["trusted-next"].contents(".sbat")).startswith(b"toy,2,")
    assert b"trial.addon=strange" in bytes(programs["strange-addon"].contents(".cmdline"))
    made = {name: (each.step.name, each.name) for name, each in found.items() if isinstance(each, Output)}
    assert made == {
        "trusted-iso": ("iso:toy", "toy.iso"),
        "trusted-uki": ("attach:toy", "Toy.efi"),
        "trusted-payload": ("attach:toy", "Toy.efi"),
    }
    attached = found["trusted-uki"]
    assert isinstance(attached, Output)
    assert attached.step.inputs["signatures.json"] == Source(folder / "toy.signatures.json")
    assert trial.of(session).folder("toy") == folder / "toy"


def test_keys_are_made_once_and_for_one_alone(session: Session) -> None:
    trial.of(session)
    keys = session.root / "artifacts/trial/keys"
    first = (keys / "public/db.pem").read_bytes()
    trial.of(session)
    assert (keys / "public/db.pem").read_bytes() == first
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700


def test_images_that_nobody_has_signed_are_named(session: Session, screen: io.StringIO) -> None:
    commands.tell_unsigned(session)
    assert screen.getvalue() == ""
    other = Session(with_trust(session.root, shim=True), Report(screen))
    commands.tell_unsigned(other)
    assert " ".join(screen.getvalue().split()) == (
        "unsigned: Toy.efi, shimx64.efi, of which recipes/toy/signatures.json has no signature: "
        "`./doit sign --secure-boot --key KEY`, then this again"
    )


def test_what_is_no_release_stays_unsigned(session: Session) -> None:
    with_trust(session.root)
    (session.root / "recipes/toy/signatures.json").touch()
    project = Session(session.root, Report(io.StringIO())).project.marked("+debug")
    assert [recipe.trust.signatures for recipe in project.recipes.values() if recipe.trust] == [""]
