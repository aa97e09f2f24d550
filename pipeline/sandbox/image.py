"""Owns builder images: from a lock to an image of one deterministic layer that an engine has loaded.

Must not know recipes, steps or doit.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.debian import deb, layer
from pipeline.debian.lock import Lock, Package
from pipeline.debian.mirrors import Source
from pipeline.errors import PipelineError
from pipeline.sandbox.docker import Engine
from pipeline.sandbox.environment import USER
from pipeline.store.cache import Blob, Store
from pipeline.store.download import FetchError, fetch
from pipeline.store.files import explained

DOWNLOADS = 4  # at a time: what one mirror gladly gives

Progress = Callable[[int, int, str], None]

WAY_OUT = (
    "set INSTALLER_ISO_DEBIAN_MIRROR to the folder above `debian` of a mirror that has it;"
    " if the archive moved on, renew debian.snapshot in manifests/manifest.toml and run `./doit lock`"
)

FOLDERS = {"build": 0o755, "tmp": 0o1777, "etc": 0o755}
FILES = {
    "etc/passwd": f"root:x:0:0:root:/:/bin/sh\nbuilder:x:{USER}:{USER}:builder:/build/work:/bin/sh\n",
    "etc/group": f"root:x:0:\nbuilder:x:{USER}:\n",
}
"""What the scripts of base-files and base-passwd would have made."""


def download(
    packages: Sequence[Package], sources: Sequence[Source], store: Store, progress: Progress
) -> list[Path]:
    """Return the paths of the packages in the store, downloading what is not there.

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
            raise FetchError(error.message, WAY_OUT) from error

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
        said = deb.control(path)
        for field, wanted in (
            ("package", (package.name,)),
            ("version", (package.version,)),
            ("architecture", ("amd64", "all")),
        ):
            if said.get(field) not in wanted:
                raise PipelineError(
                    f"Debian package {package.name} {package.version}: its control file says "
                    f"{field.capitalize()}: {said.get(field)!r}, not {' or '.join(wanted)}",
                    "the lock names another package's file: restore it from the repository's history",
                )


def write_layer(lock: Lock, packages: Sequence[Path], target: Path) -> str:
    """Write the layer of the lock's packages to `target` and return its diff ID in hex."""
    with explained(target, "write"), target.open("wb") as file:
        return layer.write(
            packages,
            file,
            epoch=lock.epoch,
            folders=FOLDERS,
            files=FILES,
            links=lock.links,
            without=lock.without,
        )


def ensure(engine: Engine, store: Store, lock: Lock, sources: Sequence[Source], progress: Progress) -> str:
    """Have the lock's image in the engine, and return its ID: its name may be given to another at any time.

    Raises PipelineError when its layer is not what the lock says.
    """
    if found := engine.image_id(lock.tag, lock.layer):
        return found
    with store.lock(f"image-{lock.layer}"):
        if found := engine.image_id(lock.tag, lock.layer):
            return found
        packages = download(lock.packages, sources, store, progress)
        verify(lock.packages, packages)
        with store.scratch() as scratch:
            diff_id = write_layer(lock, packages, scratch / "layer.tar")
            if diff_id != lock.layer:
                raise PipelineError(
                    f"container {lock.container}: its layer came out as {diff_id},"
                    f" the lock says {lock.layer}",
                    f"if the code that makes layers was changed, run `./doit lock {lock.container}`",
                )
            return engine.load_image(lock.tag, lock.layer, scratch / "layer.tar")
