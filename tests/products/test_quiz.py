"""A product whose installer is somebody else's: it prints and reads lines, and its recipe alone proves it."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli.new import new
from pipeline.cli.new.splash import splash
from pipeline.cli.pin import pin
from pipeline.report import Report
from tests.conftest import ROOT
from tests.products.test_acme import built, doit, edit

HERE = Path(__file__).parent / "quiz"
PLAYS = tomllib.loads((HERE / "recipe.toml").read_text())["acceptance"]["play"]


@pytest.fixture(scope="module")
def quiz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the product: nothing but a recipe, and a static program that the manifest pins."""
    root = tmp_path_factory.mktemp("products") / "quiz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTALLER_ISO_CALLED_FROM", str(root))
        new(Session(ROOT, Report()), [str(root)], "Quiz")
        for made in (root / "recipes").glob("quiz-*"):
            shutil.rmtree(made)
        recipe = root / "recipes/quiz"
        shutil.copytree(HERE, recipe, ignore=shutil.ignore_patterns("setup"))
        (recipe / "splash.bmp").write_bytes(splash("Quiz", {"ground": "#203010", "text": "#ffffff"}))
        shutil.copytree(HERE / "setup", root / "setup", ignore=shutil.ignore_patterns("target"))
        versions = ('installer = "0.1.0"\nappliance = "0.1.0"\nservice = "0.1.0"', 'setup = "1.0.0"')
        edit(root / "manifests/manifest.toml", versions)
        program = built(root, "setup:quiz")["setup:quiz/setup"]
        (root / "vendor").mkdir()
        shutil.copy(program, root / "vendor/setup")
        pin(Session(root, Report()), ["setup", "vendor/setup"])
        built(root)
    return root


@pytest.mark.boot
def test_it_is_answered_on_the_serial_line_and_at_the_keyboard(quiz: Path) -> None:
    done = doit(quiz, "boot-test", "--only", ",".join(["esp", *PLAYS]))
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("esp", *PLAYS):
        assert re.search(rf"^{name} +ok ", done.stdout, re.MULTILINE), done.stdout
