"""Owns reading ISO 9660 file systems with Rock Ridge and Joliet. Thin over pycdlib.

Must not know El Torito or partitions, nor what a file is for.

Specifications: ECMA-119, IEEE P1282 (Rock Ridge), Joliet
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pycdlib import PyCdlib
from pycdlib.dates import DirectoryRecordDate, VolumeDescriptorDate

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, stream

SECTOR_SIZE = 2048  # bytes
MAGIC_OFFSET = 16 * SECTOR_SIZE + 1


@dataclass(frozen=True, slots=True)
class Member:
    """A file or directory. Times are as recorded, `2023-11-14 22:13:20`; owners are Rock Ridge's."""

    path: str
    time: str
    owner: tuple[int, int] | None  # user, group


@dataclass(frozen=True, slots=True)
class Iso9660:
    """A file system; `size` is the bytes that its primary volume descriptor says it has."""

    label: str
    size: int
    has_rock_ridge: bool
    has_joliet: bool
    created: str
    modified: str
    members: tuple[Member, ...]


def is_iso9660(image: Image) -> bool:
    """Say whether there is a volume descriptor in sector 16."""
    return bytes(image[MAGIC_OFFSET : MAGIC_OFFSET + 5]) == b"CD001"


def read_iso9660(image: Image) -> Iso9660:
    """Read the descriptors and every directory. Raises FormatError for what pycdlib does not take."""
    iso = PyCdlib()
    try:
        iso.open_fp(stream(image))
        return _read(iso)
    # pycdlib lets out whatever its parser meets in damaged records, not only its own exceptions
    except Exception as error:
        raise FormatError(
            f"ISO 9660: the file system cannot be read: {error or type(error).__name__}", "make the ISO again"
        ) from error


def _read(iso: PyCdlib) -> Iso9660:
    descriptor = iso.pvd
    return Iso9660(
        label=descriptor.volume_identifier.decode("ascii", errors="replace").rstrip(),
        size=descriptor.space_size * SECTOR_SIZE,
        has_rock_ridge=iso.has_rock_ridge(),
        has_joliet=iso.has_joliet(),
        created=_volume_time(descriptor.volume_creation_date),
        modified=_volume_time(descriptor.volume_modification_date),
        members=tuple(_members(iso)),
    )


def _members(iso: PyCdlib) -> Iterator[Member]:
    view = "rr_path" if iso.has_rock_ridge() else "iso_path"
    for folder, _, _ in iso.walk(**{view: "/"}):
        for record in iso.list_children(**{view: folder}):
            if record is None or record.is_dotdot() or (record.is_dot() and folder != "/"):
                continue
            path = folder if record.is_dot() else iso.full_path_from_dirrecord(record, view == "rr_path")
            attributes = record.rock_ridge and record.rock_ridge.dr_entries.px_record
            owner = (attributes.posix_user_id, attributes.posix_group_id) if attributes else None
            yield Member(path, _record_time(record.date), owner)


def _volume_time(date: VolumeDescriptorDate) -> str:
    return (
        f"{date.year:04}-{date.month:02}-{date.dayofmonth:02} "
        f"{date.hour:02}:{date.minute:02}:{date.second:02}"
    )


def _record_time(date: DirectoryRecordDate) -> str:
    return (
        f"{1900 + date.years_since_1900}-{date.month:02}-{date.day_of_month:02} "
        f"{date.hour:02}:{date.minute:02}:{date.second:02}"
    )
