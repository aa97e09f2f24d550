"""Owns the tasks of doit: each step's, and the commands that people have besides.

Must not know formats. What its tasks raise is told by `reporter`.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from doit.task import Task

from pipeline.build.session import Session
from pipeline.cli import commands, realise
from pipeline.cli.graph import ISO, TRACKED, step_tasks, task_names
from pipeline.cli.reporter import JUDGE, told
from pipeline.errors import PipelineError
from pipeline.project.unpinned import INSTALLER, KERNEL

UNPINNED = (KERNEL, INSTALLER)
"""Options of `iso` that `program` has taken before there are tasks: plans depend on them."""

BUILD = "build artifacts/<recipe>/<recipe>.iso, and all that it needs"


def all_tasks(session: Session, words: tuple[str, ...] = (), *, listed: bool = True) -> list[Task]:
    """Return the tasks of a checkout; `words` are doit's own commands, which no step may be called like.

    `listed`: see `step_tasks`.

    A mistake in the files that say what to build must not keep `doctor` or `lock` from running: it
    fails `iso`, and what needs it.
    """
    names: dict[str, str] = {}
    try:
        session.images  # noqa: B018
        names = task_names(session, (*words, *(task.name for task in _command_tasks(session, names))))
    except PipelineError as error:
        mistake = error

        def explain() -> None:
            raise mistake

        return [_task(session, ISO, BUILD, explain), *_command_tasks(session, names)]
    tracked = functools.partial(commands.tell_untracked, session)
    return [
        _iso_task(session, names),
        *_command_tasks(session, names),
        _task(session, TRACKED, "name what goes into the images and is not in git", tracked),
        *step_tasks(session, names, listed=listed),
    ]


def _iso_task(session: Session, names: dict[str, str]) -> Task:
    """Return the task that needs all steps, and says what there is then, each time."""
    return _task(
        session,
        ISO,
        BUILD,
        functools.partial(commands.summarise, session),
        task_dep=list(names.values()),
        has_subtask=True,
        targets=[f"artifacts/{image}/{realise.RECORD}" for image in session.images],
        clean=True,
        params=[
            _option(what, "", f"for a try: take this file as the {what} that is in it; it is no release then")
            for what in UNPINNED
        ],
    )


def _task(session: Session, name: str, doc: str, action: Callable[..., bool | None], **more: Any) -> Task:
    return Task(name, [told(session, action)], doc=doc, io={"capture": False}, **more)


def _installer_task(session: Session, names: dict[str, str]) -> list[str]:
    """Return the name of the task that makes the installer.

    Where a mistake keeps it from being known there is none: the command meets the same mistake, and says it.
    """
    try:
        return [names[commands.installer(session)[1].step.name]]
    except (PipelineError, KeyError):
        return []


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


def _command_tasks(session: Session, names: dict[str, str]) -> Iterator[Task]:
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
        task_dep=[ISO],
        meta={JUDGE: functools.partial(commands.judge_boot_test, session)},
    )
    yield task(
        "boot",
        "boot it in the terminal, to look around",
        commands.boot,
        params=[way, accel, _option("disk", "", "give it an empty disk of this size to install to: 20G")],
        task_dep=[ISO],
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
        task_dep=_installer_task(session, names),
        meta={JUDGE: commands.judge_answers},
    )
    yield task(
        "reproduce",
        "build twice in surroundings that differ on purpose, and compare every artifact",
        commands.reproduce,
        params=_reproduce_params(),
    )
    yield task(
        "explain",
        "STEP: print the command lines of a step, its container, inputs and environment",
        commands.explain,
        pos_arg="names",
    )
    yield task(
        "shell",
        "STEP: a shell in this terminal, in a container that holds all that a step finds",
        commands.shell,
        pos_arg="names",
    )
    yield task(
        "doctor", "say whether this machine can do all that, and what to change if not", commands.doctor
    )
    yield task(
        "lock",
        "resolve containers/*.toml and roots/*.toml to new locks in manifests/; or name some, or `outputs`",
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
