"""What the bytes of a medium are spent on, against images whose parts are known to the byte."""

import gzip
import random

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.kind import Member, Node
from pipeline.formats.fields import Image
from pipeline.release.pages.spent import REST, Spent, spent_on
from tests.fixtures.initramfs import members
from tests.fixtures.newc import FILE, Raw, newc
from tests.fixtures.release_pages import medium
from tests.fixtures.uki import sections, uki

NOISE = random.Random(1).randbytes(50_000)  # noqa: S311


def spent(image: Image) -> Spent:
    return spent_on(take_apart(image, "x"))


def part(of: Spent, *names: str) -> Spent:
    for name in names:
        (of,) = (each for each in of.parts if each.name == name)
    return of


def packed(*more: Raw) -> bytes:
    return gzip.compress(newc([*members().values(), *more]), mtime=0)


@pytest.mark.parametrize("image", [medium(), uki(), packed(), newc(members().values())])
def test_parts_take_all_of_what_they_are_parts_of(image: bytes) -> None:
    found = spent(image)
    assert (found.stored, found.size, found.estimated) == (len(image), len(image), False)
    for _, each in found.walk():
        if each.parts:
            assert sum(one.stored for one in each.parts) == each.stored
            assert [one.stored for one in each.parts] == sorted(
                (one.stored for one in each.parts), reverse=True
            )


def test_what_is_not_packed_takes_what_it_is_long() -> None:
    found = spent(uki())
    for name, data in sections().items():
        each = part(found, name)
        assert (each.stored, each.size, each.estimated) == (len(data), len(data), False)
    rest = part(found, REST)
    assert rest.stored == rest.size == len(uki()) - sum(map(len, sections().values()))


def test_files_share_a_compressed_archive_by_how_well_they_pack() -> None:
    image = packed(Raw("noise", FILE, NOISE), Raw("zeros", FILE, bytes(500_000)))
    noise, zeros = (part(spent(image), name) for name in ("noise", "zeros"))
    assert (noise.size, zeros.size) == (50_000, 500_000)
    assert noise.estimated
    assert zeros.estimated
    assert noise.stored > 0.95 * len(image)
    assert zeros.stored < 0.01 * len(image)


def test_files_of_an_archive_that_is_not_compressed_are_not_estimated() -> None:
    image = newc([*members().values(), Raw("zeros", FILE, bytes(500_000))])
    zeros = part(spent(image), "zeros")
    assert (zeros.stored, zeros.size, zeros.estimated) == (500_000, 500_000, False)


def test_an_image_that_another_carries_is_opened_and_estimated_in_all_its_parts() -> None:
    inner = packed(Raw("noise", FILE, NOISE), Raw("again.efi", FILE, uki()))
    found = spent(packed(Raw("system.efi", FILE, uki({".initrd": inner}))))
    carried = part(found, "system.efi")
    assert (carried.what, carried.tone) == ("UKI", "uki")
    noise = part(carried, ".initrd", "noise")
    assert (noise.size, noise.estimated) == (50_000, True)
    assert all(each.estimated for _, each in carried.walk())
    assert 0.5 * found.stored < noise.stored < found.stored
    assert part(carried, ".initrd", "again.efi").parts == ()  # or it would never end in what holds itself


def test_a_medium_goes_down_to_the_files_in_its_initramfs() -> None:
    way = ("efi.img", "EFI/BOOT/BOOTX64.EFI", ".initrd")
    found = spent(medium())
    assert [part(found, *way[:depth]).tone for depth in range(4)] == ["medium", "medium", "uki", "initramfs"]
    assert part(found, *way, "etc/<script>").size == 9000
    assert part(found, *way, "bin/busybox").tone == "program"
    assert part(found, *way, "etc/inittab").tone == "data"
    assert part(found, *way[:2], ".linux").tone == "kernel"


def test_blocks_that_are_several_things_are_counted_once() -> None:
    names = [each.name for each in spent(medium()).parts]
    assert names == [REST, "efi.img", "boot.cat"]


def test_what_begins_inside_another_part_is_not_counted() -> None:
    places = {"late": (60, 90), "first": (10, 50), "inside": (20, 30), "over": (49, 70)}
    image = bytes(100)
    children = tuple(
        Node(Member(name, image[start:end], start, ""), None, None) for name, (start, end) in places.items()
    )
    found = spent_on(Node(Member("x", image, 0), None, None, children=children))
    assert [(each.name, each.stored) for each in found.parts] == [("first", 40), ("late", 30), (REST, 30)]
