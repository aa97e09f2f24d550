"""A run of the jury: images are made, `inspect` is asked, machines are started, and both are compared."""

import io
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.inspection import cli
from pipeline.steps.runner import Context
from tests.fixtures import keys
from tests.fixtures.workshop import Content, Workshop
from tests.world.jury import compiler, kitchen, loads, machines, stores, tpm, trust, unlocking
from tests.world.jury.machines import TAIL
from tests.world.jury.programs import DONE, WORD, efi
from tests.world.jury.row import Row
from tests.world.jury.signing import by, signed
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
        place = Path(tempfile.mkdtemp(prefix=container, dir=self.folder))
        for name in ("in", "out", "work"):
            (place / name).mkdir()
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
    run: Run, rows: Mapping[str, Row], real: Mapping[str, Path], folder: Path, *, tried: bool = False
) -> dict[str, Path]:
    """Return the images of rows, by name; where they are only `tried`, without what a tool refused."""
    made: dict[str, Path] = {}
    for container in sorted({row.container for row in rows.values()}):
        recipes = {name: row.recipe for name, row in rows.items() if row.container == container}
        out = run(container, kitchen.make, inputs(real), recipes=recipes, tried=tried, done=DONE)
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
    given = {stores.LOADER: keys.pem("loader"), **{f"{name}.json": told(name) for name in chosen}}
    out = run("boot", stores.fill, given, stores=chosen, done=DONE)
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
    every = {way: [name for name, row in rows.items() if way in row.ways] for way in ways}
    loads = {way: names for way, names in every.items() if way in filled and names}
    found = _loaded(run, loads, paths, filled, at_once, patience) if loads else {}
    plain = {way: names for way, names in every.items() if way not in filled and names}
    if not plain:
        return found
    out = run(
        "boot",
        machines.start,
        {**paths, "vmlinuz": kernel, "variables.json": trust.variables()},
        trials=plain,
        alone=[name for name, row in rows.items() if row.alone],
        words={name: row.word for name, row in rows.items()},
        done=DONE,
        machines=at_once,
        patience=patience,
    )
    seen: dict[str, dict[str, Any]] = json.loads((out / "seen.json").read_text())
    return found | {key: {**each, "measured": tpm.heard(each["said"])} for key, each in seen.items()}


def _loaded(
    run: Run,
    ways: Mapping[str, Sequence[str]],
    paths: Mapping[str, Path],
    filled: Mapping[str, Path],
    at_once: int,
    patience: int,
) -> dict[str, dict[str, Any]]:
    """Return by NAME:WAY whether firmware loaded a program, or what stopped it; all are tried on each."""
    names = [name for name in paths if any(name in each for each in ways.values())]
    orders = [loads.Order(number) for number in range(len(names))]
    stored = {way: filled[way] for way in ways}
    said = load(run, [paths[name] for name in names], orders, stored, at_once, patience)
    return {
        f"{name}:{way}": {"started": letter == loads.LOADED, "stopped": loads.STOPPED.get(letter, "")}
        for way, letters in said.items()
        for name, letter in zip(names, letters, strict=True)
        if name in ways[way]
    }


def load(
    run: Run,
    images: Sequence[Path],
    orders: Sequence[loads.Order],
    filled: Mapping[str, Path],
    at_once: int = 0,
    patience: int = 1,
) -> dict[str, str]:
    """Return by way, as `fill` does, what firmware answers to each of the orders: letters as in `loads`.

    Raises RuntimeError where a machine has not come to the end of them.
    """
    code = run("rust", compiler.compiled, {"loads.c": Path(__file__).with_name("loads.c")}, done=DONE)
    given: dict[str, Content] = {
        loads.LOADER: signed(by("loader"))(efi(code=(code / "code").read_bytes())),
        loads.ORDERS: loads.written([image.stat().st_size for image in images], orders),
        **{loads.IMAGE.format(number): image for number, image in enumerate(images)},
        **{path.name: path for path in filled.values()},
    }
    out = run(
        "boot",
        loads.load,
        given,
        ways=list(filled),
        words={loads.LOADER: WORD},
        done=DONE,
        machines=at_once,
        patience=patience,
    )
    said = json.loads((out / "said.json").read_text())
    found = {way: loads.heard(said[way]) for way in filled}
    for way, letters in found.items():
        if len(letters) != len(orders):
            raise RuntimeError(f"{way} answered {len(letters)} of {len(orders)} times: {said[way][-TAIL:]}")
    return found


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
        trial = compare(name, rows[name], way, answers, started=what["started"], stopped=what.get("stopped"))
        if way in unlocking.PROFILES:
            claim = unlocking.claim(found["tree"], found["findings"], unlocking.PROFILES[way])
            trial = unlocking.compare(trial, rows[name], claim, what.get("measured", ()))
        trials.append(trial)
        if trial.agreement == "disagreed":
            reports.append(report(trial, answers, found["findings"]))
    return Session(tuple(trials), tuple(reports))
