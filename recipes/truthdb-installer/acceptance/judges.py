"""Owns what other people's tools say of a disk that was installed, and of a stick that was written to.

Must not know what is in the files there, nor what was done to them.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.vm.disks import Place, check_data, cut_out, run

SYSTEM = "EFI"
AGAIN = "read what the tool says: whoever wrote this has to write it otherwise"
ENDS = {"gpt", "PMBR"}


def disk(image: Path, block: int, places: Sequence[Place], folder: Path) -> None:
    """Let every tool judge an installed disk, none of which writes; raise PipelineError for what one finds.

    `folder` is for a copy of the system's partition.
    """
    size = [] if block == 512 else ["--sector-size", str(block)]
    said = run("sfdisk", *size, "--verify", str(image), errors=True)
    # It exits with 0 whatever it finds, and finds no errors in what it takes for an MBR.
    is_sound = "No errors detected" in said and "Header version" in said and "corrupt" not in said
    _expect(is_sound, "sfdisk --verify", image, said)
    if block == 512:  # of an image, sgdisk and wipefs take no other
        said = run("sgdisk", "--verify", str(image))
        _expect("No problems found" in said and "Caution" not in said, "sgdisk --verify", image, said)
        found = run("wipefs", "--no-act", "--noheadings", "--output", "TYPE", str(image)).split()
        _expect(set(found) == ENDS, "wipefs --no-act", image, ", ".join(found))
    for place in places:
        part = ("-O", str(place.start), "-S", str(place.size))
        said = run("blkid", "-p", *part, "-o", "value", "-s", "TYPE", str(image)).strip()
        _expect(
            said == ("vfat" if place.name == SYSTEM else "ext4"), f"blkid -p of {place.name}", image, said
        )
        if place.name == SYSTEM:
            volume(cut_out(image, place, folder / "system.img"))
        else:
            check_data(image, place)


def volume(image: Path) -> None:
    """Let fsck.fat judge a FAT volume, without changing it; raise PipelineError for what it finds."""
    run("fsck.fat", "-n", str(image))


def _expect(holds: bool, tool: str, image: Path, said: str) -> None:
    if not holds:
        raise PipelineError(f"{tool} says of {image.name}: {said.strip() or 'nothing'}", AGAIN)
