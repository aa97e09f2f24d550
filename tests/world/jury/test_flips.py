"""No byte of a signed UKI can be changed but those that mean nothing: asked of firmware, and of `inspect`."""

import os
from collections import Counter
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.errors import FormatError
from pipeline.formats.efi_variables import read_variables
from pipeline.formats.fields import Image
from pipeline.formats.pe import read_pe
from pipeline.formats.secure_boot import Store, read_store
from pipeline.inspection.enrolled import by_firmware
from pipeline.sandbox.docker import Engine
from tests.fixtures.specimens import unpack
from tests.fixtures.workshop import Workshop
from tests.world.jury import flips, kitchen, loads, trials
from tests.world.jury.programs import DONE, efi
from tests.world.jury.secure import signs, unsigned_uki
from tests.world.jury.signed_by_others import SMALL
from tests.world.jury.signing import by, signed
from tests.world.jury.table import SPECIMENS, inputs

PATIENCE = int(os.environ.get("JURY_PATIENCE", "1"))
COUNT = int(os.environ.get("JURY_FLIPS", "200"))
OWN = os.environ.get("JURY_UKI", "")
SEED = int(os.environ.get("JURY_SEED", "10"))
IMAGE = signed(by("vendor"))(efi())


def takes(image: Image, store: Store) -> bool:
    try:
        return bool(by_firmware(read_pe(image), "it", store).by)
    except FormatError:
        return False


def test_the_parts_are_all_of_an_image() -> None:
    every = flips.parts(read_pe(IMAGE))
    assert Counter(offset for part in every.values() for offset in part) == Counter(range(len(IMAGE)))
    assert {flip.part for flip in flips.drawn(IMAGE, 10, 1)} == set(every)
    drawn = flips.drawn(IMAGE, 150, 1)
    assert len(drawn) == 150
    assert all(flip.offset in every[flip.part] for flip in drawn)


def test_one_byte_is_changed() -> None:
    (found,) = (n for n, byte in enumerate(flips.changed(IMAGE, flips.Flip(7, 4, ""))) if byte != IMAGE[n])
    assert found == 7


@pytest.mark.boot
@pytest.mark.nightly
def test_every_change_is_refused_but_of_what_means_nothing(
    session: Session, engine: Engine, tmp_path: Path
) -> None:
    """The UKI has a kernel of some KiB, so that it is loaded quickly.

    JURY_FLIPS changes as many bytes, JURY_SEED chooses others. JURY_UKI names another UKI, or is `kernel` for
    one with Debian's kernel: any signature on it is taken off, and it is signed by a key that everybody has.
    """
    for name in ("real", "workshop"):
        (tmp_path / name).mkdir()
    run = trials.InContainers(Workshop(session, tmp_path / "workshop"))
    given = inputs(unpack(session, tmp_path / "real", *SPECIMENS))
    uki = unsigned_uki() if OWN == "kernel" else SMALL
    recipe = f"{uki}; {signs('vendor', 'uki')}"
    if OWN not in ("", "kernel"):
        given["own"] = Path(OWN)
        recipe = f"cp $IN/own own; sbattach --remove own || true; {signs('vendor', 'own')}"
    made = run("tools", kitchen.make, given, recipes={"uki": recipe}, tried=False, done=DONE) / "uki"
    image = made.read_bytes()
    drawn = flips.drawn(image, COUNT, SEED)
    filled = trials.fill(run, ["own"])
    orders = [loads.Order(0, flip.offset, flip.bits) for flip in drawn]
    (said,) = trials.load(run, [made], orders, filled, 1, PATIENCE).values()
    seen = [letter == loads.LOADED for letter in said]
    (store,) = filled.values()
    trusted = read_store(read_variables(store))
    assert takes(image, trusted)
    expected = [takes(flips.changed(image, flip), trusted) for flip in drawn]
    assert [(flip, was) for flip, was, will in zip(drawn, seen, expected, strict=True) if was != will] == []
    assert {flip.part for flip, was in zip(drawn, seen, strict=True) if was} <= set(flips.UNSEEN)
