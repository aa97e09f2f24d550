"""What must hold of an update: a tar with a UKI, and the root file system and hashes that it verifies.

Specification: sysupdate.d(5), `MatchPattern=`; UAPI.2 Discoverable Partitions Specification
"""

import hashlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.cmdline import Cmdline
from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind, Member, Node
from pipeline.formats import tar
from pipeline.formats.fields import Image, chunks

SPEC = "systemd, sysupdate.d(5)"
AGAIN = "make it again, with the step `update`"
SUMS = "SHA256SUMS"
MOST_SUMS = 1 << 16  # bytes
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
STEM = re.compile(r"[^_]+_[^_]+")
UUID = r"_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

rule = Rules["Update"]()
together = Rules[Node]()


@dataclass(frozen=True, slots=True)
class Update:
    """The files of the tar, by name."""

    files: dict[str, Image]

    @property
    def uki(self) -> str:
        """The name of its UKI, "" without one."""
        return next((name for name in sorted(self.files) if name.endswith(".efi")), "")

    @property
    def uuids(self) -> dict[str, str]:
        """What its names say that partitions are to be called: by the names' ends."""
        stem = re.escape(self.uki.removesuffix(".efi"))
        found = (re.fullmatch(rf"{stem}{UUID}\.(.+)", name) for name in self.files)
        return {match[2]: match[1] for match in found if match}


def read_update(image: Image) -> Update:
    """Read a tar. Raises FormatError where it is damaged."""
    members = tar.read_tar(image)
    return Update({each.name: each.image for each in members if each.image is not None})


@rule("UPD001", "its SHA256SUMS is right", spec=f"{SPEC}; sha256sum(1)", fix=AGAIN)
def sums_are_right(update: Update) -> Iterator[Fault]:
    """What fetches an update compares, and refuses what differs."""
    text = bytes(update.files.get(SUMS, b"")[:MOST_SUMS]).decode("utf-8", "replace")
    sums = {match[2]: match[1] for match in map(LINE.fullmatch, text.splitlines()) if match}
    for name in sorted({*sums, *update.files} - {SUMS}):
        if name not in sums or name not in update.files:
            yield f"{name} is {f'not in {SUMS}' if name in update.files else f'in {SUMS} alone'}"
            continue
        state = hashlib.sha256()
        for chunk in chunks(update.files[name]):
            state.update(chunk)
        if state.hexdigest() != sums[name]:
            yield f"{name} has the SHA-256 {state.hexdigest()}, {SUMS} says {sums[name]}"


@rule("UPD002", "its files have the names of one version", spec=SPEC, fix=AGAIN)
def names_are_of_one_version(update: Update) -> Iterator[Fault]:
    """systemd-sysupdate installs a version only if all that belongs to it is there."""
    stem = update.uki.removesuffix(".efi")
    if not STEM.fullmatch(stem):
        yield f"there is no IMAGE_VERSION.efi; it has {', '.join(sorted(update.files)) or 'no files'}"
        return
    if len(update.uuids) != 2 or len(update.files) != 4:
        names = ", ".join(sorted(update.files.keys() - {SUMS, update.uki}))
        yield f"beside {update.uki} there are {names or 'no files'}, not {stem}_UUID.… for data and hashes"


@together("UPD003", "its UKI verifies its root", spec="UAPI.2, UUIDs of partitions with dm-verity", fix=AGAIN)
def uki_verifies_the_root(node: Node) -> Iterator[Fault]:
    """The UKI would look for other partitions, and find none or those of another version."""
    update: Update = node.artifact
    if not update.uki:
        return  # UPD002 says so
    uki = node.child(update.uki)
    cmdline = uki.child(".cmdline") if uki else None
    said = cmdline.artifact.values("roothash") if cmdline and isinstance(cmdline.artifact, Cmdline) else []
    wanted = said[-1] if said else ""
    if not re.fullmatch(r"[0-9a-f]{64}", wanted):
        yield f"the command line of {update.uki} has no roothash="
        return
    halves = {str(uuid.UUID(hex=half)) for half in (wanted[:32], wanted[-32:])}
    if len(update.uuids) == 2 and set(update.uuids.values()) != halves:
        found = ", ".join(sorted(update.uuids.values()))
        yield f"its files are for partitions {found}, its UKI looks for {', '.join(sorted(halves))}"


def _members(update: Update) -> Iterator[Member]:
    """Yield the files; only the UKI is looked into: the others have been, before they came here."""
    for name, image in update.files.items():
        yield Member(name, image, kind=None if name == update.uki else "")


UPDATE = Kind(
    "update",
    "update of a whole system",
    "UPD000",
    read_update,
    tuple(rule.table),
    _members,
    tuple(together.table),
)
