"""Whether a stick boots that was made by copying an ISO's files: firmware finds what the ISO's own tree has.

Specification: UEFI 2.10, §3.5.1.1 "Removable Media Boot Behavior"; Microsoft FAT Specification (2005), §6, §7
"""

import re
from collections import Counter
from collections.abc import Sequence

from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import Iso
from pipeline.checks.medium.programs import in_tree
from pipeline.checks.medium.starting import IA32
from pipeline.checks.quoting import shown
from pipeline.formats.iso9660 import Iso9660
from pipeline.formats.iso9660_directory import Member
from pipeline.formats.udf import Udf
from pipeline.inspection.answer import Condition, Said
from pipeline.inspection.boots import boot_programs, paths

FAT_FILE_LIMIT = 1 << 32  # bytes: a file is smaller
NO_FAT_NAME = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]|[. ]$')
WRITE_IT = "write the ISO itself to the stick, with `dd` or in Rufus' DD image mode"


def by_copied_files(node: Node) -> Said:
    """Answer for a FAT stick on which the ISO's files were copied, as a file manager does it."""
    iso: Iso = node.artifact
    programs = in_tree(node.children)
    good = [program for program in programs if not program.fault]
    if not programs:
        others = boot_programs(node)
        because = f"{paths(others)} lies in a boot image, not among the ISO's files"
        return Said("no", because=because, hint=WRITE_IT) if others else Said("not applicable")
    if not good:
        return Said("no", because=f"the ISO's files include {programs[0].path}, but that {programs[0].fault}")
    tree = iso.udf if isinstance(iso.udf, Udf) else iso.files
    files = tree.members if isinstance(tree, Udf | Iso9660) else ()
    if fault := unfit(files):
        return Said("no", because=fault, hint=WRITE_IT)
    lost = "; its symbolic links are lost" if any(file.target for file in files) else ""
    is_only_32_bit = all(program.machine == IA32 for program in good)
    return Said(
        "yes",
        because=f"the ISO's files include {paths(good)}, and fit on FAT{lost}",
        conditions=(Condition("firmware_bits", "32"),) if is_only_32_bit else (),
    )


def unfit(files: Sequence[Member]) -> str:
    """Return why FAT does not take all of the files, a clause; "" where it does."""
    count = Counter(file.path.casefold() for file in files)
    for file in files:
        if NO_FAT_NAME.search(file.path.rpartition("/")[2]):
            return f"FAT has no name like {shown(file.path[1:])}"
        if file.size >= FAT_FILE_LIMIT:
            return f"{shown(file.path[1:])} has {file.size:,} bytes, and FAT takes less than 4 GiB"
        if count[file.path.casefold()] > 1:
            return f"FAT takes {shown(file.path[1:])} and another file, whose name differs in case, for one"
    return ""
