import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.release import provenance
from pipeline.release.bom.components import sorted_contents
from tests.fixtures import releasable
from tests.fixtures.release_contents import collected

NOTHING = sorted_contents("Toy", "1.0", 0, (), ())
SUBJECTS = {"toy.iso": "1" * 64, "Toy.efi": "2" * 64}


@pytest.fixture
def release(release: Session) -> Session:
    """The same, in git."""
    releasable.commit(release.root)
    return release


def said(session: Session) -> Any:
    return json.loads(provenance.text_of(session, SUBJECTS, collected(session)))


def test_it_is_a_statement_with_a_slsa_provenance(release: Session) -> None:
    found = said(release)
    Statement.copy_from_pb(ParseDict(found, statement_pb2.Statement())).validate()
    ParseDict(found["predicate"], provenance_pb2.Provenance())
    assert (found["_type"], found["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert found["subject"] == [
        {"name": "Toy.efi", "digest": {"sha256": "2" * 64}},
        {"name": "toy.iso", "digest": {"sha256": "1" * 64}},
    ]
    assert found["predicate"]["runDetails"] == {"builder": {"id": "urn:installer-iso:builder:v1"}}


def test_what_it_was_made_of(release: Session) -> None:
    definition = said(release)["predicate"]["buildDefinition"]
    head = releasable.git(release.root, "rev-parse", "HEAD")
    assert definition["externalParameters"] == {
        "product": "Toy",
        "version": "1.0",
        "recipes": ["inner", "toy"],
        "commit": head,
    }
    assert definition["resolvedDependencies"].pop(0) == {"name": "sources", "digest": {"gitCommit": head}}
    dependencies = {each["uri"]: each["digest"]["sha256"] for each in definition["resolvedDependencies"]}
    assert dependencies["pkg:cargo/serde@1.0.0"] == "5" * 64
    assert dependencies["pkg:cargo/unused@1.0.0"] == "7" * 64
    assert dependencies["pkg:cargo/hash-brown@0.15.0"] == "8" * 64  # of Rust's standard library
    assert not [uri for uri in dependencies if uri.startswith("pkg:cargo/serde@2")]  # nobody says its digest
    assert dependencies[f"urn:sha256:{'2' * 64}"] == "2" * 64
    assert "pkg:deb/debian/libc6@1-1%2Bb2?arch=amd64&distro=trixie" in dependencies
    packages = {uri.partition("@")[0] for uri in dependencies if uri.startswith("pkg:deb/")}
    assert {"pkg:deb/debian/linux-source-6.12", "pkg:deb/debian/libc6"} <= packages
    assert list(dependencies) == sorted(dependencies)


def test_how_it_was_made(release: Session) -> None:
    parameters = said(release)["predicate"]["buildDefinition"]["internalParameters"]
    step = release.steps["iso:toy"]["toy"]
    assert parameters["steps"]["iso:toy"] == {
        "key": release.builder.key(step),
        "container": "installer-iso/imager:6666666666666666",
        "layer": "6" * 64,
    }
    assert list(parameters["steps"]["kernel:a-kernel"]) == ["key"]
    assert set(parameters["steps"]) == set(release.steps)
    assert parameters["sourceDateEpoch"] == "1795219200"


def test_a_checkout_without_a_commit(release: Session) -> None:
    (release.root / ".git/HEAD").write_text("ref: refs/heads/none\n")
    with pytest.raises(PipelineError, match="its git repository has no commit yet"):
        said(release)


def test_whoever_writes_it_writes_the_same(release: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = collected(release)
    text = provenance.text_of(release, SUBJECTS, contents)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert provenance.text_of(release, dict(reversed(SUBJECTS.items())), contents) == text
    assert str(release.root) not in text


def test_nothing_to_state(release: Session) -> None:
    with pytest.raises(PipelineError) as caught:
        provenance.text_of(release, {}, NOTHING)
    assert str(caught.value) == ("there is nothing to state how it was made: At least one subject required")


def test_a_step_that_has_not_been_made(release: Session) -> None:
    step = release.steps["packages:initramfs"]["toy"]
    key = release.builder.key(step)
    release.builder.keys.clear()
    release.store.forget(key or "")
    with pytest.raises(PipelineError) as caught:
        provenance.text_of(release, SUBJECTS, NOTHING)
    assert str(caught.value) == ("step initramfs:inner has not been made\n  hint: run `./doit iso` first")
