"""Makes the hybrid ISO: one file that firmware boots as CD and, copied to a stick, as disk.

The FAT image is stored once, as an appended partition; the El Torito boot catalog and the GPT both
point at it. What a BIOS starts, from either, says that it takes UEFI.

Specifications: ECMA-119 (ISO 9660), El Torito 1.0, UEFI 2.10 sections 5.3 (GPT) and 13.3.2 (partition
discovery on CD).
"""

import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pipeline.formats import bios_notice
from pipeline.steps.runner import Context

NOTICE = "boot.bios"
"""What the code for a BIOS is called on the medium."""

NAMESPACE = uuid.UUID("b4ea0c6c-31de-5b8a-9d59-0a53fcd4ef0a")
"""For identifiers that derive from an image's inputs (RFC 9562, section 5.5)."""


def notice_options(tree: str) -> list[str]:
    """Return xorriso's options for a BIOS that is told to start by UEFI."""
    return [
        "-G",  # code for the MBR, from a file
        f"{tree}/{NOTICE}",
        "-c",
        "boot.catalog",
        "-b",  # the entry for a BIOS; El Torito wants it first
        NOTICE,
        "-no-emul-boot",
        "-boot-load-size",
        "4",
    ]


def xorriso_argv(
    efi_image: str, tree: str, output: str, bios: Sequence[str], params: Mapping[str, str], epoch: int
) -> list[str]:
    """Return xorriso's command line: `bios` are options for what a BIOS starts.

    `params` holds volume_id, publisher, application and disk_guid.
    """
    stamp = datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%d%H%M%S00")
    return [
        "xorriso",
        "-no_rc",  # else configuration files of the user and the system are read
        "-as",
        "mkisofs",
        "-o",
        output,
        "-iso-level",
        "3",
        "-rational-rock",  # Rock Ridge, with owners and modes that do not come from here
        "-joliet",
        "-volid",
        params["volume_id"],
        "-publisher",
        params["publisher"],
        "-preparer",  # else the name and version of xorriso
        params["publisher"],
        "-appid",
        params["application"],
        f"--modification-date={stamp}",
        "--set_all_file_dates",
        stamp,
        "--gpt_disk_guid",  # else a function of the date: the same for two images of one epoch
        params["disk_guid"],
        "-partition_offset",
        "0",
        "-append_partition",
        "2",
        "0xef",
        efi_image,
        "-appended_part_as_gpt",
        *bios,
        "-eltorito-alt-boot",
        "-e",
        "--interval:appended_partition_2:all::",
        "-no-emul-boot",
        tree,
    ]


def build(ctx: Context) -> None:
    """Make the ISO `params.output`, with a text for those who open it in a file manager."""
    tree = ctx.work / "tree"
    tree.mkdir()
    readme = tree / "README.txt"
    readme.write_text(ctx.params["readme"], encoding="ascii")
    notice = tree / NOTICE
    notice.write_bytes(bios_notice.CODE)
    digest = hashlib.sha256(ctx.inputs["efi.img"].read_bytes()).hexdigest()
    finish(ctx, tree, notice_options(str(tree)), digest)


def finish(ctx: Context, tree: Path, bios: Sequence[str], digest: str) -> None:
    """Make the ISO `params.output` of a tree; `digest` stands for what makes it another medium."""
    epoch = ctx.params["epoch"]
    for file in tree.rglob("*"):
        if file.is_file():
            file.chmod(0o444)
        os.utime(file, (epoch, epoch))
    texts = {name: ctx.params[name] for name in ("volume_id", "publisher", "application")}
    params = texts | {"disk_guid": str(uuid.uuid5(NAMESPACE, digest))}
    output = str(ctx.out / ctx.params["output"])
    ctx.run(xorriso_argv(str(ctx.inputs["efi.img"]), str(tree), output, bios, params, epoch))
