"""What a release consists of, and what is made by its name alone."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.project.checkout import Project, load
from pipeline.project.proof import Acceptance
from pipeline.project.recipe import Iso, Root
from pipeline.report import Report
from tests.fixtures import checkout


@dataclass(frozen=True)
class Is:
    """What a recipe has of that which decides."""

    iso: bool = False
    root: bool = False
    carries: str | None = None
    firmware: str | None = None


def project(root: Path, recipes: dict[str, Is]) -> Project:
    made = load(checkout.write(root))
    toy = made.recipes["toy"]
    return replace(
        made,
        recipes={
            name: replace(
                toy,
                iso=Iso("TOY") if one.iso else None,
                root=Root(packages="bare") if one.root else None,
                image=replace(toy.image, carries=one.carries),
                acceptance=Acceptance(firmware=one.firmware) if one.firmware else None,
            )
            for name, one in recipes.items()
        },
    )


MEDIUM, SYSTEM = Is(iso=True), Is(root=True)


@pytest.mark.parametrize(
    ("recipes", "images"),
    [
        ({"medium": MEDIUM, "inside": Is()}, ["medium", "inside"]),
        ({"system": SYSTEM}, ["system"]),
        ({"medium": MEDIUM, "system": SYSTEM}, ["medium"]),
        ({"live": Is(iso=True, root=True), "system": SYSTEM}, ["live"]),
        ({"medium": MEDIUM, "system": SYSTEM, "carrier": Is(iso=True, carries="system")}, ["medium"]),
        (
            {"medium": MEDIUM, "outer": Is(iso=True, carries="it"), "it": Is(carries="s"), "s": SYSTEM},
            ["medium"],
        ),
        ({"medium": Is(iso=True, carries="inside"), "inside": Is(), "system": SYSTEM}, ["medium", "inside"]),
        ({"carrier": Is(iso=True, carries="system"), "system": SYSTEM}, ["carrier", "system"]),
        ({"medium": Is(iso=True, carries="round"), "round": Is(carries="round")}, ["medium", "round"]),
        ({"system": Is(root=True, firmware="stand-in"), "stand-in": Is()}, ["system"]),
        ({"medium": MEDIUM, "s": Is(root=True, firmware="stand-in"), "stand-in": Is()}, ["medium"]),
        ({"medium": Is(iso=True, firmware="stand-in"), "stand-in": Is(iso=True)}, ["medium"]),
    ],
)
def test_what_a_release_consists_of(tmp_path: Path, recipes: dict[str, Is], images: list[str]) -> None:
    session = Session(tmp_path, Report())
    vars(session).update(project=project(tmp_path, recipes), plans=dict.fromkeys(recipes, ()))
    assert list(session.images) == images
