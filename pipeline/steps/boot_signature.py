"""Puts the owner's signature of a /boot into its ext4, without mounting it.

Programs: debugfs(8) and e2fsck(8).
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.formats.heads import SIGNATURE
from pipeline.steps.runner import Context

BOOT = "boot.ext4"
"""Input and output: the file system."""

Run = Callable[[Sequence[str]], str]
"""Runs a program, and returns what it says."""


def commands(signature: str, time: int) -> str:
    """Return what debugfs does to put the file `signature` at the top, in place of an earlier one.

    All times become `time`, in seconds since 1970, so that one signature makes the same bytes each time.
    """
    fields = (("mode", "0100644"), ("uid", "0"), ("gid", "0"))
    lines = [
        f"set_current_time @{time}",
        f"rm {SIGNATURE}",  # which says so where there is none, and goes on
        f"write {signature} {SIGNATURE}",
        *(f"set_inode_field {SIGNATURE} {field} {value}" for field, value in fields),
    ]
    return "\n".join(lines) + "\n"


def attach(run: Run, image: Path, signature: Path, work: Path, *, time: int, offset: int = 0) -> None:
    """Put a signature into the ext4 that begins `offset` bytes after the start of an image.

    Raises PipelineError where it is not there afterwards: debugfs ends well whatever happened.
    """
    place = f"{image}?offset={offset}" if offset else str(image)
    script, back = work / "commands", work / "back"
    script.write_text(commands(str(signature), time), encoding="utf-8")
    back.unlink(missing_ok=True)
    said = run(["debugfs", "-w", "-f", str(script), place])
    run(["debugfs", "-R", f"dump {SIGNATURE} {back}", place])
    if not back.is_file() or back.read_bytes() != signature.read_bytes():
        room = "Could not allocate" in said or "No space" in said or "no free space" in said.lower()
        raise PipelineError(
            f"{SIGNATURE} cannot be written to the file system: {said.strip().splitlines()[-1]}",
            "give the recipe's /boot more room" if room else "check it with e2fsck(8)",
        )


def build(ctx: Context) -> None:
    """Write BOOT, the file system of the input BOOT with the input SIGNATURE at its top.

    `params.time` is the time that the file gets.
    """
    image = ctx.out / BOOT
    shutil.copyfile(ctx.inputs[BOOT], image)
    attach(ctx.run, image, ctx.inputs[SIGNATURE], ctx.work, time=ctx.params["time"])
    ctx.run(["e2fsck", "-f", "-n", str(image)])
