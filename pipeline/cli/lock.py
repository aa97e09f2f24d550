"""`doit lock`: from what containers and images need to exactly which packages that is.

The only part of the program that may look at something that is not pinned yet.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from debian.debian_support import NativeVersion

from pipeline import config
from pipeline.build.build import run_uncached
from pipeline.build.builder import Builder
from pipeline.debian import lock
from pipeline.debian.lock import AnyIntent, AnyLock, Intent, Lock, Package, SetIntent, SetLock
from pipeline.debian.packages import download, verify
from pipeline.errors import ConfigError, PipelineError
from pipeline.plan.step import Step
from pipeline.project.checkout import Project, refuse_unreadable_locks
from pipeline.report import Line, Report
from pipeline.sandbox.image import write_layer
from pipeline.steps import resolve

RESOLVER = "resolver"


@dataclass(frozen=True)
class Consent:
    """What the user accepts: older packages, an unverified mirror."""

    older: bool = False
    mirror: bool = False


def known_dates(project: Project) -> dict[str, str]:
    """Return the dates of the snapshot's indices, as far as locks of it have them.

    Raises ConfigError where two of them have different ones: one was made of what is not the snapshot's.
    """
    known: dict[str, tuple[str, str]] = {}
    mistakes = []
    for name, each in project.all_locks.items():
        of_it = each.indices if each.snapshot == project.manifest.debian.snapshot else {}
        for index, date in of_it.items():
            other, before = known.setdefault(index, (name, date))
            if date != before:
                there = f"{lock.path_of(name)}: indices.{index}"
                mistakes.append(f"{there}: {date} is not {before}, which {lock.path_of(other)} has")
    if mistakes:
        raise ConfigError(
            mistakes, "restore the wrong one from the repository's history, or remove it to make it new"
        )
    return {index: date for index, (_, date) in known.items()}


def archive_sources(project: Project) -> list[dict[str, Any]]:
    """Return where apt looks, as `resolve` takes it."""
    archives = project.manifest.debian.archives
    return [
        {
            "origin": source.origin,
            "urls": {archive: source.url(archive, "").rstrip("/") for archive in archives},
            "dated": bool(source.timestamp),
        }
        for source in project.sources()
    ]


def _step(project: Project, names: Sequence[str], consent: Consent) -> Step:
    if RESOLVER not in project.locks:
        raise ConfigError(
            [f"{lock.path_of(RESOLVER)}: is missing or broken"],
            "restore it from the repository's history: all locks are made with it, its own, too",
        )
    archives, intents = project.manifest.debian.archives, project.all_intents
    return Step(
        name="lock",
        summary="Resolve containers and package sets to exact packages.",
        container=project.lock_of(RESOLVER),
        inputs={},
        outputs=(resolve.DATES, *(f"{name}.json" for name in names)),
        params={
            "sources": archive_sources(project),
            "archives": archives,
            "snapshot": project.manifest.debian.snapshot,
            "dates": known_dates(project),
            "trust_mirror": consent.mirror,
            "wanted": {name: _wanted(name, intents[name]) for name in names},
        },
        run=resolve.resolve,
        network=True,
    )


def _wanted(name: str, intent: AnyIntent) -> dict[str, Any]:
    """Return what `resolve` is told of one lock."""
    own: dict[str, Any] = {
        "essential": False,
        "architecture": lock.meant_by(name)[1],
        "components": (lock.MAIN,),
    }
    if isinstance(intent, SetIntent):
        own = {key: getattr(intent, key) for key in own}
    return {"intent": lock.intent_path_of(name, intent), "packages": intent.packages} | own


@dataclass(frozen=True)
class Resolved:
    """What apt says now: the packages of each container and set, and the dates of the indices naming them."""

    packages: dict[str, tuple[Package, ...]]
    indices: dict[str, str]


def refuse_unknown(project: Project, names: Sequence[str]) -> None:
    """Raise ConfigError where one of these is neither a container nor a package set."""
    unknown = [name for name in names if name not in project.all_intents]
    if unknown:
        raise ConfigError(
            [f"{name}: there is no containers/{name}.toml, and no roots/{name}.toml" for name in unknown],
            f"known: {', '.join(project.all_intents)}",
        )


def resolve_now(
    project: Project, builder: Builder, names: Sequence[str], report: Report, consent: Consent
) -> Resolved:
    """Ask apt for the packages of these (of all, when none is named). Raises as `make_locks` does."""
    refuse_unknown(project, names)
    names = project.locks_meant(names)
    with builder.store.scratch() as out, report.step("resolve", "ask apt for exact packages") as line:
        step = _step(project, names, consent)
        log = project.root / "artifacts" / "logs" / "lock.log"
        run_uncached(step, builder, out, log, line, known_as="apt")
        indices = json.loads((out / resolve.DATES).read_text(encoding="utf-8"))
        packages = {name: read_packages(out / f"{name}.json") for name in names}
    return Resolved(packages, indices)


def make_locks(
    project: Project, builder: Builder, names: Sequence[str], report: Report, consent: Consent
) -> None:
    """Resolve these containers and package sets (all, when none is named) and write their locks.

    Raises ConfigError for one that is not there and for a lock that cannot be read, PipelineError
    when resolving fails, and for packages that would become older without consent.
    """
    refuse_unreadable_locks(project)
    write_locks(project, builder, resolve_now(project, builder, names, report, consent), report, consent)


def write_locks(
    project: Project, builder: Builder, resolved: Resolved, report: Report, consent: Consent
) -> None:
    """Write the locks of what was resolved, once all are made. Raises as `make_locks` does."""
    older = [
        f"{name}: {change}"
        for name, packages in resolved.packages.items()
        for change in changes(locked(project, name), packages)
        if change.older
    ]
    for text in older:
        report.print(f"older than what is locked: {text}", style="yellow")
    if older and not consent.older:
        raise PipelineError(
            f"packages that would become older than they are locked: {len(older)}",
            "a mirror that serves old indices does that; if you want it: `./doit lock --downgrade`",
        )
    made = {}
    for name, packages in resolved.packages.items():
        with report.step(f"lock {name}") as line:
            made[name] = replace(lock_for(project, builder, name, packages, line), indices=resolved.indices)
    for name, each in made.items():
        lock.write(each, project.root / lock.path_of(name))


def check_locks(
    project: Project, builder: Builder, names: Sequence[str], report: Report, consent: Consent
) -> bool:
    """Resolve these (all, when none is named), and say in what their locks differ from that.

    Returns whether none does. Raises as `make_locks` does.
    """
    resolved = resolve_now(project, builder, names, report, consent)
    wrong = []
    for name, packages in resolved.packages.items():
        if name in project.all_locks:
            intent, snapshot = project.all_intents[name], project.manifest.debian.snapshot
            wrong += lock.mismatches(project.all_locks[name], name, intent, snapshot)
        else:
            wrong.append(f"{lock.path_of(name)}: is missing or broken")
        wrong += [f"{lock.path_of(name)}: {each}" for each in changes(locked(project, name), packages)]
    for text in wrong:
        report.print(text, style="yellow")
    if not wrong:
        report.print(f"as apt resolves them now: {', '.join(resolved.packages)}", style="green")
    return not wrong


def locked(project: Project, name: str) -> tuple[Package, ...]:
    """Return the packages of a lock, none where it is not there."""
    return project.all_locks[name].packages if name in project.all_locks else ()


@dataclass(frozen=True)
class Change:
    """One package before and after, either of which may not be there."""

    before: Package | None
    after: Package | None

    @property
    def older(self) -> bool:
        """Whether the package goes down in its version, as Debian orders versions."""
        if self.before is None or self.after is None:
            return False
        return NativeVersion(self.after.version) < NativeVersion(self.before.version)

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            gone = self.after is None
            package = self.before or self.after
            return f"{package.name} {package.version} {'goes' if gone else 'comes'}" if package else ""
        name, before, after = self.before.name, self.before.version, self.after.version
        if before != after:
            return f"{name} {before} becomes {after}"
        if self.before.sha256 == self.after.sha256:
            return f"{name} {before} lies elsewhere: {self.after.archive}/{self.after.path}"
        return f"{name} {before} is another file, of SHA-256 {self.after.sha256}"


def changes(before: Sequence[Package], after: Sequence[Package]) -> list[Change]:
    """Return what differs between two lists of packages, by name."""
    old, new = ({package.name: package for package in packages} for packages in (before, after))
    return [
        Change(old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


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
    project: Project, builder: Builder, name: str, packages: tuple[Package, ...], line: Line
) -> AnyLock:
    """Download the packages, and return the lock that names them, and of a container the layer they make."""
    intent, snapshot = project.all_intents[name], project.manifest.debian.snapshot
    paths = download(packages, project.sources(), builder.store, line.progress)
    verify(packages, paths)
    if not isinstance(intent, Intent):
        return SetLock(name, intent.digest(), snapshot, packages, architecture=intent.architecture)
    container, architecture = lock.meant_by(name)
    draft = Lock(
        container=container,
        intent=intent.digest(),
        snapshot=snapshot,
        layer="0" * 64,
        links=intent.links,
        without=intent.without,
        packages=packages,
        architecture=architecture,
    )
    with builder.store.scratch() as folder:
        return replace(draft, layer=write_layer(draft, paths, folder / "layer.tar"))
