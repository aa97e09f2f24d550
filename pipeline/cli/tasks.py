"""Owns steps and commands as the tasks of doit, and how doit is configured.

Must not know formats. What its tasks raise is told by `reporter`.
"""

import functools
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.build.session import Session
from pipeline.cli import commands
from pipeline.cli.reporter import DISK, JUDGE, Reporter, told
from pipeline.errors import PipelineError
from pipeline.plan.step import Step
from pipeline.report import Report

Task = dict[str, Any]

TRACKED = "_tracked"
STEP = "_step"
"""What steps' tasks begin with: doit does not list such names, people have the commands below."""


def _step_name(image: str, step: Step) -> str:
    """Return the name of a step's task: recipes may share steps, but each publishes for itself."""
    return f"{STEP}:{image}/{step.name}"


def load(root: Path, *, workers: int = 0) -> tuple[dict[str, Any], Callable[[], Iterator[Task]]]:
    """Return doit's configuration, and the function that makes all tasks of the checkout `root`.

    `workers` is how many tasks may run at once, each in a thread; 0 keeps all of them in this one.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        session = Session(root, Report())
        (root / "artifacts").mkdir(exist_ok=True)
    except PipelineError as error:
        Report().error(error)
        raise SystemExit(1) from None
    except OSError as error:
        Report().error(PipelineError(f"{error.filename}: {error.strerror}", DISK))
        raise SystemExit(1) from error
    config = {
        "default_tasks": ["iso"],
        "backend": "sqlite3",
        "dep_file": ":memory:",  # what is up to date is asked of the cache, never of doit's own records
        "num_process": workers,
        "par_type": "thread",
        "reporter": Reporter(session),
        "sort": "definition",
        "verbosity": 2,
    }

    def all_tasks() -> Iterator[Task]:
        yield from _image_tasks(session)
        yield from _command_tasks(session)

    return config, all_tasks


def _task(session: Session, name: str, doc: str, action: Callable[..., bool | None], **more: Any) -> Task:
    return {
        "basename": name,
        "doc": doc,
        "actions": [told(session, action)],
        "io": {"capture": False},
    } | more


def _image_tasks(session: Session) -> Iterator[Task]:
    """Yield a task for each step, and `iso`, which needs them all.

    A mistake in the files that say what to build must not keep `doctor` or `lock` from running: it
    fails `iso`, and what needs it.
    """
    iso = "build artifacts/<recipe>/<recipe>.iso"
    try:
        images = session.images
    except PipelineError as error:
        mistake = error

        def explain() -> None:
            raise mistake

        yield _task(session, "iso", iso, explain)
        return
    yield _task(
        session,
        "iso",
        iso,
        functools.partial(commands.summarise, session),
        task_dep=[_step_name(image, step) for image, steps in images.items() for step in steps],
    )
    yield _task(
        session,
        TRACKED,
        "name what goes into the images and is not in git",
        functools.partial(commands.tell_untracked, session),
    )
    first: dict[str, str] = {}
    for name, steps in images.items():
        for step in steps:
            yield _step_task(session, name, step, first.setdefault(step.name, name))


def _step_task(session: Session, image: str, step: Step, first: str) -> Task:
    """Return the task of a step for an image: one that it shares with the image `first` is made for that one.

    Otherwise two that run at once would wait for each other's result.
    """
    needed = [_step_name(image, each) for each in step.needs()]
    shared = [_step_name(first, step)] if first != image else []
    return {
        "basename": STEP,
        "name": f"{image}/{step.name}",
        "doc": step.summary,
        "actions": [told(session, functools.partial(commands.realise_step, session, image, step))],
        "io": {"capture": False},
        "task_dep": [TRACKED, *needed, *shared],
        "uptodate": [functools.partial(commands.is_current, session, image, step)],
    }


def _installer_task(session: Session) -> list[str]:
    """Return the name of the task that makes the installer.

    Where a mistake keeps it from being known there is none: the command meets the same mistake, and says it.
    """
    try:
        image, made = commands.installer(session)
    except PipelineError:
        return []
    return [_step_name(image, made.step)]


def _option(name: str, default: str | bool | int, explained: str) -> dict[str, Any]:
    return {
        "name": name,
        "long": name.replace("_", "-"),
        "type": type(default),
        "default": default,
        "help": explained,
    }


def _reproduce_params() -> list[dict[str, Any]]:
    return [
        _option("vary", "", "vary only these: names with commas between them, such as clock,order"),
        _option("step", "", "build and compare one step only: kernel, uki, iso, ..."),
        _option("without", "", "leave one step out, such as kernel"),
        _option("diffoscope", False, "where something differs, add diffoscope's full report"),
    ]


def _command_tasks(session: Session) -> Iterator[Task]:
    def task(name: str, doc: str, action: Callable[..., bool | None], **more: Any) -> Task:
        return _task(session, name, doc, functools.partial(action, session), **more)

    fast = _option("fast", False, "unit tests only: nothing that needs a container or a virtual machine")
    way = _option("way", "", "boot in one way only: cd, usb or disk")
    only = _option("only", "", "ways of booting and installations by name, with commas between them")
    accel = _option("accel", "auto", "what the virtual machine runs on: auto, kvm or tcg")
    days = _option("days", 30, "keep what a build of the last DAYS days used")
    yield task("test", "all tests; --fast for those that need no container", commands.test, params=[fast])
    yield task(
        "boot-test",
        "boot that ISO, install from it, start what was installed, and say what happened",
        commands.boot_test,
        params=[
            only,
            accel,
            _option("seed", 0, "repeat the power cuts of an earlier test, which said its seed"),
        ],
        task_dep=["iso"],
        meta={JUDGE: functools.partial(commands.judge_boot_test, session)},
    )
    yield task(
        "boot",
        "boot it in the terminal, to look around",
        commands.boot,
        params=[way, accel, _option("disk", "", "give it an empty disk of this size to install to: 20G")],
        task_dep=["iso"],
        meta={JUDGE: commands.judge_boot},
    )
    yield task(
        "inspect",
        "say of any boot image whether it will boot, and why not; --help says more",
        commands.inspect,
        pos_arg="arguments",
    )
    yield task(
        "answers",
        "--check FILE: say what an answer file will make the installer do, or what is wrong with it",
        commands.answers,
        params=[_option("check", "", "the answer file, see docs/unattended.md")],
        task_dep=_installer_task(session),
        meta={JUDGE: commands.judge_answers},
    )
    yield task(
        "reproduce",
        "build twice in surroundings that differ on purpose, and compare every artifact",
        commands.reproduce,
        params=_reproduce_params(),
    )
    yield task(
        "doctor", "say whether this machine can do all that, and what to change if not", commands.doctor
    )
    yield task(
        "lock",
        "resolve containers/*.toml to new locks in manifests/; or name some, or `outputs`",
        commands.lock,
        params=[
            _option("check", False, "write nothing: say whether the locks are what apt resolves now"),
            _option("downgrade", False, "lock packages that are older than those that are locked"),
            _option(
                "trust_mirror", False, "believe a mirror's index where the snapshot archive is out of reach"
            ),
        ],
        pos_arg="names",
    )
    yield task(
        "pin",
        "NAME FILE|URL: write where a file from outside comes from, its SHA-256 and size into the manifest",
        commands.pin,
        pos_arg="arguments",
    )
    yield task(
        "new",
        "FOLDER --product NAME: make a project of your own, for another product, that builds at once",
        commands.new,
        params=[_option("product", "", "what the product is called")],
        pos_arg="arguments",
    )
    yield task("bench", "measure", commands.bench)
    yield task(
        "gc", "show what the cache holds and remove what no recent build used", commands.gc, params=[days]
    )
