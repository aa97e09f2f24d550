"""What must hold of a tree of dm-verity that is a file of its own: the data that it is for lies elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.attempt import or_none
from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind
from pipeline.formats.fields import Image
from pipeline.formats.verity import Verity, read_verity, root_hash, tree_faults

SPEC = "Linux, Documentation/admin-guide/device-mapper/verity.rst"

rule = Rules["HashTree"]()


@dataclass(frozen=True, slots=True)
class HashTree:
    """A superblock, and the file that has the tree behind it."""

    superblock: Verity
    image: Image

    @property
    def root_hash(self) -> str | None:
        """The root hash in hex; None where the tree is cut off, or the one block of the data has no tree."""
        root = or_none(root_hash, self.superblock, self.image)
        return root.hex() if root else None

    @property
    def in_short(self) -> str:
        """What a person wants to know."""
        data = f"{self.superblock.algorithm} of {self.superblock.data_size} bytes"
        return f"{data}, root hash {self.root_hash}" if self.root_hash else data


def read_tree(image: Image) -> HashTree:
    """Read the superblock. Raises FormatError for one that cannot be."""
    return HashTree(read_verity(image), image)


@rule("VER001", "all of the tree is there", spec=f"{SPEC}, Hash Tree", fix="copy it again, whole")
def is_whole(tree: HashTree) -> Iterator[Fault]:
    """Linux refuses the blocks whose hashes are missing."""
    if tree.superblock.size > len(tree.image):
        yield f"the tree is cut off: it should have {tree.superblock.size} bytes, it has {len(tree.image)}"


@rule(
    "VER002",
    "each level has the hashes of the next",
    spec=f"{SPEC}, Hash Tree",
    fix="make the tree again, with `veritysetup format`",
)
def is_consistent(tree: HashTree) -> Iterator[Fault]:
    """Below a block with another hash than the one above says, no data can be read."""
    if tree.superblock.size <= len(tree.image):
        yield from tree_faults(tree.superblock, tree.image)


VERITY = Kind("verity", "tree of dm-verity", "VER000", read_tree, tuple(rule.table))
