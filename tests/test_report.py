"""What a person sees."""

import io
import subprocess
import sys

import pytest

from pipeline.errors import PipelineError
from pipeline.report import QUIET_SECONDS, Line, Report, plain, size_text
from tests.conftest import ROOT


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def report(screen: io.StringIO) -> Report:
    return Report(screen)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5_390_000, "5.4 MB"), (2_400_000_000, "2.4 GB")],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_lines_of_steps_where_nothing_moves(report: Report, screen: io.StringIO) -> None:
    with report.step("uki:x", "Bundle [all].") as line:
        line.note("half [red]done")
        line.progress(1, 2, "objects")
        line.cached = True
    report.unchanged("iso:x")
    assert screen.getvalue().splitlines() == [
        "  uki:x: Bundle [all].",
        "  uki:x: half [red]done",
        "✓ uki:x                                            cached",
        "✓ iso:x                                            unchanged",
    ]


def test_progress_is_told_now_and_then(report: Report, screen: io.StringIO) -> None:
    with report.step("kernel") as line:
        line.progress(1, 9, "objects")
        line.spoke -= QUIET_SECONDS + 1
        line.progress(2, 9, "objects")
        line.progress(3, 9, "objects")
        line.spoke -= QUIET_SECONDS + 1
        line.progress(1000, 2_000_000, "bytes")
        line.cached = True
    assert screen.getvalue().splitlines() == [
        "  kernel: 2 of 9 objects, 0 s",
        "  kernel: 1.0 kB of 2.0 MB, 0 s",
        "✓ kernel                                           cached",
    ]


def fail(report: Report) -> None:
    with report.step("iso"):
        raise KeyboardInterrupt


def test_a_step_that_fails_is_marked(report: Report, screen: io.StringIO) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail(report)
    assert screen.getvalue().split() == ["✗", "iso"]
    assert report.running == 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": "25"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


def test_colours_are_for_terminals(terminal: Terminal, screen: io.StringIO) -> None:
    for file in (terminal, screen):
        Report(file).unchanged("iso:x\x1b[1m")
        Report(file).print("[done]\x07", "bold")
    assert plain(terminal.getvalue()) == screen.getvalue() == f"✓ {'iso:x':48} unchanged\n[done]\\x07\n"
    assert terminal.getvalue().startswith("\x1b[32m✓\x1b[0m iso:x")


def test_what_is_plain_is_printed_without_rich() -> None:
    script = (
        "import sys; from pipeline.report import Report; Report().print('a'); Report().unchanged('b');"
        " sys.exit('rich' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_on_a_terminal_one_line_a_step_is_left(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    report, screen = Report(terminal), terminal
    with report.step("one", "first"), report.step("two", "second") as line:
        line.progress(1, 2, "files")
        assert report.live is not None
        line.cached = True
    assert report.live is None
    text = screen.getvalue()
    assert text.count("✓ one") == text.count("✓ two") == 1


def test_a_table(report: Report, screen: io.StringIO) -> None:
    digest = "a" * 90
    report.table(("artifact", "size:", "SHA-256"), [("efi.img", "5.8 MB", digest), ("a[b]", "1 B", "")])
    assert screen.getvalue().splitlines() == [
        "artifact    size  SHA-256",
        f"efi.img   5.8 MB  {digest}",
        "a[b]         1 B",
    ]


def test_a_table_without_rows(report: Report, screen: io.StringIO) -> None:
    report.table(("artifact", "size:"), [])
    assert screen.getvalue() == "artifact  size\n"


def test_a_name_is_not_taken_for_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    with Report().step("iso:x", ":x: and :rocket:") as line:
        line.cached = True
    assert capsys.readouterr().out.splitlines()[0] == "  iso:x: :x: and :rocket:"


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.error(PipelineError("[bold] is wrong", "mend [it]"))
    report.error(PipelineError("no hint"))
    seen = capsys.readouterr()
    assert (seen.out, seen.err) == (
        "",
        "error: [bold] is wrong\n  hint: mend [it]\nerror: no hint\n",
    )


def test_an_answer_of_an_examination(report: Report, screen: io.StringIO) -> None:
    report.answer("[green]✓[/]", "KVM", "[none]", "add [it]")
    assert screen.getvalue().splitlines() == [
        "✓ KVM                  [none]",
        "                       hint: add [it]",
    ]


def test_a_silent_line_says_nothing() -> None:
    line = Line.silent()
    line.note("x")
    line.progress(1, 2, "x")
    assert not line.cached


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a b\nc é →", "a b\nc é →"),
        ("\x1b[31mred\x1b[0m \x1b[2J\x1b[1;1H", "red "),
        ("\x1b]0;title\x07x\x1b]8;;http://evil\x1b\\y", "xy"),
        ("\x1bc\x1b(0", ""),
        ("bell\x07 back\x08 return\r delete\x7f", "bell\\x07 back\\x08 return\\x0d delete\\x7f"),
        ("csi\x9b31m \x1b", "csi\\x9b31m \\x1b"),
        ("abc\u202efed", "abc\\x202efed"),
    ],
)
def test_a_text_has_no_say_over_the_terminal(
    report: Report, screen: io.StringIO, text: str, seen: str
) -> None:
    assert plain(text) == seen
    report.print(text)
    report.table((text,), [])
    with report.step(text.replace("\n", "")) as line:
        line.note(text)
    assert screen.getvalue().startswith(f"{seen}\n")
    assert not set(screen.getvalue()) & set("\x1b\x07\x08\r\x7f\x9b\u202e")


def test_an_error_has_no_say_over_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Report().error(PipelineError("\x1b[2Jgone", "\x1b]0;x\x07"))
    assert "\x1b" not in capsys.readouterr().err
