"""Owns the host's side of booting: which step it is, and where its logs and screenshots go.

What happens in the machine is `boot`'s; must not know doit.
"""

import shutil
from pathlib import Path

from pipeline import sandbox
from pipeline.boot import interactive, scenario
from pipeline.errors import StepError
from pipeline.project import Project
from pipeline.report import Line
from pipeline.step import Output, Step
from pipeline.store import explained
from pipeline.surroundings import Surroundings

WAYS = ("cd", "usb", "disk")
TIMEOUT = 120  # seconds for each way, on a slow and busy machine without KVM
KVM = "/dev/kvm"


def _iso(steps: tuple[Step, ...]) -> Output:
    last = steps[-1]
    return last.output(last.outputs[0])


def test(
    project: Project,
    steps: tuple[Step, ...],
    around: Surroundings,
    folder: Path,
    ways: tuple[str, ...],
    line: Line,
) -> None:
    """Boot the last step's ISO each of `ways`; logs and screenshots come to `folder`/boot-test.

    Raises StepError that says how far it came and why it failed.
    """
    target = folder / "boot-test"
    step = Step(
        name="boot-test",
        summary="Boot the ISO in a virtual machine.",
        container=project.lock_of("boot"),
        inputs={"iso": _iso(steps)},
        outputs=(),
        params={
            "ways": ways,
            "accel": "auto",
            "timeout": TIMEOUT,
            "product": project.manifest.product.name,
            "version": project.manifest.product.version,
            "folder": str(target),
        },
        run=scenario.run,
    )
    log = folder / "logs" / "boot-test.log"
    with around.store.scratch() as scratch:
        (scratch / "out").mkdir()
        status, error = sandbox.run(step, around, scratch, log, line, device=KVM)
        with explained(target, "write"):
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(scratch / "out", target)
    if status != 0:
        said = error or {"message": f"the boot test ended with status {status}", "hint": ""}
        raise StepError(said["message"], said["hint"] or f"its log: {log}")


def look_around(project: Project, steps: tuple[Step, ...], around: Surroundings, line: Line) -> int:
    """Boot the ISO as a CD with this terminal as its serial console; return QEMU's exit status."""
    step = Step(
        name="boot",
        summary="Boot the ISO in this terminal.",
        container=project.lock_of("boot"),
        inputs={"iso": _iso(steps)},
        outputs=(),
        params={"way": "cd", "accel": "auto"},
        run=interactive.run,
    )
    with around.store.scratch() as scratch:
        return sandbox.interact(step, around, scratch, line, device=KVM)
