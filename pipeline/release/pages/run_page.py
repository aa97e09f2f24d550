"""The page of a run, `run.html`: how long it took to make a release, and how its media booted and installed.

It is another one each time. So nothing proves it, and `report_page` has what is the same for everybody.
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline.release.pages.render import render
from pipeline.release.pages.run_facts import RunFacts, gather_run


def run_report(record: Path, product: str, version: str, tests: Mapping[str, Path]) -> str:
    """Return the page, as HTML; see `gather_run` for what it is given, and what is raised."""
    return run_page(gather_run(record, product, version, tests))


def run_page(facts: RunFacts) -> str:
    """Return the page that says these facts."""
    steps = sorted(facts.run.seconds.items(), key=lambda item: (-item[1], item[0]))
    boots = [booted for test in facts.tests for booted in test.boots]
    longest = max((max(booted.result.seconds.values(), default=0.0) for booted in boots), default=0.0)
    return render("run.html", facts=facts, steps=steps, longest=longest)
