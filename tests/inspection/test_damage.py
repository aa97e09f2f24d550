"""Damage anywhere: whatever is asked of a damaged image is answered."""

import json
import random
from collections.abc import Callable

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import POLICIES
from pipeline.checks.kind import Node
from pipeline.inspection import document, text
from pipeline.inspection.questions import answers
from tests.fixtures.bzimage import bzimage
from tests.fixtures.elf import elf
from tests.fixtures.initramfs import members
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.newc import newc
from tests.fixtures.signed import RSA, signed
from tests.fixtures.uki import uki

IMAGES: dict[str, Callable[[], bytes]] = {
    "iso": iso,
    "fat": efi_image,
    "uki": uki,
    "signed": lambda: signed(RSA),
    "kernel": bzimage,
    "initramfs": lambda: newc(members().values()),
    "elf": lambda: elf(interpreter="/lib/ld.so", needed=("libc.so",), symbols=True),
}
ROUNDS = 60


def damaged(image: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, most of them where structures are, or the end cut off."""
    found = bytearray(image)
    for _ in range(chance.randrange(1, 6)):
        used = [at for at in (chance.randrange(len(found)) for _ in range(20)) if found[at]]
        found[(used or [0])[0]] = chance.choice((0x00, 0x01, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(found[: chance.randrange(len(found))] if chance.randrange(4) == 0 else found)


def all_that_is_said(node: Node) -> None:
    said = answers(node)
    lines = [*text.told(said), *text.tree(node, whole=False), *text.tree(node, whole=True)]
    assert all(line.isprintable() for line, _ in lines)
    written = "".join(document.written_file("x", error=None, answers=said, node=node))
    assert json.loads(written)["name"] == "x"


@pytest.mark.parametrize("name", IMAGES)
def test_nothing_else_comes_out(name: str) -> None:
    image = IMAGES[name]()
    chance = random.Random(name)  # noqa: S311  the same damage at each run
    for _ in range(ROUNDS):
        all_that_is_said(take_apart(damaged(image, chance), "x", policies=tuple(POLICIES)))
