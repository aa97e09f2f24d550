"""A second product, outside of this tree: made by `./doit new`, then changed as people change theirs."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.build.build import build_step
from pipeline.build.session import Session
from pipeline.checks.catalog import take_apart
from pipeline.checks.kernel import Kernel
from pipeline.checks.kind import Node
from pipeline.cli.new import new
from pipeline.cli.pin import pin
from pipeline.formats.bzimage import unpack_kernel
from pipeline.report import Line, Report
from tests.conftest import ROOT
from tests.fixtures import look

HERE = Path(__file__).parent / "acme"
IMAGE, RUNTIME = "acme-installer", "acme-runtime"
MORE = """
[texts]
welcome = "A vault for whatever has to last."
done = "Take the key out, and put the vault into its rack."
support = "Call ACME at 555-0100."

[look]
logo = "acme.bmp"
font = "acme.psf"
"""
DOIT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pipeline.cli.entry import main
sys.exit(main(Path.cwd(), sys.argv[2:]))
"""
"""The `./doit` of another project, where it would be the installed pipeline's."""


def doit(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", DOIT, str(ROOT), *arguments]
    return subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, replacement in changes:
        assert old in text, old
        text = text.replace(old, replacement)
    path.write_text(text)


def built(root: Path, *names: str) -> dict[str, Path]:
    """Build the steps of these names, or all, with what they need; return their outputs by step."""
    session = Session(root, Report())
    found: dict[str, Path] = {}
    for image, steps in session.images.items():
        last = max((index for index, step in enumerate(steps) if step.name in names), default=-1)
        for step in steps[: last + 1] if names else steps:
            build_step(step, session.builder, session.folder(image), Line.silent())
            result = session.builder.result(step)
            assert result
            found |= {
                f"{step.name}/{name}": path
                for name, blob in result.outputs.items()
                if (path := session.store.find(blob))
            }
    return found


LONG = re.compile(r"^(?:long|trusted) = \[.*?^\]\n", re.MULTILINE | re.DOTALL)
"""Names of stories that this project does not tell."""


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory, monkeypatch_module: pytest.MonkeyPatch) -> Path:
    """The project of ACME Vault: another partition, port, minimum and colours, and a finished service."""
    root = tmp_path_factory.mktemp("products") / "acme"
    monkeypatch_module.setenv("INSTALLER_ISO_CALLED_FROM", str(root))
    new(Session(ROOT, Report()), [str(root)], "ACME Vault")
    recipes = root / "recipes"
    edit(
        recipes / IMAGE / "product.toml",
        ('data = "ACME_DATA"', 'data = "ACME_STORE"'),
        ("disk = 8_000_000_000", "disk = 6_000_000_000"),
        ("port = 8080", "port = 9090"),
        ('ground = "#0f151d"', 'ground = "#301020"'),
        ('vendor = "ACME Vault"', 'vendor = "ACME Corporation"'),
        ("efi_mib = 512", "efi_mib = 300"),
    )
    about = recipes / IMAGE / "product.toml"
    about.write_text(about.read_text() + MORE)
    about.with_name("acme.bmp").write_bytes(look.logo(48, 32))
    about.with_name("acme.psf").write_bytes(look.font())
    edit(recipes / IMAGE / "acceptance/installation.py", ('"ACME_DATA"', '"ACME_STORE"'))
    shutil.copy(HERE / "stories.py", recipes / IMAGE / "acceptance/__init__.py")
    told = recipes / IMAGE / "recipe.toml"
    told.write_text(LONG.sub("", told.read_text()))
    shutil.copytree(HERE / "service", root / "service", ignore=shutil.ignore_patterns("target"))
    recipe = recipes / RUNTIME / "recipe.toml"
    edit(recipe, ('builtin = "node"\nbinary = "node"', 'crate = "../../service"\nbinary = "acme-service"'))
    edit(root / "manifests/manifest.toml", ('service = "0.1.0"', 'service = "1.0.0"'))
    program = built(root, f"service:{RUNTIME}")[f"service:{RUNTIME}/service"]
    (root / "vendor").mkdir()
    shutil.copy(program, root / "vendor/acme-service")
    pin(Session(root, Report()), ["service", "vendor/acme-service"])
    return root


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def iso(acme: Path) -> Path:
    return built(acme)[f"iso:{IMAGE}/{IMAGE}.iso"]


def contents(node: Node) -> Iterator[tuple[str, bytes]]:
    """Yield by name all that lies in something, and what is in a packed kernel."""
    yield node.name, bytes(node.member.image)
    if isinstance(node.artifact, Kernel) and node.artifact.header:
        yield f"{node.name}, unpacked", bytes(unpack_kernel(node.member.image, node.artifact.header))
    for child in node.children:
        yield from contents(child)


@pytest.mark.container
def test_no_byte_of_it_says_whose_pipeline_it_is(iso: Path) -> None:
    said = [
        name
        for name, content in contents(take_apart(iso.read_bytes(), iso.name))
        if re.search(rb"truth ?db", content, re.IGNORECASE)
    ]
    assert said == []


@pytest.mark.container
def test_its_iso_boots_by_every_way_and_breaks_no_rule(acme: Path, iso: Path) -> None:
    done = doit(acme, "inspect", "--json", str(iso))
    assert done.returncode == 0, done.stderr
    (file,) = json.loads(done.stdout)["files"]
    said = {answer["question"]: answer["verdict"] for answer in file["answers"]}
    assert (said["uefi_cd"], said["uefi_disk"]) == ("yes", "yes")


@pytest.mark.boot
def test_it_is_installed_and_starts_its_service(acme: Path, iso: Path) -> None:
    assert iso.is_file()
    done = doit(acme, "boot-test", "--only", "usb,installs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^installs +ok ", done.stdout, re.MULTILINE)
