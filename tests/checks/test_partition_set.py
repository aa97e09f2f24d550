"""Sets of partitions that an installer could not put on a disk, or that would not start: each by its code."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.checks.catalog import take_apart
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.partition_sets import (
    BOOT_TYPE,
    CORE,
    FILES,
    INITRD,
    KERNEL,
    LINUX_TYPE,
    MIB,
    PROGRAM,
    ROOT,
    content,
    file_system,
    packed,
    partition_set,
    placed,
    sha256,
    tar,
)

Table = dict[str, Any]
OTHER = sha256(b"other")


def of(number: int, **values: Any) -> Callable[[Table], None]:
    """Change a partition."""
    return lambda table: table["partitions"][number].update(values)


def top(**values: Any) -> Callable[[Table], None]:
    return lambda table: table.update(values)


def content_of(number: int, **values: Any) -> Callable[[Table], None]:
    return lambda table: table["partitions"][number]["content"].update(values)


def entry(**values: Any) -> Callable[[Table], None]:
    return lambda table: table["entries"][0].update(values)


def esp(*paths: str) -> Callable[[Table], None]:
    """Have the EFI partition's program at these paths, and nothing else but the menu."""
    files = [placed("EFI/Toy/grub.cfg", "grub.cfg", FILES["grub.cfg"])]
    return of(1, files=[*files, *(placed(path, "grubx64.efi", PROGRAM) for path in paths)])


def data_of_files(table: Table) -> None:
    """Give the last partition files instead of content."""
    del table["partitions"][4]["content"]
    table["partitions"][4]["files"] = [placed("EFI/Toy/x", "grub.cfg", FILES["grub.cfg"])]


def without(name: str) -> dict[str, bytes]:
    return {each: data for each, data in FILES.items() if each != name}


def other_root(image: bytes) -> bytes:
    """A set whose root is another file system, which its list knows."""
    files = FILES | {"root.ext4.zst": packed(image)}
    return partition_set(of(3, content=content("root.ext4.zst", image)), files)


def patched() -> bytes:
    core = patch(CORE, 0x1F4, b"\x01\x08")
    return partition_set(of(0, content=content("core.img", core, "")), FILES | {"core.img": core})


def unknown_of(change: Callable[[Table], None], said: str) -> Case:
    return Case("SET000", partition_set(change), (f"partitions.json: {said}",))


GOOD = partition_set()
DAMAGED = FILES | {"root.ext4.zst": FILES["root.ext4.zst"][:40]}
CASES = (
    Case(
        "SET000",
        GOOD[:600],
        ("tar: a member: 2161 bytes at offset 0x200 do not lie inside the 600 bytes given",),
    ),
    Case("SET000", tar(FILES), ("the set has no partitions.json",)),
    Case(
        "SET000",
        tar({"partitions.json": b"{"}),
        (
            "partitions.json is not JSON: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
        ),
    ),
    Case("SET000", tar({"partitions.json": b"[]"}), ("partitions.json: the file: [] is not a table",)),
    unknown_of(top(format=2), "format is 2, not 1"),
    unknown_of(lambda table: table.pop("folder"), "folder: this key is missing"),
    unknown_of(top(colour="red"), "colour: unknown key"),
    unknown_of(top(partitions={}), "partitions: {} is not a list"),
    unknown_of(of(2, size="1"), "partitions[2].size: '1' is not a whole number"),
    unknown_of(of(2, size=-1), "partitions[2].size: -1 is not a whole number"),
    unknown_of(of(2, grow=0), "partitions[2].grow: 0 is not true or false"),
    unknown_of(content_of(2, file=1), "partitions[2].content.file: 1 is not a string"),
    Case("SET001", partition_set(files={**FILES, "x": b""}), ("x is not in partitions.json",)),
    Case(
        "SET001",
        partition_set(files=without("grub.cfg")),
        ("grub.cfg is in partitions.json alone",),
    ),
    Case(
        "SET002",
        partition_set(content_of(3, sha256=OTHER)),
        (f"root.ext4.zst has the SHA-256 {sha256(ROOT)}, partitions.json says {OTHER}",),
    ),
    Case(
        "SET002",
        partition_set(content_of(3, bytes=7)),
        (f"root.ext4.zst has {len(ROOT)} bytes, partitions.json says 7",),
    ),
    Case(
        "SET002",
        partition_set(files=FILES | {"grub.cfg": b"other"}),
        (f"grub.cfg has 5 bytes, partitions.json says {len(FILES['grub.cfg'])}",),
    ),
    Case("SET002", partition_set(files=DAMAGED), ("zstd: the stream is cut off, at 40 bytes",)),
    Case(
        "SET003",
        partition_set(of(3, size=MIB + 1)),
        (f"the partition TOY_ROOT has {MIB + 1} bytes, which are no whole number of MiB",),
    ),
    Case(
        "SET003",
        partition_set(of(1, size=0)),
        ("the partition EFI has 0 bytes, which are no whole number of MiB",),
    ),
    Case("SET004", partition_set(of(4, grow=False)), ("no partition takes what is left of a disk: DATA",)),
    Case(
        "SET004", partition_set(of(3, grow=True)), ("the partition TOY_ROOT grows, and is not the last one",)
    ),
    Case("SET005", partition_set(of(0, label="EFI")), ("the label 'EFI' is given 2 times",)),
    Case(
        "SET005",
        partition_set(of(0, label="BIOS BOOT")),
        ("the label 'BIOS BOOT' is not 1 to 16 letters, digits, _, - and .",),
    ),
    Case(
        "SET006",
        other_root(file_system("OTHER", {})),
        ("the partition TOY_ROOT has a file system called 'OTHER'",),
    ),
    Case("SET007", partition_set(of(3, role="data")), ("0 partitions have the role 'root', not one",)),
    Case("SET007", partition_set(of(4, role="swap")), ("the partition DATA has the unknown role 'swap'",)),
    Case(
        "SET007",
        partition_set(of(2, type=LINUX_TYPE)),
        (f"the partition TOY_BOOT is boot of type {LINUX_TYPE}, not {BOOT_TYPE}",),
    ),
    Case(
        "SET007",
        partition_set(of(4, type="linux")),
        ("the partition DATA has the type 'linux', which is no GUID in small letters",),
    ),
    Case(
        "SET007",
        partition_set(data_of_files, without("data.ext4.zst")),
        ("the partition DATA has to have content, and no files: its role is 'data'",),
    ),
    Case(
        "SET007",
        partition_set(content_of(0, packed="xz")),
        ("core.img is packed by 'xz', not by 'zstd' or ''",),
    ),
    Case(
        "SET008", partition_set(esp("grubx64.efi")), ("grubx64.efi lies neither in EFI/Toy nor in EFI/BOOT",)
    ),
    Case(
        "SET008",
        partition_set(esp("EFI/Toy/../Other/x.efi")),
        ("EFI/Toy/../Other/x.efi lies neither in EFI/Toy nor in EFI/BOOT",),
    ),
    Case(
        "SET008",
        partition_set(esp("EFI/Toy/x.efi", "EFI/Toy/X.EFI")),
        ("EFI/TOY/X.EFI is there 2 times: FAT does not tell capitals apart",),
    ),
    Case("SET009", patched(), ("core.img says that it goes on at sector 2049: it was patched for a disk",)),
    Case(
        "SET009",
        partition_set(
            top(boot_code={"file": "boot.img", "bytes": 4, "sha256": sha256(b"code")}),
            FILES | {"boot.img": b"code"},
        ),
        ("boot.img has 4 bytes, and is no boot sector",),
    ),
    Case("SET010", partition_set(top(entries=[])), ("it has no entry, so nothing could be started",)),
    Case(
        "SET010",
        partition_set(entry(kernel="/bzImage")),
        ("the entry toy-1 names /bzImage, which is not in the boot tree",),
    ),
    Case(
        "SET010",
        partition_set(entry(initrd="/vmlinuz")),
        (f"the entry toy-1: /vmlinuz has the SHA-256 {sha256(KERNEL)}, not {sha256(INITRD)}",),
    ),
)


def test_a_good_one_has_no_fault() -> None:
    assert found("partition-set", GOOD) == []


def test_it_is_known_by_its_first_member() -> None:
    node = take_apart(GOOD, "toy.partitions.tar")
    assert (node.kind and node.kind.name, [child.name for child in node.children]) == (
        "partition-set",
        [*FILES],
    )


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_fault_is_told(case: Case) -> None:
    assert told(found("partition-set", case.image)) == case.expected
