"""`./doit vendor`: every input that the locks name, in one archive, from which `./doit iso --offline` builds.

What a step fetches by itself, the crates of a Cargo.lock, is in it as that step makes it: a locked output.
"""

import functools
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from pipeline.build.session import Session
from pipeline.cli.wheels import wheels
from pipeline.debian.lock import Package
from pipeline.errors import PipelineError
from pipeline.plan.step import Step, file_name
from pipeline.project import outputs
from pipeline.report import Line, size_text
from pipeline.store.cache import Blob, Store
from pipeline.store.inputs import WHEELS, Member, member, write

SOURCES = "--sources"
USAGE = "`./doit vendor FILE`"


def vendor(session: Session, arguments: list[str], sources: bool = False) -> None:
    """Write the archive that the arguments name; what was fetched for one that was interrupted is kept.

    Raises PipelineError for what cannot be fetched, and for what a step fetches and is not locked.
    """
    if SOURCES in arguments:  # doit takes options in front of words
        arguments, sources = [each for each in arguments if each != SOURCES], True
    if len(arguments) != 1:
        raise PipelineError(f"vendor takes one file, got {len(arguments)}", USAGE)
    here = os.environ.get("INSTALLER_ISO_CALLED_FROM", str(session.root))
    target = Path(os.path.normpath(Path(here, arguments[0])))
    if target.is_dir():
        raise PipelineError(f"{arguments[0]}: is a folder", f"name the file to write: {USAGE}")
    if not target.parent.is_dir():
        raise PipelineError(f"{arguments[0]}: there is no folder {target.parent}", "make it first")
    report, store, files = session.report, session.store, dict[Member, Path]()
    with report.step("vendor:packages", "Debian's, of all containers and package sets") as line:
        files |= _packages(session, line)
    files |= _pinned(session)
    for name, steps in session.steps.items():
        step = next(iter(steps.values()))
        if step.network:
            with report.step(f"vendor:{name}", step.summary) as line:
                files |= _made(session, step, line)
    with report.step("vendor:wheels", "the Python packages of this program") as line:
        found = wheels(session.root, store, line)
        files |= {
            member(f"{WHEELS}/{name}", blob, "Python package"): _place(store, blob)
            for name, blob in found.items()
        }
    if sources:
        from pipeline.cli.sources import source_files  # few archives have them

        with report.step("vendor:sources", "Debian's source packages of what is in the images") as line:
            files |= source_files(session, line)
    total = sum(each.size for each in files)
    with report.step(f"vendor:{target.name}") as line:
        size = write(target, files, functools.partial(_show, line, total))
    report.print(f"{session.shown(target)}: {len(files)} files, {size_text(size)}", style="bold")
    report.print(f"  to build from it:  ./doit iso --offline --inputs {session.shown(target)}")


def _place(store: Store, blob: Blob) -> Path:
    return store.root / "blobs" / blob.sha256


def _packages(session: Session, line: Line) -> dict[Member, Path]:
    from pipeline.debian.packages import download, verify

    packages = locked_packages(session)
    paths = download(packages, session.project.sources(), session.store, line.progress)
    verify(packages, paths)
    files = {}
    for each, path in zip(packages, paths, strict=True):
        what = f"Debian package {each.name} {each.version}"
        files[Member(f"{each.archive}/{unquote(each.path)}", each.size, each.sha256, what)] = path
    return files


def locked_packages(session: Session) -> tuple[Package, ...]:
    """Return the Debian packages of all locks, each once."""
    locks = session.project.all_locks.values()
    return tuple(dict.fromkeys(package for lock in locks for package in lock.packages))


def _pinned(session: Session) -> dict[Member, Path]:
    """Fetch what the manifest names by a URL; what it names by a path comes with the checkout."""
    from pipeline.store.download import fetch

    files = {}
    manifest = session.project.manifest
    for table, pins in (("artifacts", manifest.artifacts), ("payload", manifest.payload)):
        for name, pin in pins.items():
            if pin.url:
                blob, what = Blob(pin.sha256, pin.size), f"{table}.{name}"
                with session.report.step(f"vendor:{what}", pin.url) as line:
                    show = functools.partial(_show, line, pin.size)
                    path = fetch(session.store, blob, [pin.url], what, show)
                files[member(f"pinned/{what}", blob, pin.url)] = path
    return files


def _show(line: Line, total: int, done: int) -> None:
    line.progress(done, total, "bytes")


def _made(session: Session, step: Step, line: Line) -> dict[Member, Path]:
    """Return what a step with network makes, as the lock has it: from the cache, else it is run."""
    from pipeline.build.build import build_step

    builder = session.builder
    if set(builder.locked.get(builder.key(step) or "", {})) != set(step.outputs):
        raise PipelineError(
            f"step {step.name}: {outputs.PATH} does not say what it makes of the present inputs",
            f"without that no archive is trusted: build, then run `./doit lock {outputs.NAME}`",
        )
    build_step(replace(step, published={}), builder, session.folder(next(iter(session.images))), line)
    result = builder.result(step)
    files = {}
    for name, blob in (result.outputs if result else {}).items():
        path = builder.output(step.output(name), line)
        files[member(f"steps/{file_name(step.name)}/{name}", blob, f"{name} of step {step.name}")] = path
    return files
