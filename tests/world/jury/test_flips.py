"""No byte of a signed UKI can be changed but those that mean nothing: asked of firmware, and of `inspect`."""

import json
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
from tests.conftest import ROOT
from tests.fixtures.specimens import unpack
from tests.fixtures.workshop import Workshop
from tests.world.jury import compiler, flips, kitchen, trials
from tests.world.jury.machines import start
from tests.world.jury.programs import DONE, WORD, efi
from tests.world.jury.secure import signs, unsigned_uki
from tests.world.jury.signing import by, signed
from tests.world.jury.table import KERNEL, inputs

PATIENCE = int(os.environ.get("JURY_PATIENCE", "1"))
COUNT = int(os.environ.get("JURY_FLIPS", "200"))
OWN = os.environ.get("JURY_UKI", "")
SEED = int(os.environ.get("JURY_SEED", "10"))
MEDIUM = (
    "blank $OUT 24000; put $OUT $IN/flips.efi; "
    "mcopy -i $OUT $IN/image ::IMAGE; mcopy -i $OUT $IN/flips ::FLIPS"
)
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
    assert flips.written(b"12", drawn[:1])[:8] == b"\2\0\0\0\1\0\0\0"


def test_one_byte_is_changed() -> None:
    (found,) = (n for n, byte in enumerate(flips.changed(IMAGE, flips.Flip(7, 4, ""))) if byte != IMAGE[n])
    assert found == 7


@pytest.mark.boot
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
    kernel = unpack(session, tmp_path / "real", KERNEL)[KERNEL]
    given = {**inputs(kernel), "flips.c": ROOT / "tests/world/jury/flips.c"}
    uki = unsigned_uki() if OWN == "kernel" else unsigned_uki().replace("$IN/vmlinuz", "$IN/loaded")
    recipe = f"{uki}; {signs('vendor', 'uki')}"
    if OWN not in ("", "kernel"):
        given["own"] = Path(OWN)
        recipe = f"cp $IN/own own; sbattach --remove own || true; {signs('vendor', 'own')}"
    made = run("tools", kitchen.make, given, recipes={"uki": recipe}, tried=False, done=DONE)
    image = (made / "uki").read_bytes()
    code = (run("rust", compiler.compiled, given, done=DONE) / "code").read_bytes()
    drawn = flips.drawn(image, COUNT, SEED)
    medium = run(
        "tools",
        kitchen.make,
        {
            "image": image,
            "flips": flips.written(image, drawn),
            "flips.efi": signed(by("vendor"))(efi(code=code)),
        },
        recipes={"medium": MEDIUM},
        tried=False,
        done=DONE,
    )
    store = trials.fill(run, ["own"])["store_own"]
    out = run(
        "boot",
        start,
        {"medium": medium / "medium", "own.fd": store},
        trials={"store_own": ["medium"]},
        alone=["medium"],
        words={"medium": WORD},
        done=DONE,
        machines=1,
        patience=PATIENCE,
    )
    said = json.loads((out / "seen.json").read_text())["medium:store_own"]["said"]
    seen = flips.heard(said)
    assert len(seen) == len(drawn), said
    trusted = read_store(read_variables(store))
    assert takes(image, trusted)
    expected = [takes(flips.changed(image, flip), trusted) for flip in drawn]
    assert [(flip, was) for flip, was, will in zip(drawn, seen, expected, strict=True) if was != will] == []
    assert {flip.part for flip, was in zip(drawn, seen, strict=True) if was} <= set(flips.UNSEEN)
