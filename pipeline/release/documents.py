"""What tells of a release, and of the run that made it: each document as a text, by the name of its file.

All of it but RUN_TEXTS is the same for everybody who releases that commit.
"""

import contextlib
import datetime
import getpass
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.build.record import VERSION, facts
from pipeline.build.session import Session
from pipeline.plan.step import distinct
from pipeline.project import git
from pipeline.release.artifacts import Artifact
from pipeline.release.layout import BUILD, CYCLONEDX, MEASURED, NOTES, PROVENANCE, REPORT, RUN, RUN_PAGE, SPDX

if TYPE_CHECKING:
    from pipeline.release.bom.components import Contents
    from pipeline.release.diff.changes import Comparison


@dataclass(frozen=True)
class Draft:
    """A release that is being made in `folder`: its `artifacts` are there already.

    `before` is the folder of the release before, None for the first.
    """

    session: Session
    folder: Path
    artifacts: Mapping[str, Artifact]
    before: Path | None = None

    @cached_property
    def contents(self) -> "Contents":
        """What is in the images."""
        from pipeline.release.bom.contents import collect

        return collect(self.session, {(it.step.name, it.output): name for name, it in self.artifacts.items()})

    @cached_property
    def comparison(self) -> "Comparison":
        """How it differs from the one before, or what it is made of where there is none."""
        from pipeline.release.diff.notes import compared

        return compared(self.before, self.folder)


def build_text(draft: Draft) -> str:
    """Return what was built of what, by which commit: all that is the same for everybody."""
    session = draft.session
    product = session.project.manifest.product
    steps = distinct(step for steps in session.images.values() for step in steps)
    files = [
        {
            "name": name,
            "step": made.step.name,
            "output": made.output,
            "sha256": made.blob.sha256,
            "size": made.blob.size,
        }
        for name, made in draft.artifacts.items()
    ]
    record = {
        "version": VERSION,
        "product": {"name": product.name, "version": product.version},
        "commit": git.head(session.root),
        "source_date_epoch": session.project.manifest.source_date_epoch,
        "artifacts": files,
        "steps": [facts(step, session.builder) for step in steps],
    }
    return json.dumps(record, indent=2) + "\n"


def run_text(draft: Draft) -> str:
    """Return who made it, where, when and how fast, and how fast it booted."""
    session = draft.session
    results = {
        step.name: result.seconds
        for step in distinct(step for steps in session.images.values() for step in steps)
        if (result := session.builder.result(step))
    }
    user = ""
    with contextlib.suppress(OSError, KeyError):  # nobody gave the user a name
        user = getpass.getuser()
    record = {
        "version": VERSION,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "by": f"{user}@{platform.node()}",
        "machine": platform.platform(),
        "seconds": results,
        "boot_tests": {image: _boot_tests(session.folder(image) / "boot-test") for image in session.proved},
    }
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def _boot_tests(folder: Path) -> dict[str, object]:
    """Return the results and timelines that a boot test has left, by their paths in its folder."""
    paths = [path for kind in ("result", "timeline") for path in folder.rglob(f"{kind}.json")]
    return {
        path.relative_to(folder).as_posix(): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(paths)
    }


def provenance_text(draft: Draft) -> str:
    """Return how it was made, as in-toto and SLSA have it."""
    from pipeline.release import provenance

    digests = {name: made.blob.sha256 for name, made in draft.artifacts.items()}
    return provenance.text_of(draft.session, digests, draft.contents)


def cyclonedx_text(draft: Draft) -> str:
    """Return what is in it, as CycloneDX has it."""
    from pipeline.release.bom import cyclonedx

    return cyclonedx.text_of(draft.contents)


def spdx_text(draft: Draft) -> str:
    """Return what is in it, as SPDX has it."""
    from pipeline.release.bom import spdx

    return spdx.text_of(draft.contents)


def measured_text(draft: Draft) -> str:
    """Return what TPMs say of machines that started the ISOs and UKIs: docs/measured-boot.md."""
    from pipeline.formats.fields import open_image
    from pipeline.measure import predict

    project = draft.session.project
    found = []
    for name, artifact in draft.artifacts.items():
        recipe = artifact.step.name.partition(":")[2]
        if not name.endswith((".iso", ".efi")) or recipe not in project.recipes:
            continue
        trust = project.recipes[recipe].trust
        stores = predict.stores(project.place(recipe, trust.keys) if trust else None)
        image = open_image(draft.folder / name)
        found.append(predict.published(image, name, artifact.blob.sha256, stores))
    return predict.text(found)


def notes_text(form: str, draft: Draft) -> str:
    """Return what changed, in one of the formats of `./doit diff`."""
    from pipeline.release.diff.notes import rendered

    return rendered(draft.comparison, form)


def report_text(draft: Draft) -> str:
    """Return the page about the release: its contents, its checks and how it boots."""
    from pipeline.release.pages.report_page import report

    project = draft.session.project
    product, epoch = project.manifest.product, project.manifest.source_date_epoch
    policies = {policy for recipe in project.recipes.values() for policy in recipe.policy.checks}
    return report(draft.folder, product.name, product.version, epoch, policies)


def run_page_text(draft: Draft) -> str:
    """Return how the run went, as a page."""
    from pipeline.release.pages.run_page import run_report

    session = draft.session
    product = session.project.manifest.product
    tests = {image: session.folder(image) / "boot-test" for image in session.proved}
    return run_report(draft.folder / RUN, product.name, product.version, tests)


TEXTS: dict[str, Callable[[Draft], str]] = {
    BUILD: build_text,
    PROVENANCE: provenance_text,
    CYCLONEDX: cyclonedx_text,
    SPDX: spdx_text,
    MEASURED: measured_text,
    **{name: partial(notes_text, form) for form, name in NOTES.items()},
    REPORT: report_text,
}
"""The documents of a release, in the order in which they are made: each finds the earlier ones there."""

RUN_TEXTS: dict[str, Callable[[Draft], str]] = {RUN: run_text, RUN_PAGE: run_page_text}
"""What tells of this making of it, and is another text each time."""
