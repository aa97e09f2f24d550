"""Images that talk: what differs from the real ones, and that they are no release."""

import json
import re
from pathlib import Path

import pytest

from pipeline.build.record import build_record
from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.formats.inittab import read_inittab
from pipeline.plan.image import plan
from pipeline.project.checkout import Project
from pipeline.report import Report
from tests.conftest import ROOT
from tests.fixtures import checkout as toy

IMAGE = "truthdb-installer"
ALWAYS = "earlyprintk=ttyS0,115200 ignore_loglevel loglevel=7"


@pytest.fixture
def toys(tmp_path: Path) -> Session:
    return Session(toy.write(tmp_path), Report(), debug=True)


def edit(root: Path, old: str, new: str) -> None:
    path = root / "recipes/toy/recipe.toml"
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("rdinit=/sbin/init", f"console=ttyS0,115200 console=tty0 rdinit=/sbin/init medium=TOY {ALWAYS}"),
        ('console=ttyS0", "quiet", "loglevel=3', f"console=ttyS0 medium=TOY {ALWAYS}"),
    ],
)
def test_the_command_line_hides_nothing(toys: Session, given: str, said: str) -> None:
    edit(toys.root, "rdinit=/sbin/init", given)
    steps = {step.name: step for step in toys.images["toy"]}
    assert steps["uki:toy"].params["cmdline"] == said
    assert "VERSION_ID=1.0+debug\n" in steps["uki:toy"].params["os_release"]


def give_product(root: Path) -> Path:
    """Have the toy's programs know a product; return the toy's root file system."""
    text = (ROOT / f"recipes/{IMAGE}/product.toml").read_text()
    look = re.compile(r"^\[look\]\n(?:.+\n)*", re.MULTILINE)
    text = look.sub("", text.replace('name = "TruthDB"', 'name = "Toy"', 1))
    (root / "recipes/toy/product.toml").write_text(text)
    edit(root, '"medium={volume_id}"', '"truthdb.medium={volume_id}"')
    edit(root, 'rootfs = "rootfs"', 'rootfs = "rootfs"\nproduct = "product.toml"')
    return root / "recipes/toy/rootfs"


def test_a_shell_is_on_the_serial_line_and_the_recipe_stays_as_it_is(toys: Session) -> None:
    own = give_product(toys.root)
    (own / "target").mkdir()
    (own / "target/file").touch()
    rootfs = Path(toys.project.recipes["toy"].image.rootfs)
    assert rootfs == toys.root / "artifacts/debug/toy.rootfs"
    lines = read_inittab((rootfs / "etc/inittab").read_text())
    assert [(line.tty, line.action, line.command) for line in lines][1:] == [("ttyS0", "respawn", "-/bin/sh")]
    assert (own / "etc/inittab").read_text() == toy.FILES["recipes/toy/rootfs/etc/inittab"]
    assert (rootfs / "target/file").exists()


def test_programs_that_know_no_product_keep_the_serial_line(
    toys: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    assert toys.project.recipes["toy"].image.rootfs == "rootfs"
    said = "recipes/toy: no shell on the serial line: only image.product or console can free it\n"
    assert capsys.readouterr().out == said


def test_console_leaves_the_line_to_a_shell(toys: Session) -> None:
    edit(toys.root, "[programs.", '[programs.console]\nbuiltin = "console"\n\n[programs.')
    image = toys.project.recipes["toy"].image
    assert image.rootfs == str(toys.root / "artifacts/debug/toy.rootfs")
    assert image.cmdline[-1] == "console.serial=off"


@pytest.mark.parametrize("lost", ["etc/inittab", "etc"])
def test_a_shell_needs_an_inittab(toys: Session, lost: str) -> None:
    path = give_product(toys.root) / lost
    path.rename(toys.root / "lost")
    with pytest.raises(PipelineError) as caught:
        toys.project  # noqa: B018
    said = "recipes/toy/rootfs: --debug needs etc/inittab, from which init starts a shell"
    assert caught.value.message == said


def test_the_installer_leaves_the_line_and_what_it_installs_is_the_same(checkout: Project) -> None:
    talking = Session(checkout.root, Report(), debug=True).project
    before, after = ({step.name: step for step in plan(each, IMAGE)} for each in (checkout, talking))
    assert after[f"uki:{IMAGE}"].params["cmdline"].endswith(" truthdb.serial=off")
    same = [name for name in before if name.startswith(("kernel:", "installer:"))]
    assert len(same) == 3
    assert all(before[name] == after[name] for name in same)
    cmdlines = [steps["uki:truthdb-runtime"].params["cmdline"] for steps in (before, after)]
    assert cmdlines[0] == cmdlines[1]


def test_it_lies_apart_and_is_not_releasable(toys: Session, tmp_path: Path) -> None:
    assert toys.folder("toy") == toys.root / "artifacts/debug/toy"
    build_record((), toys.builder, tmp_path / "build.json", set(), {}, debug=True)
    record = json.loads((tmp_path / "build.json").read_text())
    assert (record["releasable"], record["debug"]) == (False, True)
