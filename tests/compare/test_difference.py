"""The driver: nested structures, what follows from others, damage, and any byte of any artifact."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.compare import difference
from pipeline.compare.difference import Difference
from pipeline.compare.span import Span
from pipeline.errors import FormatError
from pipeline.formats.fields import CHUNK, Image, open_image
from tests.compare.test_layouts import ar, tar
from tests.fixtures import patch
from tests.fixtures.bzimage import bzimage
from tests.fixtures.elf import elf
from tests.fixtures.fat import fat
from tests.fixtures.initramfs import INITTAB, changed, members
from tests.fixtures.iso import iso
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.uki import uki

INNER = "ISO 9660 file efi.img, FAT file EFI/BOOT/BOOTX64.EFI, PE section .initrd, zstd frame, "


def medium(text: str = INITTAB, mtime: int = 1_700_000_000) -> bytes:
    """An ISO with everything down to the inittab."""
    initrd = changed(Raw("etc/inittab", FILE, text.encode(), mtime=mtime))
    return iso(fat({"EFI/BOOT/BOOTX64.EFI": uki({".initrd": initrd})}))


def test_equal_files_have_no_difference() -> None:
    assert difference.first_difference(medium(), medium()) is None
    assert difference.first_difference(b"", b"") is None


@pytest.mark.parametrize(
    ("other", "where"),
    [
        (medium(mtime=1_700_000_001), "cpio member 'etc/inittab', field mtime: 1700000000 and 1700000001"),
        (
            medium(INITTAB.replace("sysfs sysfs", "tmpfs tmpfs")),
            "cpio member 'etc/inittab', contents, line 3, column 25: 's' and 't'",
        ),
        (
            medium(INITTAB + "# end"),
            "cpio member 'etc/inittab', contents, line 6, column 1 is in the second only",
        ),
    ],
)
def test_what_differs_is_named_from_the_iso_down_to_the_inittab(other: bytes, where: str) -> None:
    """Sizes of what is packed differ, too, and come first; they follow from the inittab."""
    good = medium()
    found = difference.first_difference(good, other)
    assert found is not None
    assert found.where == INNER + where
    assert found.offset == difference.first_offset(good, other)
    assert found.count == difference.differing(good, other)


def test_files_are_read_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(medium())
    (tmp_path / "b").write_bytes(medium(mtime=1))
    found = difference.first_difference(open_image(tmp_path / "a"), open_image(tmp_path / "b"))
    assert found == difference.first_difference(medium(), medium(mtime=1))
    assert found is not None
    assert found.where.endswith("field mtime: 1700000000 and 1")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Difference("PE header, field CheckSum: 1 and 2", 88, 1), "… (offset 0x58, 1 byte differs)"),
        (Difference("PE header, field CheckSum: 1 and 2", 88, 9), "… (offset 0x58, 9 bytes differ)"),
    ],
)
def test_it_is_one_sentence(found: Difference, text: str) -> None:
    assert found.text() == text.replace("…", found.where)


def test_a_size_is_named_when_nothing_else_differs() -> None:
    good = uki()
    found = difference.first_difference(good, patch(good, 0x40 + 24 + 56, b"\1\2\3\4"))
    assert found is not None
    assert found.where == "PE header, field SizeOfImage: 36864 and 67305985"


def test_a_pointer_that_changed_is_not_followed() -> None:
    good = iso()
    record = good.index(b"EFI.IMG;1") - 33
    found = difference.first_difference(good, patch(good, record + 2, b"\x10"))
    assert found is not None
    assert found.where == (
        "ISO 9660 directory /, directory record of efi.img, field location (little-endian): 33 and 16"
    )


@pytest.mark.parametrize("size", [0, 1, 100, 512, 2000])
def test_a_file_that_is_cut_off_is_answered(size: int) -> None:
    good = uki()
    found = difference.first_difference(good, good[:size])
    assert found is not None
    assert found.where
    assert (found.offset, found.count) == (size, len(good) - size)


def test_the_rest_of_a_member_is_told() -> None:
    good = newc(members().values())
    found = difference.first_difference(good, good[:-50])
    assert found is not None
    assert found.where == "cpio trailer is in the first only, 74 bytes of it are in both"


def test_a_layout_that_fails_halfway_still_names_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Image) -> Iterator[Span]:
        yield Span(0, 1, "head", show=bytes.hex)
        raise FormatError("no more")

    monkeypatch.setattr(difference, "spans_of", broken)
    assert (found := difference.first_difference(b"\1ab", b"\2ab"))
    assert found.where == "head: 01 and 02"
    assert (found := difference.first_difference(b"\1ab", b"\1ac"))
    assert found.where == "after head, byte 0x2: 62 and 63"


def test_spans_without_end_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_: Image) -> Iterator[Span]:
        while True:
            yield Span(0, 2, "all", endless)

    monkeypatch.setattr(difference, "spans_of", endless)
    assert (found := difference.first_difference(b"\1a", b"\1b"))
    assert found.where.endswith("all, byte 0x1: 61 and 62")


SUBJECTS = {
    "cpio": newc(members().values()),
    "initramfs": changed(),
    "UKI": uki({".initrd": changed()}),
    "kernel": bzimage(),
    "FAT": fat({"EFI/BOOT/BOOTX64.EFI": uki()}),
    "ISO": iso(),
    "ELF": elf(symbols=True, interpreter="/lib/ld", needed=("libc.so",)),
    "tar": tar(),
    "ar": ar(),
    "text": INITTAB.encode(),
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("subject", SUBJECTS)
@settings(derandomize=True, deadline=None, max_examples=150)
@given(data=st.data())
def test_any_byte_is_found_and_named(subject: str, data: st.DataObject) -> None:
    good = SUBJECTS[subject]
    # most of a large image is padding or contents: aim at where headers are
    near = data.draw(st.sampled_from([len(good), min(len(good), 1024)]))
    offset = data.draw(st.integers(0, near - 1))
    bits = data.draw(st.integers(1, 255))
    found = difference.first_difference(good, patch(good, offset, bytes([good[offset] ^ bits])))
    assert found is not None
    assert (found.offset, found.count) == (offset, 1)
    assert found.where


@pytest.mark.parametrize("subject", SUBJECTS)
@settings(derandomize=True, deadline=None, max_examples=60)
@given(data=st.data())
def test_damage_is_always_answered(subject: str, data: st.DataObject) -> None:
    images = []
    for _ in range(2):
        image = bytearray(SUBJECTS[subject])
        for _ in range(data.draw(st.integers(0, 3))):
            offset = data.draw(st.integers(0, len(image) - 1))
            image[offset : offset + 4] = data.draw(st.binary(max_size=8))
        images.append(bytes(image))
    found = difference.first_difference(*images)
    assert (found is None) == (images[0] == images[1])
    assert found is None or found.text()


LONG = bytes(CHUNK - 1)


@pytest.mark.parametrize(
    ("a", "b", "offset", "number"),
    [
        (b"", b"", None, 0),
        (b"abc", b"abc", None, 0),
        (b"abc", b"abd", 2, 1),
        (b"xbc", b"abd", 0, 2),
        (b"abc", b"abcde", 3, 2),
        (b"abcde", b"xbc", 0, 3),
        (LONG + b"ab", LONG + b"cd", CHUNK - 1, 2),
        (LONG + b"ab", LONG + b"ad", CHUNK, 1),
    ],
)
def test_counting(a: bytes, b: bytes, offset: int | None, number: int) -> None:
    assert difference.first_offset(a, b) == offset
    assert difference.differing(a, b) == number
