"""What apt resolved, on this side: dates, strictness, and a lock of it."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from pipeline import config
from pipeline.build.builder import Builder
from pipeline.build.session import Session
from pipeline.cli import commands, lock
from pipeline.cli.lock import Consent, Resolved
from pipeline.debian import layer
from pipeline.debian.lock import Intent, Lock, Package, SetLock
from pipeline.errors import ConfigError, PipelineError
from pipeline.project.checkout import RESTORE, load
from pipeline.report import Line, Report
from pipeline.sandbox.image import FILES, FOLDERS
from pipeline.store.cache import Store
from tests.fixtures import checkout
from tests.fixtures.packages import toy_package


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(Store(tmp_path / "cache"), Mock())


def test_nothing_is_locked_without_the_resolver(tmp_path: Path) -> None:
    root = checkout.write(tmp_path)
    found = replace(load(root), locks={})
    with pytest.raises(ConfigError) as caught:
        lock._step(found, ["imager"], Consent())
    assert caught.value.mistakes == ["manifests/resolver.lock.json: is missing or broken"]


def test_containers_and_sets_are_resolved_at_once(tmp_path: Path) -> None:
    step = lock._step(load(checkout.write(tmp_path)), ["imager", "initramfs"], Consent())
    assert step.params["wanted"] == {
        "imager": {
            "intent": "containers/imager.toml",
            "packages": ("coreutils", "xorriso"),
            "essential": False,
            "architecture": "amd64",
            "components": ("main",),
        },
        "initramfs": {
            "intent": "roots/initramfs.toml",
            "packages": ("busybox-static",),
            "essential": False,
            "architecture": "amd64",
            "components": ("main",),
        },
    }
    assert step.outputs == ("dates", "imager.json", "initramfs.json")


def test_a_set_says_which_packages_and_from_where(tmp_path: Path) -> None:
    root = checkout.write(tmp_path)
    more = 'essential = true\narchitecture = "arm64"\ncomponents = ["main", "non-free-firmware"]\n'
    path = root / "roots/initramfs.toml"
    path.write_text(path.read_text() + more)
    step = lock._step(load(root, match_locks=False), ["initramfs"], Consent())
    assert step.params["wanted"]["initramfs"] == {
        "intent": "roots/initramfs.toml",
        "packages": ("busybox-static",),
        "essential": True,
        "architecture": "arm64",
        "components": ("main", "non-free-firmware"),
    }


def test_a_container_is_resolved_for_each_of_its_architectures(tmp_path: Path) -> None:
    found = load(checkout.for_arm64(checkout.write(tmp_path), "imager"))
    assert found.locks_meant(["imager"]) == ["imager", "imager.arm64"]
    assert found.locks_meant(["imager.arm64", "rust"]) == ["imager.arm64", "rust"]
    assert found.locks_meant([]) == list(found.all_intents) == [*found.locks, *found.set_locks]
    step = lock._step(found, found.locks_meant(["imager"]), Consent())
    assert step.params["wanted"]["imager.arm64"] == {
        "intent": "containers/imager.toml",
        "packages": ("coreutils", "xorriso"),
        "essential": False,
        "architecture": "arm64",
        "components": ("main",),
    }


def test_packages_are_read_as_strictly_as_a_lock(tmp_path: Path) -> None:
    good = {
        "name": "gcc",
        "version": "1",
        "archive": "debian",
        "path": "pool/x.deb",
        "size": 1,
        "sha256": "a" * 64,
    }
    path = tmp_path / "toy.json"
    path.write_text(json.dumps([good]))
    assert lock.read_packages(path) == (Package("gcc", "1", "debian", "pool/x.deb", 1, "a" * 64),)
    path.write_text(json.dumps([good | {"size": 0}, good | {"sha256": "a"}]))
    with pytest.raises(ConfigError) as caught:
        lock.read_packages(path)
    assert caught.value.mistakes == [
        "toy.json: size: 0: Input should be greater than 0",
        "toy.json: sha256: 'a' is not a SHA-256 digest (64 hex digits)",
    ]


@pytest.mark.parametrize("check", [True, False])
def test_names_are_judged_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], check: bool
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    session = Session(checkout.write(tmp_path / "checkout"), Report())
    with pytest.raises(ConfigError, match=r"^x: there is no containers/x.toml, and no roots/x.toml\n"):
        commands.lock(session, ["outputs", "x"], check=check)
    assert capsys.readouterr().out == ""


def test_containers_that_are_not_there(tmp_path: Path, builder: Builder) -> None:
    found = load(checkout.write(tmp_path / "checkout"))
    with pytest.raises(ConfigError) as caught:
        lock.make_locks(found, builder, ["imager", "x", "y"], Report(), Consent())
    assert str(caught.value) == (
        "x: there is no containers/x.toml, and no roots/x.toml\n"
        "y: there is no containers/y.toml, and no roots/y.toml\n"
        "  hint: known: imager, kernel, resolver, rust, initramfs"
    )


def test_the_lock_names_the_layer_that_its_packages_make(tmp_path: Path, builder: Builder) -> None:
    found = load(checkout.write(tmp_path / "checkout"))
    package, blob = toy_package(tmp_path / "cache")
    intent = found.all_intents["imager"]
    made = lock.lock_for(found, builder, "imager", (package,), Line.silent())
    expected = layer.write(
        [blob],
        io.BytesIO(),
        epoch=checkout.EPOCH,
        folders=FOLDERS,
        files=FILES,
        links={},
    )
    assert made == Lock("imager", intent.digest(), checkout.SNAPSHOT, expected, {}, (), (package,))
    checkout.for_arm64(found.root, "imager")
    other = lock.lock_for(load(found.root), builder, "imager.arm64", (package,), Line.silent())
    assert other == replace(made, architecture="arm64")


def test_the_lock_of_a_set_names_its_packages_alone(tmp_path: Path, builder: Builder) -> None:
    found = load(checkout.write(tmp_path / "checkout"))
    package, _ = toy_package(tmp_path / "cache")
    made = lock.lock_for(found, builder, "initramfs", (package,), Line.silent())
    assert made == SetLock(
        "initramfs", found.all_intents["initramfs"].digest(), checkout.SNAPSHOT, (package,)
    )
    with pytest.raises(PipelineError, match="its control file says Version: '1', not 2"):
        lock.lock_for(found, builder, "initramfs", (replace(package, version="2"),), Line.silent())


INDICES = {"debian/trixie": checkout.SNAPSHOT}


def now(package: Package, **changed: object) -> tuple[Package, ...]:
    """Return what apt says of the imager's packages: one as it is, the other changed."""
    return (checkout.package("coreutils"), replace(package, **changed))  # type: ignore[arg-type]


@pytest.fixture
def xorriso() -> Package:
    return checkout.package("xorriso")


def apt_says(monkeypatch: pytest.MonkeyPatch, packages: tuple[Package, ...]) -> None:
    monkeypatch.setattr(lock, "resolve_now", lambda *_: Resolved({"imager": packages}, INDICES))
    monkeypatch.setattr(
        lock,
        "lock_for",
        lambda _project, _builder, name, packages, _line: replace(
            checkout.lock_of(name, Intent("", ("coreutils", "xorriso"))), packages=packages
        ),
    )


@pytest.mark.parametrize(("consent", "written"), [(Consent(), False), (Consent(older=True), True)])
def test_packages_that_become_older_are_shown_and_need_a_yes(
    tmp_path: Path,
    builder: Builder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    xorriso: Package,
    consent: Consent,
    written: bool,
) -> None:
    found = load(checkout.write(tmp_path / "checkout"))
    apt_says(monkeypatch, now(xorriso, version="1-1~deb13u1"))
    if written:
        lock.make_locks(found, builder, [], Report(), consent)
    else:
        with pytest.raises(PipelineError) as caught:
            lock.make_locks(found, builder, [], Report(), consent)
        assert caught.value.message == "packages that would become older than they are locked: 1"
        assert caught.value.hint.endswith("`./doit lock --downgrade`")
    assert "older than what is locked: imager: xorriso 1-1 becomes 1-1~deb13u1\n" in capsys.readouterr().out
    written_lock = load(found.root, match_locks=False).locks["imager"]
    assert (written_lock.packages[1].version == "1-1~deb13u1") is written
    assert written_lock.indices == (INDICES if written else {})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"version": "1-2"}, "xorriso 1-1 becomes 1-2"),
        ({"name": "zsync"}, "xorriso 1-1 goes\nmanifests/imager.lock.json: zsync 1-1 comes"),
        ({"sha256": "b" * 64}, f"xorriso 1-1 is another file, of SHA-256 {'b' * 64}"),
        ({"archive": "other", "path": "pool/x.deb"}, "xorriso 1-1 lies elsewhere: other/pool/x.deb"),
    ],
)
def test_a_lock_is_checked_against_what_apt_says_now(
    tmp_path: Path,
    builder: Builder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    xorriso: Package,
    changed: dict[str, object],
    said: str,
) -> None:
    found = load(checkout.write(tmp_path / "checkout"))
    before = (found.root / "manifests/imager.lock.json").read_bytes()
    apt_says(monkeypatch, now(xorriso, **changed))
    assert lock.check_locks(found, builder, [], Report(), Consent()) is (said == "")
    out = capsys.readouterr().out
    assert out == (f"manifests/imager.lock.json: {said}\n" if said else "as apt resolves them now: imager\n")
    assert (found.root / "manifests/imager.lock.json").read_bytes() == before


@pytest.mark.parametrize(("pins", "locks"), [(True, True), (True, False), (False, True)])
def test_a_check_asks_for_pins_and_for_what_apt_resolves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pins: bool, locks: bool
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    root = checkout.write(tmp_path / "checkout")
    monkeypatch.setattr("pipeline.cli.lock_pins.check_pins", Mock(return_value=pins))
    monkeypatch.setattr(lock, "check_locks", asked := Mock(return_value=locks))
    assert commands.lock(Session(root, Report()), [], check=True) is (pins and locks)
    asked.assert_called_once()  # also where pins are gone


def test_a_lock_that_is_not_there_is_not_right(
    tmp_path: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch, xorriso: Package
) -> None:
    found = load(checkout.write(tmp_path / "checkout"))
    apt_says(monkeypatch, now(xorriso))
    del found.locks["imager"]
    assert lock.check_locks(found, builder, [], Report(), Consent()) is False


def test_dates_of_this_snapshot_are_known_by_its_locks(tmp_path: Path) -> None:
    found = load(checkout.write(tmp_path))
    assert lock.known_dates(found) == {}
    for snapshot, known in (("20261120T000000Z", {}), (checkout.SNAPSHOT, INDICES)):
        found.locks["rust"] = replace(found.locks["rust"], snapshot=snapshot, indices=INDICES)
        assert lock.known_dates(found) == known


def test_locks_of_one_snapshot_with_different_dates_are_told(tmp_path: Path) -> None:
    found = load(checkout.write(tmp_path))
    second = INDICES | {"debian/trixie-updates": checkout.SNAPSHOT}
    for name, indices in (("rust", INDICES), ("kernel", second)):
        found.locks[name] = replace(found.locks[name], indices=indices)
    assert lock.known_dates(found) == second
    found.locks["rust"] = replace(found.locks["rust"], indices={"debian/trixie": "20261120T000000Z"})
    with pytest.raises(ConfigError) as caught:
        lock.known_dates(found)
    assert caught.value.mistakes == [
        "manifests/rust.lock.json: indices.debian/trixie: 20261120T000000Z is not 20261121T000000Z, "
        "which manifests/kernel.lock.json has"
    ]


@pytest.mark.parametrize(
    ("spoil", "said", "hint"),
    [
        (
            lambda text: f"<<<<<<< ours\n{text}",
            "line 1 has a mark of a merge conflict",
            config.TAKE_ONE_SIDE,
        ),
        (lambda text: text + "\n", "is not written as `./doit lock` writes it", RESTORE),
        (lambda text: text[:-20], "", RESTORE),
    ],
)
def test_a_lock_that_cannot_be_read_is_not_written_over(
    tmp_path: Path,
    builder: Builder,
    monkeypatch: pytest.MonkeyPatch,
    xorriso: Package,
    spoil: Callable[[str], str],
    said: str,
    hint: str,
) -> None:
    root = checkout.write(tmp_path / "checkout")
    path = root / "manifests/imager.lock.json"
    path.write_text(spoil(path.read_text()))
    before = path.read_bytes()
    apt_says(monkeypatch, now(xorriso))
    found = load(root, match_locks=False)
    with pytest.raises(ConfigError) as caught:
        lock.make_locks(found, builder, [], Report(), Consent(older=True))
    assert caught.value.mistakes[0].startswith("manifests/imager.lock.json: " + said)
    assert caught.value.hint == hint
    assert path.read_bytes() == before
    path.unlink()
    lock.make_locks(found, builder, [], Report(), Consent())
    assert "xorriso" in path.read_text()
