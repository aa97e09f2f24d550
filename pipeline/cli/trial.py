"""Images of trial, for stories in which firmware trusts somebody: signed with keys that are made once."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from pipeline.boot.stories import TRUSTED_KEYS
from pipeline.build.session import Session
from pipeline.cli import realise
from pipeline.cli.sign_images import Signers, sign_images
from pipeline.plan.step import Input, Output, Source
from pipeline.project.proof import Acceptance
from pipeline.project.trial import FOLDER, KEYS
from pipeline.trust import folder
from pipeline.trust.signer import open_signer

ISO, UKI, PAYLOAD = "trusted-iso", "trusted-uki", "trusted-payload"
"""What stories call the medium, the UKI that it installs, and that again as what it carries."""


def is_wanted(session: Session, image: str, stories: Collection[str]) -> bool:
    """Tell whether one of these stories is given images of trial."""
    told = session.project.recipes[image].acceptance or Acceptance()
    return any(story in told.trusted for story in stories)


def of(session: Session) -> Session:
    """Return a session of the same checkout that makes images of trial, and makes their keys if need be."""
    keys = folder.Keys(_keys(session), datetime.now(UTC))
    if not keys.public.is_dir():
        keys.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.new(keys, f"{session.project.manifest.product.name} trial")
    return Session(session.root, session.report, trial=True)


def make(session: Session, image: str) -> dict[str, Input]:
    """Make a signed image and what it carries; return it by what stories call it.

    Raises PipelineError when it cannot be done.
    """
    trial, keys = of(session), _keys(session)
    signer = open_signer(str(keys / "private/db.key"), [keys / "public/db.pem"])
    sign_images(trial, [image], Signers(signer, open_signer(str(keys / "private/pcr.key"))))
    realise.realise(trial, trial.plans[image])
    made = {step.name: step for step in trial.plans[image]}
    found: dict[str, Input] = {TRUSTED_KEYS: Source(keys / "public")}
    wanted = {ISO: f"iso:{image}", UKI: _attached(trial, image), PAYLOAD: _attached(trial, image)}
    for name, step in wanted.items():
        if step in made:
            found[name] = Output(made[step], made[step].outputs[0])
    return found


def _attached(trial: Session, image: str) -> str:
    """Return the step that signs what an image installs, or the image where it installs nothing."""
    return f"attach:{trial.project.recipes[image].image.carries or image}"


def _keys(session: Session) -> Path:
    return session.root / "artifacts" / FOLDER / KEYS
