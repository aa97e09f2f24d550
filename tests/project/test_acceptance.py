import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.plan.step import modules_of
from pipeline.project import acceptance
from pipeline.project.checkout import load
from tests.fixtures import checkout

STORIES = "from toy_stories import told\nSTORIES = {told.NAME: None}\ndef run(ctx): pass\n"


def write(root: Path, recipe: str, package: str, files: dict[str, str]) -> None:
    """Give a recipe, the toy's or one like it, a package."""
    text = (root / "recipes/toy/recipe.toml").read_text().partition("\n[acceptance]")[0]
    folder = root / "recipes" / recipe
    for name, content in files.items():
        path = folder / package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "recipe.toml").write_text(f'{text}\n[acceptance]\npackage = "{package}"\n')


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield checkout.write(tmp_path)
    for name in [name for name in sys.modules if name.startswith("toy_stories")]:
        del sys.modules[name]


def named(root: Path, name: str, recipe: str = "toy") -> None:
    write(root, recipe, "toy_stories", {"__init__.py": STORIES, "told.py": f"NAME = {name!r}\n"})


def test_a_recipe_without_stories(root: Path) -> None:
    assert acceptance.of(load(root), "toy") == ()


def test_stories_travel_with_the_modules_that_they_import(root: Path) -> None:
    named(root, "first")
    path = list(sys.path)
    (found,) = acceptance.of(load(root), "toy")
    assert found.stories == ("first",)
    assert sys.path == path
    folder = root / "recipes/toy/toy_stories"
    modules = {name: module.path for name, module in modules_of([found.run.__module__]).items()}
    assert modules == {"toy_stories": folder / "__init__.py", "toy_stories.told": folder / "told.py"}


def test_a_package_says_which_stories_start_disks_that_are_made_for_them(root: Path) -> None:
    write(
        root, "toy", "toy_stories", {"__init__.py": STORIES + "DISKS = ('b',)\n", "told.py": "NAME = 'b'\n"}
    )
    (found,) = acceptance.of(load(root), "toy")
    assert found.disks == ("b",)
    named(root, "first")
    del sys.modules["toy_stories"], sys.modules["toy_stories.told"]
    (found,) = acceptance.of(load(root), "toy")
    assert found.disks == ()


def test_two_recipes_may_have_a_package_of_one_name(root: Path) -> None:
    named(root, "first")
    shutil.copytree(root / "recipes/toy", root / "recipes/other")
    named(root, "second", "other")
    project = load(root)
    names = [acceptance.of(project, recipe) for recipe in ("toy", "other", "toy")]
    assert [found.stories for (found,) in names] == [("first",), ("second",), ("first",)]


def test_a_name_that_another_package_has(root: Path) -> None:
    write(root, "toy", "json", {"__init__.py": STORIES})
    with pytest.raises(PipelineError, match=r"acceptance\.package: there is another package 'json', in /"):
        acceptance.of(load(root), "toy")
    assert sys.modules["json"].__name__ == "json"


def test_a_package_of_no_stories(root: Path) -> None:
    write(root, "toy", "toy_stories", {"__init__.py": ""})
    with pytest.raises(PipelineError) as caught:
        acceptance.of(load(root), "toy")
    assert str(caught.value) == (
        "recipes/toy/toy_stories: module 'toy_stories' has no attribute 'STORIES'\n"
        "  hint: it needs STORIES and run"
    )


def test_stories_that_cannot_be_loaded(root: Path) -> None:
    write(root, "toy", "toy_stories", {"__init__.py": "import nothing_of_this_name\n"})
    with pytest.raises(PipelineError) as caught:
        acceptance.of(load(root), "toy")
    assert str(caught.value) == (
        "recipes/toy/toy_stories: ModuleNotFoundError: No module named 'nothing_of_this_name'\n"
        "  hint: fix the stories"
    )


def test_long_stories_are_those_of_the_recipe(root: Path) -> None:
    named(root, "first")
    recipe = root / "recipes/toy/recipe.toml"
    text = recipe.read_text() + "play.second = { rows = [{ off = true }] }\n"
    recipe.write_text(text + 'long = ["first"]\n')
    told, packaged = acceptance.of(load(root), "toy")
    assert (told.long, packaged.long) == ((), ("first",))
    recipe.write_text(text + 'long = ["first", "third"]\n')
    with pytest.raises(PipelineError) as caught:
        acceptance.of(load(root), "toy")
    assert str(caught.value) == (
        "recipes/toy/recipe.toml: acceptance.long: 'third' is no story of this recipe\n"
        "  hint: there are second, first"
    )


def test_rows_are_stories_beside_those_of_the_package(root: Path) -> None:
    named(root, "first")
    recipe = root / "recipes/toy/recipe.toml"
    text = recipe.read_text()
    recipe.write_text(text + 'play.second = { rows = [{ off = true }], disk = "1G" }\n')
    told, packaged = acceptance.of(load(root), "toy")
    assert (told.name, packaged.name) == ("play-test", "install-test")
    assert (told.stories, packaged.stories) == (("second",), ("first",))
    plays = told.params["plays"]
    assert isinstance(plays, dict)
    assert (plays["second"]["disk"], plays["second"]["way"]) == (1 << 30, "cd")
    assert plays["second"]["rows"][0]["off"] is True

    recipe.write_text(text + "play.first = { rows = [{ off = true }] }\n")
    with pytest.raises(PipelineError) as caught:
        acceptance.of(load(root), "toy")
    assert caught.value.message == (
        "recipes/toy/recipe.toml: acceptance.play.first: toy_stories has a story of this name, too"
    )
