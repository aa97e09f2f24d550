"""What a boot test, and a look by hand, is given of an image: by what ways and stories call it."""

from pipeline.boot.stories import DRIVERS, INITRAMFS, VMLINUZ
from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.plan.image import CARRIED, PRODUCT, PROGRAMS
from pipeline.plan.netboot import offered
from pipeline.plan.step import Input, Output, Step
from pipeline.project.proof import Acceptance
from pipeline.steps.check_answers import PROGRAM
from pipeline.vm import machine

NETBOOT = "netboot"
"""The folder of inputs that has what a server offers."""


def bootable(session: Session, name: str) -> str:
    """Return the image called `name`, or without a name the first with an ISO, or else with a disk.

    Raises PipelineError for one that is not there, or has neither.
    """
    recipes = session.project.recipes
    if name and name not in session.plans:
        raise PipelineError(f"{name!r} is not a recipe", f"name one of {', '.join(sorted(session.plans))}")
    if not name:
        first = [*session.media, *(each for each, recipe in recipes.items() if recipe.has_disk)]
        if not first:
            raise PipelineError("no recipe ends in an ISO or a disk", "give one an [iso], or a [disk]")
        return first[0]
    if not (recipes[name].iso or recipes[name].has_disk):
        raise PipelineError(f"{name} ends in no ISO and in no disk", "give its recipe an [iso], or a [disk]")
    return name


def media(session: Session, image: str) -> dict[str, Output]:
    """Return what a machine can be started from, by what a way of booting calls it."""
    steps = {step.name: step for step in session.plans[image]}
    made = {"iso": steps.get(f"iso:{image}")}
    made["uki"] = steps.get(f"attach:{image}") or steps.get(f"uki:{image}")
    found = {what: step.output(step.outputs[0]) for what, step in made.items() if step}
    return found | disks(session, image)


def disks(session: Session, image: str) -> dict[str, Output]:
    """Return the disk of an image, and other formats by their names; of what it carries where it has none."""
    for name in (image, session.project.recipes[image].image.carries):
        found = {}
        for step in session.plans[image]:
            whole, _, wanted = step.name.removeprefix("disk:").partition(":")
            if step.name.startswith("disk:") and whole == name:
                found[wanted or machine.DISK] = step.output(step.outputs[0])
        if found:
            return found
    return {}


def ready_made(session: Session, image: str) -> dict[str, Output]:
    """Return disks of what an image carries, as an installation leaves it, that QEMU can start, by format.

    They are in no plan of an image. The raw one is not among them: it is large, and others hold the same.
    """
    carried = session.project.recipes[image].image.carries or ""
    found = {step.name.rpartition(":")[2]: step for step in session.disks.get(carried, ())}
    return {name: step.output(step.outputs[0]) for name, step in found.items() if name in DRIVERS}


def firmware(session: Session, image: str) -> dict[str, Output]:
    """Return the kernel and the initramfs that stories have in place of firmware, if the recipe names any."""
    steps = firmware_steps(session, image)
    made = {step.name: step for step in steps}
    name = (session.project.recipes[image].acceptance or Acceptance()).firmware
    if not name:
        return {}
    initramfs = made[f"initramfs:{name}"]
    kernel = next(step for step in steps if step.name.startswith("kernel:"))
    return {
        VMLINUZ: kernel.output("vmlinuz"),
        INITRAMFS: initramfs.output(initramfs.outputs[0]),
    }


def firmware_steps(session: Session, image: str) -> tuple[Step, ...]:
    """Return the steps that make what `firmware` returns, and all that they need."""
    name = (session.project.recipes[image].acceptance or Acceptance()).firmware
    return session.plans[name] if name else ()


def inputs(session: Session, image: str, *, disks: bool = True) -> dict[str, Input]:
    """Return all that the stories of an image are given; some need no `disks` that are ready-made."""
    steps = session.plans[image]
    files = {f"{NETBOOT}/{name}": source for name, source in offered(steps, image).items()}
    found = media(session, image) | _parts(steps) | files | firmware(session, image)
    return found | (ready_made(session, image) if disks else {})


def _parts(steps: tuple[Step, ...]) -> dict[str, Input]:
    """Return what the ISO's tests need besides: the program that installs, what it installs, and of what."""
    program = f"{PROGRAMS}/{PROGRAM}"
    # That of the appliance has a root file system, too, and other programs.
    found = next((step.inputs for step in steps if program in step.inputs), {})
    parts = {"installer": program, "payload": CARRIED, "product": PRODUCT}
    return {name: found[source] for name, source in parts.items() if source in found}
