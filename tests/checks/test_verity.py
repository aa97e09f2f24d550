import pytest

from pipeline.checks.catalog import recognise, take_apart
from pipeline.inspection.collect import facts_of
from pipeline.inspection.facts import VerityFacts
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.disk import disk
from tests.fixtures.verity import BLOCK, DATA, IDENTIFIER, SALT, superblock, verity

GOOD, ROOT = verity()

CASES = (
    Case("VER000", patch(GOOD, 8, b"\2"), ("dm-verity: the superblock's version cannot be 2",)),
    Case(
        "VER001",
        GOOD[:-1],
        (f"the tree is cut off: it should have {len(GOOD)} bytes, it has {len(GOOD) - 1}",),
    ),
    Case(
        "VER002",
        patch(GOOD, 3 * BLOCK + 31, b"X"),
        ("block 3 of the tree has another hash than the level above says",),
    ),
)


def test_good_trees_have_no_findings() -> None:
    assert [found("verity", image) for image in (GOOD, superblock(1), GOOD + bytes(BLOCK))] == [[], [], []]


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_tree_is_told(case: Case) -> None:
    assert told(found("verity", case.image)) == case.expected


def test_a_tree_is_told_by_its_superblock() -> None:
    node = take_apart(GOOD, "root.verity")
    assert node.kind
    assert node.kind.name == "verity"
    assert node.artifact.in_short == f"sha256 of {len(DATA)} bytes, root hash {ROOT.hex()}"
    assert facts_of(node) == VerityFacts(
        "verity", str(IDENTIFIER), "sha256", BLOCK, BLOCK, len(DATA) // BLOCK, SALT.hex(), ROOT.hex()
    )


@pytest.mark.parametrize("image", [superblock(1), GOOD[:BLOCK]], ids=["one block", "cut off"])
def test_a_root_hash_that_cannot_be_computed(image: bytes) -> None:
    node = take_apart(image, "x")
    facts = facts_of(node)
    assert isinstance(facts, VerityFacts)
    assert facts.root_hash is None
    assert node.artifact.in_short.startswith("sha256 of ")
    assert "root hash" not in node.artifact.in_short


def test_the_rules_of_a_disk_judge_the_trees_in_it() -> None:
    assert recognise(GOOD) == ""
    assert recognise(disk()) == "disk"
