"""Debian packages as files: downloading exactly those that a lock names, and what each says that it is."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.debian.deb import control
from pipeline.debian.lock import Package
from pipeline.debian.mirrors import Mirror
from pipeline.errors import PipelineError
from pipeline.store.cache import Blob, Store
from pipeline.store.download import fetch
from pipeline.store.reply import FetchError

DOWNLOADS = 4  # at a time: what one mirror gladly gives

Progress = Callable[[int, int, str], None]

WAY_OUT = (
    "set INSTALLER_ISO_DEBIAN_MIRROR to the folder above `debian` of a mirror that has it;"
    " if the archive moved on, `./doit lock --update` renews the pins"
)

OTHERS = "`./doit lock --check` names all that are gone"


def download(
    packages: Sequence[Package], sources: Sequence[Mirror], store: Store, progress: Progress
) -> list[Path]:
    """Return the paths of the packages in the store, downloading what is missing.

    `progress` gets the bytes so far, the bytes in all, and their unit. Raises FetchError for the
    first package that no source has.
    """
    total = sum(package.size for package in packages)
    done = dict.fromkeys(packages, 0)
    guard = threading.Lock()
    stopped = threading.Event()

    def one(package: Package) -> Path:
        def note(size: int) -> None:
            if stopped.is_set():
                raise KeyboardInterrupt
            with guard:
                done[package] = size
                progress(sum(done.values()), total, "bytes")

        urls = [source.url(package.archive, package.path) for source in sources]
        what = f"Debian package {package.name} {package.version}"
        try:
            return fetch(store, Blob(package.sha256, package.size), urls, what, note)
        except FetchError as error:
            raise error if store.offline else FetchError(error.message, f"{WAY_OUT}; {OTHERS}") from error

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        futures = [pool.submit(one, package) for package in packages]
        try:
            return [future.result() for future in futures]
        except BaseException as error:
            stopped.set()
            if isinstance(error, KeyboardInterrupt):  # it reaches only this thread
                store.stopped.set()
            pool.shutdown(cancel_futures=True)
            raise


def verify(packages: Sequence[Package], paths: Sequence[Path]) -> None:
    """Raise PipelineError unless each file says itself to be the package that its line names."""
    for package, path in zip(packages, paths, strict=True):
        said = control(path)
        for field, wanted in (
            ("package", package.name),
            ("version", package.version),
            ("architecture", package.architecture),
        ):
            if said.get(field) != wanted:
                raise PipelineError(
                    f"Debian package {package.name} {package.version}: its control file says "
                    f"{field.capitalize()}: {said.get(field)!r}, not {wanted}",
                    "the lock names another package's file: restore it from the repository's history",
                )
