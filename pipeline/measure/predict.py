"""Predicts a TPM's PCRs for each way of starting an image; the JSON of that, which a release publishes.

`docs/measure.schema.json` is made from these classes. A field that goes, or means something else, makes
another version; a new one does not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

from pipeline.errors import FormatError, PipelineError
from pipeline.formats.efi_variables import Variable, Variables
from pipeline.formats.fields import Image
from pipeline.formats.secure_boot import DATABASES, GLOBAL
from pipeline.formats.tcg_log import KINDS
from pipeline.measure.chain import Chain, events
from pipeline.measure.event import BANK, PREDICTED, Expected, value
from pipeline.measure.ways import chains

VERSION: Literal[1] = 1
OFF, SETUP, OWN, GIVEN = "off", "setup", "own", "given"
LISTS = (("PK", GLOBAL), ("KEK", GLOBAL), ("db", DATABASES), ("dbx", DATABASES))
OWNERS = {
    OFF: "firmware that knows no Secure Boot",
    SETUP: "firmware in setup mode, which holds no keys",
    OWN: "firmware that holds the keys of the recipe's [trust], and no others",
    GIVEN: "firmware with the variables that were given",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One event: into which PCR, its kind in the specification's words, what it is of, its digest in hex."""

    pcr: int
    kind: str
    what: str
    digest: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a start measures: `way` is how the image is attached, `trust` whom the firmware trusts.

    `pcrs` are values in hex, by the PCRs' numbers; `events` are those that make them, each PCR's in order.
    """

    way: str
    trust: str
    pcrs: dict[str, str]
    events: list[Measurement]


@dataclass(frozen=True, slots=True)
class OfImage:
    """All predictions for one image, whose digest says which; `unknown` says what cannot be told of it."""

    image: str
    sha256: str
    predictions: list[Prediction]
    unknown: list[str]


@dataclass(frozen=True, slots=True)
class Document:
    """Predictions for several images; all digests and PCRs are of one bank."""

    version: Literal[1]
    bank: str
    images: list[OfImage]


UNKNOWN = (
    "PCR 7 of a machine that holds other keys than these: give its variables with --vars",
    "PCR 4 where firmware tries other programs of its boot order first, or a person starts one from a menu",
    "PCRs 0 to 3, 5 and 6: they are of the machine, its firmware, its option ROMs and its disks",
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """The events of one way of starting an image."""

    way: str
    trust: str
    events: tuple[Expected, ...]


def expectations(
    ways: Mapping[str, Chain], stores: Mapping[str, Variables | None]
) -> tuple[list[Expectation], list[str]]:
    """Return what each way measures with each of the variable stores, and why some of them would not start.

    Raises FormatError where none would.
    """
    found, refused = list[Expectation](), list[str]()
    for trust, variables in stores.items():
        for way, chain in ways.items():
            try:
                found.append(Expectation(way, trust, events(chain, variables)))
            except FormatError as error:
                refused.append(f"{way}, {trust}: {error.message}")
                last = error
    if not found and refused:
        raise last
    return found, refused


def of_image(name: str, digest: str, expected: Sequence[Expectation], refused: Sequence[str]) -> OfImage:
    """Return what is published of an image with that SHA-256 (hex)."""
    return OfImage(
        name,
        digest,
        [
            Prediction(
                one.way,
                one.trust,
                {str(pcr): value(one.events, pcr).hex() for pcr in PREDICTED},
                [
                    Measurement(each.pcr, KINDS[each.kind], each.what, each.digest.hex())
                    for each in sorted(one.events, key=lambda each: each.pcr)
                ],
            )
            for one in expected
        ],
        [*refused, *UNKNOWN],
    )


def published(image: Image, name: str, digest: str, stores: Mapping[str, Variables | None]) -> OfImage:
    """Return what is published of an image, also of one for which nothing can be predicted."""
    try:
        return of_image(name, digest, *expectations(chains(image, name), stores))
    except FormatError as error:
        return OfImage(name, digest, [], [f"all of it: {error.message}"])


def text(images: Sequence[OfImage]) -> str:
    """Return the JSON of several images."""
    said = asdict(Document(VERSION, BANK, list(images)))
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def stores(keys: Path | None) -> dict[str, Variables | None]:
    """Return the variables of each firmware that is predicted for where nobody gives others.

    `keys` is a folder of public halves. PipelineError as of `enrolled`.
    """
    found: dict[str, Variables | None] = {OFF: None, SETUP: {}}
    return found | ({OWN: enrolled(keys)} if keys else {})


def enrolled(keys: Path) -> Variables:
    """Return the variables of firmware that was given the keys in a folder of public halves, and no others.

    Raises PipelineError where PK.esl, KEK.esl or db.esl is not there.
    """
    found: dict[tuple[str, UUID], Variable] = {}
    try:
        for name, vendor in LISTS:
            path = keys / f"{name}.esl"
            if name != "dbx" or path.exists():
                found[name, vendor] = Variable(0, path.read_bytes())
    except OSError as error:
        raise PipelineError(
            f"{error.filename}: cannot be read: {error.strerror}", "`./doit keys new` makes such a folder"
        ) from error
    return found
