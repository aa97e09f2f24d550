"""A run of the jury: images are made, `inspect` is asked, machines are started, and both are compared."""

import io
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.inspection import cli
from pipeline.steps.runner import Context
from tests.fixtures.workshop import Content, Workshop
from tests.world.jury import kitchen, machines, stores, tpm, trust, unlocking
from tests.world.jury.programs import DONE
from tests.world.jury.row import Row
from tests.world.jury.table import inputs
from tests.world.jury.told import told
from tests.world.jury.verdict import Trial, compare, report

Run = Callable[..., Path]
"""Runs a step's function: container, function, inputs and parameters; returns the folder of its outputs.

Raises RuntimeError where it fails."""


@dataclass(frozen=True)
class Here:
    """Runs steps' functions with this machine's own programs, without containers."""

    folder: Path

    def __call__(
        self, container: str, function: Callable[[Context], None], given: Mapping[str, Content], **params: Any
    ) -> Path:
        place = self.folder / container
        for name in ("in", "out", "work"):
            (place / name).mkdir(parents=True)
        found = {}
        for name, content in given.items():
            found[name] = place / "in" / name
            if isinstance(content, bytes):
                found[name].write_bytes(content)
            else:
                found[name].symlink_to(Path(str(content)).resolve())
        with (place / "log").open("w") as log, redirect_stdout(log):
            function(Context(found, params, place / "out", place / "work"))
        return place / "out"


@dataclass(frozen=True)
class InContainers:
    """Runs them in the project's containers."""

    workshop: Workshop

    def __call__(
        self, container: str, function: Callable[[Context], None], given: Mapping[str, Content], **params: Any
    ) -> Path:
        out, said = self.workshop.run(container, function, given, **params)
        if not (out / DONE).exists():
            raise RuntimeError("\n".join(said.splitlines()[-20:]))
        return out


def make(
    run: Run, rows: Mapping[str, Row], kernel: Path, folder: Path, *, tried: bool = False
) -> dict[str, Path]:
    """Return the images of rows, by name; where they are only `tried`, without what a tool refused."""
    made: dict[str, Path] = {}
    for container in sorted({row.container for row in rows.values()}):
        recipes = {name: row.recipe for name, row in rows.items() if row.container == container}
        out = run(container, kitchen.make, inputs(kernel), recipes=recipes, tried=tried, done=DONE)
        made |= {name: out / name for name in recipes if not tried or (out / name).exists()}
    for name, path in made.items():
        change = rows[name].change
        if change:
            made[name] = folder / name
            made[name].write_bytes(change(path.read_bytes()))
    return made


def fill(run: Run, names: Iterable[str] = stores.STORES) -> dict[str, Path]:
    """Return variable stores by their ways."""
    chosen = list(names)
    if not chosen:
        return {}
    out = run("boot", stores.fill, {f"{name}.json": told(name) for name in chosen}, stores=chosen, done=DONE)
    return {f"store_{name}": out / f"{name}.fd" for name in chosen}


def ask_all(
    rows: Mapping[str, Row], paths: Mapping[str, Path], filled: Mapping[str, Path]
) -> dict[str, dict[str, Any]]:
    """Return what is said of each row, and by NAME:WAY what is said of those on a machine with a store."""
    plain = {name: path for name, path in paths.items() if set(rows[name].ways) - set(filled)}
    said = ask(plain)
    for way, store in filled.items():
        here = {name: path for name, path in paths.items() if way in rows[name].ways}
        said |= {f"{name}:{way}": one for name, one in ask(here, "--secure-boot", str(store)).items()}
    return said


def ask(paths: Mapping[str, Path], *options: str) -> dict[str, dict[str, Any]]:
    """Return what `inspect --json` says of each file: `answers` by question, `findings`, and its `tree`.

    What it does not take for anything that boots has no answers.
    """
    if not paths:
        return {}
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(io.StringIO()):
        cli.main(["--json", *options, *map(str, paths.values())])
    files = json.loads(said.getvalue())["files"]
    return {
        name: {
            "answers": {answer["question"]: answer for answer in file["answers"]},
            "findings": file["findings"],
            "tree": file["tree"],
        }
        for name, file in zip(paths, files, strict=True)
    }


def start(
    run: Run,
    rows: Mapping[str, Row],
    paths: Mapping[str, Path],
    kernel: Path,
    filled: Mapping[str, Path],
    ways: Iterable[str],
    at_once: int,
    patience: int = 1,
) -> dict[str, dict[str, Any]]:
    """Return by NAME:WAY what machines did, and what their TPMs said."""
    trials = {way: [name for name, row in rows.items() if way in row.ways] for way in ways}
    out = run(
        "boot",
        machines.start,
        {
            **paths,
            "vmlinuz": kernel,
            "variables.json": trust.variables(),
            **{path.name: path for path in filled.values()},
        },
        trials={way: names for way, names in trials.items() if names},
        alone=[name for name, row in rows.items() if row.alone],
        words={name: row.word for name, row in rows.items()},
        done=DONE,
        machines=at_once,
        patience=patience,
    )
    found: dict[str, dict[str, Any]] = json.loads((out / "seen.json").read_text())
    return {key: {**seen, "measured": tpm.heard(seen["said"])} for key, seen in found.items()}


@dataclass(frozen=True)
class Session:
    """What a run came to, and what to read where both disagree."""

    trials: tuple[Trial, ...]
    reports: tuple[str, ...]


def judge(
    rows: Mapping[str, Row], said: Mapping[str, Mapping[str, Any]], seen: Mapping[str, Mapping[str, Any]]
) -> Session:
    """Compare what was said of rows with what was seen."""
    trials, reports = [], []
    for key, what in seen.items():
        name, way = key.split(":")
        found = said.get(key) or said[name]
        answers = found["answers"]
        trial = compare(name, rows[name], way, answers, started=what["started"])
        if way in unlocking.PROFILES:
            claim = unlocking.claim(found["tree"], found["findings"], unlocking.PROFILES[way])
            trial = unlocking.compare(trial, rows[name], claim, what.get("measured", ()))
        trials.append(trial)
        if trial.agreement == "disagreed":
            reports.append(report(trial, answers, found["findings"]))
    return Session(tuple(trials), tuple(reports))
