"""What was published as revoked: the data, and how a program is compared with it."""

import pytest

from pipeline.checks.pe import dbx
from pipeline.checks.pe.revocations import SBAT_LEVELS, Refusal, refusals
from pipeline.formats.sbat import Component


def component(name: str, generation: int) -> Component:
    return Component(name, generation, "x", name, "1", "https://example.org/")


@pytest.mark.parametrize(
    ("components", "found"),
    [
        ([("shim", 4), ("grub", 6), ("sbat", 1), ("systemd", 1)], []),
        ([("grub", 5)], [Refusal("grub", 5, "2025112400", "2025112400", 6)]),
        ([("grub", 4), ("grub.debian", 4)], [Refusal("grub", 4, "2025021800", "2025112400", 6)]),
        ([("shim", 2)], [Refusal("shim", 2, "2023012950", "2024010900", 4)]),
        (
            [("grub.debian", 3), ("grub", 1)],
            [
                Refusal("grub", 1, "2022052400", "2025112400", 6),
                Refusal("grub.debian", 3, "2023012900", "2023012900", 4),
            ],
        ),
        ([("grub.peimage", 1)], [Refusal("grub.peimage", 1, "2024040900", "2024040900", 2)]),
    ],
)
def test_a_component_is_refused(components: list[tuple[str, int]], found: list[Refusal]) -> None:
    assert list(refusals(component(*one) for one in components)) == found


def test_levels_are_in_order() -> None:
    assert list(SBAT_LEVELS) == sorted(SBAT_LEVELS)
    assert all(len(level) == 10 for level in SBAT_LEVELS)


def test_digests_are_half_digests_each_once() -> None:
    every = [word for word in dbx.DIGESTS.read_text().split() if "-" not in word]
    assert len(every) == len(set(every)) == 293
    assert all(len(bytes.fromhex(digest)) == 8 for digest in every)


def test_a_digest_is_looked_up() -> None:
    shim = bytes.fromhex("80B4D96931BF0D02FD91A61E19D14F1DA452E66DB2408CA8604D411F92659F0A")
    assert dbx.published(shim) == "2018-04"
    assert dbx.published(bytes(32)) == ""
