"""Reads the configuration of syslinux, extlinux, isolinux and pxelinux: what is started where nobody chooses.

Specification: https://wiki.syslinux.org/wiki/index.php?title=Config (syslinux 6.03, com32/elflink/ldlinux)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.errors import FormatError

FOLDERS = ("boot/isolinux", "isolinux", "boot/syslinux", "boot/extlinux", "syslinux", "extlinux", "")
"""Where its loaders look for ldlinux.c32 and the configuration, in order, behind their own folder."""

NAMES = {
    "ISOLINUX": ("isolinux.cfg", "syslinux.cfg"),
    "SYSLINUX": ("syslinux.cfg", "extlinux.conf"),
    "EXTLINUX": ("extlinux.conf", "syslinux.cfg"),
}
"""What the configuration is called, by loader."""

IMAGES = ("kernel", "linux", "boot", "bss", "com32", "config", "localboot", "fdimage", "pxe", "comboot")
MAX_INCLUDED = 16  # files in files
MAX_LINES = 20_000


@dataclass(frozen=True, slots=True)
class Label:
    """What can be started: `kind` is the directive that names it, `linux` or `kernel` and so on."""

    name: str
    kind: str = "kernel"
    image: str = ""
    append: str = ""
    initrds: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The initramfs archives, those in the command line, too."""
        told = [word[7:] for word in self.append.split() if word.startswith("initrd=")]
        return self.initrds or tuple(path for word in told[-1:] for path in word.split(",") if path)


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration says: the words of DEFAULT, of UI, and the labels in their order."""

    default: str
    interface: str
    labels: tuple[Label, ...]
    menu_default: str = ""

    @property
    def chosen(self) -> Label | None:
        """Return what is started where nobody chooses, None for a prompt."""
        named = {label.name.casefold(): label for label in self.labels}
        first, _, rest = self.default.partition(" ")
        if self.interface or is_module(first):  # a menu: its entries are the labels
            wanted = self.menu_default or ("" if is_module(first) else first)
            return named.get(wanted.casefold()) or (self.labels[0] if self.labels else None)
        wanted = self.menu_default or first
        if not wanted:
            return None
        found = named.get(wanted.casefold())
        return found or Label(wanted, image=wanted, append=rest)

    @property
    def module(self) -> str:
        """The module that shows a menu, "" without one."""
        first = (self.interface or self.default).partition(" ")[0]
        return first if self.interface or is_module(first) else ""


def is_module(name: str) -> bool:
    """Tell whether a file is a program of syslinux's own."""
    return name.lower().endswith((".c32", ".com32"))


def read_config(text: str, load: Callable[[str], str]) -> Config:
    """Return what a configuration says, with the files that it includes, whose text is what `load` returns.

    Raises FormatError for more files or lines than any has, and what `load` raises.
    """
    found: list[Label] = []
    settings = {"default": "", "ui": "", "menu default": "", "append": ""}
    count = [0]

    def lines(text: str, depth: int) -> None:
        if depth > MAX_INCLUDED:
            raise FormatError("its configurations include each other", "correct what includes itself")
        for line in text.splitlines():
            count[0] += 1
            if count[0] > MAX_LINES:
                raise FormatError(f"it has more than {MAX_LINES} lines", "the file is damaged")
            key, _, value = line.strip().partition(" ")
            key, _, more = key.partition("\t")
            value = f"{more} {value}".strip()
            if key.lower() == "menu" and value.lower().startswith("include "):
                key, value = "include", value.split()[1]
            if key.lower() == "include" and value:
                lines(load(value.split()[0]), depth + 1)
            else:
                directive(key.lower(), value)

    def directive(key: str, value: str) -> None:
        label = found[-1] if found else None
        if key == "label":
            found.append(Label(value, image=value, append=settings["append"]))
        elif key in ("default", "ui"):
            settings[key] = value
        elif key == "menu" and value.lower() == "default" and label:
            settings["menu default"] = label.name
        elif key == "append" and label is None:
            settings["append"] = value
        elif label is not None and key == "append":
            found[-1] = replace(label, append="" if value == "-" else value)
        elif label is not None and key == "initrd":
            found[-1] = replace(label, initrds=tuple(path for path in value.split(",") if path))
        elif label is not None and key in IMAGES:
            image, _, more = value.partition(" ")
            found[-1] = replace(label, kind=key, image=image, append=more.strip() or label.append)

    lines(text, 0)
    return Config(settings["default"], settings["ui"], tuple(found), settings["menu default"])
