"""Where Debian's files are looked for, in which order."""

from pathlib import Path

import pytest

from pipeline.debian.mirrors import Mirror, sources
from pipeline.errors import PipelineError

ONE_LINE = """\
# deb http://commented.example/debian trixie main
deb [signed-by=/x arch=amd64] http://old.example/debian/ bookworm main
deb-src http://source.example/debian bookworm main
deb cdrom:[Debian]/debian bookworm main
deb http://other.example/ubuntu jammy main
deb http://[broken/debian bookworm main
deb http://port.example:x/debian bookworm main
"""

DEB822 = """\
Types: deb
URIs: https://new.example/mirror/debian https://second.example/debian
Suites: trixie
Components: main

Types: deb
URIs: https://new.example/mirror/debian-security
Suites: trixie-security

Enabled: no
URIs: https://off.example/debian
"""


def bases(apt: Path) -> list[str]:
    found = sources("https://snapshot.example/archive/", "20261121T000000Z", "http://second.example/", apt)
    return [source.base for source in found]


@pytest.fixture(autouse=True)
def _no_mirror_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSTALLER_ISO_DEBIAN_MIRROR", raising=False)


def test_without_apt_only_the_snapshot_is_left(tmp_path: Path) -> None:
    snapshot = Mirror("https://s/archive", "snapshot", "T")
    assert sources("https://s/archive", "T", None, tmp_path) == [snapshot]


def test_a_machine_that_is_no_debian_asks_the_manifest_s_mirror_first(tmp_path: Path) -> None:
    found = sources("https://s/archive", "T", "https://m/", tmp_path)
    assert found == [
        Mirror("https://m", "the manifest's mirror"),
        Mirror("https://s/archive", "snapshot", "T"),
    ]


def test_both_formats_of_apt_s_sources_each_mirror_once(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d" / "x.list").write_text("deb http://old.example/debian-security x main\n")
    (tmp_path / "sources.list.d" / "x.list.save").write_text("deb http://saved.example/debian x main\n")
    assert bases(tmp_path) == [
        "http://old.example",
        "https://new.example/mirror",
        "https://second.example",
        "https://snapshot.example/archive",
    ]


def test_the_chosen_mirror_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    monkeypatch.setenv("INSTALLER_ISO_DEBIAN_MIRROR", "http://chosen.example/x/")
    assert bases(tmp_path)[:2] == ["http://chosen.example/x", "http://old.example"]


@pytest.mark.parametrize("chosen", ["mirror.example", "http://[x", "http://a b/", "file:///srv"])
def test_a_chosen_mirror_that_is_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.setenv("INSTALLER_ISO_DEBIAN_MIRROR", chosen)
    with pytest.raises(PipelineError) as caught:
        sources("https://s/archive", "T", None, tmp_path)
    assert caught.value.message == f"INSTALLER_ISO_DEBIAN_MIRROR: {chosen!r} is not a URL"


def test_urls() -> None:
    assert Mirror("http://m", "").url("debian", "pool/x.deb") == "http://m/debian/pool/x.deb"
    assert Mirror("http://s", "", "T").url("debian", "pool/x.deb") == "http://s/debian/T/pool/x.deb"
