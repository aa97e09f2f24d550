"""Projects for other products, made of this one."""

import hashlib
import io
import tomllib
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from PIL import Image

from pipeline.build.session import Session
from pipeline.cli.new import LONGEST_ID, TRUST, Names, new, wheel
from pipeline.errors import PipelineError
from pipeline.plan.image import plan
from pipeline.project import engine
from pipeline.project.checkout import load
from pipeline.report import Report
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project for the product ACME Vault."""
    folder = tmp_path_factory.mktemp("new") / "acme"
    new(Session(ROOT, Report(io.StringIO())), [str(folder)], "ACME Vault")
    return folder


def test_it_has_a_plan_of_its_own(acme: Path) -> None:
    project = load(acme)
    assert list(project.recipes) == ["acme-installer", "acme-probe", "acme-runtime"]
    assert project.manifest.product.name == "ACME Vault"
    ours = {step.name for step in plan(load(ROOT), "truthdb-installer")}
    theirs = {step.name for step in plan(project, "acme-installer")}
    assert "kernel:installer" in ours & theirs
    assert "iso:acme-installer" in theirs


def test_nothing_in_it_is_called_as_ours(acme: Path) -> None:
    written = [path for path in acme.rglob("*") if path.is_file() and path.suffix != ".whl"]
    names = [path.relative_to(acme).as_posix() for path in written]
    told = [name for name in names if "truthdb" in name.lower()]
    told += [path.name for path in written if b"truthdb" in path.read_bytes().lower()]
    assert told == []


def test_its_product(acme: Path) -> None:
    product = tomllib.loads((acme / "recipes/acme-installer/product.toml").read_text())
    assert (product["name"], product["id"]) == ("ACME Vault", "acme")
    assert product["vendor"] == "ACME Vault"
    assert len(product["medium"]["answers"]) <= 11
    with Image.open(acme / "recipes/acme-installer/splash.bmp") as splash:
        assert splash.getpixel((0, 0)) == (0x0F, 0x15, 0x1D)
        assert len(splash.getcolors() or ()) > 2  # the name, with soft edges


def test_its_pipeline_is_pinned(acme: Path) -> None:
    (wheel,) = (acme / "wheels").iterdir()
    last = (acme / "requirements.lock").read_text().splitlines()[-1]
    assert last.startswith(f"./wheels/{wheel.name} --hash=sha256:")
    assert (acme / ".ci/run").stat().st_mode & 0o111


@pytest.fixture
def package(acme: Path, tmp_path: Path) -> PathDistribution:
    """Return the package as it is after an installer has unpacked its wheel."""
    with zipfile.ZipFile(next((acme / "wheels").iterdir())) as file:
        for member in file.infolist():
            Path(file.extract(member, tmp_path / "site")).chmod(member.external_attr >> 16)
    (metadata,) = (tmp_path / "site").glob("*.dist-info")
    added = (f"{metadata.name}/INSTALLER", "pipeline/__pycache__/errors.pyc", "../bin/installer-iso")
    for name in added:
        path = tmp_path / "site" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with (metadata / "RECORD").open("a") as record:
        record.writelines(f"{name},,\n" for name in added)
    return PathDistribution(metadata)


def test_what_is_installed_is_packed_as_it_was(acme: Path, package: PathDistribution, tmp_path: Path) -> None:
    built, packed = next((acme / "wheels").iterdir()), wheel.packed(package, tmp_path)
    assert packed.name == built.name
    with zipfile.ZipFile(built) as one, zipfile.ZipFile(packed) as other:
        for name in one.namelist():
            if name.endswith("/RECORD"):
                lines = [sorted(each.read(name).decode().splitlines()) for each in (one, other)]
                assert lines[0] == lines[1]
            else:
                assert one.read(name) == other.read(name)
                modes = {each.getinfo(name).external_attr >> 16 & 0o777 for each in (one, other)}
                assert len(modes) == 1, name
        assert sorted(one.namelist()) == sorted(other.namelist())
    first = packed.read_bytes()
    assert wheel.packed(package, tmp_path).read_bytes() == first


def test_an_installed_package_is_what_a_new_project_pins(
    package: PathDistribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "TREE", tmp_path)
    monkeypatch.setattr(wheel, "installed", lambda: package)
    line = wheel.pinned_wheel(tmp_path / "wheels")
    (made,) = (tmp_path / "wheels").iterdir()
    assert line == f"./wheels/{made.name} --hash=sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}"


def test_what_was_not_installed_cannot_be_packed(package: PathDistribution, tmp_path: Path) -> None:
    for record in (tmp_path / "site").glob("*/RECORD"):
        record.unlink()
    for none in (None, package):
        with pytest.raises(
            PipelineError, match=r"^the installed package installer-iso does not list its files"
        ):
            wheel.packed(none, tmp_path)


@pytest.mark.parametrize(
    ("name", "word", "id_"),
    [
        ("ACME", "ACME", "acme"),
        ("Data 2 Go", "Data2Go", "data2go"),
        ("Big Vault", "BigVault", "big"),
        ("Archivist", "Archivist", "archivi"),
    ],
)
def test_what_a_product_is_called(name: str, word: str, id_: str) -> None:
    assert Names.of(name) == Names(name, word, id_)
    assert len(id_) <= LONGEST_ID


@pytest.mark.parametrize(
    ("arguments", "product", "message"),
    [
        ([], "ACME", "new takes one folder, got 0"),
        (["x"], "", "--product is missing: it says what the product is called"),
        (["x", "--product="], "", "--product is missing: it says what the product is called"),
        (["x"], " ", "' ' cannot name a product"),
        (["x"], "7 Up", "'7 Up' cannot name a product"),
        (["x"], "a/b", "'a/b' cannot name a product"),
        (["x"], "a" * 31, f"'{'a' * 31}' cannot name a product"),
        (["there"], "ACME", "there: already exists"),
        (["file/x"], "ACME", "file/x: File exists"),
        (["x", "--product", "a/b"], "", "'a/b' cannot name a product"),
        (["x", "--product=a/b"], "", "'a/b' cannot name a product"),
    ],
)
def test_what_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], product: str, message: str
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError) as caught:
        new(Session(ROOT, Report()), arguments, product)
    assert caught.value.message == message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "there"]


def test_who_signed_ours_signs_no_other_s() -> None:
    table = '\n[trust] # keys\nkeys = "../keys"\n\nshim = "shim"\n'
    assert TRUST.sub("\n", f"a = 1\n{table}") == "a = 1\n"
    assert TRUST.sub("\n", f"a = 1\n{table}\n[iso]\nb = 2\n") == "a = 1\n[iso]\nb = 2\n"


def test_what_lies_beside_the_new_project_stays(tmp_path: Path) -> None:
    (tmp_path / "acme.new").mkdir()
    (tmp_path / "acme.new/precious").touch()
    screen = io.StringIO()
    new(Session(ROOT, Report(screen)), [str(tmp_path / "x/../acme")], "ACME")
    assert screen.getvalue().splitlines()[1:] == [
        f"  cd {tmp_path}/acme && git init && git add . && ./doit iso",
        "  this compiles two kernels, unless they are cached: about 25 minutes on two cores",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme", "acme.new"]
    assert (tmp_path / "acme.new/precious").exists()
    assert (tmp_path / "acme").stat().st_mode & 0o777 == 0o755
