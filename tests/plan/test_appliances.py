"""Disks of what gets installed, in plans: what makes them, who needs them, what is wrong with asking."""

from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli.graph import task_names
from pipeline.cli.tasks import all_tasks
from pipeline.debian import lock
from pipeline.errors import ConfigError
from pipeline.plan.image import plan
from pipeline.plan.step import Output
from pipeline.project.checkout import load
from pipeline.report import Report
from tests.conftest import ROOT, Compare
from tests.fixtures import checkout
from tests.fixtures.trust import with_trust
from tests.plan.test_image import listing
from tests.project.test_product import PRODUCT

RECIPE, OURS = "recipes/toy/recipe.toml", "recipes/toy/product.toml"
FORMATS = '[image]\nproduct = "product.toml"\nformats = ["qcow2", "vhd"]'


def edit(root: Path, file: str, *changes: tuple[str, str]) -> None:
    text = (root / file).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (root / file).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout whose recipe is what gets installed, with disks in two formats."""
    root = checkout.write(tmp_path)
    no_iso = ('[iso]\nvolume_id = "TOY"\n', "")
    edit(root, RECIPE, no_iso, (', "medium={volume_id}"', ""), ("[image]", FORMATS))
    (root / OURS).write_text(PRODUCT.replace("Inside.efi", "Toy.efi").replace("= 64", "= 256"))
    tools = lock.Intent("Tools.", ("python3",))
    (root / "containers/disk.toml").write_text('summary = "Tools."\npackages = ["python3"]\n')
    lock.write(checkout.lock_of("disk", tools), root / lock.path_of("disk"))
    return root


def test_the_plan_of_disks(root: Path, golden: Compare) -> None:
    session = Session(root, Report())
    golden("plan-appliance.txt", listing(session.disks["toy"], root))
    assert session.whole("toy") == (*session.images["toy"], *session.disks["toy"])
    step = session.disks["toy"][0]
    assert (step.inputs["uki"].step.name, step.params["uki"]) == ("uki:toy", "Toy.efi")  # type: ignore[union-attr]
    wanted = {"id": "toy", "folder": "Toy", "data": "TOY_DATA", "efi_mib": 512, "data_mib": 256}
    assert {key: step.params[key] for key in wanted} == wanted


def test_a_disk_begins_with_shim_where_a_medium_does(root: Path) -> None:
    with_trust(root, shim=True)
    inputs = Session(root, Report()).disks["toy"][0].inputs
    steps = {name: source.step.name for name, source in inputs.items() if isinstance(source, Output)}
    assert steps == {"uki": "attach:toy", "shimx64.efi": "shim:toy", "mmx64.efi": "shim:toy"}


def test_no_image_needs_them() -> None:
    session = Session(ROOT, Report())
    assert [*session.disks] == ["truthdb-runtime"]
    ours = {step.name for step in session.disks["truthdb-runtime"]}
    assert ours >= {"installed:truthdb-runtime", "disk:truthdb-runtime", "disk:truthdb-runtime:vhd"}
    assert not ours & {step.name for steps in session.images.values() for step in steps}
    iso = next(task for task in all_tasks(session, listed=False) if task.name == "iso")
    names = task_names(session, ())
    assert not {names[step] for step in ours} & {*iso.task_dep}
    assert names["uki:truthdb-runtime"] in iso.task_dep


def test_what_asks_for_nothing_has_no_disks(root: Path) -> None:
    edit(root, RECIPE, ('formats = ["qcow2", "vhd"]', ""))
    assert Session(root, Report()).disks == {}
    assert [step.name for step in plan(load(root), "toy")][-1] == "uki:toy"


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            RECIPE,
            'product = "product.toml"',
            "",
            "image: product is required for formats: it says how an installed disk is laid out",
        ),
        (RECIPE, '"vhd"', '"qcow2"', "image: a format is there twice in formats"),
        (
            RECIPE,
            '"vhd"',
            '"vhdx"',
            "image.formats.1: 'vhdx' is not 'raw.zst', 'qcow2', 'vhd', 'vmdk', 'ova' or 'gce'",
        ),
        (
            RECIPE,
            "[image]",
            "[disk]\n[image]",
            "image.formats: these disks hold a UKI that is the whole system, and there is [disk]",
        ),
        (
            RECIPE,
            "[image]",
            '[iso]\nvolume_id = "TOY"\n[image]',
            "image.formats: these disks hold a UKI that is the whole system, and there is [iso]",
        ),
        (
            OURS,
            "Toy.efi",
            "Other.efi",
            "medium.payload: toy makes disks (image.formats) with 'Toy.efi', and 'Other.efi' is what gets "
            "installed",
        ),
        (
            OURS,
            "= 256",
            "= 135",
            "disk.least_data_mib: 135 MiB have no room for the journal on a disk of toy (image.formats), "
            "136 have",
        ),
    ],
)
def test_mistakes(root: Path, file: str, old: str, new: str, said: str) -> None:
    edit(root, file, (old, new))
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert caught.value.mistakes == [f"{file}: {said}"]
