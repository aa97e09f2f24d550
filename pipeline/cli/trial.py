"""Images of trial, for stories in which firmware trusts somebody: signed with keys that are made once."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.boot.stories import TRUSTED_KEYS
from pipeline.build.build import build_step
from pipeline.build.session import Session
from pipeline.cli import addon, realise
from pipeline.cli.sign_images import Signers, sign_images, signed_anew
from pipeline.formats.authenticode_attach import attached
from pipeline.plan.image import plan
from pipeline.plan.step import Input, Output, Source
from pipeline.project.proof import Acceptance
from pipeline.project.trial import FOLDER, KEYS
from pipeline.report import Line
from pipeline.steps.attach import with_signatures
from pipeline.store.files import explained, replacing

ISO, UKI, PAYLOAD = "trusted-iso", "trusted-uki", "trusted-payload"
"""What stories call the medium, the UKI that it installs, and that again as what it carries."""

NEXT, ADDON, STRANGE = "trusted-next", "trusted-addon", "strange-addon"
"""The UKI of the next generation of SBAT, signed as well; an addon by the same signer, and a stranger's."""

WORDS = "loglevel=7 trial.addon="
"""What addons add to the command line: Linux says what it was given, and by whom."""

STRANGER = "KEK"
"""Of the keys of trial one that no firmware takes for a signer of programs."""


def is_wanted(session: Session, image: str, stories: Collection[str]) -> bool:
    """Tell whether one of these stories is given images of trial."""
    told = session.project.recipes[image].acceptance or Acceptance()
    return any(story in told.trusted for story in stories)


def of(session: Session) -> Session:
    """Return a session of the same checkout that makes images of trial, and makes their keys if need be."""
    from pipeline.trust import folder  # few commands need keys, and what reads them takes long to load

    keys = folder.Keys(_keys(session), datetime.now(UTC))
    if not keys.public.is_dir():
        keys.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.new(keys, f"{session.project.manifest.product.name} trial")
    return Session(session.root, session.report, trial=True)


def make(session: Session, image: str) -> dict[str, Input]:
    """Make a signed image and what it carries; return it by what stories call it.

    Raises PipelineError when it cannot be done.
    """
    from pipeline.trust.cms import authenticode_signature
    from pipeline.trust.signer import open_signer

    trial, keys = of(session), _keys(session)
    db, stranger = (
        open_signer(str(keys / f"private/{name}.key"), [keys / f"public/{name}.pem"])
        for name in ("db", STRANGER)
    )
    signers = Signers(db, open_signer(str(keys / "private/pcr.key")))
    sign_images(trial, [image], signers)
    realise.realise(trial, trial.plans[image])
    made = {step.name: step for step in trial.plans[image]}
    found: dict[str, Input] = {TRUSTED_KEYS: Source(keys / "public")}
    wanted = {ISO: f"iso:{image}", UKI: _attached(trial, image), PAYLOAD: _attached(trial, image)}
    for name, step in wanted.items():
        if step in made:
            found[name] = Output(made[step], made[step].outputs[0])
    files = {NEXT: _of_next_generation(trial, image, signers)}
    for name, by in ((ADDON, db), (STRANGE, stranger)):
        data = addon.made(trial, f"{WORDS}{name}")
        files[name] = attached(data, [authenticode_signature(data, by)])
    for name, data in files.items():
        path = trial.root / "artifacts" / FOLDER / f"{name}.efi"
        with explained(path, "write", cache=False), replacing(path) as file:
            file.write(data)
        found[name] = Source(path)
    return found


def _attached(trial: Session, image: str) -> str:
    """Return the step that signs what an image installs, or the image where it installs nothing."""
    return f"attach:{_installed(trial, image)}"


def _installed(trial: Session, image: str) -> str:
    return trial.project.recipes[image].image.carries or image


def _of_next_generation(trial: Session, image: str, signers: Signers) -> bytes:
    """Return what an image installs as it would be after a revocation: only its SBAT is another."""
    name, project = _installed(trial, image), trial.project
    recipe = project.recipes[name]
    raised = replace(recipe, image=replace(recipe.image, sbat=recipe.image.sbat + 1))
    steps = plan(replace(project, recipes={**project.recipes, name: raised}), name)
    step = replace(next(each for each in steps if each.name == f"uki:{name}"), published={})
    with trial.report.step(step.name, "Make it with a raised generation, for a story.") as line:
        build_step(step, trial.builder, trial.folder(name), line, logs=trial.folder(name) / "logs" / NEXT)
    made = trial.builder.output(step.output(step.outputs[0]), Line.silent()).read_bytes()
    return with_signatures(made, NEXT, signed_anew(made, NEXT, None, signers), NEXT)


def _keys(session: Session) -> Path:
    return session.root / "artifacts" / FOLDER / KEYS
