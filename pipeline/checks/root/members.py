"""Reading a root file system: the tree that the members of its tar make."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats import tar_tree
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of
from pipeline.formats.tree import Tree, grow


@dataclass(frozen=True, slots=True)
class Root:
    """A root file system: its members by name, those with extended attributes, and what may be setuid."""

    tree: Tree
    xattrs: Mapping[str, tuple[str, ...]]
    setuid: tuple[str, ...] = ()

    @property
    def members(self) -> Mapping[str, Entry]:
        """The members by where they lie, without a leading `/`."""
        return self.tree.members


def read_root(image: Image, *, setuid: tuple[str, ...] = ()) -> Root:
    """Read the tar. Raises FormatError when it is damaged, or a member would lie nowhere."""
    archive = tar_tree.read(image)
    tree, lost = grow(archive.entries, budget_of(image))
    for entry, way in lost:
        what = f"/{way} is in the way" if way else "the directory for it is not there"
        raise FormatError(f"tar: {entry.name!r} lies nowhere: {what}", "make the archive again")
    return Root(tree, archive.xattrs, setuid)
