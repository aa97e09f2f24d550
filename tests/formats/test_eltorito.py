import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.eltorito import BootEntry, read_catalog
from tests.fixtures import patch

BOOT_RECORD, CATALOG = 17 * 2048, 18 * 2048


def validation(platform: int) -> bytes:
    entry = struct.pack("<BB28sH", 1, platform, b"", 0xAA55)
    checksum = -sum(struct.unpack("<16H", entry)) & 0xFFFF
    return patch(entry, 28, struct.pack("<H", checksum))


def boot_entry(rba: int, count: int = 4, indicator: int = 0x88) -> bytes:
    return struct.pack("<BBHBxHI", indicator, 0, 0, 0, count, rba).ljust(32, b"\0")


def section(header: int, platform: int, count: int) -> bytes:
    return struct.pack("<BBH28s", header, platform, count, b"")


def image(*entries: bytes) -> bytes:
    record = struct.pack("<B5sB32s32sI", 0, b"CD001", 1, b"EL TORITO SPECIFICATION", b"", 18)
    return bytes(BOOT_RECORD) + record.ljust(2048, b"\0") + b"".join(entries).ljust(2048, b"\0")


GOOD = image(validation(0xEF), boot_entry(30))


def test_the_initial_entry_is_read() -> None:
    (entry,) = read_catalog(GOOD)
    assert entry == BootEntry(platform=0xEF, bootable=True, media=0, sector_count=4, load_rba=30)
    assert (entry.offset, entry.size) == (30 * 2048, 4 * 512)


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 0), (2, 1024), (0xFFFF, 0xFFFF * 512)])
def test_a_count_of_0_or_1_means_up_to_the_end(count: int, size: int) -> None:
    (entry,) = read_catalog(image(validation(0xEF), boot_entry(30, count)))
    assert entry.size == size


def test_sections_are_read() -> None:
    extension = b"\x44".ljust(32, b"\0")
    catalog = image(
        validation(0),
        boot_entry(30),
        section(0x90, 0xEF, 2),
        boot_entry(31) + extension + extension,
        boot_entry(32, indicator=0),
        section(0x91, 2, 1),
        boot_entry(33),
        section(0x91, 3, 1),
    )
    found = [(entry.platform, entry.bootable, entry.load_rba) for entry in read_catalog(catalog)]
    assert found == [(0, True, 30), (0xEF, True, 31), (0xEF, False, 32), (2, True, 33)]


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (b"", "El Torito: boot record: 75 bytes at offset 0x8800 do not lie inside the 0 bytes given"),
        (
            patch(GOOD, BOOT_RECORD, b"\2"),
            "El Torito: sector 17 is no boot record: it is of type 2 for 'EL TORITO SPECIFICATION'",
        ),
        (
            patch(GOOD, BOOT_RECORD + 1, b"X"),
            "El Torito: sector 17 is no boot record: it is of type 0 for 'EL TORITO SPECIFICATION'",
        ),
        (
            patch(GOOD, BOOT_RECORD + 71, b"\x63"),
            "El Torito: validation entry: 32 bytes at offset 0x31800 do not lie inside the 38912 bytes given",
        ),
        (
            patch(GOOD, CATALOG, b"\2"),
            "El Torito: no boot catalog at offset 0x9000: header 0x02, key 0xaa55",
        ),
        (
            patch(GOOD, CATALOG + 30, b"\0"),
            "El Torito: no boot catalog at offset 0x9000: header 0x01, key 0xaa00",
        ),
        (patch(GOOD, CATALOG + 2, b"\7"), "El Torito: the boot catalog's words add up to 0x0007, not to 0"),
        (
            image(validation(0), boot_entry(1, indicator=7)),
            "El Torito: no boot entry at offset 0x9020: it starts with 0x07",
        ),
        (
            image(validation(0), boot_entry(1), section(0x55, 0, 1)),
            "El Torito: no section header at offset 0x9040: it starts with 0x55",
        ),
        (
            image(validation(0), boot_entry(1), section(0x91, 0, 1), boot_entry(1), *[b"\x44" * 32] * 64),
            "El Torito: extensions of an entry without end, at offset 0x9880",
        ),
    ],
)
def test_damage_is_told(damaged: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_catalog(damaged)
    assert caught.value.message == message


def test_a_section_that_never_ends_is_given_up() -> None:
    catalog = image(validation(0), boot_entry(1), section(0x90, 0, 0xFFFF)) + bytes(0x10000 * 32)
    assert len(read_catalog(catalog)) == 256
