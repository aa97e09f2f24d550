"""Pinned files as inputs of steps."""

from pipeline.plan.step import Pinned
from pipeline.project.checkout import Project
from pipeline.project.manifest import Artifact
from pipeline.store.cache import Blob


def pinned(project: Project, key: str | None, pins: dict[str, Artifact]) -> Pinned:
    """Return the file that `pins` of the manifest names `key`."""
    pin = pins[key or ""]
    return Pinned(
        blob=Blob(pin.sha256, pin.size),
        what=f"artifact {key!r}",
        path=project.root / pin.path if pin.path else None,
        urls=(pin.url,) if pin.url else (),
    )
