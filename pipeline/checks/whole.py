"""What is said when an inspection has to end before it has looked at everything."""

from collections.abc import Iterator

from pipeline.checks.finding import Fault, Rules
from pipeline.formats.budget import ROOM, Budget

CODE = "INS001"
SECTION = "The inspection itself"
rule = Rules[Budget]()


@rule(
    CODE,
    "all of it is looked at",
    lenient=True,
    spec="of no format: it keeps a small file from taking hours, or a disk",
    fix="take the part of interest out with --extract, and look at that alone",
)
def is_looked_at(budget: Budget) -> Iterator[Fault]:
    """A small file can refer to the same bytes many times over, so all that is done for one file has limits.

    They grow with the file, and are far from what images have that boot. It is not the file's fault: other
    findings hold, and the rest is unknown. A build fails where its result was not looked at whole.
    """
    for what in budget.spent:
        if what == ROOM:
            yield f"more is not looked at: there is no {what}", "name another folder in TMPDIR"
        else:
            yield f"more is not looked at: it takes too many {what} for a file of its size"
