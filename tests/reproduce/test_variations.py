import pytest

from pipeline.errors import PipelineError
from pipeline.reproduce.variations import CONFIGS, HOME, HOSTILE, VARIATIONS, Side, chosen, sides

NAMES = (
    "clock, timezone, locale, umask, path, home, user, hostname, cpus, order, filesystem, hashseed, "
    "environment, config"
)


def test_all_are_chosen_unless_some_are() -> None:
    assert ", ".join(each.name for each in chosen("")) == NAMES
    assert [each.name for each in chosen("order, clock")] == ["clock", "order"]


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(PipelineError) as caught:
        chosen("clock,tide")
    assert str(caught.value) == f"--vary clock,tide: unknown variation 'tide'\n  hint: choose from {NAMES}"


@pytest.mark.parametrize("name", [each.name for each in VARIATIONS])
def test_each_alone_makes_a_difference(name: str) -> None:
    first, second = sides(chosen(name))
    assert first != second


def test_one_alone_leaves_the_rest_as_it_is() -> None:
    first, second = sides(chosen("umask"))
    assert (first, second) == (Side(), Side(umask=0o077))


def test_all_at_once() -> None:
    first, second = sides(VARIATIONS)
    assert first.env == {
        "TZ": "<-11>11",
        "LC_ALL": "C",
        "HOME": "/tmp/one",
        "PYTHONHASHSEED": "1",
    }
    assert second.env == {
        "TZ": "<+14>-14",
        "LC_ALL": "tr_TR.UTF-8",
        "HOME": HOME,
        "PYTHONHASHSEED": "4242",
        **HOSTILE,
    }
    assert (first.days, second.days, first.configs, second.configs) == (0, 200, False, True)


def test_configuration_lies_where_a_container_can_be_given_files() -> None:
    assert all(path.startswith(("/etc/", f"{HOME}/")) for path in CONFIGS)
