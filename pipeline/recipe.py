"""Owns `recipes/*/recipe.toml`: what goes into an image, as people write it.

Must not know pins, steps, doit or engines.
"""

from dataclasses import dataclass

from pydantic import model_validator

from pipeline.config import STRICT, Name, RelativePath, Text, VolumeId


@dataclass(frozen=True)
class Kernel:
    """Fragments of `recipes/kernels/`, the last of which names the kernel, or a bzImage of the manifest."""

    __pydantic_config__ = STRICT
    fragments: tuple[Name, ...] = ()
    artifact: Name | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Kernel":
        if bool(self.fragments) == (self.artifact is not None):
            raise ValueError("needs either fragments or artifact")
        return self


@dataclass(frozen=True)
class Installer:
    """A Rust crate below the recipe's folder, or a finished binary named in the manifest."""

    __pydantic_config__ = STRICT
    crate: RelativePath | None = None
    artifact: Name | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Installer":
        if (self.crate is None) == (self.artifact is None):
            raise ValueError("needs either crate or artifact")
        return self


@dataclass(frozen=True)
class Image:
    """The rest of the image; paths are below the recipe's folder.

    `cmdline` is joined with blanks; `{volume_id}` in it stands for the ISO's volume identifier.
    """

    __pydantic_config__ = STRICT
    volume_id: VolumeId
    cmdline: tuple[Text, ...]
    rootfs: RelativePath
    splash: RelativePath


@dataclass(frozen=True)
class Recipe:
    """One image; its name is its folder's."""

    __pydantic_config__ = STRICT
    summary: Text
    kernel: Kernel
    installer: Installer
    image: Image
