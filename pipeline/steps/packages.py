"""Unpacks a set's Debian packages into one tar, as a container's are: no maintainer script runs."""

from pipeline.debian import layer
from pipeline.steps.runner import Context

TAR = "packages.tar"


def build(ctx: Context) -> None:
    """Make TAR of the files in the input `packages`."""
    with (ctx.out / TAR).open("wb") as file:
        packages = sorted(ctx.inputs["packages"].iterdir())
        layer.write(packages, file, epoch=ctx.params["epoch"], folders={}, files={}, links={})
