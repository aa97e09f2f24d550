"""The pages in a real browser: on a phone and on a desk, light and dark, printed; nothing of them leaves it.

The browser's container is locked in `browser/`: Debian mends it every week.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.build.session import Session
from pipeline.checks.finding import POLICIES
from pipeline.plan.step import Source, Step
from pipeline.release.pages.report_page import report
from pipeline.release.pages.run_page import run_report
from pipeline.report import Line
from pipeline.sandbox.docker import Engine
from pipeline.sandbox.run import run
from tests.conftest import ROOT
from tests.fixtures import browser, own_locks
from tests.fixtures import release_pages as release

WIDTHS, SCHEMES = (360, 800, 1400), ("light", "dark")
PAGES = ("report.html", "run.html")
PAPER = {"light": (0xFF, 0xFF, 0xFF), "dark": (0x12, 0x17, 0x1D)}
ELSEWHERE = "http://elsewhere.example/x.png"
WRONG = f"""\
<!doctype html><title>wrong</title><div style="width:3000px">wide</div><img src="{ELSEWHERE}">
<script>console.log("said"); nothing()</script>
"""


@dataclass(frozen=True)
class Seen:
    """What came of a look at all pages: `told` of each, and pictures in `folder`."""

    folder: Path
    told: Mapping[str, Any]


def pages(folder: Path) -> dict[str, Path]:
    """Write the pages of a release that is made up, and one that is wrong; return where they are."""
    made = release.release(folder / "release")
    (folder / "run.json").write_text(json.dumps(release.RUN))
    tests = {"acme": release.boot_test(folder / "boot-test", ROOT / "docs/screens")}
    texts = {
        "report.html": report(made, "ACME", "1.1", release.EPOCH, tuple(POLICIES)),
        "run.html": run_report(folder / "run.json", "ACME", "1.1", tests),
        "wrong.html": WRONG,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {name: folder / name for name in texts}


@pytest.fixture(scope="module")
def seen(session: Session, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    assert engine
    folder, found = tmp_path_factory.mktemp("browser"), own_locks.locked("browser")
    containers = own_locks.containers(session, found)
    step = Step(
        name="browser",
        summary="",
        container=found,
        inputs={name: Source(path) for name, path in pages(folder).items()},
        outputs=(),
        params={"epoch": release.EPOCH, "widths": WIDTHS, "schemes": SCHEMES},
        run=browser.look,
    )
    out = folder / "out"
    out.mkdir()
    log = folder / "log"
    with own_locks.fetching("browser"):
        work = session.builder.work(step, Line.silent())
        assert run(containers, work, out, log).error is None, log.read_text()
    return Seen(out, json.loads((out / "seen.json").read_text()))


@pytest.mark.container
@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_said_on_the_console_and_nothing_leaves_the_page(seen: Seen, page: str) -> None:
    told = seen.told[page]
    assert told["said"] == []
    assert {asked.partition(",")[0] for asked in told["asked"]} - {"data:image/png;base64"} == {
        f"file:///build/in/{page}"
    }


@pytest.mark.container
@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_wider_than_its_screen(seen: Seen, page: str) -> None:
    assert seen.told[page]["widths"] == {str(width): width for width in WIDTHS}


@pytest.mark.container
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_page_is_light_or_dark_as_people_want_it(seen: Seen, page: str, width: int, scheme: str) -> None:
    with Image.open(seen.folder / f"{page.removesuffix('.html')}-{width}-{scheme}.png") as image:
        assert image.width == width
        assert image.convert("RGB").getpixel((2, 2)) == PAPER[scheme]


@pytest.mark.container
@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_printed(seen: Seen, page: str) -> None:
    printed = (seen.folder / f"{page.removesuffix('.html')}.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 1


@pytest.mark.container
def test_the_test_sees_what_a_page_must_not_do(seen: Seen) -> None:
    told = seen.told["wrong.html"]
    assert ELSEWHERE in told["asked"]
    assert "said" in json.dumps(told["said"])
    assert "nothing is not defined" in json.dumps(told["said"])
    assert max(told["widths"].values()) > 3000
