"""The JSON files that pages and comparisons are made of: what they read of each, and no more."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from pipeline import config
from pipeline.errors import ConfigError
from pipeline.release.layout import LENIENT

T = TypeVar("T")


@dataclass(frozen=True)
class Blob:
    """A file that went into a step, or came out of it; `size` in bytes."""

    __pydantic_config__ = LENIENT
    sha256: str
    size: int


@dataclass(frozen=True)
class Container:
    """Where a step ran."""

    __pydantic_config__ = LENIENT
    image: str


@dataclass(frozen=True)
class Made:
    """A step of a build."""

    __pydantic_config__ = LENIENT
    step: str
    key: str | None = None
    container: Container | None = None
    inputs: dict[str, Blob] = field(default_factory=dict)
    outputs: dict[str, Blob] = field(default_factory=dict)


@dataclass(frozen=True)
class Build:
    """`build.json`: how each step was made."""

    __pydantic_config__ = LENIENT
    steps: tuple[Made, ...]


@dataclass(frozen=True)
class Hash:
    """A digest of a component, by an algorithm such as SHA-256."""

    __pydantic_config__ = LENIENT
    alg: str
    content: str


@dataclass(frozen=True)
class Named:
    """A licence by its SPDX identifier, else by its name."""

    __pydantic_config__ = LENIENT
    id: str = ""
    name: str = ""


@dataclass(frozen=True)
class Licence:
    """A licence, or an expression of several."""

    __pydantic_config__ = LENIENT
    license: Named | None = None
    expression: str = ""

    def __str__(self) -> str:
        return self.expression or (self.license and (self.license.id or self.license.name)) or ""


@dataclass(frozen=True)
class Component:
    """Something that is in a product, or that it was made of (CycloneDX 1.6, components).

    Its `scope` is "excluded" where it is in nothing that is released.
    """

    __pydantic_config__ = LENIENT
    type: str
    name: str
    version: str = ""
    purl: str = ""
    scope: str = ""
    licenses: tuple[Licence, ...] = ()
    hashes: tuple[Hash, ...] = ()
    components: tuple["Component", ...] = ()

    @property
    def sha256(self) -> str:
        """Its SHA-256 in hex, "" without one."""
        return next((each.content for each in self.hashes if each.alg == "SHA-256"), "")


@dataclass(frozen=True)
class Metadata:
    """What a bill of materials is about."""

    __pydantic_config__ = LENIENT
    component: Component = Component("", "")


@dataclass(frozen=True)
class Sbom:
    """`sbom.cdx.json`: https://cyclonedx.org/docs/1.6/json/."""

    __pydantic_config__ = LENIENT
    bomFormat: Literal["CycloneDX"]  # noqa: N815  CycloneDX calls it so
    metadata: Metadata = Metadata()
    components: tuple[Component, ...] = ()


@dataclass(frozen=True)
class Run:
    """`run.json`: when, by whom and where a release was made, and the seconds that each step took."""

    __pydantic_config__ = LENIENT
    made: str
    by: str
    machine: str
    seconds: dict[str, float]


@dataclass(frozen=True)
class Boot:
    """The `result.json` of a way of booting: `seconds` since power-on by what was reached."""

    __pydantic_config__ = LENIENT
    way: str
    accel: str
    passed: bool
    seconds: dict[str, float]
    failure: tuple[str, ...] = ()


@dataclass(frozen=True)
class Installation:
    """The `result.json` of a story: how long it took, and `times` that were measured in it."""

    __pydantic_config__ = LENIENT
    story: str
    seconds: float
    times: dict[str, float]
    failure: str = ""


@dataclass(frozen=True)
class Event:
    """What happened so many seconds after power-on."""

    __pydantic_config__ = LENIENT
    seconds: float
    event: str


def read(kind: type[T], path: Path) -> T:
    """Read one of these files. Raises ConfigError for what is not of its shape, or not there."""
    mistakes: list[str] = []
    found = config.read(kind, path, path.name, mistakes)
    if found is None:
        raise ConfigError(mistakes, "make the file again")
    return found


def timeline(path: Path) -> tuple[Event, ...]:
    """Read a boot's `timeline.json`. Raises ConfigError as `read` does."""
    try:
        found: tuple[Event, ...] | None = config.adapter(tuple[Event, ...]).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise ConfigError([f"{path.name}: is no timeline of a boot"], "make the file again") from None
    return found or ()
