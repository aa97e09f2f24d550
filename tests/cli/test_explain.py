"""./doit explain and ./doit shell, on steps that need no container; and a shell in a real one."""

import io
import os
import pty
import select
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.cli import explain, realise
from pipeline.errors import PipelineError
from pipeline.plan.step import Source, Step
from pipeline.report import Report
from pipeline.sandbox.containers import Containers
from pipeline.sandbox.docker import Engine
from pipeline.sandbox.run import Work
from pipeline.store.cache import CommandLine
from tests.conftest import ROOT
from tests.fixtures.toy_step import Shop, shop_below


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    return shop_below(tmp_path, monkeypatch)


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def toys(shop: Shop, screen: io.StringIO) -> Session:
    session = Session(shop.root, Report(screen))
    first = shop.step(name="toy:first", published={})
    called = shop.step(
        "call", name="toy:called", inputs={"made": first.output("made"), "text": Source(shop.text)}
    )
    taken = Step("taken:x", "Take it.", {"text": Source(shop.text)}, ("text",))
    plans = {"x": (first, called, taken)}
    vars(session).update(plans=plans, images=plans, disks={}, builder=shop.builder())
    return session


def test_what_a_step_runs(toys: Session, shop: Shop, screen: io.StringIO) -> None:
    realise.realise(toys, toys.plans["x"])
    assert shop.engine.runs == ["upper", "call"]
    explain.explain(toys, ["toy:called"])
    out = shop.engine.folder / "1/out"
    said = screen.getvalue().splitlines()
    assert said[said.index("# step toy:called: ") :] == [
        "# step toy:called: ",
        "# container toy (installer-iso/toy:2222222222222222)",
        "# a shell in it: ./doit shell toy:called",
        "# inputs, in /build/in:",
        "#   made: made of step toy:first",
        "#   text: text",
        "# outputs, to /build/out: made",
        "# what is no command below is done by toy_steps:call; all of it: python3 -m pipeline.steps.runner",
        "export HOME=/build/work",
        "export LC_ALL=C.UTF-8",
        "export PATH=/usr/bin:/usr/sbin",
        "export PYTHONDONTWRITEBYTECODE=1",
        "export PYTHONPATH=/build/src",
        "export TZ=UTC",
        "export SOURCE_DATE_EPOCH=1795219200",
        "cd /build/work",
        "true 'a b'",
        f"(cd {out} && GREETING='good day' true)",  # TZ is what it is anyway
    ]
    explain.explain(toys, ["toy"])
    assert shop.engine.runs == ["upper", "call"]


def test_a_step_that_is_not_built_is_explained_at_once(
    toys: Session, shop: Shop, screen: io.StringIO
) -> None:
    explain.explain(toys, ["toy"])
    said = screen.getvalue().splitlines()
    assert "#   made: made of step toy:first" in said
    assert said[-3:] == ["cd /build/work", explain.UNKNOWN, "# to build it: ./doit toy:called"]
    assert shop.engine.runs == []


def test_a_result_that_does_not_say_what_ran(toys: Session, shop: Shop, screen: io.StringIO) -> None:
    step = toys.plans["x"][0]
    realise.realise(toys, [step])
    key, result = toys.builder.key(step), toys.builder.result(step)
    assert key
    assert result
    shop.store.record(key, replace(result, commands=None))
    explain.explain(toys, ["toy:first"])
    assert screen.getvalue().splitlines()[-2:] == [
        explain.FETCHED,
        "# to build it, and all it needs: ./doit toy:first --from-source",
    ]
    assert shop.engine.runs == ["upper"]


def test_a_step_that_runs_nothing(toys: Session, screen: io.StringIO) -> None:
    explain.explain(toys, ["taken"])
    assert screen.getvalue().splitlines()[-2:] == [
        "# step taken:x: Take it.",
        "# nothing runs: it takes files as they are",
    ]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (CommandLine(("true",)), "true"),
        (CommandLine(("echo", "a b", "", "$x")), "echo 'a b' '' '$x'"),
        (CommandLine(("make",), "/build/work", {"A": "1 2"}), "A='1 2' make"),
        (CommandLine(("make",), "/build/work/a b"), "(cd '/build/work/a b' && make)"),
    ],
)
def test_a_command_can_be_pasted(command: CommandLine, line: str) -> None:
    assert explain.pasted(command) == line


@pytest.mark.parametrize(
    ("call", "names", "said"),
    [
        (explain.explain, [], "no step is named\n  hint: name one, such as uki; `./doit list` shows all"),
        (
            explain.explain,
            ["toi"],
            "'toi' is not a step\n  hint: did you mean `toy`? `./doit list` shows all",
        ),
        (explain.shell, ["?"], "'?' is not a step\n  hint: `./doit list` shows all"),
        (
            explain.shell,
            ["toy"],
            "a shell is for one step, these are 2\n  hint: name one of toy:first, toy:called",
        ),
        (
            explain.shell,
            ["taken"],
            "step taken:x runs nothing: it only copies files\n  hint: `./doit list` shows all",
        ),
        (
            explain.shell,
            ["toy:called"],
            "standard input is not a terminal\n  hint: `./doit explain toy:called` prints what to run in one",
        ),
    ],
)
def test_what_cannot_be_explained_or_entered(
    toys: Session, monkeypatch: pytest.MonkeyPatch, call: Any, names: list[str], said: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(PipelineError) as caught:
        call(toys, names)
    assert str(caught.value) == said


def test_a_shell_finds_what_the_step_would(
    toys: Session, shop: Shop, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached: list[tuple[str, Work]] = []

    def attach(containers: Containers, work: Work) -> int:
        attached.append((containers.conditions.instead, work))
        return 1  # of the last command in the shell, which is nobody's failure

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr(Containers, "attach", attach)
    monkeypatch.setattr(Session, "project", property(lambda _: Project()))
    explain.shell(toys, ["toy:called"])
    ((instead, work),) = attached
    assert instead == explain.SHELL
    assert (work.step.name, work.files["made"].read_text()) == ("toy:called", "ABC!")
    assert explain.UNKNOWN in screen.getvalue().splitlines()
    assert shop.engine.runs == ["upper"]


class Project:
    """A checkout that looks for packages nowhere."""

    def sources(self) -> list[Any]:
        return []


STEP = "kernel-config:installer"  # it needs no other
LONG = 300  # seconds: the container's image may have to be loaded


@pytest.mark.container
def test_a_shell_in_a_real_container(engine: Engine) -> None:
    assert engine
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-I", "-X", "utf8", "dodo.py", "shell", STEP])  # noqa: S606
    said, asked, give_up = b"", False, time.monotonic() + LONG
    while time.monotonic() < give_up:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            said += os.read(terminal, 1 << 16)
        except OSError:  # its other end is closed
            break
        if not asked and said.endswith(b"$ "):
            os.write(terminal, b"pwd; ls ../in; id -u; env | grep -c .; touch /x || exit 7\n")
            asked = True
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    lines = said.decode().replace("\r", "").splitlines()
    assert "export TZ=UTC" in lines
    after = lines[lines.index("/build/work") :]
    assert after[:3] == ["/build/work", "base.config  installer.config", "1000"]
    assert "Read-only file system" in after[4]
