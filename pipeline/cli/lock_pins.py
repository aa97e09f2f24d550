"""Whether what the locks pin can still be downloaded: each source is asked for each file, and sends none."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.errors import PipelineError
from pipeline.project.checkout import Project
from pipeline.project.manifest import PATH
from pipeline.report import Report
from pipeline.store.download import lacks

AT_ONCE = 8
TRIES = 2


@dataclass(frozen=True)
class Pin:
    """A file that some lock pins: what people call it, its size in bytes, and where it is looked for."""

    what: str
    size: int
    urls: tuple[str, ...]


def pins(project: Project, names: Sequence[str]) -> Iterator[Pin]:
    """Give the packages of these locks, each once; of all, and the manifest's pins, where none is named."""
    sources = project.sources()
    meant = project.locks_meant(names)
    locks = [lock for name, lock in project.all_locks.items() if name in meant]
    for package in dict.fromkeys(package for lock in locks for package in lock.packages):
        urls = tuple(source.url(package.archive, package.path) for source in sources)
        yield Pin(f"Debian package {package.name} {package.version}", package.size, urls)
    manifest = project.manifest
    for table, pinned in (("artifacts", manifest.artifacts), ("payload", manifest.payload)):
        for name, pin in pinned.items() if not names else ():
            if pin.url:
                yield Pin(f"{PATH}: {table}.{name}", pin.size, (pin.url,))


def nowhere(pin: Pin, stopped: threading.Event) -> str:
    """Return what each of its sources says, "" where one has it."""
    reasons = []
    for url in pin.urls:
        for _ in range(TRIES):
            reason = lacks(url, pin.size, stopped)
            if not reason:
                return ""
            if reason.startswith("HTTP 4"):
                break
        reasons.append(f"\n    {url}: {reason}")
    return "".join(reasons)


def check_pins(project: Project, names: Sequence[str], report: Report, stopped: threading.Event) -> bool:
    """Say which pinned files no source has any more; return whether there are none such."""
    wanted = list(pins(project, names))
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
