"""What is changed on a disk that is off: bytes of it, as whatever breaks disks would."""

from pathlib import Path

from pipeline.boot.stories import must
from pipeline.vm import disks
from pipeline.vm.machine import Disk


def change(disk: Disk, partition: str, old: bytes, new: bytes) -> int:
    """Write `new` over each `old` in a partition; return how often it was there.

    Raises NotSeenError where it is nowhere.
    """
    place = next(one for one in disks.partitions(disk.image, disk.block) if one.name == partition)
    count = _replace(disk.image, place.start, place.size, old, new)
    must(count > 0, f"there is no {old!r} in {partition}")
    return count


def _replace(image: Path, start: int, size: int, old: bytes, new: bytes) -> int:
    must(len(old) == len(new), f"{old!r} and {new!r} are not equally long")
    with image.open("r+b") as file:
        file.seek(start)
        data, count, found = file.read(size), 0, -1
        while (found := data.find(old, found + 1)) >= 0:
            file.seek(start + found)
            file.write(new)
            count += 1
    return count
