"""The layout of FAT volumes: boot sector, tables, directories, files, free clusters.

Specification: Microsoft FAT Specification (2005), §3 "Boot Sector and BPB", §4 "FAT",
§6 "Directory Structure"
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby, takewhile

from pipeline.compare import values
from pipeline.compare.span import Layout, Span, Whole, record, size_of, table
from pipeline.errors import FormatError
from pipeline.formats.fat import FREE, Volume, chain, read_table, read_volume
from pipeline.formats.fat_directory import DELETED, ENTRY_SIZE, LAST, LONG_NAME, Entry, walk
from pipeline.formats.fields import Image, joined

BOOT = table("""
    jump 3 raw; OEM name 8 text; bytes per sector 2; *sectors per cluster 1; reserved sectors 2
    number of FATs 1; root directory entries 2; *total sectors (16 bits) 2; media 1 hex
    *sectors per FAT (16 bits) 2; sectors per track 2; heads 2; hidden sectors 4; *total sectors (32 bits) 4
""")
BOOT32 = table("""
    *sectors per FAT (32 bits) 4; flags 2 hex; version 2 hex; root directory's cluster 4; FSInfo sector 2
    backup boot sector 2; reserved 12 raw
""")
EXTENDED = table("""
    drive number 1 hex; state 1 hex; extended boot signature 1 hex; *volume serial number 4 hex
    volume label 11 text; file system type 8 text
""")
ENTRY = table("""
    name 11 text; attributes 1 hex; case 1 hex; creation time (hundredths) 1; creation time 2 dos_time
    creation date 2 dos_date; access date 2 dos_date; *first cluster (high) 2; write time 2 dos_time
    write date 2 dos_date; *first cluster (low) 2; *size 4
""")
FSINFO = table("""
    lead signature 4 raw; reserved 1 480 raw; structure signature 4 raw; *free clusters 4
    *next free cluster 4
""")


def volume(image: Image) -> Iterator[Span]:
    """Yield boot sector, tables, directories and files with their slack, then other clusters."""
    found = read_volume(image)
    wide = not found.root_entries
    size = found.sector_size
    yield Span(0, 512, "FAT boot sector", _boot_sector(wide=wide))
    if wide:
        yield Span(size, 512, "FAT FSInfo sector", record(FSINFO))
        yield Span(6 * size, 512, "FAT backup boot sector", _boot_sector(wide=True))
    table = read_table(found)
    entries: list[Entry] = []
    with suppress(FormatError):
        entries.extend(walk(found, table))
    chains: dict[str, list[int]] = {}
    owners: dict[int, str] = {}
    for entry in entries:
        clusters = _chain(found, table, entry.first_cluster)
        chains[entry.path] = list(takewhile(lambda cluster: cluster not in owners, clusters))
        owners.update(dict.fromkeys(chains[entry.path], entry.path))
    if wide:
        owners |= dict.fromkeys(_chain(found, table, found.root_cluster), "/")
    table_size = found.sectors_per_table * size
    for copy in range(found.table_count):
        start = found.reserved_sectors * size + copy * table_size
        yield Span(start, table_size, f"FAT {copy + 1}", partial(_table, found, owners), derived=True)
    yield from _root(found, table, entries)
    for entry in entries:
        if not entry.is_label:
            yield from _pieces(found, entry, chains[entry.path], entries)
    start = found.data_offset
    rest = partial(_clusters, found, table, owners)
    yield Span(start, max(found.size - start, 0), "FAT clusters", rest)


def _boot_sector(*, wide: bool) -> Layout:
    known = (*BOOT, *(BOOT32 if wide else ()), *EXTENDED)
    code = Span(0, 510 - size_of(known), "boot code", show=values.raw)
    return record((*known, code, *table("signature 2 raw")))


def _chain(found: Volume, table: Sequence[int], first: int) -> Iterator[int]:
    """Yield the sound part of a chain of clusters."""
    with suppress(FormatError):
        yield from chain(found, table, first) if first else ()


def _root(found: Volume, table: Sequence[int], entries: list[Entry]) -> Iterator[Span]:
    layout = directory("", entries)
    if found.root_entries:
        yield Span(found.root_offset, found.root_entries * ENTRY_SIZE, "FAT root directory", layout)
        return
    runs = list(_runs(found, list(_chain(found, table, found.root_cluster))))
    whole = Whole(lambda: joined(found.image, runs), layout)
    for start, size in runs:
        yield Span(start, size, "FAT root directory", whole=whole)


def _pieces(found: Volume, entry: Entry, clusters: list[int], entries: list[Entry]) -> Iterator[Span]:
    """Yield the runs of clusters that a file or directory has, and what lies behind its end."""
    runs = list(_runs(found, clusters))
    total = sum(size for _, size in runs)
    length = total if entry.is_directory else min(entry.size, total)
    layout = directory(entry.path + "/", entries) if entry.is_directory else None
    name = f"FAT {'directory' if entry.is_directory else 'file'} {entry.path}"
    whole = Whole(lambda: joined(found.image, runs)[:length], layout)
    left = length
    for start, size in runs:
        used = min(size, left)
        yield Span(start, used, name, whole=whole)
        yield Span(start + used, size - used, f"slack after the end of {name}", show=values.raw)
        left -= used


def _runs(found: Volume, clusters: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the pieces (offset, size) of clusters that follow each other."""
    size = found.cluster_size
    for _, group in groupby(enumerate(clusters), key=lambda pair: pair[1] - pair[0]):
        run = [cluster for _, cluster in group]
        yield found.data_offset + (run[0] - 2) * size, len(run) * size


def _table(found: Volume, owners: Mapping[int, str], _: Image) -> Iterator[Span]:
    """Yield a table's entries; on FAT12 two share three bytes."""
    step, size = (2, 3) if found.variant == "FAT12" else (1, 2 if found.variant == "FAT16" else 4)
    show = _show_pair if step == 2 else partial(_show_entry, found.variant)
    for cluster in range(0, found.cluster_count + 2, step):
        paths = dict.fromkeys(owners.get(cluster + more, "") for more in range(step))
        owner = " and ".join(path for path in paths if path)
        number = f"entries {cluster} and {cluster + 1}" if step == 2 else f"entry {cluster}"
        of = f" (of {owner})" if owner else ""
        yield Span(cluster // step * size, size, f"{number}{of}", show=show)


def _show_pair(data: bytes) -> str:
    number = int.from_bytes(data, "little")
    return f"{number & 0xFFF:#05x} {number >> 12:#05x}"


def _show_entry(variant: str, data: bytes) -> str:
    number = int.from_bytes(data, "little")
    return "free" if number == FREE else f"{number:#06x}" if variant == "FAT16" else f"{number:#010x}"


def _clusters(found: Volume, table: Sequence[int], owners: Mapping[int, str], _: Image) -> Iterator[Span]:
    for cluster in range(2, found.cluster_count + 2):
        free = table[cluster] == FREE and cluster not in owners
        name = f"{'free' if free else 'lost'} cluster {cluster}"
        yield Span((cluster - 2) * found.cluster_size, found.cluster_size, name, show=values.raw)


def directory(prefix: str, entries: list[Entry]) -> Layout:
    """Return the layout of the directory whose entries' paths start with `prefix`, without another `/`."""
    paths = [
        entry.path
        for entry in entries
        if entry.path.startswith(prefix) and "/" not in entry.path[len(prefix) :]
    ]
    return partial(_records, paths)


def _records(paths: list[str], image: Image) -> Iterator[Span]:
    """Yield a directory's records, named by the paths, which are in the same order."""
    data = bytes(image)
    left = iter(paths)
    pending: list[int] = []
    for start in range(0, len(data) - ENTRY_SIZE + 1, ENTRY_SIZE):
        head = data[start : start + ENTRY_SIZE]
        if head[0] == LAST:
            yield Span(start, len(data) - start, "end of the directory", show=values.raw)
            return
        if head[0] == DELETED:
            yield Span(start, ENTRY_SIZE, "deleted directory entry", record(ENTRY))
        elif head[11] & 0x3F == LONG_NAME:
            pending.append(start)
            continue
        elif head[:11].rstrip() in (b".", b".."):
            name = head[:11].rstrip().decode()
            yield Span(start, ENTRY_SIZE, f"directory entry {name}", record(ENTRY))
        else:
            path = next(left, values.text(head[:11]))
            for part in pending:
                yield Span(part, ENTRY_SIZE, f"directory entry {path}, part of the long name", record(()))
            yield Span(start, ENTRY_SIZE, f"directory entry {path}", record(ENTRY))
        pending = []
