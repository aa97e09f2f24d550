"""Which clusters of a FAT volume belong to which file: lost, crossed, broken and overlong chains.

Specification: Microsoft FAT Specification (2005), §4
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pipeline.checks.finding import Fault
from pipeline.errors import FormatError
from pipeline.formats.fat import Volume, chain, free_clusters
from pipeline.formats.fat_directory import Entry

AGAIN = "make the volume again, or let `fsck.fat` repair it"
END = {"FAT12": 0xFF8, "FAT16": 0xFFF8, "FAT32": 0x0FFF_FFF8}
BAD_CLUSTER = {"FAT12": 0xFF7, "FAT16": 0xFFF7, "FAT32": 0x0FFF_FFF7}


@dataclass(frozen=True, slots=True)
class Chains:
    """What following all chains shows.

    `runs` are the first clusters of the files that lie in one piece; `crossed` are the files that share
    clusters with one before. `broken` is why a file cannot be read as it should be, `lost` which clusters
    are taken without need.
    """

    runs: frozenset[int]
    crossed: frozenset[str]
    broken: tuple[Fault, ...]
    lost: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Owner:
    path: str
    first: int
    size: int | None  # bytes; None for a directory, whose size is its chain's


def follow(volume: Volume, table: Sequence[int], entries: Iterable[Entry]) -> Chains:
    """Follow all chains, each up to where it meets another: no cluster is looked at twice."""
    taken = bytearray(len(table))
    runs: set[int] = set()
    crossed: set[str] = set()
    broken: list[Fault] = []
    lost: list[Fault] = []
    owners = list(_owners(volume, entries))
    for index, owner in enumerate(owners):
        count = -(-(owner.size or 0) // volume.cluster_size)
        if _is_one_run(volume, table, owner.first, count, taken):
            taken[owner.first : owner.first + count] = b"\1" * count
            runs.add(owner.first)
            continue
        try:
            length, meets = _take(volume, table, owner.first, taken)
        except FormatError as error:
            broken.append((error.message, error.hint))
            continue
        if meets:
            if not crossed:  # to find the other one takes long
                other = _of(volume, table, owners[:index], meets) or owner.path
                broken.append((_crossing(meets, other, owner.path), AGAIN))
            crossed.add(owner.path)
        elif owner.size is not None and length != count:
            have = length * volume.cluster_size
            message = f"the FAT volume's {owner.path} has {owner.size} bytes, but its chain {have}"
            (broken if length < count else lost).append((message, AGAIN))
    bad = BAD_CLUSTER[volume.variant]
    used = len(table) - 2 - free_clusters(table) - table.count(bad) + table[:2].count(bad)
    if used > taken.count(1) and not broken:
        number = used - taken.count(1)
        lost.append((f"clusters of the FAT volume that are in use, but belong to no file: {number}", AGAIN))
    return Chains(frozenset(runs), frozenset(crossed), tuple(broken), tuple(lost))


def _is_one_run(volume: Volume, table: Sequence[int], first: int, count: int, taken: bytearray) -> bool:
    """Say whether a chain is contiguous, as most are, of that length, and shared with no other."""
    last = first + count - 1
    if count < 1 or first < 2 or last >= len(table) or table[last] < END[volume.variant] or taken[last]:
        return False
    return all(table[at] == at + 1 and not taken[at] for at in range(first, last))


def _take(volume: Volume, table: Sequence[int], first: int, taken: bytearray) -> tuple[int, int]:
    """Take a chain's clusters; return how many it has, and the cluster that another has already, or 0."""
    length = 0
    for cluster in chain(volume, table, first):
        if taken[cluster]:
            return length, cluster
        taken[cluster] = 1
        length += 1
    return length, 0


def _owners(volume: Volume, entries: Iterable[Entry]) -> Iterator[_Owner]:
    """Yield everything that has clusters."""
    if volume.root_cluster:
        yield _Owner("/", volume.root_cluster, None)
    for entry in entries:
        if not entry.is_label and (entry.first_cluster or entry.size):
            yield _Owner(entry.path, entry.first_cluster, None if entry.is_directory else entry.size)


def _of(volume: Volume, table: Sequence[int], owners: Iterable[_Owner], wanted: int) -> str | None:
    """Return the path that a cluster belongs to first, None if none of them has it."""
    for owner in owners:
        with suppress(FormatError):
            if wanted in chain(volume, table, owner.first):
                return owner.path
    return None


def _crossing(cluster: int, path: str, other: str) -> str:
    if path == other:
        return f"the FAT volume's {path} leads in a circle, at cluster {cluster}"
    return f"the FAT volume's cluster {cluster} belongs to {path} and to {other}"
