"""A small system that updates itself: built of a recipe alone, updated, taken back, and broken, in QEMU."""

import re
import shutil
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.checks.catalog import take_apart
from pipeline.cli.new import new
from pipeline.cli.new.splash import splash
from pipeline.formats import gpt
from pipeline.formats.fields import open_image
from pipeline.report import Report
from tests.conftest import ROOT
from tests.plan.test_roots import SETUID
from tests.products.test_acme import doit, edit

HERE = Path(__file__).parent
IMAGE = "updatable"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has no other recipe, with the image built."""
    root = tmp_path_factory.mktemp("products") / IMAGE
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTALLER_ISO_CALLED_FROM", str(root))
        new(Session(ROOT, Report()), [str(root)], "Updatable")
    for made in list((root / "recipes").glob("*/recipe.toml")):
        shutil.rmtree(made.parent)
    recipe = root / "recipes" / IMAGE
    shutil.copytree(HERE / IMAGE, recipe)
    (recipe / "updating_stories").mkdir()
    shutil.copy(HERE / "updating_stories.py", recipe / "updating_stories/__init__.py")
    (recipe / "splash.bmp").write_bytes(splash("Updatable", {"ground": "#203010", "text": "#ffffff"}))
    named = ", ".join(
        f'"{path}"' for path in (*(f"/usr/bin/{each}" for each in SETUID), "/usr/sbin/unix_chkpwd")
    )
    edit(recipe / "recipe.toml", ("setuid = [] # a test names them", f"setuid = [{named}]"))
    edit(
        root / "manifests/manifest.toml",
        ('installer = "0.1.0"\nappliance = "0.1.0"\nservice = "0.1.0"\n', ""),
    )
    done = doit(root, "image", IMAGE)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.mark.container
def test_there_is_a_place_for_the_next_version(project: Path) -> None:
    made = project / "artifacts" / IMAGE
    disk = open_image(made / f"{IMAGE}.raw")
    labels = [one.name for one in gpt.read_table(disk, 1).partitions]
    assert labels == ["ESP", "updatable_0.1.0", "updatable_0.1.0_verity", "_empty", "_empty", "VAR"]
    node = take_apart(disk, "disk")
    assert node.all_findings() == []
    esp = take_apart(open_image(made / "esp.fat"), "esp")
    kinds = {child.name: child.kind.name for child in esp.children if child.kind}
    assert kinds == {
        "EFI/BOOT/BOOTX64.EFI": "efi",
        "EFI/systemd/systemd-bootx64.efi": "efi",
        "EFI/Linux/updatable_0.1.0+3.efi": "uki",
    }


@pytest.mark.container
@pytest.mark.boot
def test_it_is_updated_and_goes_back(project: Path) -> None:
    done = doit(project, "boot-test", "--image", IMAGE, "--only", "updates,falls-back")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("updates", "falls-back"):
        assert re.search(rf"^{name} +ok ", done.stdout, re.MULTILINE), done.stdout
