"""`./doit answers`: what the installer says of a file reaches the user word for word, with its own name."""

import io
import json
import re
import tomllib
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import answers, commands, tasks
from pipeline.errors import PipelineError
from pipeline.plan.step import Step
from pipeline.report import Report
from pipeline.sandbox.run import Outcome, StepError
from pipeline.steps import check_answers
from pipeline.store.cache import Result
from tests.conftest import ROOT, lacking
from tests.fixtures import checkout
from tests.fixtures.context import played
from tests.fixtures.fake_engine import FakeEngine
from tests.fixtures.workshop import Content, Workshop

CRATE = ROOT / "programs/installer"
GOOD = CRATE / "tests/answers/good.toml"
PAGE = ROOT / "docs/unattended.md"

PROGRAM = """\
#!/bin/sh
# Says what the installer would, of files that are told apart by their first line.
[ "$1" = --root ] && [ "$(cat "$2/etc/product.toml")" = about ] && shift 2
[ "$1" = --check-answers ] || exit 2
read -r first < "$2"
case $first in
good) echo "$2: this file is right."; echo "  Task  install" ;;
bad)
    printf '%s\\n' "$2:3: task: It is wrong: install.toml: x" "  hint: Mend it." "$2:9: This is not TOML: x."
    exit 1
    ;;
*) echo "it broke" >&2; exit 101 ;;
esac
"""


def judge(folder: Path, text: str) -> dict[str, object]:
    """Return what the step writes of a file with this text."""
    (folder / "in").mkdir()
    (folder / "in" / check_answers.PROGRAM).write_text(PROGRAM)
    (folder / "in" / check_answers.FILE).write_text(text)
    (folder / "in" / check_answers.ABOUT).write_text("about")
    context = played(folder)
    check_answers.check(context)
    verdict: dict[str, object] = json.loads((context.out / check_answers.VERDICT).read_text())
    return verdict


def test_what_the_program_says_is_the_verdict(tmp_path: Path) -> None:
    for name, text, good, first in (
        ("a", "good\n", True, "install.toml: this file is right."),
        ("b", "bad\n", False, "install.toml:3: task: It is wrong: install.toml: x"),
    ):
        (tmp_path / name).mkdir()
        verdict = judge(tmp_path / name, text)
        assert (verdict["good"], str(verdict["text"]).splitlines()[0]) == (good, first)


def test_a_program_that_does_not_judge_is_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PipelineError) as caught:
        judge(tmp_path, "anything\n")
    assert str(caught.value) == (
        "the installer's check of answer files ended with status 101\n"
        "  hint: is the recipe's installer one that knows --check-answers?"
    )
    assert capsys.readouterr().out == "it broke\n\n"


def test_only_the_name_that_begins_a_line_is_the_files() -> None:
    said = "install.toml:3: task: install.toml: x\n  hint: see install.toml:\ninstall.toml: good\n"
    assert answers.called(said, r"a\1b.toml") == (
        "a\\1b.toml:3: task: install.toml: x\n  hint: see install.toml:\na\\1b.toml: good\n"
    )


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def shop(tmp_path: Path, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A checkout whose installer has been built: it is the shell script above."""
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    shop = Session(checkout.write(tmp_path / "checkout"), Report(screen))
    made = Step("installer:toy", "", {}, (check_answers.PROGRAM,))
    vars(shop)["plans"] = {"toy": (Step("kernel:toy", "", {}, ("vmlinuz",)), made)}
    vars(shop.containers)["engine"] = FakeEngine(tmp_path / "engine")
    with shop.store.scratch() as scratch:
        (scratch / "program").write_text(PROGRAM)
        blob = shop.store.add(scratch / "program")
    shop.store.record(
        shop.builder.key(made) or "", Result({check_answers.PROGRAM: blob}, 1, made.checks_digest())
    )
    return shop


def test_a_good_file(shop: Session, screen: io.StringIO, tmp_path: Path) -> None:
    (tmp_path / "rack 1.toml").write_text("good\n")
    assert answers.answers(shop, "rack 1.toml") is True
    assert screen.getvalue() == "rack 1.toml: this file is right.\n  Task  install\n"


def test_a_file_with_mistakes(shop: Session, screen: io.StringIO, tmp_path: Path) -> None:
    path = tmp_path / "[red].toml"
    path.write_text("bad\n")
    assert answers.answers(shop, str(path)) is False
    assert screen.getvalue() == (
        f"{path}:3: task: It is wrong: install.toml: x\n  hint: Mend it.\n{path}:9: This is not TOML: x.\n"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "no file is named\n  hint: name one: `./doit answers --check install.toml`"),
        ("x.toml", "x.toml: no such file\n  hint: name an existing answer file"),
        (".", ".: no such file\n  hint: name an existing answer file"),
        (
            "broken",
            "the installer's check of answer files ended with status 101\n"
            "  hint: is the recipe's installer one that knows --check-answers?",
        ),
    ],
)
def test_what_cannot_be_checked(shop: Session, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "broken").write_text("anything\n")
    with pytest.raises(PipelineError) as caught:
        answers.answers(shop, name)
    assert str(caught.value) == message


def test_a_container_that_ends_by_itself(
    shop: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.build.build.run", lambda *_: Outcome(137))
    (tmp_path / "a.toml").write_text("good\n")
    log = shop.folder("toy") / "logs/answers.log"
    with pytest.raises(StepError) as caught:
        answers.answers(shop, "a.toml")
    assert str(caught.value) == f"the check ended with status 137\n  hint: its log: {log}"


def test_a_checkout_without_an_installer(shop: Session) -> None:
    vars(shop)["plans"] = {"toy": (Step("kernel:toy", "", {}, ("vmlinuz",)),)}
    with pytest.raises(PipelineError) as caught:
        answers.answers(shop, "a.toml")
    assert str(caught.value) == ("no recipe has the program installer\n  hint: add one that has to recipes/")
    assert tasks._installer_task(shop, {}) == []


def test_the_check_waits_for_the_installer(shop: Session) -> None:
    assert tasks._installer_task(shop, {"installer:toy": "installer"}) == ["installer"]


@pytest.mark.container
def test_the_built_installer(workshop: Workshop) -> None:
    _, made = commands.installer(workshop.session)
    result = workshop.session.builder.result(made.step)
    program = workshop.session.store.find(result.outputs[made.name]) if result else None
    if program is None:
        lacking("the installer has not been built: `./doit iso` does that")
    for text, good in ((GOOD.read_bytes(), True), (b"version = 2\n", False)):
        inputs: dict[str, Content] = {
            check_answers.PROGRAM: program,
            check_answers.FILE: text,
            check_answers.ABOUT: ROOT / "recipes/truthdb-installer/product.toml",
        }
        out, said = workshop.run("imager", check_answers.check, inputs)
        assert (out / check_answers.VERDICT).is_file(), said
        assert json.loads((out / check_answers.VERDICT).read_text())["good"] is good


def test_the_example_of_the_page_is_the_one_that_the_installers_tests_read() -> None:
    page = PAGE.read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example
    assert example[1] == GOOD.read_text()


def test_every_key_is_on_the_page() -> None:
    folders = (CRATE / "src/answers", CRATE.parent / "common/src/answer_file")
    source = "".join(path.read_text() for folder in folders for path in sorted(folder.glob("*.rs")))
    keys = set(re.findall(r'^ +key\("(\w+)",', source, re.MULTILINE))
    explained = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    tables = {"disk", "settings"}
    assert keys - tables == explained
    example = tomllib.loads(GOOD.read_text())
    named = {key for table in (example, *map(example.get, tables)) for key in table or ()}
    left_out = {
        "allow_downgrade",
        "empty",
        "encryption",
        "erase_any_matching",
        "ignore_requirements",
        "into",
        "largest",
        "passphrase",
        "recovery_key",
        "secure_boot",
        "smallest",
    }
    assert keys - named == left_out
