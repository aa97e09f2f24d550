"""Owns the host's side of booting: which step it is, and where its logs and screenshots go.

What happens in the machine is `boot`'s; must not know doit.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline import sandbox
from pipeline.boot import interactive, machine, scenario
from pipeline.errors import StepError
from pipeline.inside import Context
from pipeline.project import Project
from pipeline.report import Line
from pipeline.step import Output, Step
from pipeline.store import explained
from pipeline.surroundings import Surroundings

TIMEOUT = 120  # seconds for each way, on a slow and busy machine without KVM
KVM = "/dev/kvm"


def _iso(steps: tuple[Step, ...]) -> Output:
    last = steps[-1]
    return last.output(last.outputs[0])


def _step(
    project: Project, steps: tuple[Step, ...], run: Callable[[Context], None], params: Mapping[str, object]
) -> Step:
    return Step(
        name="boot-test",
        summary="Boot the ISO in a virtual machine.",
        container=project.lock_of("boot"),
        inputs={"iso": _iso(steps)},
        outputs=(),
        params=params,
        run=run,
    )


def test(
    project: Project,
    steps: tuple[Step, ...],
    around: Surroundings,
    folder: Path,
    ways: Sequence[str],
    accel: str,
    line: Line,
) -> None:
    """Boot the last step's ISO each of `ways`; logs and screenshots come to `folder`/boot-test.

    `accel` is auto, kvm or tcg. Raises StepError that says how far it came and why it failed,
    PipelineError for a way or an accelerator that there is not.
    """
    target = folder / "boot-test"
    params = {
        "ways": [machine.way(name).name for name in ways or machine.WAYS],
        "accel": accel,
        "timeout": TIMEOUT,
        "product": project.manifest.product.name,
        "version": project.manifest.product.version,
        "folder": str(target),
    }
    machine.accelerators(accel, kvm=True)
    log = folder / "logs" / "boot-test.log"
    with around.store.scratch() as scratch:
        (scratch / "out").mkdir()
        status, error = sandbox.run(
            _step(project, steps, scenario.run, params), around, scratch, log, line, device=KVM
        )
        with explained(target, "write"):
            if target.exists():
                shutil.rmtree(target)
            shutil.move(scratch / "out", target)
    if status != 0:
        said = error or {"message": f"the boot test ended with status {status}", "hint": ""}
        raise StepError(said["message"], said["hint"] or f"its log: {log}")


def look_around(
    project: Project, steps: tuple[Step, ...], around: Surroundings, way: str, accel: str, line: Line
) -> int:
    """Boot the ISO with this terminal as its serial console; return QEMU's exit status.

    `way` is how the ISO is attached, a CD where it is empty. Raises PipelineError as `test` does.
    """
    params = {"way": machine.way(way or "cd").name, "accel": accel}
    machine.accelerators(accel, kvm=True)
    with around.store.scratch() as scratch:
        step = _step(project, steps, interactive.run, params)
        return sandbox.interact(step, around, scratch, line, device=KVM)
