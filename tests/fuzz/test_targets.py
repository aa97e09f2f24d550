"""Every reader answers its seeds, what once broke it, and mutations of both."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import POLICIES, Finding
from tests.fuzz.oracle import looked_at
from tests.fuzz.structures import STRUCTURES
from tests.fuzz.targets import REGRESSIONS, TARGETS, inputs


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read_and_what_once_broke_it_is_answered(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds():
        target.read(seed)  # no FormatError: a seed that is refused leads nowhere
    for data in inputs(name):
        target.answer(data)


def test_regressions_are_of_targets() -> None:
    assert {path.name for path in REGRESSIONS.glob("*")} <= set(TARGETS)


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_is_settled_to_what_it_was(name: str) -> None:
    """Else every mutation would end at the first checksum."""
    structure = STRUCTURES[name]
    image = structure.settle(structure.good)
    assert image == structure.good or not structure.good.startswith(image[:4])
    node = take_apart(image, name)
    assert node.kind is not None
    assert node.artifact is not None


@pytest.mark.parametrize("name", STRUCTURES)
@settings(derandomize=True, deadline=None, max_examples=150)
@given(data=st.data())
def test_odd_fields_are_answered(name: str, data: st.DataObject) -> None:
    image = data.draw(STRUCTURES[name].mutated())
    for policies in ((), tuple(POLICIES)):
        found = looked_at(image, policies)
        assert all(isinstance(finding, Finding) for finding in found.node.all_findings())
