"""`.venv`, made of wheels that the test packs: no network is asked."""

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

import make_venv
from pipeline.store import inputs
from pipeline.store.cache import Blob
from pipeline.store.files import sha256_of
from tests.conftest import ROOT, lacking

MODULE = "print(__file__)\n"


def wheel(folder: Path, name: str, module: str = MODULE) -> str:
    """Pack a wheel of one module that is a command, too; return its line of a requirements file."""
    path = folder / f"{name}-1-py3-none-any.whl"
    info = f"{name}-1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", module)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{name} = {name}:__name__.strip\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but pip, which takes seconds to make."""
    folder = tmp_path_factory.mktemp("bare") / "made"
    make_venv._venv(folder)
    return folder


@pytest.fixture
def root(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setattr(make_venv, "_venv", functools.partial(shutil.copytree, bare, symlinks=True))
    (tmp_path / "wheels").mkdir()
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / make_venv.LOCK).write_text(wheel(tmp_path / "wheels", "one"))
    return tmp_path / "checkout"


def test_it_is_made_beside_and_its_scripts_run_where_it_is_put(root: Path) -> None:
    make_venv.make(root)
    assert sorted(each.name for each in root.iterdir()) == [".venv", ".venv.lock", "requirements.lock"]
    first = subprocess.run([root / ".venv/bin/one"], capture_output=True, text=True, check=False)
    assert first.stderr == ""
    assert Path(first.stdout.strip()).is_relative_to(root / ".venv/lib")


@pytest.mark.parametrize(
    ("status", "env", "asked", "by_pip"),
    [
        (0, {}, True, False),
        (2, {}, True, True),
        (0, {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}, False, True),
        (0, {"PIP_CONFIG_FILE": "pip.conf"}, False, True),
    ],
    ids=["uv installs", "uv fails", "another index", "no index at all"],
)
def test_uv_installs_where_it_can(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    env: dict[str, str],
    asked: bool,
    by_pip: bool,
) -> None:
    seen = tmp_path / "seen"
    uv = f"import sys\nopen({str(seen)!r}, 'w').write(' '.join(sys.argv[1:]))\nsys.exit({status})\n"
    with (root / make_venv.LOCK).open("a") as lock:
        lock.write(wheel(tmp_path / "wheels", "uv", uv).replace(" --hash", " \\\n    --hash"))
    (tmp_path / "pip.conf").write_text("[global]\nno-index = true\n")
    monkeypatch.chdir(tmp_path)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    make_venv.make(root)
    assert not (root / ".venv/uv.txt").exists()
    assert (root / ".venv/bin/one").exists() == by_pip
    assert seen.exists() == asked
    assert not asked or seen.read_text() == (
        "pip install --no-config --system-certs --require-hashes --only-binary=:all: --no-index "
        f"--find-links={tmp_path}/wheels --python={root}/.venv.new/bin/python -r {root}/{make_venv.LOCK}"
    )


def test_its_python_is_the_file_behind_all_links(bare: Path) -> None:
    """So it is gone after an upgrade, and not another version without these packages."""
    link = bare / "bin/python"
    while link.parent == bare / "bin":
        link = link.parent / link.readlink()
    assert link == Path(os.path.realpath(sys.executable))


def test_one_that_is_current_is_left(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_venv.make(root)
    (root / ".venv/mark").touch()
    make_venv.make(root)
    assert (root / ".venv/mark").exists()
    assert capsys.readouterr().err.count("making .venv") == 1
    (root / make_venv.LOCK).write_text("")
    make_venv.make(root)
    assert not (root / ".venv/mark").exists()
    assert not (root / ".venv.old").exists()


def test_two_at_once_make_one(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = [threading.Thread(target=make_venv.make, args=(root,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capsys.readouterr().err.count("making .venv") == 1
    assert make_venv.is_current(root)


def refused(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        make_venv.make(root, arguments)
    assert caught.value.code == 1
    error = capsys.readouterr().err
    return error[error.index("error: ") :]


def test_a_package_without_a_wheel_is_not_built(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its setup.py would run, and what it needs to be built would be fetched without a hash."""
    built = tmp_path / "ran"
    (tmp_path / "two-1").mkdir()
    (tmp_path / "two-1/setup.py").write_text(f"open({str(built)!r}, 'w')\n")
    source = shutil.make_archive(str(tmp_path / "wheels/two-1"), "gztar", tmp_path, "two-1")
    digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    (root / make_venv.LOCK).write_text(f"two==1 --hash=sha256:{digest}\n")
    said = refused(root, capsys)
    assert said.startswith("error: the packages of requirements.lock could not be installed:\n    ")
    assert "No matching distribution found for two==1" in said
    assert said.endswith("\n  hint: pip says why above\n")
    assert not built.exists()


def test_a_failure_leaves_the_old_one(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_venv.make(root)
    (root / make_venv.LOCK).write_text(f"one==1 --hash=sha256:{'0' * 64}\n")
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused(root, capsys)
    assert (root / ".venv/bin/one").exists()


def test_no_network(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert refused(root, capsys) == (
        "error: the packages of requirements.lock could not be fetched: pip reaches no package index\n"
        "  hint: look at the network, and at HTTPS_PROXY and PIP_INDEX_URL; this is needed once\n"
    )


def archive_of(wheels: Path) -> Path:
    """Move wheels into an archive as `./doit vendor` makes it."""
    files = {}
    for path in sorted(wheels.iterdir()):
        blob = Blob(sha256_of(path), path.stat().st_size)
        files[inputs.member(f"{inputs.WHEELS}/{path.name}", blob, "Python package")] = path
    inputs.write(wheels.parent / "inputs.tar", files, lambda _: None)
    shutil.rmtree(wheels)
    return wheels.parent / "inputs.tar"


@pytest.mark.parametrize("form", [["--inputs", "inputs.tar"], ["--inputs=inputs.tar"]])
def test_without_a_network_it_is_made_of_the_archive(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    archive_of(tmp_path / "wheels")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    make_venv.make(root, ["iso", "--offline", *form])
    assert (root / ".venv/bin/one").exists()


def test_a_wheel_that_the_archive_lacks(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = archive_of(tmp_path / "wheels")
    (root / make_venv.LOCK).write_text(f"two==1 --hash=sha256:{'0' * 64}\n")
    python = f"Python {sys.version.split()[0]} on {platform.system()} {platform.machine()}"
    hint = "name an archive that this version's `./doit vendor` has made: --inputs FILE"
    monkeypatch.delenv("PIP_FIND_LINKS")
    for arguments in (["--offline"], ["--offline", "--inputs", str(archive)]):
        said = refused(root, capsys, *arguments)
        assert said == (
            f"error: no wheel of two==1 for {python}, and --offline forbids to fetch it\n  hint: {hint}\n"
        )


def test_it_is_made_in_a_machine_that_has_no_network(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a network namespace of its own, by the very script; nothing else tells pip where wheels are."""
    namespace = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*namespace, "true"], check=False).returncode:
        lacking("this machine makes no network namespace")
    archive = archive_of(tmp_path / "wheels")
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    script = [sys.executable, "-I", str(ROOT / "make_venv.py"), "iso", "--offline", f"--inputs={archive}"]
    done = subprocess.run([*namespace, *script], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert subprocess.run([root / ".venv/bin/one"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("content", [None, b"no tar"])
def test_an_archive_that_is_none(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "x.tar"
    if content:
        path.write_bytes(content)
    with pytest.raises(SystemExit):
        make_venv.make(root, ["--inputs", str(path)])
    error = capsys.readouterr().err
    assert f"error: --inputs {path}: " in error
    assert error.endswith("\n  hint: name an archive that `./doit vendor` has made\n")
    assert not (root / ".venv").exists()


def test_an_archive_of_links_and_holes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As nobody's `vendor` makes one: what is no plain file in it is not unpacked."""
    monkeypatch.delenv("PIP_FIND_LINKS")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.GNUTYPE_SPARSE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("wheels/one-1-py3-none-any.whl")
            info.type, info.linkname = kind, info.name
            tar.addfile(info)
    assert "no wheel of one==1" in refused(root, capsys, "--offline", "--inputs", str(tmp_path / "x.tar"))


def test_a_colon_in_the_path(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = root.rename(tmp_path / "a:b")
    assert refused(there, capsys) == (
        f"error: the checkout's path '{there}' has a ':', which stands between paths in PATH\n"
        "  hint: move the checkout to a folder without one\n"
    )


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_what_is_no_environment_is_left(
    root: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there = root / ".venv"
    if kind == "link":
        (tmp_path / "other").mkdir()
        (tmp_path / "other/pyvenv.cfg").touch()
        there.symlink_to(tmp_path / "other")
    elif kind == "folder":
        there.mkdir()
        (there / "thesis.tex").touch()
    else:
        there.touch()
    assert refused(root, capsys) == (
        f"error: {there} is not a virtual environment\n  hint: move it away; one will be made in its place\n"
    )
    assert os.path.lexists(there)
    assert kind != "link" or (tmp_path / "other/pyvenv.cfg").exists()


def test_a_python_that_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / make_venv.LOCK).touch()
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert refused(tmp_path, capsys).endswith(
        "cannot make a virtual environment: it does not say why\n"
        "  hint: install its venv module (on Debian and Ubuntu: apt install python3-venv)\n"
    )


def test_an_environment_that_lacks_a_package_says_so(bare: Path) -> None:
    """So does one whose Python has become another version in its place."""
    done = subprocess.run(
        [bare / "bin/python", "-I", "-X", "utf8", ROOT / "dodo.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {bare} has no doit\n  hint: remove it; ./doit makes it anew\n"


def test_nothing_shadows_a_locked_package(root: Path, tmp_path: Path) -> None:
    """Neither PYTHONPATH nor a file of the folder, by the very words of the script."""
    make_venv.make(root)
    for folder in (root, tmp_path / "path"):
        folder.mkdir(exist_ok=True)
        (folder / "one.py").write_text("raise SystemExit('a stranger')\n")
    text = (ROOT / "dodo.py").read_text()
    assert "from pipeline.cli import entry" in text
    (root / "dodo.py").write_text(text.replace("from pipeline.cli import entry", "import one; sys.exit()"))
    words = (ROOT / "doit").read_text().splitlines()[-1].split()[2:-1]
    done = subprocess.run(
        [root / ".venv/bin/python", *words],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "path")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert Path(done.stdout.strip()).is_relative_to(root / ".venv/lib")
