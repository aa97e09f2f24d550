import pytest

from pipeline.errors import FormatError
from pipeline.formats.heads import HASHES, SIGNATURE, TREE, sha256
from pipeline.formats.signed_boot import boot_in
from tests.fixtures import patch
from tests.fixtures.ext4 import DATE, ext4, settled
from tests.fixtures.gpt import DATA, SECTOR, entry, with_gpt
from tests.fixtures.signable import BOOT, listed

FIRST = 40  # block of the partition
NOT_OF_IT = "the lists are not of what is in its /boot:\n    "


def disk(*systems: bytes) -> bytes:
    """Return a disk with a partition for each file system."""
    image, places = bytes(FIRST * SECTOR), []
    for system in systems:
        start = len(image) // SECTOR
        image += system.ljust(len(system) + -len(system) % SECTOR, b"\0")
        places.append((start, len(image) // SECTOR - 1))
    return with_gpt(image, *places[0], others=[entry(DATA, *place, "BOOT") for place in places[1:]])


@pytest.mark.parametrize(("image", "offset"), [(ext4(listed()), 0), (disk(ext4(listed())), FIRST * SECTOR)])
def test_a_boot_is_found_in_a_file_system_and_on_a_disk(image: bytes, offset: int) -> None:
    found = boot_in(image)
    assert (found.offset, found.time, found.listed, found.signature) == (offset, DATE, 3, b"")
    assert found.size >= len(ext4(listed()))
    lists = listed()
    assert found.text.decode() == (
        f"{sha256(lists[HASHES])}  /boot/{HASHES}\n{sha256(lists[TREE])}  /boot/{TREE}\n"
    )


def test_the_one_with_lists_is_meant() -> None:
    other = ext4({"etc/": b"", "etc/fstab": b"x"})
    assert boot_in(disk(other, bytes(4096), ext4(listed()))).offset > (FIRST * SECTOR) + len(other)


def test_what_heads_has_added_is_signed_too() -> None:
    files = listed() | {
        "kexec_default.1.txt": b"x|elf|kernel /vmlinuz-1",
        "kexec_menu": b"",
        SIGNATURE: b"old",
    }
    found = boot_in(ext4(files))
    assert found.signature == b"old"
    assert [line.split("/boot/")[1] for line in found.text.decode().splitlines()] == [
        "kexec_default.1.txt",
        HASHES,
        TREE,
    ]


RECOVERY = settled(patch(ext4(listed()), 1024 + 0x60, b"\x46"))  # needs_recovery, beside filetype and extents


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"x" * 4096, "is neither an ext4 nor a disk with a GPT"),
        (ext4(BOOT), f"no ext4 in it has {HASHES} and {TREE} at its top"),
        (ext4(BOOT | {HASHES: b""}), f"no ext4 in it has {HASHES} and {TREE} at its top"),
        (
            disk(ext4(listed()), ext4(listed())),
            "it has 2 partitions with lists of Heads, which starts one of them",
        ),
        (
            ext4(listed() | {"vmlinuz-1": b"another"}),
            f"{NOT_OF_IT}./vmlinuz-1 has another digest than {HASHES} says: it was changed",
        ),
        (ext4(listed() | {"added": b""}), f"{NOT_OF_IT}./added is not in {TREE}: it was added"),
        (
            ext4({name: data for name, data in listed().items() if name != "vmlinuz-1"}),
            f"{NOT_OF_IT}./vmlinuz-1 is in {HASHES}, and there is no such file\n"
            f"    ./vmlinuz-1 is in {TREE}, and is not there",
        ),
        (
            ext4(listed() | {f"added{n}": b"" for n in range(7)}),
            NOT_OF_IT
            + "".join(f"./added{n} is not in {TREE}: it was added\n    " for n in range(5))
            + "and 2 more",
        ),
        (RECOVERY, "its /boot was not unmounted: the journal has changes that are not in their places"),
    ],
)
def test_what_cannot_be_signed(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        boot_in(image)
    assert caught.value.message == message
