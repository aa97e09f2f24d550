"""What must hold of the ISO 9660 file system: sizes, where its files lie, who owns them and since when.

Specifications: ECMA-119 (ISO 9660), IEEE P1282 (Rock Ridge), Joliet
"""

from collections.abc import Iterator
from itertools import islice

from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.medium.iso import Iso
from pipeline.errors import FormatError
from pipeline.formats.budget import Spent
from pipeline.formats.fields import stream
from pipeline.formats.iso9660 import Iso9660, has_udf

ECMA = "ECMA-119 (ISO 9660)"
AGAIN = "make the ISO again"
MAX_SHOWN = 8
MAX_COMPARED = 10_000  # members
BLOCK = 2048  # bytes
EXTENT = 1 << 32  # bytes; one extent holds less (ECMA-119, §9.1.4)


rule = Rules[Iso]()


@rule(
    "ISO001",
    "the file is whole",
    spec=f"{ECMA}, §8.4.8; UEFI 2.10, §5.3.2",
    fix="copy the ISO again, and compare its checksum",
)
def is_whole(iso: Iso) -> Iterator[Fault]:
    """A copy may have been cut off, and what is missing cannot be read."""
    if not iso.is_whole:
        yield f"the ISO is cut off: it should have {iso.size} bytes, it has {len(iso.image)}"


@rule("ISO002", "its file system can be read", spec=f"{ECMA}, §8 and §9", fix=AGAIN)
def files_can_be_read(iso: Iso) -> None:
    """What cannot be found in the directories is not there for a kernel either."""
    if isinstance(iso.files, FormatError):
        raise iso.files


@rule(
    "ISO033",
    "its UDF file system can be read",
    severity=Severity.WARNING,
    spec="ECMA-167, parts 3 and 4; OSTA UDF 2.60",
    fix=AGAIN,
)
def udf_can_be_read(iso: Iso) -> None:
    """Windows, and Linux where it is told nothing else, read the files of UDF, not those of ISO 9660."""
    if isinstance(iso.udf, FormatError):
        raise iso.udf


@rule("ISO003", "it has Rock Ridge", policy="medium", spec="IEEE P1282", fix="give xorriso -r")
def has_rock_ridge(iso: Iso) -> Iterator[Fault]:
    """Linux gets long names and modes from it."""
    if isinstance(iso.files, Iso9660) and not iso.files.has_rock_ridge:
        yield "the ISO has no Rock Ridge"


@rule("ISO004", "it has Joliet", policy="medium", spec="Joliet", fix="give xorriso -J")
def has_joliet(iso: Iso) -> Iterator[Fault]:
    """Windows gets long names from it."""
    if isinstance(iso.files, Iso9660) and not iso.files.has_joliet:
        yield "the ISO has no Joliet"


@rule("ISO024", "all files lie inside the file", spec=f"{ECMA}, §9.1.3 and §9.1.4", fix=AGAIN)
def files_are_inside(iso: Iso) -> Iterator[Fault]:
    """A file behind the end of the medium cannot be read."""
    end = len(iso.image)
    outside = (
        (member, offset + size)
        for member in iso.members
        for offset, size in member.extents
        if size and offset + size > end and iso.is_whole
    )
    for member, needed in islice(outside, MAX_SHOWN):
        yield f"the ISO's {member.path} reaches to byte {needed}, but the ISO ends at {end}"


@rule(
    "ISO025",
    "files of 4 GiB and more are in several extents",
    lenient=True,
    spec=f"{ECMA}, §9.1.4, §9.1.6 and §10.3 (level 3)",
    fix="make it again, with xorriso -iso-level 3",
)
def large_files_are_in_extents(iso: Iso) -> Iterator[Fault]:
    """A size has 32 bits: a file of 4 GiB or more needs several extents, else most of it is out of reach."""
    for member in iso.members:
        odd = next((size for _, size in member.extents[:-1] if size % BLOCK), 0)
        if odd:
            yield (
                f"the ISO's {member.path} is in {len(member.extents)} extents, "
                f"of which one has {odd} bytes, which is not in blocks of {BLOCK}"
            )
    yield from _cut_sizes(iso)


def _cut_sizes(iso: Iso) -> Iterator[Fault]:
    """Find files behind which 4 GiB belong to nobody; UDF, where there is one, has its own files."""
    if not isinstance(iso.files, Iso9660) or iso.files.size < EXTENT or has_udf(iso.image):
        return
    pieces = [(at, size, member.path) for member in iso.members for at, size in member.extents if size]
    pieces += [(entry.offset, entry.size, "") for entry in iso.entries]
    pieces += [(place.offset, 0, "") for place in iso.partitions.places]
    pieces.sort()
    ends = [at for at, _, _ in pieces[1:]] + [min(iso.files.size, len(iso.image))]
    for (at, size, path), following in zip(pieces, ends, strict=True):
        unused = following - (at + size)
        if path and unused >= EXTENT:
            yield (
                f"the ISO's {path} has {size} bytes, and {unused} after it belong to no file: "
                f"it may have more, but one extent cannot say so"
            )


@rule(
    "ISO026",
    "it does not contradict itself",
    lenient=True,
    spec=f"{ECMA}, §7.3.3 and §9.1",
    fix="make the ISO again, with another program",
)
def readers_agree(iso: Iso) -> Iterator[Fault]:
    """What contradicts itself is read in one way by firmware, in another by Linux or Windows."""
    for oddity in () if isinstance(iso.files, FormatError) else iso.files.oddities[:MAX_SHOWN]:
        yield f"ISO 9660: {oddity}"


@rule(
    "ISO027",
    "pycdlib reads the same tree",
    policy="medium",
    spec=ECMA,
    fix="make the ISO with xorriso; if both readers are right, one of them has a bug",
)
def pycdlib_reads_the_same(iso: Iso) -> Iterator[Fault]:
    """Two readers, written apart, have to see one tree."""
    files = iso.files
    if isinstance(files, FormatError) or files.oddities or not files.has_rock_ridge or not iso.is_whole:
        return
    # it takes long, and none that is built here has as many
    if not files.complete or len(files.members) > MAX_COMPARED:
        return
    stumbles = isinstance(iso.catalog, FormatError) or len(iso.boot_images) < len(iso.entries)
    if stumbles or any(files_are_inside(iso)) or any(large_files_are_in_extents(iso)):
        return
    try:
        theirs = set(_seen_by_pycdlib(iso))
    except Spent:
        raise
    # pycdlib lets out whatever its parser meets in damaged records, not only its own exceptions
    except Exception as error:
        yield f"pycdlib cannot read the ISO: {error or type(error).__name__}"
        return
    ours = {(member.path, sum(size for _, size in member.extents)) for member in files.members}
    for path, size in islice(sorted(theirs ^ ours), MAX_SHOWN):
        who = "pycdlib" if (path, size) in theirs else "only our own reader"
        yield f"the ISO's {path} with {size} bytes is seen by {who}, not by both"


def _seen_by_pycdlib(iso: Iso) -> Iterator[tuple[str, int]]:
    """Yield paths and sizes in bytes, as pycdlib sees them."""
    from pycdlib import PyCdlib  # takes longer to load than most images to read

    disc = PyCdlib()
    disc.open_fp(stream(iso.image))
    yield "/", 0
    for folder, directories, files in disc.walk(rr_path="/"):
        above = folder.rstrip("/")
        for name in directories:
            yield f"{above}/{name}", 0
        for name in files:
            record = disc.get_record(rr_path=f"{above}/{name}")
            yield f"{above}/{name}", 0 if record.is_symlink() else record.get_data_length()


@rule(
    "ISO014",
    "there is one time",
    policy="reproducible",
    spec="reproducible-builds.org, SOURCE_DATE_EPOCH",
    fix="set SOURCE_DATE_EPOCH, and give xorriso --set_all_file_dates",
)
def times_are_one(iso: Iso) -> Iterator[Fault]:
    """The clock leaks in."""
    if isinstance(iso.files, FormatError):
        return
    found = {time for member in iso.files.members for time in (member.time, *member.posix_times)}
    times = sorted({iso.files.created, iso.files.modified, *found})
    if len(times) > 1:
        yield f"the ISO has {len(times)} different times, from {times[0]} to {times[-1]}"


@rule(
    "ISO015",
    "root owns everything",
    policy="reproducible",
    spec="IEEE P1282, §4.1.1 (PX)",
    fix="give xorriso -r",
)
def root_owns_all(iso: Iso) -> Iterator[Fault]:
    """Ownership leaks from the user who made it."""
    for member in iso.members:
        if member.owner and member.owner != (0, 0):
            user, group = member.owner
            yield f"the ISO's {member.path} belongs to {user}:{group}, not to 0:0"
