"""`[acceptance]` of a recipe: what proves its image, as people write it."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import model_validator

from pipeline.config import KeyName, Keys, Name, PackageName, Size, StoryName, Text

Way = Literal["cd", "usb", "disk", "cd-bios", "usb-bios", "virtio-blk", "virtio-scsi", "ahci", "nvme"]
OF_MEDIA = ("cd", "usb", "disk", "cd-bios", "usb-bios")
"""Ways of starting an ISO, by UEFI or a BIOS; the others are buses that a whole system's own disk is on."""

BUSES = ", ".join(way for way in get_args(Way) if way not in OF_MEDIA)


@dataclass(frozen=True)
class Row:
    """One thing that is waited for, or done, at a machine: exactly one of these, within `seconds`.

    The machine says `sees` on its serial line after whatever was typed or pressed last, or `shows` words on
    its screen. `line` is typed on the serial line, with Enter behind it; `types` and `presses` (QEMU's
    QKeyCodes: ret, esc, f2) on its keyboard, which Linux may find after a program's first words: `waits` is
    for how many seconds nothing is done. It `resets`, or is `off`.
    """

    sees: Text | None = None
    shows: Text | None = None
    line: str | None = None
    types: Keys | None = None
    presses: tuple[KeyName, ...] = ()
    resets: bool = False
    off: bool = False
    waits: int = 0
    seconds: int = 400

    @model_validator(mode="after")
    def _one_thing(self) -> "Row":
        texts = (self.sees, self.shows, self.line, self.types)
        deeds = (self.presses, self.resets, self.off, self.waits > 0)
        if [*(text is not None for text in texts), *map(bool, deeds)].count(True) != 1:
            raise ValueError("needs one of sees, shows, line, types, presses, waits, resets and off")
        return self


@dataclass(frozen=True)
class Play:
    """A story told in rows, from power-on. `then` is one of the `disk` alone, without the medium.

    `way` is how the medium is attached; the disk, if there is one, is empty. Or it is the bus of a whole
    system's own disk, which is grown to the size `disk`, and with `then` started again.
    """

    rows: tuple[Row, ...]
    then: tuple[Row, ...] = ()
    way: Way = "cd"
    disk: Size | None = None

    @model_validator(mode="after")
    def _installs(self) -> "Play":
        if self.then and self.disk is None and self.way in OF_MEDIA:
            raise ValueError("then is about what was installed: disk is required for it")
        return self


@dataclass(frozen=True)
class Acceptance:
    """What `boot-test` waits for, and the stories that prove the product.

    The image says `welcome` on its serial line when its program is ready, and shows it on its screen, with
    the words of `shows`, in which `{product}` and `{version}` stand for the manifest's; the key `leave`
    reboots it then. A whole system, which may have no screen, need show `shows` alone. Stories are `play`,
    told in rows, and a Python `package` in the recipe's folder; those that are `long` are only told by name,
    or with all; those that `updates` names are also given an update of the image, to a version that follows;
    those that `trusted` names also one of trial, signed with keys that are made for it; `measured` is the one
    whose times `./doit bench` takes. `firmware` is a recipe whose kernel and initramfs stories may start
    machines with, in place of firmware.
    """

    welcome: Text | None = None
    shows: tuple[Text, ...] = ()
    leave: KeyName | None = None
    play: dict[StoryName, Play] = field(default_factory=dict)
    package: PackageName | None = None
    long: tuple[Name, ...] = ()
    measured: Name | None = None
    updates: tuple[StoryName, ...] = ()
    trusted: tuple[StoryName, ...] = ()
    firmware: Name | None = None

    @model_validator(mode="after")
    def _begins_with_welcome(self) -> "Acceptance":
        if self.welcome is None and (self.shows or self.leave):
            raise ValueError("shows and leave are about the first screen: welcome is required for them")
        if self.long and not (self.play or self.package):
            raise ValueError("long is about stories: play or package is required for it")
        return self
