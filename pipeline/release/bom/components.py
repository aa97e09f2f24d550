"""What a release consists of, as data: parts, and how they belong together.

It is what bills of materials are made of, whatever their format.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

NAMESPACE = uuid.UUID("0e0c4a5c-5a0b-5c5e-8e0f-3d6f6a0c9a11")
"""For the numbers of documents, which derive from what is in them (RFC 9562, section 5.5)."""


class Kind(StrEnum):
    """What a part is."""

    ARTIFACT = "artifact"  # a file that people get, or that such a file is made of
    FILE = "file"  # one in an artifact
    DEBIAN = "deb"  # a binary package
    SOURCE = "source"  # a source package
    CRATE = "crate"
    CONTAINER = "container"  # in which steps ran


class Relation(StrEnum):
    """How one part belongs to another: the names are SPDX's (https://spdx.github.io/spdx-spec/v2.3/,
    clause 11)."""

    CONTAINS = "CONTAINS"
    COPY_OF = "COPY_OF"
    EXPANDED_FROM_ARCHIVE = "EXPANDED_FROM_ARCHIVE"
    GENERATED_FROM = "GENERATED_FROM"
    STATIC_LINK = "STATIC_LINK"
    DEPENDS_ON = "DEPENDS_ON"
    BUILD_DEPENDENCY_OF = "BUILD_DEPENDENCY_OF"
    BUILD_TOOL_OF = "BUILD_TOOL_OF"


OF_TOOLS = (Relation.BUILD_DEPENDENCY_OF, Relation.BUILD_TOOL_OF)
"""Relations of what is in no artifact to what was made with it."""


@dataclass(frozen=True, order=True)
class Licence:
    """An SPDX expression, "" where nobody says so; `texts` are those of its LicenseRefs, by their names."""

    expression: str = ""
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Part:
    """One thing: `ref` is its name among all of a release; sizes in bytes, digests in hex, "" for unknown.

    A file in an artifact has no version and no supplier of its own.

    `origin` says in words where it comes from; `purl` is a package URL. A `tool` is in no artifact itself.
    """

    ref: str
    kind: Kind
    name: str
    version: str
    supplier: str
    sha256: str = ""
    sha1: str = ""
    size: int | None = None
    licence: Licence = Licence()
    purl: str = ""
    origin: str = ""
    tool: bool = False


@dataclass(frozen=True, order=True)
class Link:
    """`part` is so to `other`; both are refs."""

    part: str
    relation: Relation
    other: str


@dataclass(frozen=True)
class Contents:
    """What is in the artifacts of one version of the product; parts are sorted by their refs, links too.

    `epoch` is in seconds since 1970 UTC.
    """

    product: str
    version: str
    epoch: int
    parts: tuple[Part, ...]
    links: tuple[Link, ...]

    @property
    def tops(self) -> tuple[Part, ...]:
        """The artifacts that no other contains."""
        inside = {link.other for link in self.links if link.relation is Relation.CONTAINS}
        return tuple(part for part in self.parts if part.kind is Kind.ARTIFACT and part.ref not in inside)

    @property
    def number(self) -> uuid.UUID:
        """A number that no other contents have."""
        text = json.dumps(asdict(self), sort_keys=True)
        return uuid.uuid5(NAMESPACE, hashlib.sha256(text.encode()).hexdigest())


def sorted_contents(
    product: str, version: str, epoch: int, parts: Iterable[Part], links: Iterable[Link]
) -> Contents:
    """Return contents in their one order."""
    return Contents(
        product, version, epoch, tuple(sorted(parts, key=lambda part: part.ref)), tuple(sorted(set(links)))
    )
