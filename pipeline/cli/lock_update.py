"""`./doit lock --update`: all pins go on to Debian as it is now, with what a person wants to see of that."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import tomlkit

from pipeline.build.builder import Builder
from pipeline.build.session import Session
from pipeline.cli.lock import Change, Consent, Resolved, changes, locked, resolve_now, write_locks
from pipeline.cli.lock_licences import write_licences
from pipeline.config import STAMP_FORMAT
from pipeline.debian.kernel_options import options
from pipeline.debian.lock import Package
from pipeline.debian.packages import download
from pipeline.project import checkout, manifest, versions
from pipeline.project.checkout import Project
from pipeline.report import Report
from pipeline.sandbox.containers import Containers
from pipeline.store.files import write_atomically

SECURITY = "debian-security"
SOURCE = "linux-source-"


def update(session: Session, consent: Consent) -> bool:
    """Resolve all containers and package sets against Debian of this moment, say what changes, and write it.

    Where no package changes nothing is written, unless an update was stopped that had written locks, and no
    manifest yet. Raises as `make_locks` does; returns True.
    """
    report, before = session.report, checkout.load(session.root, match_locks=False)
    checkout.refuse_unreadable_locks(before)
    debian = replace(before.manifest.debian, snapshot=time.strftime(STAMP_FORMAT, time.gmtime()))
    project = replace(before, manifest=replace(before.manifest, debian=debian))
    builder = Builder(session.store, lambda: Containers(session.store, project.sources()))
    resolved = resolve_now(project, builder, (), report, consent)
    found = _changes(project, resolved)
    snapshot = before.manifest.debian.snapshot
    if not found and all(each.snapshot == snapshot for each in before.all_locks.values()):
        report.print(f"nothing is newer than the snapshot {snapshot}", style="green")
        return True
    for text in told(found):
        report.print(text)
    for change in found:
        if _kernel(change.before) and _kernel(change.after):
            _tell_options(project, builder, change, report)
    write_locks(project, builder, resolved, report, consent)
    write_licences(checkout.load(session.root, match_locks=False), session.store, report)
    write_manifest(project)
    report.print(f"written: {manifest.PATH}, and the locks; `./doit iso` builds what they say")
    return True


def _changes(project: Project, resolved: Resolved) -> dict[Change, list[str]]:
    """Return what changes, by package's name, and in which locks."""
    found: dict[Change, list[str]] = {}
    for name, packages in resolved.packages.items():
        for change in changes(locked(project, name), packages):
            found.setdefault(change, []).append(name)
    return dict(sorted(found.items(), key=lambda item: str(item[0])))


def told(found: dict[Change, list[str]]) -> Iterator[str]:
    """Give a line for each change, those that mend security first; how many there are, and moved files."""
    changed = [change for change in found if not _moved(change)]
    mending = [change for change in changed if change.after and change.after.archive == SECURITY]
    yield f"packages that change: {len(changed)}, by security updates: {len(mending)}"
    for change in (*mending, *(change for change in changed if change not in mending)):
        mark = "security: " if change in mending else ""
        yield f"  {mark}{change} ({', '.join(found[change])})"
    if moved := len(found) - len(changed):
        yield f"  packages that only moved within the archive: {moved}"


def _moved(change: Change) -> bool:
    """Tell whether the file is the same, as when a point release takes in what mended security."""
    before, after = change.before, change.after
    return before is not None and after is not None and before.sha256 == after.sha256


def _kernel(package: Package | None) -> bool:
    return package is not None and package.name.startswith(SOURCE)


def _tell_options(project: Project, builder: Builder, change: Change, report: Report) -> None:
    """Say which options Linux gains and loses, and which of those that are lost a fragment names."""
    pair = [package for package in (change.before, change.after) if package]
    with report.step("kernel options", "compare the Kconfig files of both sources") as line:
        paths = download(pair, project.sources(), builder.store, line.progress)
        old, new = options(paths[0]), options(paths[1])
    for text in options_told(project, old, new):
        report.print(text)


def options_told(project: Project, old: set[str], new: set[str]) -> Iterator[str]:
    """Give lines on the options that appear and vanish. Defaults are not told: only a build knows them."""
    for what, names in (("appear", new - old), ("vanish", old - new)):
        if names:
            yield f"  kernel options that {what} ({len(names)}): {' '.join(sorted(names))}"
    gone = old - new
    for path in sorted((project.root / "recipes").rglob("*.config")):
        named = set(re.findall(r"CONFIG_(\w+)", path.read_text(encoding="utf-8"))) & gone
        if named:
            yield f"  {path.relative_to(project.root)} names what vanishes: {' '.join(sorted(named))}"


def write_manifest(project: Project) -> None:
    """Write the project's snapshot, and the version of Linux in the locks, into the manifest people keep."""
    path = project.root / manifest.PATH
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    document["debian"]["snapshot"] = project.manifest.debian.snapshot
    linux = versions.found(project.root, {}, checkout.load(project.root, match_locks=False).locks)
    if versions.LINUX in project.manifest.versions and versions.LINUX in linux:
        document["versions"][versions.LINUX] = linux[versions.LINUX][0]
    write_atomically(path, tomlkit.dumps(document))
