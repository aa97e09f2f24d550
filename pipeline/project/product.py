"""`product.toml`: what a recipe's programs say, write and need. Images carry it as /etc/product.toml.

`programs/common/src/product.rs` reads the same there.
"""

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline import config
from pipeline.config import (
    Colour,
    FatLabel,
    FileName,
    FontName,
    GptName,
    HostName,
    LogoName,
    PartitionName,
    Sentence,
    ShortText,
)
from pipeline.errors import ConfigError
from pipeline.project.look import wrong_font, wrong_logo
from pipeline.project.manifest import Manifest
from pipeline.project.recipe import Recipe

Setting = Literal[
    "host_name",
    "node_name",
    "data_partitions",
    "encryption",
    "reserved",
    "time_server",
    "address",
    "gateway",
    "name_servers",
]
Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[int, Field(gt=0)]
EfiSize = Annotated[int, Field(ge=288, le=4096)]
"""MiB in which two systems have room, and clusters of 4096 bytes are enough to be FAT32."""

LEAST_DATA = 136
"""MiB of an ext4 with a journal of 64 MiB: mke2fs wants as much free again before it makes one."""

PARTITIONS = "partitions.json"
"""What the list of a set of partitions is called on the medium that installs it."""


@dataclass(frozen=True)
class Disk:
    """An installed disk: its `folder` in the EFI partition, and what GPT and ext4 call other partitions.

    Data partitions after the first have a digit behind its name; none is smaller than `least_data_mib`. The
    EFI partition has `efi_mib`. Nothing is said of data where a set of partitions is installed.
    """

    folder: FileName
    unfinished: GptName
    data: PartitionName | None = None
    least_data_mib: Positive | None = None
    efi_mib: EfiSize = 512

    @model_validator(mode="after")
    def _told_apart(self) -> "Disk":
        names = [name for name in ("EFI", self.data, self.unfinished) if name is not None]
        if any(one.startswith(other) for one, other in itertools.permutations(names, 2)):
            raise ValueError("data, unfinished and EFI begin alike: then partitions are not told apart")
        return self


@dataclass(frozen=True)
class Needs:
    """The least `disk` in bytes, and the least memory."""

    disk: Positive
    memory_mib: Positive


@dataclass(frozen=True)
class Medium:
    """What gets installed, and the label of a FAT volume with an answer file.

    `payload` is a UKI, or the list of a set of partitions (`partitions.json`): its name ends in `.json`.
    """

    payload: FileName
    answers: FatLabel


@dataclass(frozen=True)
class Service:
    """What the installed system runs, below /bin, and where it answers.

    At `attestation_port` the appliance proves what runs, if it is not 0 (docs/attestation.md).
    """

    program: FileName
    port: Port
    attestation_port: Port | Literal[0] = 0

    @model_validator(mode="after")
    def _told_apart(self) -> "Service":
        if self.port == self.attestation_port:
            raise ValueError("port and attestation_port are one: two programs cannot answer there")
        return self


@dataclass(frozen=True)
class Settings:
    """What a machine and its node are called until somebody says otherwise, and what people are asked for.

    `advanced` is shown to those who want it; a setting in neither list stays as it is.
    """

    host_name: HostName
    node_name: HostName
    asked: tuple[Setting, ...]
    advanced: tuple[Setting, ...]


@dataclass(frozen=True)
class Colours:
    """The installer's screen on a monitor."""

    ground: Colour
    band: Colour
    raised: Colour
    key: Colour
    text: Colour
    quiet: Colour
    accent: Colour
    amber: Colour
    red: Colour
    dim: Colour


@dataclass(frozen=True)
class Texts:
    """Sentences in the product's own words: first of all, when all is done, and whom to ask for help."""

    welcome: Sentence | None = None
    done: Sentence | None = None
    support: Sentence | None = None


@dataclass(frozen=True)
class Look:
    """Files beside product.toml, here and in images: a picture for Welcome, and the monitor's font."""

    logo: LogoName | None = None
    font: FontName | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The names of those that there are."""
        return tuple(name for name in (self.logo, self.font) if name is not None)


@dataclass(frozen=True)
class Product:
    """What is installed: `name` is for people, `id` for files, kernel parameters and SMBIOS strings.

    `vendor` is who makes it. A set of partitions has its own service, settings and data: nothing need be said
    of them.
    """

    name: ShortText
    id: HostName
    vendor: ShortText
    disk: Disk
    needs: Needs
    medium: Medium
    colours: Colours
    service: Service | None = None
    settings: Settings | None = None
    texts: Texts = Texts()
    look: Look = Look()

    @model_validator(mode="after")
    def _has_what_an_appliance_needs(self) -> "Product":
        needed = {
            "service": self.service,
            "settings": self.settings,
            "disk.data": self.disk.data,
            "disk.least_data_mib": self.disk.least_data_mib,
        }
        missing = [key for key, value in needed.items() if value is None]
        if missing and not self.is_set:
            keys = ", ".join(missing)
            raise ValueError(f"{keys}: missing, and only a set of partitions (medium.payload) does without")
        return self

    @property
    def is_set(self) -> bool:
        """Whether what gets installed is a set of partitions, not one UKI beside data."""
        return self.medium.payload.endswith(".json")


def product_of(root: Path, name: str, recipe: Recipe) -> Path | None:
    """Return the file that says what the programs of the recipe `name` are for, or None."""
    path = recipe.image.product
    return None if path is None else Path(os.path.normpath(root / "recipes" / name / path))


def name_of(root: Path, name: str, recipe: Recipe, usual: str) -> str:
    """Return what people call that which a recipe's programs are for: a set has a name of its own."""
    path = product_of(root, name, recipe)
    product = read(path) if path else None
    return product.name if product and product.is_set else usual


def read(path: Path) -> Product:
    """Read a product's file, in which `mistakes_in` has found nothing. Raises ConfigError where there is."""
    mistakes: list[str] = []
    product = config.read(Product, path, path.name, mistakes)
    if product is None:
        raise ConfigError(mistakes, "correct the file")
    return product


def mistakes_in(root: Path, recipes: Mapping[str, Recipe], pins: Manifest) -> list[str]:
    """Return what is wrong with the products of recipes, and what in these is otherwise."""
    mistakes: list[str] = []
    for name, recipe in recipes.items():
        path = product_of(root, name, recipe)
        if path is None:
            continue
        if not path.is_relative_to(root):
            where = f"recipes/{name}/recipe.toml: image.product"
            mistakes.append(f"{where}: {recipe.image.product!r} leads out of the repository")
            continue
        where = path.relative_to(root).as_posix()
        product = config.read(Product, path, where, mistakes)
        if product is not None:
            wrong = [*_unlike(product, name, recipe, recipes, pins), *_wrong_files(product.look, path.parent)]
            mistakes += [f"{where}: {each}" for each in wrong]
    return list(dict.fromkeys(mistakes))  # recipes may share a product


def _wrong_files(look: Look, folder: Path) -> Iterator[str]:
    """Yield what is wrong with the files that a look names."""
    for key, name, wrong in (("logo", look.logo, wrong_logo), ("font", look.font, wrong_font)):
        if name is None:
            continue
        try:
            fault = wrong((folder / name).read_bytes())
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        if fault:
            yield f"look.{key}: {name} {fault}"


def _unlike(
    product: Product, name: str, recipe: Recipe, recipes: Mapping[str, Recipe], pins: Manifest
) -> list[str]:
    """Return what a product says otherwise than the recipe `name` and the manifest."""
    found = []
    # A whole system beside the manifest's product is one of its own, and so is what installs it.
    if product.name != pins.product.name and not product.is_set:
        found.append(f"name: {product.name!r} is not the manifest's {pins.product.name!r}")
    carried = recipes.get(recipe.image.carries or "")
    if carried is not None:
        payload = carried.image.uki if carried.boot is None else PARTITIONS
        if product.medium.payload != payload:
            found.append(f"medium.payload: {name} carries {payload!r}, not {product.medium.payload!r}")
        if carried.boot is not None and product.disk.folder != carried.boot.folder:
            folders = f"{carried.boot.folder!r} is boot.folder of {recipe.image.carries}"
            found.append(f"disk.folder: {folders}, not {product.disk.folder!r}")
    if recipe.iso is not None and f"{product.id}.medium={{volume_id}}" not in recipe.image.cmdline:
        found.append(f"id: the installer looks for '{product.id}.medium=' in image.cmdline of {name}")
    if recipe.image.formats and product.medium.payload != recipe.image.uki:
        uki = f"{name} makes disks (image.formats) with {recipe.image.uki!r}"
        found.append(f"medium.payload: {uki}, and {product.medium.payload!r} is what gets installed")
    least_data = product.disk.least_data_mib
    if recipe.image.formats and least_data is not None and least_data < LEAST_DATA:
        least = f"{least_data} MiB have no room for the journal on a disk of {name}"
        found.append(f"disk.least_data_mib: {least} (image.formats), {LEAST_DATA} have")
    return found
