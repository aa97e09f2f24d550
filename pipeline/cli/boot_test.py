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
from pipeline.cli import boot_inputs, kvm, next_version, realise
from pipeline.cli import trial as trusted
from pipeline.debian.lock import Lock
from pipeline.errors import PipelineError
from pipeline.plan.step import Input, Step
from pipeline.project import acceptance
from pipeline.project.proof import Acceptance
from pipeline.report import Line
from pipeline.reproduce.builds import before
from pipeline.sandbox.run import StepError
from pipeline.steps.runner import Context
from pipeline.store.files import explained, write_atomically
from pipeline.vm import machine

TIMEOUT = 120  # seconds for each way of a medium, on a slow and busy machine without KVM
KVM = str(machine.KVM)
CONTAINER = "boot"
INSTALLS = "install"
TESTED = "tested.json"
"""In the folder of a boot test: the SHA-256 of what it was given, by what ways and stories call it."""

MOST_SEEDS = 1 << 32
MEDIA = ("iso", "uki", machine.DISK)
"""What ways of booting are of."""

OK = "ok"


def container(session: Session) -> Lock:
    """Return the container that virtual machines run in: one that the engine's machine runs as it is.

    Else there would be an emulator to emulate. Raises ConfigError where none is locked for it.
    """
    return session.project.lock_of(CONTAINER, session.containers.engine.architecture)


def _step(
    session: Session,
    name: str,
    run: Callable[[Context], None],
    inputs: Mapping[str, Input],
    params: Mapping[str, object],
) -> Step:
    return Step(
        name=name,
        summary="Boot an image in a virtual machine.",
        container=container(session),
        inputs=inputs,
        outputs=(),
        params=params,
        run=run,
    )


def boot_test(session: Session, only: str, image: str, everything: bool, accel: str, seed: int) -> None:
    """Boot each image in virtual machines, and install from it: all ways and stories, or some.

    With an `image` that one alone, which is made first. Stories that are long are told where they are named,
    or with `everything`. `seed` repeats what an earlier test left to chance; 0 leaves it to chance. Raises as
    `test` does.
    """
    summary = "boot it in virtual machines, and install from it"
    if image:
        realise.realise(session, session.plans[image])
    for name in _tested(session, image, names(only)):
        _, stories = chosen(session, name, names(only), everything=everything)
        if stories and (steps := boot_inputs.firmware_steps(session, name)):
            realise.realise(session, steps)
        if next_version.is_wanted(session, name, stories):
            next_version.make(session, name)
        try:
            with session.report.step(f"boot-test:{name}", summary) as line:
                test(session, name, names(only), accel, seed, line, everything=everything)
        except StepError:
            tell(session, session.folder(name))
            raise
        tell(session, session.folder(name))


def _tested(session: Session, image: str, only: Sequence[str]) -> list[str]:
    """Return the images that are tested: `image`, or all that have something to prove, of what is named."""
    found = [image] if image else session.proved
    return [each for each in found if not only or any(chosen(session, each, only))]


def names(only: str) -> list[str]:
    """Return the names in a list with commas between them."""
    return [name for name in only.split(",") if name]


def given(session: Session, image: str) -> dict[str, str | None]:
    """Return the SHA-256 of what an image's boot test is given, None for what has not been made."""
    return {
        name: session.builder.digest(source, f"boot-test, {name}")
        for name, source in boot_inputs.inputs(session, image).items()
    }


def unproved(session: Session, image: str) -> list[str]:
    """Return the ways of booting, and the stories, that have not passed with what is built of an image now.

    All of them where the last boot test was of something else; but for long stories, which nobody waits for.
    """
    all_names = [name for names in chosen(session, image) for name in names]
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


def test(
    session: Session,
    image: str,
    only: Sequence[str],
    accel: str,
    seed: int,
    line: Line,
    *,
    everything: bool,
) -> None:
    """Boot the image each of its ways, then install from it as each of the stories tells.

    `only` names ways and stories, none of them stands for all that are not long, or with `everything` for
    those, too; logs and pictures come to boot-test in the image's folder, those of stories below `install`.
    `accel` is auto, kvm or tcg. `seed` decides what is left to chance; 0 leaves that to chance, too. Raises
    StepError that says how far it came and why it failed, of all stories together, PipelineError where a
    story's package cannot be loaded.
    """
    ways, stories = chosen(session, image, only, everything=everything)
    accel = accelerator(session, image, accel, line)
    target = session.folder(image) / "boot-test"
    seed = seed or secrets.randbelow(MOST_SEEDS) + 1
    proofs = acceptance.of(session.project, image)
    disks = any(name in proof.disks for proof in proofs for name in stories)
    if disks:  # no image needs them
        needed = [made.step for made in boot_inputs.ready_made(session, image).values()]
        realise.realise(
            session, before(session.whole(str(session.project.recipes[image].image.carries)), needed)
        )
        realise.realise(session, needed)
    with explained(target, "write", cache=False):
        if target.exists():
            shutil.rmtree(target)
        target.mkdir(parents=True)
        write_atomically(target / TESTED, json.dumps(given(session, image), indent=2) + "\n")
    if ways:
        # What a way starts, and not the disk in all formats.
        media = {name: made for name, made in boot_inputs.media(session, image).items() if name in MEDIA}
        booting = {"ways": ways, "accel": accel, "timeout": TIMEOUT, "folder": str(target)}
        step = _step(session, "boot-test", boots.run, media, booting | _greeting(session, image))
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
            inputs = boot_inputs.inputs(session, image, disks=disks)
            if next_version.is_wanted(session, image, stories):
                inputs |= next_version.inputs(session, image)
            if trusted.is_wanted(session, image, stories):
                inputs |= trusted.make(session, image)
            step = _step(session, proof.name, proof.run, inputs, installing | dict(proof.params))
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
    return {"welcome": said.welcome or "", "words": shown.split(), "leave": said.leave or ""}


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


def ways_of(session: Session, image: str) -> list[str]:
    """Return the ways of booting that are tried with an image: its ISO's, and that of its disk."""
    recipe = session.project.recipes[image]
    greets = recipe.acceptance is not None and recipe.acceptance.welcome is not None
    system = [next(iter(machine.OF_SYSTEMS))] if recipe.has_disk and greets else []
    by_bios = machine.BY_BIOS if recipe.has_iso_for_bios else ()
    return [*(machine.WAYS if recipe.iso else ()), *by_bios, *system]


def chosen(
    session: Session, image: str, only: Sequence[str] = (), *, everything: bool = False
) -> tuple[list[str], list[str]]:
    """Return the names of an image's ways and stories that are meant by `only`, as `test` has it."""
    stories = {
        story: everything or story not in proof.long
        for proof in acceptance.of(session.project, image)
        for story in proof.stories
    }
    ways = dict.fromkeys(ways_of(session, image), True)
    ways_meant, stories_meant = (
        [name for name, usual in names.items() if (name in only if only else usual)]
        for names in (ways, stories)
    )
    return ways_meant, stories_meant


def judge(session: Session, only: str, image: str, accel: str, **_other: object) -> None:
    """Raise PipelineError for an unknown accelerator, image, way or story."""
    machine.accelerators(accel, kvm=True)
    recipes, images = session.project.recipes, session.proved
    if image and not (image in recipes and recipes[image].proves):
        others = [name for name, recipe in recipes.items() if recipe.proves]
        raise PipelineError(
            f"{image!r} is no image with anything to prove", f"choose from {', '.join(others) or 'none'}"
        )
    told = (chosen(session, each, everything=True) for each in ([image] if image else images))
    known = dict.fromkeys(name for kinds in told for names in kinds for name in names)
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
