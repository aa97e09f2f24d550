"""What must hold of a boot tree: the tar of a /boot that GRUB, systemd-boot and Heads read alike.

Its menus say the same, and `boot-tree.json` says what they say: an installer goes by that.
"""

import json
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.checks.boot.view import Boot
from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Member
from pipeline.errors import FormatError
from pipeline.formats import boot_views, tar_tree
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of
from pipeline.formats.heads import sha256

INDEX = "boot-tree.json"
MENU = "grub/grub.cfg"
FIELDS = ("id", "title", "system", "kernel", "kernel_sha256", "initrd", "initrd_sha256", "cmdline")
NAMED = re.compile(r"(?:vmlinuz-([0-9a-f]{12})|initrd-([0-9a-f]{12})\.img)")
SPEC = "pipeline/steps/boot_tree.py, which makes it"
AGAIN = "make it again, with the step `boot-tree`"


@dataclass(frozen=True)
class BootTree(Boot):
    """A boot tree, with the members of its tar and what `boot-tree.json` lists."""

    members: tuple[Entry, ...] = ()
    listed: tuple[Mapping[str, str], ...] = ()


def read_boot_tree(image: Image) -> BootTree:
    """Read the tar. Raises FormatError when it is damaged, or has no `boot-tree.json` that can be read."""
    entries = tar_tree.read(image).entries
    files = boot_views.of_entries(entries)
    try:
        found = json.loads(files.read(INDEX))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"/{INDEX}: it is no JSON: {error}", AGAIN) from error
    listed = found.get("entries") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(map(_is_entry, listed)):
        raise FormatError(f"/{INDEX}: entries is no list of objects with {', '.join(FIELDS)}", AGAIN)
    return BootTree(files, members=entries, listed=tuple(listed), budget=budget_of(image))


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(field), str) for field in FIELDS)


rule = Rules[BootTree]()


@rule(
    "TREE001",
    "it holds plain files and folders, readable by all",
    spec='GRUB manual 2.12, "Filesystem"; Heads, initrd/bin/kexec-sign-config.sh',
    fix=AGAIN,
)
def members_are_plain(tree: BootTree) -> Iterator[Fault]:
    """FAT has no links, Heads signs none, and GRUB follows them within its partition alone."""
    for member in tree.members:
        if not stat.S_ISREG(member.mode) and not stat.S_ISDIR(member.mode):
            yield f"/{member.name} is neither a file nor a folder: its mode is {stat.filemode(member.mode)}"
        elif stat.S_ISREG(member.mode) and member.permissions != 0o644:
            yield f"/{member.name} has mode {member.permissions:04o}, not 0644"


@rule("TREE002", "its index says what is there", spec=SPEC, fix=AGAIN)
def index_is_right(tree: BootTree) -> Iterator[Fault]:
    """An installer shows and verifies what the index says."""
    for entry in tree.listed:
        for kind in ("kernel", "initrd"):
            path, digest = entry[kind], entry[f"{kind}_sha256"]
            if not tree.files.is_file(path):
                yield f"/{INDEX}: {entry['id']}: {path} is not there"
            elif sha256(tree.files.image(path)) != digest:
                yield f"/{INDEX}: {entry['id']}: {path} has another digest than {digest!r}"


@rule("TREE003", "GRUB's menu is that of its index", spec=SPEC, fix=AGAIN)
def menu_is_of_index(tree: BootTree) -> Iterator[Fault]:
    """Whatever starts it, the same systems are to choose from, in the same order."""
    for menu in tree.menus:
        if menu.path == MENU and not isinstance(menu.config, FormatError):
            said = [
                (entry.id, entry.title, str(entry.kernel), " ".join(map(str, entry.initrds)), entry.cmdline)
                for entry in menu.config.entries
            ]
            yield from _compared(tree, f"/{MENU}", said, ("id", "title", "kernel", "initrd", "cmdline"))
    if not tree.files.is_file(MENU):
        yield f"there is no /{MENU}"


@rule("TREE004", "its entries of the Boot Loader Specification are those of its index", spec=SPEC, fix=AGAIN)
def bls_is_of_index(tree: BootTree) -> Iterator[Fault]:
    """Whatever starts it, the same systems are to choose from."""
    found = sorted(
        (entry.id, entry.get("title"), entry.get("linux"), " ".join(entry.initrds), entry.options)
        for entry in tree.bls_entries
    )
    fields = ("id", "title", "kernel", "initrd", "cmdline")
    yield from _compared(tree, "/loader/entries", found, fields, is_sorted=True)


def _compared(
    tree: BootTree,
    where: str,
    said: Sequence[tuple[str, ...]],
    fields: tuple[str, ...],
    *,
    is_sorted: bool = False,
) -> Iterator[Fault]:
    listed = [tuple(entry[field] for field in fields) for entry in tree.listed]
    listed = sorted(listed) if is_sorted else listed
    for one, other in zip(said, listed, strict=False):
        for field, here, there in zip(fields, one, other, strict=True):
            if here != there:
                yield f"{where}: {other[0]}: {field} is {here!r}, in /{INDEX} {there!r}"
    if len(said) != len(listed):
        yield f"{where}: it has {len(said)} entries, /{INDEX} {len(listed)}"


@rule("TREE005", "kernels and initramfs are named by what is in them", spec=SPEC, fix=AGAIN)
def names_have_digests(tree: BootTree) -> Iterator[Fault]:
    """Systems share a file only if it is the same; a name that stays is never another file."""
    for path in sorted(tree.files.files):
        match = NAMED.fullmatch(path)
        if match and not sha256(tree.files.files[path]).startswith(match[1] or match[2]):
            yield f"/{path} has another digest than its name says"


def members_of(tree: BootTree) -> Iterator[Member]:
    """Give its files; what is in them is judged where they are made."""
    for path in sorted(tree.files.files):
        yield Member(path, tree.files.files[path], None, "")
