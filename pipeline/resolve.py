"""Owns `doit lock`: from what containers need to exactly which packages they are made of.

Must not know doit. The only part of the program that may look at something that is not pinned yet.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline import config, containers, lock, sandbox
from pipeline.errors import ConfigError
from pipeline.lock import Lock, Package
from pipeline.mirrors import Snapshot
from pipeline.project import Project
from pipeline.report import Line, Report
from pipeline.step import Step
from pipeline.steps import resolve as inside
from pipeline.surroundings import StepError, Surroundings

RESOLVER = "resolver"


def _step(project: Project, names: Sequence[str]) -> Step:
    if RESOLVER not in project.locks:
        raise ConfigError(
            [f"{lock.path_of(RESOLVER)}: is missing or broken"],
            "restore it from the repository's history: all locks are made with it, its own, too",
        )
    archives = project.manifest.debian.archives
    sources = [
        {
            "origin": source.origin,
            "urls": {archive: source.url(archive, "").rstrip("/") for archive in archives},
            "dated": isinstance(source, Snapshot),
        }
        for source in project.sources()
    ]
    return Step(
        name="lock",
        summary="Resolve containers to exact packages.",
        container=project.lock_of(RESOLVER),
        inputs={},
        outputs=tuple(f"{name}.json" for name in names),
        params={
            "sources": sources,
            "archives": archives,
            "snapshot": project.manifest.debian.snapshot,
            "containers": {name: project.intents[name].packages for name in names},
        },
        run=inside.resolve,
        network=True,
    )


def make_locks(project: Project, around: Surroundings, names: Sequence[str], report: Report) -> None:
    """Resolve these containers (all, when none is named) and write their locks.

    Raises ConfigError for a container that is not there, PipelineError when resolving fails.
    """
    unknown = [name for name in names if name not in project.intents]
    if unknown:
        known = ", ".join(project.intents)
        raise ConfigError(
            [f"{name}: there is no containers/{name}.toml" for name in unknown], f"known: {known}"
        )
    names = list(names) or list(project.intents)
    with around.store.scratch() as scratch:
        with report.step("resolve", "ask apt for exact packages") as line:
            step = _step(project, names)
            log = project.root / "artifacts" / "logs" / "lock.log"
            (scratch / "out").mkdir()
            status, error = sandbox.run(step, around, scratch, log, line)
            if status != 0:
                said = error or {"message": f"apt ended with status {status}", "hint": ""}
                raise StepError(said["message"], said["hint"] or f"its log: {log}")
        for name in names:
            with report.step(f"lock {name}") as line:
                packages = read_packages(scratch / "out" / f"{name}.json")
                made = lock_for(project, around, name, packages, line)
                lock.write(made, project.root / lock.path_of(name))


def read_packages(path: Path) -> tuple[Package, ...]:
    """Read what apt resolved, as strictly as a lock."""
    mistakes: list[str] = []
    packages = [
        package
        for item in json.loads(path.read_text())
        if (package := config.validate(Package, item, path.name, mistakes)) is not None
    ]
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(packages)


def lock_for(
    project: Project, around: Surroundings, name: str, packages: tuple[Package, ...], line: Line
) -> Lock:
    """Download the packages, make their layer, and return the lock that names both."""
    intent = project.intents[name]
    draft = Lock(
        container=name,
        intent=intent.digest(),
        snapshot=project.manifest.debian.snapshot,
        layer="0" * 64,
        links=intent.links,
        without=intent.without,
        packages=packages,
    )
    paths = containers.download(packages, around.sources, around.store, line.progress)
    with around.store.scratch() as folder:
        return replace(draft, layer=containers.write_layer(draft, paths, folder / "layer.tar"))
