"""Pins that a command writes into a manifest that people keep."""

import hashlib
import io
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli.pin import pin
from pipeline.errors import PipelineError
from pipeline.project.checkout import load
from pipeline.report import Report
from tests.fixtures import checkout
from tests.fixtures.artifact_server import CONTENT, Server

MANIFEST = "manifests/manifest.toml"


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(tmp_path: Path, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path / "checkout/vendor"))
    root = checkout.write(tmp_path / "checkout")
    (root / "vendor").mkdir()
    (root / "vendor/vmlinuz").write_bytes(b"kernel")
    return Session(root, Report(screen))


def test_a_file_takes_the_place_of_another_and_comments_stay(session: Session) -> None:
    path = session.root / MANIFEST
    path.write_text(
        "# Pins.\n" + path.read_text().replace("[artifacts.a-kernel]", "[artifacts.a-kernel] # it")
    )
    pin(session, ["a-kernel", "vmlinuz"])
    found = load(session.root).manifest.artifacts["a-kernel"]
    digest = hashlib.sha256(b"kernel").hexdigest()
    assert (found.path, found.url, found.size, found.sha256) == ("vendor/vmlinuz", None, 6, digest)
    text = path.read_text()
    assert text.startswith("# Pins.\n")
    assert "[artifacts.a-kernel] # it\n" in text


def test_a_url_is_fetched_and_need_not_be_again(session: Session, thread_server: str) -> None:
    url = Server(thread_server).url("good")
    pin(session, ["new", url])
    found = load(session.root).manifest.artifacts["new"]
    assert (found.url, found.size) == (url, len(CONTENT))
    assert (session.store.root / "blobs" / found.sha256).read_bytes() == CONTENT


def test_a_payload_that_a_recipe_takes(session: Session, screen: io.StringIO) -> None:
    recipe = session.root / "recipes/toy/recipe.toml"
    recipe.write_text(
        recipe.read_text().replace('crate = "installer"', 'crate = "installer"\npayload = "db"')
    )
    pin(session, ["db", "vmlinuz"])
    assert load(session.root).manifest.payload["db"].path == "vendor/vmlinuz"
    assert screen.getvalue().startswith("payload.db: 6 B, SHA-256 ")


def test_a_recipe_may_name_it_before_it_is_pinned(session: Session, screen: io.StringIO) -> None:
    recipe = session.root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('fragments = ["base"]', 'artifact = "mine"'))
    pin(session, ["mine", "vmlinuz"])
    assert load(session.root).recipes["toy"].kernel.artifact == "mine"
    assert "no recipe takes it yet" not in screen.getvalue()
    pin(session, ["other", "vmlinuz"])
    assert 'no recipe takes it yet: write artifact = "other"' in screen.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "pin takes two arguments, got 0"),
        (["My Kernel", "vmlinuz"], "'My Kernel' is not a name (small letters, digits, dots and dashes)"),
        (["x", "gone"], "gone: no such file"),
        (["x", "/etc/passwd"], "/etc/passwd: is outside the checkout, so nobody else has it"),
        (["x", "empty"], "empty: is empty"),
        (["x", "{server}"], "{server}: HTTP 404 Not Found"),
    ],
)
def test_what_cannot_be_pinned(
    session: Session, thread_server: str, arguments: list[str], message: str
) -> None:
    (session.root / "vendor/empty").touch()
    before = (session.root / MANIFEST).read_bytes()
    url = Server(thread_server).url("missing")
    with pytest.raises(PipelineError) as caught:
        pin(session, [argument.format(server=url) for argument in arguments])
    assert caught.value.message == message.format(server=url)
    assert caught.value.hint
    assert (session.root / MANIFEST).read_bytes() == before


def test_a_manifest_that_is_no_toml(session: Session) -> None:
    (session.root / MANIFEST).write_text("[product\n")
    with pytest.raises(PipelineError, match=r"manifests/manifest.toml: Unexpected"):
        pin(session, ["x", "vmlinuz"])


def test_a_checkout_that_is_called_through_a_link(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(session.root)
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path / "link/vendor"))
    pin(session, ["a-kernel", "vmlinuz"])
    assert load(session.root).manifest.artifacts["a-kernel"].path == "vendor/vmlinuz"
