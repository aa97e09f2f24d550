"""The page of a run: times, verdicts and pictures, in the order in which they came."""

import base64
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import PipelineError
from pipeline.release.pages.run_facts import gather_run, thumbnail
from pipeline.release.pages.run_page import run_report
from tests.fixtures.html import Page
from tests.fixtures.release_pages import EVIL, RUN, boot_test, picture


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(RUN))
    return path


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.json").write_text(json.dumps(RUN))
    return run_report(folder / "run.json", "ACME", "1.1", {"acme": boot_test(folder / "boot-test")})


@pytest.mark.parametrize(
    "said",
    [
        "made 2026-11-27T06:32:21+00:00",
        f"by {EVIL}@host",
        "416 s of work in 3 steps",
        f"kernel:acme 412.5 s {EVIL} 3.0 s iso 0.8 s",
        "2 + 2 boots and installations of acme",
        "acme: cd passed kvm firmware 1.2 s kernel 2.5 s greeting on screen 3.8 s welcome, 3.7 s",
        f"2.500 {EVIL} 3.700 screenshot welcome.png",
        f"acme: usb failed kvm usb: it never came to init {EVIL}",
        "by-hand passed 61 s installed: 33.0 s install welcome confirm progress done",
        f"evil failed 61 s {EVIL}",
    ],
)
def test_it_says(text: str, said: str) -> None:
    assert said in Page(text).text


def test_what_is_quoted_is_text_and_pictures_are_in_the_page(text: str) -> None:
    found = Page(text)
    assert found.wrong == []
    assert "script" not in found.names
    pictures = [lead for lead in found.leads if not lead.startswith("#")]
    assert len(pictures) == 2 * 1 + 2 * 4
    for each in pictures:
        assert base64.b64decode(each.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert {lead.removeprefix("#") for lead in found.leads if lead.startswith("#")} <= found.ids


def test_what_ran_first_comes_first(text: str) -> None:
    said = Page(text).text
    places = [said.index(each) for each in ("acme: usb", "acme: cd", "by-hand passed", "evil failed")]
    assert places == sorted(places)


def test_how_long_each_part_of_a_boot_took_is_its_share_of_the_longest(text: str) -> None:
    assert re.findall(r'class="s\d" style="width:([0-9.]+)%" title="(\w+)', text)[:2] == [
        ("32.0", "firmware"),
        ("34.67", "kernel"),
    ]


def test_without_boot_tests_there_are_times_alone(record: Path) -> None:
    assert Page(run_report(record, "ACME", "1.1", {})).ids == {"time"}


def test_nothing_was_made_and_nothing_was_reached(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN | {"seconds": {}}))
    folder = boot_test(tmp_path / "boot-test")
    (folder / "cd/result.json").write_text(
        json.dumps({"way": "cd", "accel": "tcg", "passed": False, "seconds": {}})
    )
    assert (
        "0 s of work in 0 steps" in Page(run_report(tmp_path / "run.json", "A", "1", {"acme": folder})).text
    )


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("run.json", "{}", "run.json: made: this key is missing"),
        ("boot-test/cd/result.json", '{"way": "cd"}', "result.json: accel: this key is missing"),
        ("boot-test/cd/timeline.json", "{}", "timeline.json: is no timeline of a boot"),
        ("boot-test/install/evil/result.json", "", "result.json: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_what_cannot_be_read_is_an_error(record: Path, path: str, content: str, message: str) -> None:
    folder = boot_test(record.parent / "boot-test")
    (record.parent / path).write_text(content)
    with pytest.raises(PipelineError) as raised:
        gather_run(record, "ACME", "1.1", {"acme": folder})
    assert raised.value.message.splitlines()[0] == message


def test_a_thumbnail_is_small_and_looks_the_same(tmp_path: Path) -> None:
    picture(tmp_path / "x.png", "#123456", (1280, 800))
    png, width, height = thumbnail(tmp_path / "x.png")
    assert (width, height) == (480, 300)
    (tmp_path / "small.png").write_bytes(png)
    with Image.open(tmp_path / "small.png") as small:
        assert (small.size, small.convert("RGB").getpixel((0, 0))) == ((480, 300), (0x12, 0x34, 0x56))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF"])
def test_what_is_no_picture_is_an_error(tmp_path: Path, content: bytes) -> None:
    if content == b"GIF":  # a good one: nobody takes pictures of screens so
        Image.new("RGB", (8, 8)).save(tmp_path / "x.gif")
        content = (tmp_path / "x.gif").read_bytes()
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(PipelineError, match=r"^x\.png is no picture: "):
        thumbnail(tmp_path / "x.png")


def test_half_a_picture_is_an_error(tmp_path: Path) -> None:
    picture(tmp_path / "x.png", "red")
    content = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(PipelineError):
        thumbnail(tmp_path / "x.png")
