"""Whether what the locks pin can still be downloaded: each source is asked for each file, and sends none.

Besides this project's locks these are those of folders below that are laid out as it is: its tests have some.
"""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli.crates import crate_urls
from pipeline.cli.wheels import LOCK, missing
from pipeline.debian import lock, mirrors
from pipeline.debian.lock import Lock
from pipeline.errors import ConfigError, PipelineError
from pipeline.plan.programs import built_crate
from pipeline.project import git
from pipeline.project.checkout import Project
from pipeline.project.manifest import PATH
from pipeline.report import Report
from pipeline.store.download import lacks

AT_ONCE = 8


@dataclass(frozen=True)
class Pin:
    """A file that some lock pins: what people call it, its size in bytes, if known, and where it may be."""

    what: str
    size: int | None
    urls: tuple[str, ...]


def pins(project: Project, names: Sequence[str], stopped: threading.Event) -> Iterator[Pin]:
    """Give the packages of these locks; of all, with crates and the manifest's pins, where none is named.

    Each is there once. Raises ConfigError for a lock that cannot be read, FetchError where crates.io does not
    say where its crates are.
    """
    meant = project.locks_meant(names)
    locks = [each for name, each in project.all_locks.items() if name in meant]
    packages = dict.fromkeys(package for each in locks for package in each.packages)
    wanted = dict.fromkeys(packages, project.sources())
    for each in nested_locks(project.root) if not names else ():
        debian = project.manifest.debian
        sources = mirrors.sources(debian.snapshot_url, each.snapshot, debian.mirror)
        wanted = dict.fromkeys(each.packages, sources) | wanted
    for package, sources in wanted.items():
        urls = tuple(source.url(package.archive, package.path) for source in sources)
        yield Pin(f"Debian package {package.name} {package.version}", package.size, urls)
    if names:
        return
    for what, url in crate_urls(cargo_locks(project), stopped).items():
        yield Pin(f"crate {what}", None, (url,))
    manifest = project.manifest
    for table, pinned in (("artifacts", manifest.artifacts), ("payload", manifest.payload)):
        for name, pin in pinned.items():
            if pin.url:
                yield Pin(f"{PATH}: {table}.{name}", pin.size, (pin.url,))


def _tracked(root: Path, pattern: str) -> list[Path]:
    """Return the files below `root` that git knows and a pathspec matches; none where it is no checkout."""
    top = git.checkout_of(root)
    return [root / name for name in git.ask(root, "ls-files", "-z", "--", pattern)] if top else []


def nested_locks(root: Path) -> list[Lock]:
    """Return the locks of containers in folders below `root` that are laid out as it is.

    Raises ConfigError for one that cannot be read.
    """
    mistakes: list[str] = []
    intents = [path for path in _tracked(root, "*/containers/*.toml") if path.is_file()]
    places = [(path.parents[1], path.stem) for path in intents]
    found = [
        lock.read(Lock, place, name, mistakes)
        for place, name in places
        if (place / lock.path_of(name)).exists()
    ]
    if mistakes:
        raise ConfigError(mistakes, "restore it from the repository's history")
    return [each for each in found if each]


def cargo_locks(project: Project) -> list[Path]:
    """Return each Cargo.lock of a program, and all others that git knows."""
    programs = ((name, called) for name, recipe in project.recipes.items() for called in recipe.programs)
    crates = [crate for name, called in programs if (crate := built_crate(project, name, called))]
    found = {crate.workspace / "Cargo.lock" for crate in crates} | set(_tracked(project.root, "*Cargo.lock"))
    return sorted(path for path in found if path.is_file())


def nowhere(pin: Pin, stopped: threading.Event) -> str:
    """Return what each of its sources says, "" where one has it."""
    reasons = []
    for url in pin.urls:
        lack = lacks(url, pin.size, stopped)
        if lack and not lack.final:
            lack = lacks(url, pin.size, stopped)
        if not lack:
            return ""
        reasons.append(f"\n    {url}: {lack.reason}")
    return "".join(reasons)


def check_pins(project: Project, names: Sequence[str], report: Report, stopped: threading.Event) -> bool:
    """Say which pinned files no source has any more; return whether there are none such.

    Raises PipelineError as `pins` does.
    """
    there = _check_files(project, names, report, stopped)
    return (bool(names) or _check_wheels(project.root, report)) and there


def _check_wheels(root: Path, report: Report) -> bool:
    if not (root / LOCK).is_file():
        return True
    with report.step("wheels", "ask the package index"), tempfile.TemporaryDirectory() as scratch:
        wrong = missing(root, Path(scratch))
    if wrong:
        said = "".join(f"\n    {each}" for each in wrong)
        report.print(f"{LOCK}: the index has not all of it any more:{said}", style="yellow")
        return False
    report.print(f"all packages of {LOCK} can still be downloaded", style="green")
    return True


def _check_files(project: Project, names: Sequence[str], report: Report, stopped: threading.Event) -> bool:
    wanted = list(pins(project, names, stopped))
    wrong = 0
    with report.step("pins", "ask for each pinned file") as line, ThreadPoolExecutor(AT_ONCE) as pool:
        asked = pool.map(lambda pin: nowhere(pin, stopped), wanted)
        try:
            for done, (pin, said) in enumerate(zip(wanted, asked, strict=True), 1):
                line.progress(done, len(wanted), "files")
                if said:
                    report.print(f"{pin.what}: no source has it:{said}", style="yellow")
                    wrong += 1
        except BaseException as error:
            if not isinstance(error, PipelineError):  # Ctrl-C reaches only this thread
                stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    if not wrong:
        report.print(f"all {len(wanted)} pinned files can still be downloaded", style="green")
    return not wrong
