"""`doit doctor`: whether this machine can build and boot images, and what to change if not.

Each examination answers one question and never raises.
"""

import contextlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import requests

from pipeline.build.session import Session
from pipeline.cli.boot_test import CONTAINER
from pipeline.cli.kvm import foreign, remembered
from pipeline.debian.lock import AMD64, Lock
from pipeline.debian.mirrors import Mirror, sources
from pipeline.errors import PipelineError
from pipeline.project import checkout
from pipeline.report import size_text
from pipeline.sandbox.discovery import connect
from pipeline.sandbox.docker import Engine
from pipeline.store.reply import SameOriginSession, ca_bundle

SPACE_NEEDED = 8 * 10**9  # bytes: packages, layers and their images, a kernel's object files, results
SLOWER = "boot tests run without it, in a few seconds more"
MEMORY_NEEDED = 2 * 2**30  # bytes: for the linker, and for a virtual machine


class Mark(Enum):
    """How an answer is shown; only BAD makes the command fail."""

    GOOD = "[green]✓[/]"
    FAIR = "[yellow]![/]"
    BAD = "[red]✗[/]"


@dataclass(frozen=True)
class Answer:
    """One line: `subject` and what was found, and what to do where that is not good."""

    mark: Mark
    subject: str
    found: str
    hint: str = ""


def python(_session: Session) -> Iterator[Answer]:
    """Is this Python new enough?"""
    yield Answer(Mark.GOOD, "Python", f"{platform.python_version()} in {sys.prefix}")


def files(session: Session) -> Iterator[Answer]:
    """Do recipes, manifest and locks hold together?"""
    if not checkout.is_one(session.root):
        yield Answer(Mark.FAIR, "files", "no project is here", "`new FOLDER --product NAME` makes one")
        return
    try:
        project = session.project
    except PipelineError as error:
        yield Answer(Mark.BAD, "files", error.message, error.hint)
    else:
        containers, sets = len({each.container for each in project.locks.values()}), len(project.set_locks)
        locked = f"{containers} locked containers, {sets} locked package sets"
        yield Answer(Mark.GOOD, "files", f"{len(project.recipes)} recipes, {locked}")


def engine(session: Session) -> Iterator[Answer]:
    """Is there a container engine, and does it run our containers?"""
    try:
        found = connect()
        mark = Mark.FAIR if found.warning else Mark.GOOD
        yield Answer(mark, "container engine", found.describe(), found.warning)
        locks = _locks(session)
        yield _machine(found, [lock for lock in locks if lock.architecture == AMD64])
        if any(lock.container == CONTAINER for lock in locks):
            session.project.lock_of(CONTAINER, found.architecture)  # virtual machines need it
    except PipelineError as error:
        yield Answer(Mark.BAD, "container engine", error.message, error.hint)


def _locks(session: Session) -> list[Lock]:
    try:
        return list(session.project.locks.values())
    except PipelineError:
        return []


def _machine(found: Engine, locks: list[Lock]) -> Answer:
    """Have a container say what machine it runs on, if one is loaded: that is what counts."""
    images = {lock.container: found.image_id(lock.tag, lock.layer) for lock in locks}
    loaded = {container: image for container, image in images.items() if image}
    if not loaded:
        return Answer(Mark.GOOD, "builder containers", "none loaded yet: the first build makes them")
    said = found.machine(next(iter(loaded.values())))
    names = ", ".join(loaded)
    if said == "x86_64":
        return Answer(Mark.GOOD, "builder containers", f"{names} loaded; they run on {said}")
    hint = "use an engine that runs linux/amd64"
    return Answer(Mark.BAD, "builder containers", f"they run on {said}", hint)


def kvm(session: Session) -> Iterator[Answer]:
    """Will virtual machines be fast?"""
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        fault = None
        with contextlib.suppress(PipelineError):
            found = connect()
            lock = session.project.lock_of(CONTAINER, found.architecture)
            fault = foreign(lock) or remembered(session.store, found, lock)
        if fault:
            yield Answer(Mark.FAIR, "KVM", f"/dev/kvm {fault}", SLOWER)
        else:
            tried = "a guest runs on it" if fault is not None else "the next boot test tries it"
            yield Answer(Mark.GOOD, "KVM", f"/dev/kvm can be used by this user; {tried}")
    else:
        yield Answer(Mark.FAIR, "KVM", "not for this user", SLOWER)


def space(session: Session) -> Iterator[Answer]:
    """Is there room for the cache, and may this user write there?"""
    folder = session.store.root
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        yield Answer(
            Mark.BAD, "cache", f"{existing} is not writable", "set INSTALLER_ISO_CACHE to a folder that is"
        )
    elif free < SPACE_NEEDED:
        hint = "free some (`./doit gc`), or set INSTALLER_ISO_CACHE to another disk"
        needed = size_text(SPACE_NEEDED)
        yield Answer(
            Mark.FAIR, "cache", f"{folder}: {size_text(free)} free, a first build may need {needed}", hint
        )
    else:
        yield Answer(Mark.GOOD, "cache", f"{folder}: {size_text(free)} free")


def memory(_session: Session) -> Iterator[Answer]:
    """Is there memory for a kernel's linker and a virtual machine?"""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    text = f"{total / 2**30:.1f} GiB, {os.cpu_count()} CPUs"
    if total < MEMORY_NEEDED:
        yield Answer(Mark.FAIR, "memory", text, "2 GiB are needed where containers run")
    else:
        yield Answer(Mark.GOOD, "memory", text)


def debian(session: Session) -> Iterator[Answer]:
    """Can Debian's packages be fetched, from where?"""
    reasons = []
    try:
        found = _sources(session)
    except PipelineError as error:  # a mirror that is chosen and is no URL
        yield Answer(Mark.BAD, "Debian packages", error.message, error.hint)
        return
    for source in found:
        url = source.url("debian", f"dists/{_suite(session)}/InRelease")
        try:
            answer = SameOriginSession().head(url, timeout=10, verify=ca_bundle(), allow_redirects=True)
            answer.raise_for_status()
        except PipelineError as error:  # a CA bundle that is not there
            yield Answer(Mark.BAD, "Debian packages", error.message, error.hint)
            return
        except requests.RequestException as error:
            reasons.append(f"{url}: {type(error).__name__}")
        else:
            yield Answer(Mark.GOOD, "Debian packages", f"from {source.origin}: {url.partition('/dists')[0]}")
            return
    hint = (
        "set INSTALLER_ISO_DEBIAN_MIRROR to the folder above `debian` of a mirror; mind proxy and CA settings"
    )
    yield Answer(Mark.BAD, "Debian packages", "; ".join(reasons), hint)


def _suite(session: Session) -> str:
    """Return a suite that this checkout wants of the archive `debian`."""
    try:
        return session.project.manifest.debian.archives["debian"][0]
    except (PipelineError, LookupError):
        return "stable"


def _sources(session: Session) -> list[Mirror]:
    """Return the sources of this checkout; without a readable manifest, those that need none."""
    try:
        return session.project.sources()
    except PipelineError:
        return sources("", "")[:-1]


EXAMINATIONS: tuple[Callable[[Session], Iterator[Answer]], ...] = (
    python,
    files,
    engine,
    kvm,
    memory,
    space,
    debian,
)


def examine(session: Session) -> bool:
    """Print every answer; return whether this machine can do all that."""
    good = True
    for examination in EXAMINATIONS:
        for answer in examination(session):
            session.report.answer(answer.mark.value, answer.subject, answer.found, answer.hint)
            good = good and answer.mark is not Mark.BAD
    return good
