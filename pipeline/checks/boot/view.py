"""What the rules of boot configuration look at: the files of one partition or ISO, and what they say."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache, wraps
from typing import Any

from pipeline.checks.attempt import attempt
from pipeline.checks.fat.volume import EfiImage
from pipeline.checks.finding import Fault, Rule
from pipeline.checks.medium.iso import Iso
from pipeline.errors import FormatError
from pipeline.formats import boot_views
from pipeline.formats.bls import BlsEntry, entry_paths, read_entry
from pipeline.formats.boot_files import Files
from pipeline.formats.budget import ENDLESS, Budget
from pipeline.formats.fields import budget_of
from pipeline.formats.filesystem import FileSystem
from pipeline.formats.grub_config import read_config
from pipeline.formats.grub_menu import Config, Entry, Place
from pipeline.formats.heads import HASHES, TREE
from pipeline.formats.heads_scan import Scan, scan

CONFIG = re.compile(
    r"(boot/)?grub2?/([^/]+/)?(grub|loopback)\.cfg|EFI/[^/]+/grub\.cfg"
    r"|loader/entries/[^/]+\.conf|kexec_(hashes|tree)\.txt",
    re.IGNORECASE,
)
"""Where boot loaders and Heads have what is judged here; a file that is called so elsewhere is somebody's."""


@dataclass(frozen=True)
class Grub:
    """A grub.cfg: where it lies, and what it says, or why it cannot be parsed."""

    path: str
    config: Config | FormatError


@dataclass(frozen=True)
class Boot:
    """The files of a partition, an ISO or a boot tree. `devices` are names that GRUB may find it by.

    It is not `complete` where some of its files could not be read: then nobody knows what is missing. `size`
    is 0 where that is not the partition's.
    """

    files: Files
    devices: tuple[str, ...] = ()
    size: int = 0
    complete: bool = True
    budget: Budget = ENDLESS

    @cached_property
    def menus(self) -> tuple[Grub, ...]:
        """All grub.cfg and loopback.cfg where GRUB has them."""
        paths = (path for path in self.files.files if path.lower().endswith((".cfg",)))
        return tuple(
            Grub(path, attempt(self.read_menu, path)) for path in sorted(paths) if CONFIG.fullmatch(path)
        )

    def read_menu(self, path: str) -> Config:
        """Return what a grub.cfg says."""
        folder = path.rpartition("/")[0]
        settings = {"prefix": f"/{folder}", "config_directory": f"/{folder}", "config_file": f"/{path}"}
        return read_config(self.files.text(path), self.load, settings=settings, budget=self.budget)

    def load(self, place: Place) -> str | None:
        """Return another file with commands, None for one that is not on this partition."""
        return self.files.text(place.path) if self.is_here(place) else None

    def is_here(self, place: Place) -> bool:
        """Tell whether a place is surely on this partition."""
        kind, _, name = place.device.partition(":file:")
        return (
            place.device == ""
            or place.device.lower() in self.devices
            or (kind == "search" and self.files.is_file(name))
        )

    def missing(self, entry: Entry, places: tuple[Place, ...]) -> list[Place]:
        """Return which files of an entry are not there, where all of it is known."""
        if not self.complete or entry.unknown or not entry.is_certain:
            return []
        return [place for place in places if self.is_here(place) and not self.files.is_file(place.path)]

    @cached_property
    def bls(self) -> tuple[tuple[str, BlsEntry | FormatError], ...]:
        """The entries in loader/entries with their paths, or why they cannot be read."""
        return tuple((path, attempt(read_entry, self.files, path)) for path in entry_paths(self.files))

    @property
    def bls_entries(self) -> tuple[BlsEntry, ...]:
        """Those that can be read."""
        return tuple(entry for _, entry in self.bls if isinstance(entry, BlsEntry))

    @cached_property
    def has_lists(self) -> bool:
        """Whether it has a list of Heads: then it is meant for Heads."""
        return any(self.files.is_file(name) for name in (HASHES, TREE))

    @cached_property
    def scan(self) -> Scan:
        """What Heads finds, nothing where it is not meant for Heads."""
        return scan(self.files) if self.has_lists else Scan((), ())


NOTHING = Boot(Files({}))


class _Same:
    """An artifact as a key: the very same one, whatever it holds."""

    def __init__(self, artifact: Any) -> None:
        self.artifact = artifact

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.artifact is other.artifact

    def __hash__(self) -> int:
        return id(self.artifact)


def boot_of(artifact: Any) -> Boot:
    """Return what a file system, an ISO or a boot tree has of boot configuration."""
    return artifact if isinstance(artifact, Boot) else _boot_of(_Same(artifact))


@lru_cache(maxsize=1)
def _boot_of(key: _Same) -> Boot:
    artifact = key.artifact
    if isinstance(artifact, FileSystem):
        return _of_file_system(artifact)
    if isinstance(artifact, EfiImage):
        return _of_fat(artifact)
    return _of_iso(artifact) if isinstance(artifact, Iso) else NOTHING


def _of_file_system(system: FileSystem) -> Boot:
    if not any(CONFIG.fullmatch(file.path) for file in system.files):
        return NOTHING
    block = system.superblock
    return Boot(
        boot_views.of_file_system(system),
        _devices(block.label, block.uuid),
        block.size,
        system.complete and not system.faults,
        budget_of(system.image),
    )


def _of_fat(efi: EfiImage) -> Boot:
    if not any(CONFIG.fullmatch(entry.path) for entry in efi.files):
        return NOTHING
    files = boot_views.of_fat_entries(efi.volume, efi.table, efi.entries)
    complete = efi.complete and efi.damage is None and len(files.files) >= len({e.path for e in efi.files})
    budget = budget_of(efi.volume.image)
    return Boot(files, _devices(efi.volume.label, ""), efi.volume.size, complete, budget)


def _of_iso(iso: Iso) -> Boot:
    names = iso.files
    found = any(CONFIG.fullmatch(member.path.strip("/")) for member in iso.members)
    if not found or isinstance(names, FormatError):
        return NOTHING
    files = boot_views.of_iso(iso.image, names)
    complete = names.complete and iso.is_whole
    return Boot(files, _devices(names.label, ""), 0, complete, budget_of(iso.image))


def _devices(label: str, uuid: str) -> tuple[str, ...]:
    named = (("label", label.strip()), ("fs-uuid", uuid))
    return tuple(f"search:{kind}:{name}".lower() for kind, name in named if name)


def of_any(rule: Rule[Boot]) -> Rule[Any]:
    """Return a rule of boot configuration as one of whatever has files."""

    @wraps(rule.faults)
    def faults(artifact: Any) -> Iterable[Fault] | None:
        return rule.faults(boot_of(artifact))

    return Rule(rule.code, rule.holds, faults, rule.spec, rule.fix, rule.severity, rule.policy, rule.lenient)
