"""What is only packaging: a packed file, or a disk in the format of a hypervisor or a cloud.

What is asked about such a file is asked about what is in it, and judged there.
"""

from pipeline.checks.kind import Node

PACKAGING = frozenset({"packed", "qcow2", "vhd", "vmdk", "ova", "gce"})


def inside(node: Node) -> int | None:
    """Return which child an artifact is only the packaging of, the first that is known; None for others."""
    if node.kind is None or node.kind.name not in PACKAGING or not node.children:
        return None
    return next((index for index, child in enumerate(node.children) if child.kind), 0)
