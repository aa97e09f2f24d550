"""The corresponding sources of what images consist of: Debian's source packages, as licences ask for them.

Linux is built from a package that is its source, and crates are sources: an archive of inputs has both.
"""

import json
import re
from pathlib import Path
from urllib.parse import unquote

from pipeline.build.build import run_uncached
from pipeline.build.session import Session
from pipeline.cli.lock import RESOLVER, archive_sources
from pipeline.debian.deb import control
from pipeline.debian.lock import Package
from pipeline.debian.packages import WAY_OUT, download
from pipeline.plan.step import Step
from pipeline.report import Line
from pipeline.steps import resolve_sources
from pipeline.store.cache import Blob
from pipeline.store.download import fetch
from pipeline.store.inputs import Member, member
from pipeline.store.reply import FetchError

LINKED = re.compile(r"systemd-boot-efi|musl-dev|libgcc-[0-9]+-dev|rust(-web|-[0-9.]+)?-src")
"""Packages of containers of which steps put something into images: the UKI's stub, programs' libraries."""

SIGNATURE = ".asc"
"""Ends the name of what its authors sign a tarball with: some mirrors lack it, and it is no source."""

SOURCE = re.compile(r"(\S+)(?: \(=? ?(\S+)\))?")


def source_files(session: Session, line: Line) -> dict[Member, Path]:
    """Return the files of the source packages of all package sets, and of what is linked into images.

    Raises PipelineError for those that no source of Debian has any more, once all others are in the store.
    """
    wanted = sorted(_wanted(session, line))
    project, builder = session.project, session.builder
    step = Step(
        name="sources",
        summary="Find Debian's source packages.",
        container=project.lock_of(RESOLVER),
        inputs={},
        outputs=("sources.json",),
        params={
            "sources": archive_sources(project),
            "archives": project.manifest.debian.archives,
            "wanted": wanted,
        },
        run=resolve_sources.resolve,
        network=True,
    )
    with session.store.scratch() as out:
        log = session.root / "artifacts" / "logs" / "sources.log"
        run_uncached(step, builder, out, log, line, known_as="apt")
        found = json.loads((out / "sources.json").read_text(encoding="utf-8"))
    files, missing = dict[Member, Path](), []
    for package, parts in found.items():
        for part in parts:
            path = unquote(part["path"])  # apt quotes it for URLs, the .dsc does not
            blob, what = Blob(part["sha256"], part["size"]), f"source file {path.rpartition('/')[2]}"
            urls = [source.url(part["archive"], part["path"]) for source in project.sources()]
            try:
                place = fetch(session.store, blob, urls, what)
            except FetchError as error:
                if path.endswith(SIGNATURE):
                    line.note(f"{path}: left out, no source has it")
                elif session.store.stopped.is_set():
                    raise
                else:
                    missing.append(f"\n  {error.message}")
                continue
            files[member(f"sources/{part['archive']}/{path}", blob, what)] = place
        line.note(f"{package}: {len(parts)} files")
    if missing:
        said = f"no source has {len(missing)} of the source files, all others are in the cache:"
        raise FetchError(said + "".join(missing), WAY_OUT)
    return files


def _wanted(session: Session, line: Line) -> set[tuple[str, str]]:
    """Return the source packages of what images consist of, each with its version."""
    project = session.project
    packages = [package for lock in project.set_locks.values() for package in lock.packages]
    for lock in project.locks.values():
        packages += [package for package in lock.packages if LINKED.fullmatch(package.name)]
    packages = list(dict.fromkeys(packages))
    paths = download(packages, project.sources(), session.store, line.progress)
    return {
        each
        for package, path in zip(packages, paths, strict=True)
        for each in sources_of(package, control(path))
    }


def sources_of(package: Package, said: dict[str, str]) -> set[tuple[str, str]]:
    """Return the source packages that a package was built from, by its control file (deb-control(5)).

    Besides its own they are those whose code was linked into it.
    """
    match = SOURCE.fullmatch(said.get("source", package.name))
    found = {(match[1], match[2] or package.version)} if match else {(package.name, package.version)}
    for field in ("built-using", "static-built-using"):
        for one in filter(None, said.get(field, "").split(", ")):
            if (match := SOURCE.fullmatch(one)) and match[2]:
                found.add((match[1], match[2]))
    return found
