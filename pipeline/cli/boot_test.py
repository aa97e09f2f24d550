"""The host's side of booting: which step it is, and where its logs and screenshots go."""

import json
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.boot import boot_test as boots
from pipeline.boot import probe
from pipeline.build.build import run_uncached
from pipeline.build.session import Session
from pipeline.cli import kvm
from pipeline.debian.lock import Lock
from pipeline.errors import PipelineError
from pipeline.plan.image import CARRIED, PRODUCT, PROGRAMS
from pipeline.plan.step import Input, Output, Step
from pipeline.project import acceptance
from pipeline.project.recipe import Acceptance
from pipeline.report import Line
from pipeline.sandbox.run import StepError
from pipeline.steps.check_answers import PROGRAM
from pipeline.steps.runner import Context
from pipeline.store.files import explained, write_atomically
from pipeline.vm import machine

TIMEOUT = 120  # seconds for each way, on a slow and busy machine without KVM
KVM = str(machine.KVM)
CONTAINER = "boot"
INSTALLS = "install"
TESTED = "tested.json"
"""In the folder of a boot test: the SHA-256 of what it was given, by what ways and stories call it."""

MOST_SEEDS = 1 << 32
OK = "ok"


def media(steps: tuple[Step, ...]) -> dict[str, Output]:
    """Return what a machine can be started from, by what a way of booting calls it."""
    iso, efi_image = steps[-1], steps[-2]
    uki = efi_image.inputs["BOOTX64.EFI"]
    return {"iso": iso.output(iso.outputs[0])} | ({"uki": uki} if isinstance(uki, Output) else {})


def _parts(steps: tuple[Step, ...]) -> dict[str, Input]:
    """Return what the ISO's tests need besides: the program that installs, what it installs, and of what."""
    program = f"{PROGRAMS}/{PROGRAM}"
    # That of the appliance has a root file system, too, and other programs.
    inputs = next((step.inputs for step in steps if program in step.inputs), {})
    parts = {"installer": program, "payload": CARRIED, "product": PRODUCT}
    return {name: inputs[source] for name, source in parts.items() if source in inputs}


def _inputs(steps: tuple[Step, ...]) -> dict[str, Input]:
    """Return all that a boot test of an image is given."""
    return media(steps) | _parts(steps)


def container(session: Session) -> Lock:
    """Return the container that virtual machines run in: one that the engine's machine runs as it is.

    Else there would be an emulator to emulate. Raises ConfigError where none is locked for it.
    """
    return session.project.lock_of(CONTAINER, session.containers.engine.architecture)


def _step(
    session: Session, image: str, name: str, run: Callable[[Context], None], params: Mapping[str, object]
) -> Step:
    return Step(
        name=name,
        summary="Boot the ISO in a virtual machine.",
        container=container(session),
        inputs=_inputs(session.images[image]),
        outputs=(),
        params=params,
        run=run,
    )


def boot_test(session: Session, only: str, accel: str, seed: int) -> None:
    """Boot each image in virtual machines, and install from it: all ways and stories, or some.

    `seed` repeats what an earlier test left to chance; 0 leaves it to chance. Raises as `test` does.
    """
    summary = "boot it in virtual machines, and install from it"
    for image in session.media:
        try:
            with session.report.step(f"boot-test:{image}", summary) as line:
                test(session, image, names(only), accel, seed, line)
        except StepError:
            tell(session, session.folder(image))
            raise
        tell(session, session.folder(image))


def names(only: str) -> list[str]:
    """Return the names in a list with commas between them."""
    return [name for name in only.split(",") if name]


def given(session: Session, image: str) -> dict[str, str | None]:
    """Return the SHA-256 of what an image's boot test is given, None for what has not been made."""
    inputs = _inputs(session.images[image])
    return {name: session.builder.digest(source, f"boot-test, {name}") for name, source in inputs.items()}


def unproved(session: Session, image: str) -> list[str]:
    """Return the ways of booting, and the stories, that have not passed with what is built of an image now.

    All of them where the last boot test was of something else.
    """
    proofs = acceptance.of(session.project, image)
    all_names = [*machine.WAYS, *(name for proof in proofs for name in proof.stories)]
    folder = session.folder(image) / "boot-test"
    try:
        tested = json.loads((folder / TESTED).read_text(encoding="utf-8"))
        passed = {name for name, verdict, *_ in rows(folder.parent) if verdict == OK}
    except (OSError, ValueError, KeyError, TypeError):  # none, one that was stopped, or of another layout
        return all_names
    return [name for name in all_names if name not in passed or tested != given(session, image)]


def tell(session: Session, folder: Path) -> None:
    """Print what the boot test of an image found, and where to look."""
    session.report.table(("boot test", "verdict", "seconds:", "of which"), rows(folder))
    session.report.print(f"logs and screenshots: {session.shown(folder / 'boot-test')}")


def test(session: Session, image: str, only: Sequence[str], accel: str, seed: int, line: Line) -> None:
    """Boot the image's ISO each of the ways, then install from it as each of the stories tells.

    `only` names ways and stories, none of them stands for all; logs and pictures come to boot-test in the
    image's folder, those of stories below `install`. `accel` is auto, kvm or tcg. `seed` decides what is left
    to chance; 0 leaves that to chance, too. Raises StepError that says how far it came and why it failed,
    of all stories together, PipelineError where a story's package cannot be loaded.
    """
    proofs = acceptance.of(session.project, image)
    ways, stories = chosen(only, [name for proof in proofs for name in proof.stories])
    accel = accelerator(session, image, accel, line)
    target = session.folder(image) / "boot-test"
    seed = seed or secrets.randbelow(MOST_SEEDS) + 1
    with explained(target, "write", cache=False):
        if target.exists():
            shutil.rmtree(target)
        target.mkdir(parents=True)
        write_atomically(target / TESTED, json.dumps(given(session, image), indent=2) + "\n")
    if ways:
        booting = {"ways": ways, "accel": accel, "timeout": TIMEOUT, "folder": str(target)}
        step = _step(session, image, "boot-test", boots.run, booting | _greeting(session, image))
        _play(session, image, step, target, line)
    failures: list[StepError] = []
    for proof in proofs:
        installing: dict[str, object] = {
            "stories": [name for name in stories if name in proof.stories],
            "accel": accel,
            "version": session.project.manifest.product.version,
            "seed": seed,
            "folder": str(target / INSTALLS),
        }
        if installing["stories"]:
            step = _step(session, image, proof.name, proof.run, installing | dict(proof.params))
            try:
                _play(session, image, step, target / INSTALLS, line)
            except StepError as error:
                failures.append(error)
    if failures:
        raise StepError(
            "\n".join(error.message for error in failures), "; ".join(error.hint for error in failures)
        )


def _greeting(session: Session, image: str) -> dict[str, object]:
    """Return what the image's recipe says of its first screen, as parameters of the boot test."""
    said = session.project.recipes[image].acceptance or Acceptance()
    product = session.project.manifest.product
    shown = " ".join(said.shows).replace("{product}", product.name).replace("{version}", product.version)
    words = f"{said.welcome or ''} {shown}".split()
    return {"welcome": said.welcome or "", "words": words, "leave": said.leave or ""}


def rows(folder: Path) -> list[tuple[str, str, str, str]]:
    """Return what the last boot test found, one row a boot and a story, in the order in which they ran.

    A row is name, verdict, seconds, and what was measured in between.
    """
    found = []
    for path in sorted((folder / "boot-test").rglob("result.json"), key=lambda path: path.stat().st_mtime_ns):
        result = json.loads(path.read_text(encoding="utf-8"))
        if "way" in result:
            good, times = result["passed"], result["seconds"]
            total = max(times.values())
        else:
            good, times, total = not result["failure"], result["times"], result["seconds"]
        measured = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in times.items() if seconds)
        name = result.get("way") or result["story"]
        found.append((name, OK if good else "FAILED", f"{total:.1f}", measured))
    return found


def accelerator(session: Session, image: str, wanted: str, line: Line) -> str:
    """Return the accelerator to ask for, after trying KVM if nobody has. Raises as `test` does."""
    lock, store = container(session), session.store

    def fault() -> str:
        known = kvm.foreign(lock) or kvm.remembered(store, session.containers.engine, lock)
        if known is not None:
            return known
        step = Step(
            name="kvm",
            summary="Run a guest on KVM that ends at once.",
            container=lock,
            inputs={},
            outputs=(),
            params={"accel": "kvm"},
            run=probe.run,
        )
        with store.scratch() as out:
            log = session.folder(image) / "logs" / "kvm.log"
            run_uncached(step, session.builder, out, log, line, known_as="the container", device=KVM)
            found = (out / probe.FAULT).read_text()
        kvm.remember(store, session.containers.engine, lock, found)
        return found

    return kvm.settled(wanted, fault, line.note)


def chosen(only: Sequence[str], stories: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names of ways and of `stories` that are meant by `only`."""
    ways = [name for name in machine.WAYS if not only or name in only]
    return ways, [name for name in stories if not only or name in only]


def judge(session: Session, only: str, accel: str, **_other: object) -> None:
    """Raise PipelineError for an unknown accelerator, way or story."""
    machine.accelerators(accel, kvm=True)
    proofs = (proof for image in session.media for proof in acceptance.of(session.project, image))
    known = dict.fromkeys([*machine.WAYS, *(name for proof in proofs for name in proof.stories)])
    for name in names(only):
        if name not in known:
            raise PipelineError(
                f"{name!r} is neither a way of booting nor an installation", f"choose from {', '.join(known)}"
            )


def _play(session: Session, image: str, step: Step, target: Path, line: Line) -> None:
    """Run a step whose outputs go to the folder `target`, also when it fails."""
    log = session.folder(image) / "logs" / f"{step.name}.log"
    with explained(target, "write", cache=False):
        target.mkdir(exist_ok=True)
    run_uncached(step, session.builder, target, log, line, known_as=step.name, device=KVM)
