"""Stories that are given an update: which ones, what it is, and when it is made."""

from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import boot_test, next_version
from pipeline.errors import PipelineError
from pipeline.plan.step import Output, Step
from pipeline.project import acceptance
from pipeline.project.acceptance import Acceptance
from pipeline.report import Report
from tests.plan.test_updates import with_updates

TOLD = """
[acceptance]
updates = ["replaced"]

[acceptance.play.replaced]
way = "nvme"
rows = [{ sees = "login:" }]

[acceptance.play.other]
way = "nvme"
rows = [{ sees = "login:" }]
"""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    with_updates(tmp_path)
    recipe = tmp_path / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text() + TOLD)
    return Session(tmp_path, Report())


@pytest.mark.parametrize(("stories", "wanted"), [(["replaced"], True), (["other"], False), ([], False)])
def test_it_is_for_those_that_ask_for_it(session: Session, stories: list[str], *, wanted: bool) -> None:
    assert next_version.is_wanted(session, "toy", stories) is wanted


def test_it_is_made_without_what_it_does_not_need(session: Session) -> None:
    steps = next_version.steps(session, "toy")
    assert {step.name.partition(":")[0] for step in steps}.isdisjoint({"disk", "systemd-boot", "iso"})
    assert all(step.published == {} for step in steps)
    (source,) = next_version.inputs(session, "toy").values()
    assert isinstance(source, Output)
    assert (source.step.name, source.name) == ("update:toy", "toy_1.0.1.update.tar")


def test_it_is_made_before_the_stories_and_given_to_them(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[object] = []

    def play(step: Step, *_: object, **__: object) -> None:
        happened.append((step.name, "next" in step.inputs))

    def unused(_ctx: object) -> None: ...

    proofs = (Acceptance("play-test", ("replaced", "other"), unused),)
    monkeypatch.setattr(acceptance, "of", lambda *_: proofs)
    monkeypatch.setattr(next_version, "build_step", lambda step, *_, **__: happened.append(step.name))
    monkeypatch.setattr(boot_test, "run_uncached", play)
    monkeypatch.setattr(boot_test, "accelerator", lambda *_: "tcg")
    monkeypatch.setattr(boot_test, "container", lambda _: None)
    monkeypatch.setattr(boot_test, "tell", lambda *_: None)
    boot_test.boot_test(session, "other", "", False, "tcg", 1)
    assert happened == [("play-test", False)]
    happened.clear()
    boot_test.boot_test(session, "replaced", "", False, "tcg", 1)
    assert happened == [*(step.name for step in next_version.steps(session, "toy")), ("play-test", True)]


def test_a_story_that_is_not_told_gets_none(session: Session) -> None:
    recipe = session.root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('["replaced"]', '["replaced", "x"]'))
    with pytest.raises(PipelineError) as caught:
        acceptance.of(session.project, "toy")
    assert str(caught.value) == (
        "recipes/toy/recipe.toml: acceptance.updates: 'x' is no story of this recipe\n"
        "  hint: there are replaced, other"
    )
