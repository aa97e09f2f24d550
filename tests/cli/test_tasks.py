"""doit itself, on this checkout and on broken copies of it."""

import inspect
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from doit.exceptions import TaskError, TaskFailed

from pipeline.build.session import Session
from pipeline.cli import reporter
from pipeline.cli.program import MOST, workers
from pipeline.cli.tasks import COMMANDS, Command, named
from pipeline.errors import PipelineError
from pipeline.plan.step import distinct
from pipeline.report import Report
from tests.conftest import ROOT

DOIT = (sys.executable, "-I", "-X", "utf8", "dodo.py")
NAMES = [
    "iso",
    "image",
    "test",
    "boot-test",
    "boot",
    "burn",
    "inspect",
    "diff",
    "measure",
    "attest",
    "release",
    "sign",
    "keys",
    "addon",
    "verify",
    "answers",
    "reproduce",
    "explain",
    "shell",
    "doctor",
    "lock",
    "vendor",
    "pin",
    "new",
    "bench",
    "cache",
    "gc",
]
STEPS = [
    "kernel-config",
    "kernel",
    "rust-std",
    "crates",
    "dependencies",
    "appliance",
    "node",
    "packages",
    "initramfs",
    "uki",
    "installer",
    "kernels-apart",
    "hardening",
    "efi-img",
    "netboot",
    "installed",
    "disk",
    "modules",
    "root",
    "filesystem",
    "verity",
    "stage1",
    "systemd-boot",
    "update",
    "store",
    "boot-tree",
    "grub",
    "partition-set",
    "grub-iso",
    "service",
]
COPIED = ("dodo.py", "doit", "containers", "manifests", "pipeline", "programs", "recipes", "roots")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "target")


def doit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"INSTALLER_ISO_CACHE": str(folder / "cache")}
    return subprocess.run(
        [*DOIT, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=LEFT_OUT, symlinks=True)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def listed(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split()[0] for line in done.stdout.splitlines()]


def test_the_tasks_and_their_order() -> None:
    done = doit(ROOT, "list")
    assert (listed(done), done.stderr) == (NAMES + STEPS, "")
    assert all(len(line.split()) > 1 for line in done.stdout.splitlines())


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_what_a_command_names_takes_its_options(command: Command) -> None:
    options = {each["name"]: each["default"] for each in command.params}
    if command.words:
        options[command.words] = []
    for where in filter(None, (command.action, command.judge)):
        inspect.signature(named(where)).bind(None, **options)


def test_a_mistake_fails_what_makes_something_alone(copy: Path) -> None:
    recipe = copy / "recipes/truthdb-installer/recipe.toml"
    recipe.write_text(recipe.read_text().replace('"TRUTHDB_INSTALL"', '"no such name"'))
    done = doit(copy, "iso")
    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        "error: recipes/truthdb-installer/recipe.toml: iso.volume_id: 'no such name' is not a volume"
        " identifier (at most 16 of A-Z, 0-9 and _)"
    ]
    assert done.stdout == ""
    assert doit(copy, "explain", "kernel").stderr == done.stderr
    assert doit(copy, "kernel:installer").stderr == done.stderr  # which is no step as long as that stands
    assert not (copy / "artifacts/truthdb-installer").exists()
    assert listed(doit(copy, "list")) == NAMES
    done = doit(copy, "gc", "--days", "-1")
    assert done.stderr.startswith("error: --days -1: is negative\n")


def test_no_records_are_kept_that_could_be_locked_or_damaged(copy: Path) -> None:
    (copy / "artifacts").mkdir()
    (copy / "artifacts/.doit.db").write_text("not what it was")
    asked = ("gc", "--days", "-1")
    assert doit(copy, *asked).stderr.startswith("error: --days -1: is negative\n")
    (copy / "artifacts/.doit.db").unlink()
    doit(copy, *asked)
    assert list((copy / "artifacts").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], MOST),
        (["iso"], MOST),
        (["-a", "kernel", "uki:x"], MOST),
        (["boot"], 0),
        (["iso", "boot-test"], 0),
    ],
)
def test_steps_alone_are_made_at_once(arguments: list[str], expected: int) -> None:
    assert workers(arguments, {"iso", "kernel", "uki:x"}) == expected


def test_no_kernel_waits_for_a_step_that_it_does_not_need() -> None:
    steps = distinct(step for plan in Session(ROOT, Report()).images.values() for step in plan)
    assert len([step for step in steps if not step.needs()]) <= MOST


STOPPED = """\
import os, signal, sys, threading
from pathlib import Path
from types import SimpleNamespace
from pipeline.cli import commands, entry, program, realise
from pipeline.errors import PipelineError
from pipeline.build.session import Session
from pipeline.plan.step import Step

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
stopped, both = threading.Event(), threading.Barrier(2, timeout=20)
started = []

def make(_session, step):
    if both.wait() == 0:
        os.kill(os.getpid(), int(sys.argv[2]))
        if not stopped.wait(5):  # Python was about to wait, and notices it with the next one
            os.kill(os.getpid(), int(sys.argv[2]))
    if not stopped.wait(20):
        sys.exit("nobody stopped it")
    sys.stdout.write(f"{step} cleans up\\n")
    sys.stdout.flush()
    raise PipelineError("the engine went away")

realise.is_current = lambda *_: False
realise.realise_step = make
commands.tell_untracked = lambda _session: None
Session.images = Session.plans = {"x": tuple(Step(name, "", {}, ()) for name in ("a", "b"))}
Session.disks = {}
Session.builder = SimpleNamespace(stop=stopped.set)
Session.stop = lambda self: (setattr(self, "stopping", True), stopped.set())
program.workers = lambda *_: 2
sys.exit(entry.main(Path(sys.argv[1]), ["iso"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_steps_of_all_threads_and_lets_them_clean_up(
    tmp_path: Path, number: signal.Signals
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, tmp_path, str(int(number))],
        cwd=ROOT,
        env=os.environ | {"INSTALLER_ISO_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")
    assert sorted(done.stdout.splitlines()) == ["a cleans up", "b cleans up", reporter.STOPPED]


def test_an_engine_that_is_not_there(copy: Path) -> None:
    env = os.environ | {
        "INSTALLER_ISO_CACHE": str(copy / "cache"),
        "DOCKER_HOST": f"unix://{copy}/none.sock",
    }
    done = subprocess.run([*DOIT, "iso"], cwd=copy, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        "error: no container engine answers:",
        f"    unix://{copy}/none.sock: no such socket",
        "  hint: start Docker or Podman (`systemctl --user start podman.socket`), or set DOCKER_HOST",
    ]


def test_a_file_that_git_does_not_know_stops_a_build_in_ci(copy: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=copy, check=True)
    subprocess.run(
        ["git", "add", "recipes", "programs", "containers", "manifests", "roots"], cwd=copy, check=True
    )
    stray = copy / "recipes/truthdb-installer/rootfs/etc/.inittab.swp"
    stray.touch()
    env = {"INSTALLER_ISO_CACHE": str(copy / "cache"), "DOCKER_HOST": "unix:///nowhere"}
    done = subprocess.run(
        [*DOIT, "iso"],
        cwd=copy,
        env=os.environ | env | {"CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[:2] == [
        "error: the image contains files that git does not track:",
        f"    {stray.relative_to(copy)}",
    ]
    assert "no container engine answers" not in done.stderr


def test_an_error_is_told_and_fails_the_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise PipelineError("it is wrong", "mend it")

    told = reporter.told(Session(tmp_path, Report()), fail)
    assert [told(), told()] == [False, False]
    assert capsys.readouterr().err == "error: it is wrong\n  hint: mend it\n"


@pytest.mark.parametrize(("returned", "good"), [(None, True), (True, True), (False, False)])
def test_only_false_is_failure(tmp_path: Path, returned: bool | None, good: bool) -> None:
    assert reporter.told(Session(tmp_path, Report()), lambda: returned)() is good


def test_a_key_that_stops_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        reporter.told(Session(tmp_path, Report()), stop)()
    assert caught.value.code == 130
    assert capsys.readouterr().out == "stopped; what was finished is kept\n"


def test_the_reporter_tells_only_what_nobody_else_does(capsys: pytest.CaptureFixture[str]) -> None:
    told = reporter.Reporter(Session(ROOT, Report()))
    told.execute_task("x")
    told.add_failure("x", TaskFailed("told already"))
    told.add_failure("x", TaskError("a defect"))
    told.runtime_error("doit's own")
    seen = capsys.readouterr()
    assert (seen.out, seen.err) == ("", "a defect\ndoit's own\n")
