"""What an installation leaves on a disk, made with the real tools and judged by other ones."""

from dataclasses import asdict

import pytest

from pipeline.formats import gpt
from pipeline.formats.fields import open_image
from pipeline.steps import disk, installed
from pipeline.steps.installed import DATA, DEFINITIONS, SYSTEM, Facts
from tests.fixtures.workshop import Workshop

SEED = "0a5f8f0e-3a6b-5f43-9c0d-5d7b2f6d1c42"
FACTS = Facts("ACME Store", "1.2.3", "acme", "ACME", "ACME_DATA", 288, 256, SEED)
UKI = bytes(range(256)) * 4000


@pytest.mark.container
def test_it(workshop: Workshop) -> None:
    out, said = workshop.run("disk", installed.build, {"uki": UKI}, **asdict(FACTS), uki="acme.efi")
    print(said)
    for name in (SYSTEM, DATA, *DEFINITIONS):
        assert (out / name).is_file(), said
    import shutil

    shutil.copytree(out, "/tmp/wtimg-out", dirs_exist_ok=True)
    whole, said = workshop.run(
        "disk",
        disk.build,
        {
            "repart.d": {n: (out / n).read_bytes() for n in DEFINITIONS},
            SYSTEM: out / SYSTEM,
            DATA: out / DATA,
        },
        output="d.raw",
        size=0,
        verity=[],
        seed=SEED,
        architecture="x86-64",
    )
    print(said)
    shutil.copyfile(whole / "d.raw", "/tmp/wtimg-out/d.raw")
    table = gpt.read_table(open_image(whole / "d.raw"), 1)
    print(table, FACTS.disk_guid)
    assert str(table.disk_guid) == FACTS.disk_guid
