"""Which kinds of artifacts there are, and how they are recognised by their content."""

from collections.abc import Collection
from dataclasses import replace

from pipeline.checks import whole
from pipeline.checks.attempt import or_none
from pipeline.checks.boot.rules import BOOT_TREE
from pipeline.checks.cmdline import CMDLINE
from pipeline.checks.compressed import COMPRESSED
from pipeline.checks.disk import DISK
from pipeline.checks.disk_formats import gce
from pipeline.checks.disk_formats.gce import GCE
from pipeline.checks.disk_formats.ova import OVA
from pipeline.checks.disk_formats.qcow2 import QCOW2
from pipeline.checks.disk_formats.vhd import VHD
from pipeline.checks.disk_formats.vmdk import VMDK
from pipeline.checks.elf import ELF
from pipeline.checks.fat.rules import FAT
from pipeline.checks.filesystem import EROFS_KIND, EXT_KIND, SQUASHFS_KIND
from pipeline.checks.finding import PolicyName, judge
from pipeline.checks.initramfs.rules import INITRAMFS, initramfs_of
from pipeline.checks.inittab import INITTAB
from pipeline.checks.iso.rules import ISO
from pipeline.checks.kernel import BZIMAGE, KERNEL
from pipeline.checks.kind import Catalog, Inspection, Judged, Member, Node, examine
from pipeline.checks.medium.members import PACKED
from pipeline.checks.partition_set import PARTITION_SET
from pipeline.checks.pe import uki_parts
from pipeline.checks.pe.efi import EFI
from pipeline.checks.pe.uki import UKI
from pipeline.checks.root.rules import ROOT, root_of
from pipeline.checks.update import UPDATE
from pipeline.checks.verity import VERITY
from pipeline.formats import magic, partition_set
from pipeline.formats.budget import Budget, for_file
from pipeline.formats.compression import peek
from pipeline.formats.cpio_reader import MAGICS, skip_zeros
from pipeline.formats.fields import Image, charged
from pipeline.formats.initramfs import FOREIGN
from pipeline.formats.magic import Format
from pipeline.formats.pe import read_pe
from pipeline.formats.tar import first_name

_MEDIA = (ISO, DISK, FAT, EXT_KIND, EROFS_KIND, SQUASHFS_KIND)
_DISK_FORMATS = (QCOW2, VHD, VMDK, OVA, GCE)
_KINDS = (
    *_MEDIA,
    UKI,
    EFI,
    KERNEL,
    BZIMAGE,
    CMDLINE,
    INITRAMFS,
    INITTAB,
    ELF,
    COMPRESSED,
    ROOT,
    BOOT_TREE,
    UPDATE,
    PARTITION_SET,
    VERITY,
)
KINDS = {kind.name: kind for kind in (*_KINDS, *_DISK_FORMATS, *uki_parts.KINDS)}

BY_FORMAT = {
    Format.ISO9660: "iso",
    Format.GPT: "disk",
    Format.MBR: "disk",
    Format.FAT: "fat",
    Format.EXT: "ext",
    Format.EROFS: "erofs",
    Format.SQUASHFS: "squashfs",
    Format.BZIMAGE: "bzimage",
    Format.ELF: "elf",
    Format.CPIO: "initramfs",
    Format.QCOW2: "qcow2",
    Format.VHD: "vhd",
    Format.VMDK: "vmdk",
}

HEAD = 1 << 18  # bytes, of what is packed, that tell what it is


def recognise(image: Image) -> str:
    """Return the name of the kind that the content is of, "" for none."""
    known = magic.recognise(image)
    if known is Format.PE:
        pe = or_none(read_pe, image)
        return "" if pe is None else "uki" if pe.section(".linux") else "efi"
    if known in PACKED:
        return "initramfs" if peek(image, 6) in MAGICS else "packed"
    if known is Format.TAR:
        return _tar_with_disk(image)
    return BY_FORMAT.get(known, "") if known else ""


def _tar_with_disk(image: Image) -> str:
    """Return the kind of a tar by its first member: those with disks, or parts of one, are looked into."""
    if first_name(image).lower().endswith(".ovf"):
        return "ova"
    if first_name(image) == partition_set.LIST:
        return "partition-set"
    return "gce" if gce.is_archive(image) else ""


def _as_a_whole(image: Image) -> str | None:
    """Return the kind of what was meant as an initramfs, if it is all of a file; None for most others.

    It may have zeros in front, be an archive that Linux does not take, or packed twice. A tree of dm-verity
    has its kind as a whole file only: on a disk, the rules of that judge it with its data.
    """
    known = magic.recognise(image)
    if known is Format.VERITY:
        return "verity"
    if known in PACKED:
        head = peek(image, HEAD)
        known = magic.recognise(head)
        image = head
        if known in PACKED and peek(head, 6) in MAGICS:
            return "initramfs"
    elif known is None:
        start = skip_zeros(image, 0)
        if start and recognise(image[start:]) == "initramfs":
            return "initramfs"
    if known is Format.TAR and _tar_with_disk(image):
        return None
    return "initramfs" if known in FOREIGN else None


CATALOG = Catalog(KINDS, recognise)


def take_apart(
    image: Image,
    name: str,
    kind: str | None = None,
    policies: Collection[PolicyName] = (),
    *,
    programs: tuple[str, ...] = (),
    setuid: tuple[str, ...] = (),
    budget: Budget | None = None,
    judged: Judged | None = None,
) -> Node:
    """Examine an image with all kinds there are; `kind` names what it has to be.

    `programs` are the paths of those that an initramfs is for, `setuid` of those that a root file system may
    have; `judged` are files that were taken apart before, with the same policies and programs. It ends within
    a budget, that of a file of its size unless another is given. Who asks about the node afterwards has the
    budget once more.
    """
    budget = budget or for_file(len(image))
    image = charged(image, budget)
    member = Member(name, image, 0, kind if kind is not None else _as_a_whole(image))
    given = {"initramfs": initramfs_of(programs)} if programs else {}
    kinds = KINDS | given | ({"root": root_of(setuid)} if setuid else {})
    catalog = Catalog(kinds, recognise) if programs or setuid else CATALOG
    node = examine(member, Inspection(catalog, policies, budget, judged or Judged()))
    findings = (*judge(whole.rule.table, budget, policies), *node.findings)
    budget.refill()
    return replace(node, findings=findings)
