"""Stories in rows, on a machine whose QEMU is a stand-in."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.boot import play
from pipeline.config import validate
from pipeline.project.acceptance import _as_params
from pipeline.project.recipe import Play
from pipeline.vm.session import NotSeenError, Session
from tests.fixtures.stand_ins import MakeGuest


def rows(*given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows as a step gets them, from what a recipe says."""
    mistakes: list[str] = []
    told = validate(Play, {"rows": given}, "recipe.toml", mistakes)
    assert told, mistakes
    found: list[dict[str, Any]] = json.loads(json.dumps(_as_params(told)))["rows"]
    return found


def played(make_guest: MakeGuest, folder: Path, given: list[dict[str, Any]], **medium: Any) -> list[str]:
    """Play rows; return the commands that the machine got."""

    async def whole() -> None:
        async with Session(make_guest(**medium), folder / "run").running() as vm:
            await play.act(vm, given)

    asyncio.run(whole())
    return (folder / "commands").read_text().splitlines()


def test_what_is_asked_is_answered_on_either_console(make_guest: MakeGuest, tmp_path: Path) -> None:
    given = rows(
        {"sees": "Name?"},
        {"waits": 1},
        {"line": "box"},
        {"sees": "Hello box"},
        {"shows": "Hello box"},
        {"line": ""},
        {"sees": "Again?"},
        {"types": "y-1 .\n"},
        {"presses": ["f2", "esc"]},
        {"line": "bye"},
        {"off": True},
    )
    replies = [["box\r", "Hel\x1b[1mlo box"], ["\r", "Again?"]]
    heard = played(
        make_guest, tmp_path, given, serial=["Name?"], screen="Hello box", replies=replies, off_after="bye\r"
    )
    keys = [line.split('"')[-2] for line in heard if line.startswith("send-key")]
    assert keys == ["y", "minus", "1", "spc", "dot", "ret", "f2", "esc"]
    assert (tmp_path / "run/row-5.png").exists()


def test_the_machine_starts_anew(make_guest: MakeGuest, tmp_path: Path) -> None:
    given = rows({"sees": "Ready"}, {"presses": ["q"]}, {"resets": True})
    played(make_guest, tmp_path, given, serial=["Ready"], resets_on="send-key")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"sees": "Welcome", "seconds": 0}], "row 1: 'Welcome' did not come within 0 s"),
        # What was said before the answer is not what comes after it.
        (
            [{"sees": "Name?"}, {"line": "x"}, {"sees": "Name?", "seconds": 0}],
            "row 3: 'Name[?]' did not come within 0 s",
        ),
        ([{"shows": "Done", "seconds": 0}], r"row 1: the screen \(row-1.png\) lacks 'Done'"),
        ([{"resets": True, "seconds": 0}], "row 1: a reset did not come within 0 s"),
        ([{"off": True, "seconds": 0}], "row 1: the machine did not switch itself off within 0 s"),
    ],
)
def test_the_row_at_which_it_ends_is_named(
    make_guest: MakeGuest, tmp_path: Path, given: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(NotSeenError, match=f"then failed: {said}\n"):
        played(make_guest, tmp_path, rows(*given), serial=["Name?"], screen="Name?")
