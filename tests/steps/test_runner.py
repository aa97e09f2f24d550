"""What happens inside a container, in this process: a step's commands, and what the host is told."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import runner
from pipeline.steps.runner import Context


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return Context({}, {}, tmp_path, tmp_path)


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_a_command_s_output_is_returned_logged_and_seen(
    ctx: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    assert ctx.run(sh("echo one; echo two >&2"), on_line=seen.append) == "one\ntwo\n"
    assert seen == ["one", "two"]
    event = '\x1e{"event": "command", "argv": ["sh", "-c", "echo one; echo two >&2"], "cwd": "", "env": {}}'
    assert capsys.readouterr().out == f"+ sh -c echo one; echo two >&2\n{event}\none\ntwo\n"


def test_a_command_s_surroundings(ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "a")
    (tmp_path / "sub").mkdir()
    assert ctx.run(sh("echo $A$B; pwd"), env={"B": "b"}) == f"ab\n{tmp_path}\n"
    assert ctx.run(["pwd"], cwd=tmp_path / "sub") == f"{tmp_path}/sub\n"
    assert ctx.run(["cat"]) == ""


def test_a_command_that_fails_is_quoted_with_its_last_lines(ctx: Context) -> None:
    with pytest.raises(PipelineError) as caught:
        ctx.run(sh("seq 30; exit 7"))
    last = "\n".join(str(number) for number in range(11, 31))
    assert str(caught.value) == f"sh failed with status 7:\n{last}"


def test_a_command_that_is_not_there(ctx: Context) -> None:
    with pytest.raises(PipelineError) as caught:
        ctx.run(["mkfs.none"])
    assert str(caught.value) == (
        "mkfs.none: not found in the builder container\n"
        "  hint: name the Debian package that has it in containers/*.toml, then run `./doit lock`"
    )


STEP = """
from pipeline.errors import PipelineError

def good(ctx):
    ctx.progress(1, 2, "files")
    ctx.note("half")
    (ctx.out / "made").write_text(ctx.inputs["x"].read_text() + ctx.params["end"] + ctx.work.name)

def bad(ctx):
    raise PipelineError("it is wrong", "mend it")
"""


def events(out: str) -> list[dict[str, Any]]:
    lines = [line for line in out.split("\n") if line]
    assert all(line.startswith("\x1e") for line in lines)
    return [json.loads(line[1:]) for line in lines]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("in", "out", "work", "src"):
        (tmp_path / name).mkdir()
    (tmp_path / "in/x").write_text("x")
    (tmp_path / "src/inside_toy.py").write_text(STEP)
    monkeypatch.syspath_prepend(tmp_path / "src")
    monkeypatch.delitem(sys.modules, "inside_toy", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")  # the step sets it, for this process
    return tmp_path


def main(root: Path, function: str) -> int:
    step = {
        "machine": "x86_64", "module": "inside_toy", "function": function, "params": {"end": "!"}, "epoch": 7
    }  # fmt: skip
    (root / "step.json").write_text(json.dumps(step))
    return runner.main(root)


def test_a_step_that_works(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(root, "good") == 0
    assert (root / "out/made").read_text() == "x!work"
    assert os.environ["SOURCE_DATE_EPOCH"] == "7"
    assert events(capsys.readouterr().out) == [
        {"event": "progress", "done": 1, "total": 2, "unit": "files"},
        {"event": "note", "text": "half"},
    ]


def test_a_step_that_says_why_it_fails(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(root, "bad") == runner.FAILED
    assert events(capsys.readouterr().out) == [
        {"event": "error", "message": "it is wrong", "hint": "mend it"}
    ]


def test_a_container_of_another_machine(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "6", "1", "aarch64")))
    assert main(root, "good") == runner.FAILED
    assert events(capsys.readouterr().out) == [
        {
            "event": "error",
            "message": "the builder container runs on 'aarch64', not on x86_64",
            "hint": "use an engine that runs containers of x86_64",
        }
    ]
    assert list((root / "out").iterdir()) == []


def test_a_mistake_in_a_step_is_not_hidden(root: Path) -> None:
    with pytest.raises(AttributeError):
        main(root, "none")


def test_a_terminal_gets_no_events(
    ctx: Context, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    ctx.note("said")
    ctx.run(["true"])
    assert capsys.readouterr().out == "+ true\n"
