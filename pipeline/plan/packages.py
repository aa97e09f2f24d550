"""The Debian packages of a set, unpacked, for whatever takes files of them."""

from pipeline.debian import lock
from pipeline.plan.step import LockedPackage, Step
from pipeline.project.checkout import Project
from pipeline.steps import packages


def packages_step(project: Project, name: str) -> Step:
    """Return the step that unpacks the packages of the set `name`."""
    pins, named = project.set_locks[name], lock.path_of(name)
    return Step(
        name=f"packages:{name}",
        summary="Unpack the Debian packages that files of images come from.",
        container=project.lock_of("imager"),
        inputs={f"packages/{each.name}.deb": LockedPackage(each, named) for each in pins.packages},
        outputs=(packages.TAR,),
        params={"epoch": pins.epoch},
        run=packages.build,
    )
