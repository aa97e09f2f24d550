"""Pages that are made of the code are what the code makes of them."""

from typing import Any

import pytest

from pipeline.checks import handbook
from pipeline.checks.catalog import KINDS
from pipeline.checks.finding import Rule
from tests.conftest import ROOT

RULES = [rule for kind in KINDS.values() for rule in (*kind.rules, *kind.together)]


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
    assert rule.fix.endswith(".")
    assert not rule.holds.endswith(".")


def test_every_code_is_on_the_page_once() -> None:
    lines = [line for line in handbook.write().splitlines() if line.startswith("### ")]
    codes = [line.removeprefix("### ").partition(":")[0] for line in lines]
    known = {code for kind in KINDS.values() for code in (kind.unreadable, *_codes(kind)) if code}
    assert sorted(codes) == sorted(known)


def _codes(kind: Any) -> list[str]:
    return [rule.code for rule in (*kind.rules, *kind.together)]
