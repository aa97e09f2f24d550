"""What a recipe says of a /boot that firmware and other systems read, and of a store-shaped root."""

from dataclasses import dataclass, field

from pydantic import model_validator

from pipeline.config import AbsolutePath, FileName, RelativePath, Text


@dataclass(frozen=True)
class Boot:
    """A tree with kernels, initramfs and menus, which GRUB, systemd-boot and Heads read alike.

    `systems` are paths in the root, the current system first, then those to fall back to: a folder, or links
    to one, in which `kernel` is a bzImage, a link to one, or to a folder that holds one called `bzImage`, and
    `initrd` an initramfs or a link to one. Each is started with `cmdline`, joined with blanks, in which
    `{system}` stands for where its path leads to, and with the words of a file `parameters` that it has.
    `folder` is the recipe's own below EFI on an EFI system partition; a menu waits `timeout` seconds. With
    `heads` the tree has the lists of files and hashes that Heads verifies.
    """

    systems: tuple[AbsolutePath, ...]
    cmdline: tuple[Text, ...]
    folder: FileName
    kernel: RelativePath = "kernel"
    initrd: RelativePath = "initrd"
    timeout: int = 5
    heads: bool = False

    @model_validator(mode="after")
    def _has_a_system(self) -> "Boot":
        if not self.systems:
            raise ValueError("systems: there is none, so nothing could be started")
        if len(set(self.systems)) < len(self.systems):
            raise ValueError("systems: one is there twice")
        return self


@dataclass(frozen=True)
class Store:
    """A root whose packages, kernel, initramfs and systems lie in folders named by what is in them.

    `folder` is where these lie. Each of `generations` is a system, the oldest first, with what it is told
    beside `boot.cmdline` in its own file `parameters`; `profile` is the link that leads to the last one, by
    way of a link for each, `profile-NUMBER-link`.
    """

    folder: AbsolutePath
    profile: AbsolutePath
    generations: tuple[tuple[Text, ...], ...] = field(default=((),))

    @model_validator(mode="after")
    def _has_a_generation(self) -> "Store":
        if not self.generations:
            raise ValueError("generations: there is none, and the profile has to lead to one")
        return self
