"""Builder images: from a lock to an image of one deterministic layer that an engine has loaded."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.debian import layer
from pipeline.debian.lock import Lock
from pipeline.debian.mirrors import Mirror
from pipeline.debian.packages import Progress, download, verify
from pipeline.errors import PipelineError
from pipeline.sandbox.docker import Engine
from pipeline.sandbox.environment import USER
from pipeline.store.cache import Store
from pipeline.store.files import explained

FOLDERS = {"build": 0o755, "tmp": 0o1777, "etc": 0o755}
FILES = {
    "etc/passwd": f"root:x:0:0:root:/:/bin/sh\nbuilder:x:{USER}:{USER}:builder:/build/work:/bin/sh\n",
    "etc/group": f"root:x:0:\nbuilder:x:{USER}:\n",
}
"""What the scripts of base-files and base-passwd would have made."""


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


def digits_of(tag: str) -> str:
    """Return what a tag says of its image's layer, as the cache notes that image's last use by it."""
    return tag.rpartition(":")[2]


def ensure(engine: Engine, store: Store, lock: Lock, sources: Sequence[Mirror], progress: Progress) -> str:
    """Have the lock's image in the engine, and return its ID: its name may be given to another at any time.

    Raises PipelineError when its layer is not what the lock says.
    """
    store.use_image(digits_of(lock.tag))
    if found := engine.image_id(lock.tag, lock.layer, lock.architecture):
        return found
    with store.lock(f"image-{lock.layer}"):
        if found := engine.image_id(lock.tag, lock.layer, lock.architecture):
            return found
        packages = download(lock.packages, sources, store, progress)
        verify(lock.packages, packages)
        with store.scratch() as scratch:
            diff_id = write_layer(lock, packages, scratch / "layer.tar")
            if diff_id != lock.layer:
                raise PipelineError(
                    f"container {lock.name}: its layer came out as {diff_id}, the lock says {lock.layer}",
                    f"if the code that makes layers was changed, run `./doit lock {lock.name}`",
                )
            return engine.load_image(lock.tag, lock.layer, lock.architecture, scratch / "layer.tar")
