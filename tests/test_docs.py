"""Pages that are made of the code are what the code makes of them."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.checks import netboot, whole
from pipeline.checks.catalog import KINDS
from pipeline.checks.finding import Rule
from pipeline.checks.medium import starting
from tests import handbook
from tests.conftest import ROOT

RULES = [rule for kind in KINDS.values() for rule in kind.all_rules]
OTHERS: list[Rule[Any]] = [*whole.rule.table, *starting.rule.table, *netboot.rule.table]
RULES += OTHERS


def test_the_page_of_checks_is_current(request: pytest.FixtureRequest) -> None:
    path, text = ROOT / handbook.PATH, handbook.write()
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != known and request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{handbook.PATH} was rewritten: read what changed")
    assert known.splitlines() == text.splitlines(), "`pytest --update-golden` rewrites it"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_says_why_by_which_specification_and_what_to_do(rule: Rule[Any]) -> None:
    assert handbook.why(rule.faults).endswith(".")
    assert rule.spec
    assert rule.fix
    assert not rule.fix.endswith(".")
    assert not rule.holds.endswith(".")


def test_every_code_is_on_the_page_once() -> None:
    lines = [line for line in handbook.write().splitlines() if line.startswith("### ")]
    codes = [line.removeprefix("### ").partition(":")[0] for line in lines]
    known = {code for kind in KINDS.values() for code in (kind.unreadable, *_codes(kind)) if code}
    others = [rule.code for rule in OTHERS]
    assert sorted(codes) == sorted([*known, *others])


def _codes(kind: Any) -> list[str]:
    return [rule.code for rule in kind.all_rules]


SCREENS = sorted((ROOT / "docs/screens").glob("*.png"))
GOLDEN = ROOT / "programs/installer/tests/golden/screens-1280x800.fnv1a64"


def fnv1a64(data: bytes) -> str:
    """Return the hash that the installer's tests keep of a screen's memory."""
    found = 0xCBF29CE484222325
    for byte in data:
        found = (found ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{found:016x}"


def screen_memory(path: Path) -> bytes:
    """Return a picture as the tests' screen has it: blue, green, red, nothing; 64 bytes behind each row."""
    with Image.open(path) as image:
        pixels = rows_of(image.convert("RGB"))
    return b"".join(row + bytes(64) for row in pixels)


def rows_of(image: Image.Image) -> list[bytes]:
    blue, green, red = (channel.tobytes() for channel in reversed(image.split()))
    width, height = image.size
    row = bytearray(width * 4)
    rows = []
    for y in range(height):
        part = slice(y * width, (y + 1) * width)
        row[0::4], row[1::4], row[2::4] = blue[part], green[part], red[part]
        rows.append(bytes(row))
    return rows


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.stem)
def test_a_picture_in_the_documentation_is_what_the_installer_draws(path: Path) -> None:
    assert f"{fnv1a64(screen_memory(path))}  {path.stem}" in GOLDEN.read_text().splitlines()


def test_every_picture_that_is_shown_is_there() -> None:
    text = (ROOT / "docs/installing.md").read_text()
    assert sorted(set(re.findall(r"screens/([a-z-]+)\.png", text))) == [path.stem for path in SCREENS]
