"""What holds of every inspection, whatever the bytes: its cost is in proportion to them."""

from dataclasses import dataclass

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import PolicyName
from pipeline.checks.kind import Node
from pipeline.formats.budget import TIME, Budget, for_file
from pipeline.inspection import document, text
from pipeline.inspection.questions import interviewed

NODES = 10_000  # and one for so many bytes:
BYTES_A_NODE = 32
LETTERS = 4_000_000  # of what is said, and so many for a byte:
LETTERS_A_BYTE = 64


@dataclass(frozen=True)
class Found:
    node: Node
    budget: Budget


def looked_at(data: bytes, policies: tuple[PolicyName, ...] = ()) -> Found:
    """Inspect, and say all of it, as text and as JSON. AssertionError where that is out of proportion.

    That the budget's time was enough says that what it counts came to its end first.
    """
    budget = for_file(len(data))
    node, said = interviewed(take_apart(data, "input", policies=policies, budget=budget))
    printed = [
        *text.told(said),
        *text.tree(node, whole=True),
        *text.findings(document.problems("input", node), "input"),
    ]
    written = document.written([document.written_file("input", error=None, answers=said, node=node)])
    letters = sum(len(line) for line, _ in printed) + sum(map(len, written))
    nodes = sum(1 for _ in node.walk())
    assert nodes <= NODES + len(data) // BYTES_A_NODE, f"{nodes} nodes of {len(data)} bytes"
    assert letters <= LETTERS + LETTERS_A_BYTE * len(data), f"{letters} letters of {len(data)} bytes"
    assert TIME not in budget.spent, f"more than {budget.seconds:.0f} seconds for {len(data)} bytes"
    return Found(node, budget)
