"""The rules of boot configuration, for whatever has files, and the kind of a boot tree."""

from pipeline.checks.boot import bls, grub, heads, tree
from pipeline.checks.boot.tree import BootTree, members_of, read_boot_tree
from pipeline.checks.boot.view import of_any
from pipeline.checks.kind import Kind

SECTION = "Boot configuration in file systems, ISOs and boot trees"

RULES = tuple(map(of_any, (*grub.rule.table, *bls.rule.table, *heads.rule.table)))
"""Those that any file system, ISO or boot tree has, each one object for all."""

BOOT_TREE: Kind[BootTree] = Kind(
    "boot-tree", "boot tree", "TREE000", read_boot_tree, (*tree.rule.table, *RULES), members_of
)
