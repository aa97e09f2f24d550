"""`manifests/manifest.toml`: the version, the epoch, the Debian snapshot, artifacts from outside."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, model_validator

from pipeline.config import CacheName, Name, PlainText, PublicKey, RelativePath, Sha256, Suite, Timestamp, Url

PATH = "manifests/manifest.toml"


@dataclass(frozen=True)
class Product:
    """What the image installs: shown on its screens and in /etc/os-release (os-release(5))."""

    name: PlainText
    version: PlainText


@dataclass(frozen=True)
class Debian:
    """Which Debian the builder containers come from.

    `archives` maps an archive (the folder `debian` or `debian-security` of a mirror) to its suites. `mirror`,
    the folder above them, is asked before the snapshot archive, also by a machine that is no Debian.
    """

    snapshot: Timestamp
    snapshot_url: Url
    archives: dict[Name, tuple[Suite, ...]]
    mirror: Url | None = None


@dataclass(frozen=True)
class Artifact:
    """A file from outside, named by recipes: `path` (below the repository) or `url`; `size` in bytes."""

    sha256: Sha256
    size: Annotated[int, Field(gt=0)]
    path: RelativePath | None = None
    url: Url | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Artifact":
        if (self.path is None) == (self.url is None):
            raise ValueError("needs either path or url")
        return self


@dataclass(frozen=True)
class Caches:
    """Where finished outputs and packages may come from: `sources` are asked in this order.

    Bytes have to be those of a locked digest; of what is not locked, those that one of `keys` has signed.
    """

    sources: tuple[CacheName, ...] = ()
    keys: tuple[PublicKey, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """All pins that people write by hand. `source_date_epoch` is in seconds since 1970 UTC.

    `versions` are those of Linux and of programs, as people say them, of a crate in a git checkout of its own
    also its commit: they are checked, see `versions`.
    `artifacts` are named by recipes and have to be there; `payload` holds what takes the place of the
    programs that recipes bring along, such as `service`.
    """

    product: Product
    source_date_epoch: Annotated[int, Field(ge=315532800, lt=4354819200)]
    debian: Debian
    artifacts: dict[Name, Artifact] = field(default_factory=dict)
    payload: dict[Name, Artifact] = field(default_factory=dict)
    versions: dict[Name, PlainText] = field(default_factory=dict)
    caches: Caches = field(default_factory=Caches)
