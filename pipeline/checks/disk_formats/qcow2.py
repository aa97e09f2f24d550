"""What must hold of a qcow2 image."""

from collections import Counter
from collections.abc import Iterator

from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind, Member
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import budget_of
from pipeline.formats.qcow2 import (
    CORRUPT,
    DIRTY,
    Qcow2,
    extents,
    open_disk,
    read_qcow2,
    refcount,
    why_elsewhere,
)
from pipeline.formats.virtual_disk import Kept

SPEC = "QEMU, docs/interop/qcow2.txt"
REPAIR = "look at it with `qemu-img check`, and make it again, or repair it with `qemu-img check -r all`"
rule = Rules[Qcow2]()


@rule(
    "QCOW001",
    "the disk is all in the file",
    spec=f"{SPEC}, Header (backing_file_offset, crypt_method), Header extensions",
    fix="put it into one file with `qemu-img convert`",
)
def is_all_here(found: Qcow2) -> None:
    """What lies in another file, or is encrypted, is not looked at: nothing is known of whether it boots."""
    if fault := why_elsewhere(found):
        raise fault


@rule(
    "QCOW002",
    "it is not marked as damaged",
    spec=f"{SPEC}, Header (incompatible_features)",
    fix=REPAIR,
)
def is_not_marked(found: Qcow2) -> Iterator[Fault]:
    """Who had it open last did not close it, or found damage: QEMU does not write to what is damaged."""
    if found.features & CORRUPT:
        yield "the image is marked as corrupt: QEMU does not write to it"
    if found.features & DIRTY:
        yield "the image is marked as dirty: its refcounts may be wrong, as it was not closed"


@rule(
    "QCOW003",
    "all its clusters are in the file",
    spec=f"{SPEC}, Cluster mapping",
    fix="copy the image again",
)
def clusters_are_there(found: Qcow2) -> Iterator[Fault]:
    """A copy that was cut off has tables that lead behind its end."""
    lost = [(offset, size) for offset, size in extents(found) if offset + size > len(found.image)]
    if lost:
        yield (
            f"{len(lost)} clusters or tables do not lie inside the {len(found.image)} bytes of the file, "
            f"the first at offset {lost[0][0]:#x}"
        )


@rule(
    "QCOW004",
    "no cluster is used more often than its refcount says",
    spec=f"{SPEC}, Host cluster management",
    fix=REPAIR,
)
def refcounts_are_right(found: Qcow2) -> Iterator[Fault]:
    """What counts as free gets overwritten as soon as the disk is written to."""
    used: Counter[int] = Counter()
    for offset, size in extents(found):
        for cluster in range(offset // found.cluster_size, (offset + size - 1) // found.cluster_size + 1):
            budget_of(found.image).spend(STEPS)
            used[cluster] += 1
    tables = Kept()
    inside = -(-len(found.image) // found.cluster_size)
    wrong = [
        (cluster, count, known)
        for cluster, count in sorted(used.items())
        if cluster < inside and (known := refcount(found, cluster, tables)) < count
    ]
    if wrong:
        cluster, count, known = wrong[0]
        yield (
            f"{len(wrong)} clusters are used more often than their refcounts say: the first, at offset "
            f"{cluster * found.cluster_size:#x}, {count} times, and the refcount is {known}"
        )


def _members(found: Qcow2) -> list[Member]:
    return [Member("disk", open_disk(found))]


QCOW2 = Kind("qcow2", "qcow2 disk image", "QCOW000", read_qcow2, tuple(rule.table), _members)
