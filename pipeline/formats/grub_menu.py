"""What a grub.cfg says: the entries of GRUB's menu and its settings, as `grub_config` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A file as GRUB names it: `device` is what stands in parentheses, or what `root` is, "" as at the start.

    A device that was searched is `search:` with `label:`, `fs-uuid:` or `file:` and what was searched for.
    """

    device: str
    path: str

    def __str__(self) -> str:
        return f"({self.device}){self.path}" if self.device else self.path


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the menu; `menus` are the submenus that it is in, title and id, `position` is its number in
    each of them and in the last.

    `kind` is `linux`, `multiboot` or `chainloader` by what it starts, else "". With `unknown` its files or
    command line depend on these variables, whose names stand for them; with `is_certain` false it is only
    there, or only so, if a test succeeds that nobody knows the answer of.
    """

    line: int
    title: str
    id: str = ""
    menus: tuple[tuple[str, str], ...] = ()
    position: tuple[int, ...] = ()
    kind: str = ""
    kernel: Place | None = None
    cmdline: str = ""
    initrds: tuple[Place, ...] = ()
    modules: tuple[Place, ...] = ()
    configs: tuple[Place, ...] = ()  # files with other menus, which it goes on to
    unknown: tuple[str, ...] = ()
    is_certain: bool = True

    @property
    def files(self) -> tuple[Place, ...]:
        """All files that it needs."""
        return (*((self.kernel,) if self.kernel else ()), *self.initrds, *self.modules)


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration says: entries in their order, settings at its end, and files it goes on with.

    `unknown` are the settings that are known on the machine alone. `others` are files that were not read, and
    `missing` those that are not there; with `has_blscfg` the entries of loader/entries are in its menu, too.
    """

    entries: tuple[Entry, ...]
    settings: Mapping[str, str]
    unknown: frozenset[str] = frozenset()
    others: tuple[Place, ...] = ()
    missing: tuple[Place, ...] = ()
    has_blscfg: bool = False

    @property
    def default(self) -> Entry | None:
        """The entry that is started without anybody's choice, None where there is none or that is unknown.

        It is named by its number, id or title, behind those of its submenus and `>`; one that is not there
        is the first.
        """
        if "default" in self.unknown or self.has_blscfg:
            return None
        return next(iter(self._named or self.entries), None)

    @property
    def has_named_default(self) -> bool:
        """Whether there is an entry that the setting `default` names, or may be."""
        return "default" in self.unknown or self.has_blscfg or bool(self._named)

    @property
    def _named(self) -> tuple[Entry, ...]:
        found = self.entries
        for level, name in enumerate((self.settings.get("default", "") or "0").split(">")):
            found = tuple(entry for entry in found if _is_called(entry, level, name))
        return found


def _is_called(entry: Entry, level: int, name: str) -> bool:
    """Tell whether an entry, or the submenu that it is in at this level, has a name or number."""
    if level >= len(entry.position):
        return False
    title, its_id = entry.menus[level] if level < len(entry.menus) else (entry.title, entry.id)
    return name in (title, its_id) or (name.isdecimal() and int(name[:9]) == entry.position[level])
