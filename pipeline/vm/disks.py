"""Disks and sticks of a test: made before, read after, by other readers than the installer's."""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import FormatError, PipelineError
from pipeline.formats import fat, fat_directory, gpt
from pipeline.formats.fields import open_image
from pipeline.vm.processes import not_installed

ANSWERS = "install.toml"
STICK_SIZE = 16 << 20  # bytes
BLOCK = 1 << 16
LONGEST = 300.0  # seconds that a tool may take


def run(*argv: str, stdin: str = "", errors: bool = False) -> str:
    """Run a tool; return what it said, with `errors` also on standard error. Raises PipelineError when it
    fails, or is not there.
    """
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise PipelineError(f"{' '.join(argv)} timed out after {LONGEST:.0f} s") from None
    except FileNotFoundError:
        raise not_installed(argv[0]) from None
    if done.returncode:
        raise PipelineError(f"{' '.join(argv)} failed with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + (done.stderr if errors else "")


def size_of(text: str) -> int:
    """Return how many bytes a size such as 20G is (MiB, GiB, TiB); raise PipelineError for anything else."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([MGT])", text)
    if not found:
        raise PipelineError(f"{text!r} is not the size of a disk", "give a number and M, G or T: 20G")
    return int(found[1]) << {"M": 20, "G": 30, "T": 40}[found[2]]


def blank(path: Path, size: int) -> Path:
    """Make an empty disk of `size` bytes that takes no room."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


def copy(source: Path, target: Path) -> Path:
    """Copy a disk, with its holes; what is read-only where it comes from can be written to."""
    target.unlink(missing_ok=True)
    run("cp", "--sparse=always", "--no-preserve=mode", str(source), str(target))
    return target


def grow(path: Path, size: int) -> Path:
    """Make a raw disk `size` bytes, 0 for as many as it has; raise PipelineError where it has more."""
    there = path.stat().st_size
    if 0 < size < there:
        raise PipelineError(f"{path.name} has {there} bytes, and cannot be of {size}", "take a larger size")
    os.truncate(path, max(size, there))
    return path


def overlay(image: Path, driver: str, path: Path, size: int = 0) -> Path:
    """Make a qcow2 that takes what is written to `image`, which itself stays as it is.

    `driver` is what QEMU calls the image's format; `size` is in bytes, 0 for that of the disk in it.
    """
    path.unlink(missing_ok=True)
    more = [str(size)] if size else []
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", driver, "-b", str(image), str(path), *more)
    return path


def stick(path: Path, label: str, files: Mapping[str, str]) -> Path:
    """Make a FAT stick without a partition table."""
    blank(path, STICK_SIZE)
    run("mkfs.vfat", "-n", label, str(path))
    for name, text in files.items():
        _copy_in(str(path), name, text)
    return path


def disc(path: Path, label: str, files: Mapping[str, str], *, udf: bool = False) -> Path:
    """Make an ISO 9660 volume, with the names of Joliet and Rock Ridge; or one of UDF alone."""
    folder = path.with_suffix(".files")
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    beside = ["-udf"] if udf else []
    run("genisoimage", "-quiet", "-J", "-r", *beside, "-V", label, "-o", str(path), str(folder))
    shutil.rmtree(folder)
    if udf:
        _without_iso9660(path)
    return path


def _without_iso9660(path: Path) -> None:
    """Take the descriptors of ISO 9660 (ECMA-119, 8.1) from a disc that has another file system beside it."""
    with path.open("r+b") as file:
        for sector in range(16, 32):
            file.seek(sector * 2048)
            if file.read(6)[1:] == b"CD001":
                file.seek(sector * 2048)
                file.write(bytes(2048))


def with_answers(iso: Path, path: Path, text: str) -> Path:
    """Copy an ISO as it is copied to a stick, and put an answer file into its FAT."""
    shutil.copyfile(iso, path)
    esp = next(one for one in partitions(path, 512) if one.name.startswith("Appended"))
    _copy_in(f"{path}@@{esp.start}", ANSWERS, text)
    return path


def _copy_in(image: str, name: str, text: str) -> None:
    run("mcopy", "-o", "-i", image, "-", f"::{name}", stdin=text)


def foreign_system(path: Path, size: int, folder: Path) -> Path:
    """Make a disk with another operating system's EFI partition and data."""
    blank(path, size)
    table = "label: gpt\nstart=2048, size=131072, type=U, name=esp\nstart=133120, type=L, name=root\n"
    run("sfdisk", "--quiet", str(path), stdin=table)
    esp = folder / "foreign-esp.img"
    blank(esp, 131072 * 512)
    run("mkfs.vfat", "-F32", "-n", "OTHER", str(esp))
    run("mmd", "-i", str(esp), "::EFI", "::EFI/OTHER")
    _copy_in(str(esp), "EFI/OTHER/OTHER.EFI", "not a program")
    with path.open("r+b") as disk:
        disk.seek(2048 * 512)
        disk.write(esp.read_bytes())
    run("mke2fs", "-q", "-F", "-t", "ext4", "-E", f"offset={133120 * 512}", str(path), "200M")
    return path


def leftovers(path: Path, size: int) -> Path:
    """Make a disk with a table, and with labels of ZFS, md and Btrfs at its end and where partitions will be.

    OpenZFS, `uberblock_impl.h`; Linux, `md_p.h`; Btrfs, "On-disk format", superblock.
    """
    blank(path, size)
    table = "label: gpt\nsize=1GiB, type=R\ntype=6A898CC3-1DD2-11B2-99A6-080020736631\n"
    run("sfdisk", "--quiet", str(path), stdin=table)
    uberblock = struct.pack("<QQQQQ", 0x00BAB10C, 5000, 1234, 99, 1_700_000_000)
    zfs = (1 << 20) + (1 << 30)
    marks = dict.fromkeys(range(zfs + (128 << 10), zfs + (256 << 10), 1024), uberblock)
    marks |= dict.fromkeys(range(size - (4 << 20), size - (25 << 10), 1024), uberblock)
    member = (size // 512 - 16) // 8 * 8
    magic = 0xA92B4EFC
    marks[member * 512] = struct.pack("<II136xQ", magic, 1, member)
    marks[(size // 65536 - 1) * 65536] = struct.pack("<III", magic, 0, 90)
    for start in (1 << 20, 513 << 20, zfs):
        marks[start + 65_600] = b"_BHRfS_M"
    with path.open("r+b") as disk:
        for at, mark in marks.items():
            disk.seek(at)
            disk.write(mark)
    return path


@dataclass(frozen=True)
class Place:
    """A partition of a disk, in bytes."""

    name: str
    kind: str
    start: int
    size: int


def partitions(path: Path, block: int) -> list[Place]:
    """Return the partitions of a GPT, which must be whole at both ends; raise FormatError if not."""
    image = open_image(path)
    first = gpt.read_table(image, 1, block)
    second = gpt.read_table(image, len(image) // block - 1, block)
    if first.partitions != second.partitions:
        raise FormatError("the two partition tables differ")
    return _places(first, block)


def as_firmware_reads(path: Path, block: int = 512) -> list[Place]:
    """Return the partitions of the first table, of the second where that one is damaged.

    That is what firmware does (UEFI 2.10, 5.3.2). Raises FormatError where both are.
    """
    image = open_image(path)
    try:
        return _places(gpt.read_table(image, 1, block), block)
    except FormatError:
        return _places(gpt.read_table(image, len(image) // block - 1, block), block)


def _places(table: gpt.Table, block: int) -> list[Place]:
    return [
        Place(one.name, str(one.kind), one.first_lba * block, (one.last_lba + 1 - one.first_lba) * block)
        for one in table.partitions
    ]


def files(path: Path, place: Place) -> dict[str, bytes]:
    """Return the files of a FAT partition by path, in upper case as firmware compares them."""
    image = open_image(path)[place.start : place.start + place.size]
    volume = fat.read_volume(image)
    table = fat.read_table(volume)
    second = fat.table_bytes(volume, 1)
    if bytes(fat.table_bytes(volume)) != bytes(second):
        raise FormatError("the two copies of the FAT differ")
    return {
        entry.path.upper(): bytes(fat_directory.read_file(volume, table, entry))
        for entry in fat_directory.walk(volume, table)
        if not entry.is_directory and not entry.is_label
    }


def cut_out(path: Path, place: Place, target: Path) -> Path:
    """Copy a partition into a file of its own, with its holes."""
    blank(target, place.size)
    with path.open("rb") as source, target.open("r+b") as file:
        for offset in _data(source, place.start, place.start + place.size):
            source.seek(offset)
            file.seek(offset - place.start)
            file.write(source.read(min(BLOCK, place.start + place.size - offset)))
    return target


def check_data(path: Path, place: Place) -> None:
    """Let e2fsck judge a data partition, without changing it; raise PipelineError for what it finds."""
    run("e2fsck", "-f", "-n", f"{path}?offset={place.start}")


def read_data(path: Path, place: Place, name: str) -> str:
    """Return a file of a data partition as text."""
    return run("debugfs", "-R", f"cat {name}", f"{path}?offset={place.start}")


def written_in(path: Path, place: Place) -> int:
    """Return the year in which the superblock of a data partition was written last, by the writer's clock."""
    said = run("debugfs", "-R", "show_super_stats -h", f"{path}?offset={place.start}")
    line = next(line for line in said.splitlines() if line.startswith("Last write time:"))
    return int(line.split()[-1])


def digest(path: Path, start: int = 0, size: int | None = None) -> str:
    """Return a SHA-256 over a part of a disk: of every block that is not all zeros, with where it lies."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END) if size is None else start + size
        for offset in _data(file, start, end):
            file.seek(offset)
            block = file.read(min(BLOCK, end - offset))
            if block.count(0) != len(block):
                found.update(offset.to_bytes(8, "little") + block)
    return found.hexdigest()


def holds(path: Path, text: bytes) -> bool:
    """Tell whether a disk has a text somewhere. It takes a while; other threads get their turn meanwhile."""
    with path.open("rb") as file:
        before, end = b"", 0
        for offset in _data(file, 0, path.stat().st_size):
            file.seek(offset)
            block = file.read(BLOCK)
            before = before if offset == end else bytes(len(text))
            if text in before + block:
                return True
            before, end = block[-len(text) :], offset + BLOCK
    return False


def _data(file: BinaryIO, start: int, end: int) -> Iterator[int]:
    """Yield where blocks lie that are no holes."""
    offset = start
    while offset < end:
        try:
            offset = max(offset, os.lseek(file.fileno(), offset, os.SEEK_DATA) // BLOCK * BLOCK)
        except OSError:  # ENXIO: there is only a hole from here on
            return
        if offset < end:
            yield offset
        offset += BLOCK


def variables(store: Path) -> dict[str, bytes]:
    """Return what the firmware's store holds, by name."""
    text = run("virt-fw-vars", "--input", str(store), "--output-json", "/dev/stdout")
    found: dict[str, Any] = json.loads(text[text.index("{") :])
    return {one["name"]: bytes.fromhex(one["data"]) for one in found["variables"]}


def boot_next_from(store: Path, url: str) -> None:
    """Have the firmware start what lies at `url`, once, as somebody does who chooses it in the setup."""
    run("virt-fw-vars", "--inplace", str(store), "--set-boot-uri", url)


def boot_entries(store: Path) -> list[bytes]:
    """Return the firmware's boot entries (UEFI 2.10, 3.1.3: load options), in its order."""
    found = variables(store)
    order = found.get("BootOrder", b"")
    numbers = [int.from_bytes(order[at : at + 2], "little") for at in range(0, len(order), 2)]
    return [found[f"Boot{number:04X}"] for number in numbers if f"Boot{number:04X}" in found]


def boot_order(store: Path) -> list[str]:
    """Return the descriptions of the firmware's boot entries, in its order."""
    return [option[6:].decode("utf-16-le", "replace").partition("\0")[0] for option in boot_entries(store)]
