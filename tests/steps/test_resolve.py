import json
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import resolve
from tests.fixtures.context import Played, played

MIRROR = {"debian": "http://m/debian", "debian-security": "http://m/debian-security"}
SNAPSHOT = {name: f"https://s/archive/{name}/20261121T000000Z" for name in MIRROR}
ARCHIVES = {"debian": ["trixie", "trixie-updates"], "debian-security": ["trixie-security"]}
A, B = "a" * 64, "b" * 64

GCC = (
    f"'http://m/debian/pool/main/g/gcc/gcc_4%3a14.2.0-1_amd64.deb' gcc_4%3a14.2.0-1_amd64.deb 5136 SHA256:{A}"
)
EXPAT = (
    "'http://m/debian-security/pool/updates/main/e/expat/libexpat1_2.9.0-1%7edeb13u1_amd64.deb'"
    f" libexpat1_2.9.0-1%7edeb13u1_amd64.deb 125744 SHA256:{B}"
)
PACKAGES = [
    {
        "name": "gcc",
        "version": "4:14.2.0-1",
        "archive": "debian",
        "path": "pool/main/g/gcc/gcc_4%3a14.2.0-1_amd64.deb",
        "size": 5136,
        "sha256": A,
    },
    {
        "name": "libexpat1",
        "version": "2.9.0-1~deb13u1",
        "archive": "debian-security",
        "path": "pool/updates/main/e/expat/libexpat1_2.9.0-1%7edeb13u1_amd64.deb",
        "size": 125744,
        "sha256": B,
    },
]


def test_sources_list() -> None:
    signed = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert resolve.sources_list(MIRROR, ARCHIVES) == (
        f"{signed} http://m/debian trixie main\n"
        f"{signed} http://m/debian trixie-updates main\n"
        f"{signed} http://m/debian-security trixie-security main\n"
    )


def test_packages_are_read_by_name() -> None:
    assert resolve.parse_uris(f"Reading package lists...\n{EXPAT}\n{GCC}\n", MIRROR) == PACKAGES


def test_packages_of_a_snapshot() -> None:
    text = GCC.replace(MIRROR["debian"], SNAPSHOT["debian"])
    assert resolve.parse_uris(text, SNAPSHOT) == PACKAGES[:1]


@pytest.mark.parametrize(
    "line",
    [
        GCC.replace("SHA256", "MD5Sum"),
        GCC.removesuffix(f" SHA256:{A}"),
        GCC[:-1],
        GCC.replace("http://m/", "http://other/"),
        GCC.replace("/pool/", "/loop/"),
        GCC.replace("5136", "?"),
    ],
)
def test_a_line_of_another_form(line: str) -> None:
    with pytest.raises(PipelineError) as caught:
        resolve.parse_uris(f"{EXPAT}\n{line}\n", MIRROR)
    assert caught.value.message == f"apt prints a package in a form that is not known here: {line!r}"


def context(folder: Path, refusing: tuple[str, ...] = (), snapshot: str = "20261121T000000Z") -> Played:
    def apt(argv: list[str], work: Path) -> str:
        sources = (work / "sources.list").read_text()
        if argv[1] == "update":
            if any(url in sources for url in refusing):
                raise PipelineError("no good signature")
            lists = work / "state/lists"
            (lists / "m_debian_InRelease").write_text("Origin: Debian\nDate: Sat, 21 Nov 2026 00:00:00 UTC\n")
            (lists / "m_debian_Packages").write_text("Date: not this one\n")
            return ""
        text = f"{GCC}\n{EXPAT}\n" if argv[-1] == "gcc" else f"{EXPAT}\n"
        return text.replace("http://m/", "https://s/archive/") if "https://s" in sources else text

    (folder / "in").mkdir()
    (folder / "in/ca.pem").touch()
    plain = {name: url.removesuffix("/20261121T000000Z") for name, url in SNAPSHOT.items()}
    return played(
        folder,
        apt,
        sources=[
            {"origin": "mirror", "urls": MIRROR, "dated": False},
            {"origin": "snapshot", "urls": plain, "dated": True},
        ],
        archives=ARCHIVES,
        snapshot=snapshot,
        containers={"kernel": ["make", "gcc"], "imager": ["expat"]},
    )


UPDATE = ["apt-get", "update", "--error-on=any"]
INSTALL = ["apt-get", "install", "--print-uris", "--yes", "-qq"]


def test_each_container_is_resolved_against_the_first_good_index(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    resolve.resolve(ctx)
    assert ctx.calls == [UPDATE, [*INSTALL, "make", "gcc"], [*INSTALL, "expat"]]
    assert ctx.envs == [{"APT_CONFIG": f"{ctx.work}/apt.conf"}] * 3
    assert ctx.notes == ["resolving against mirror"]
    assert json.loads((ctx.out / "kernel.json").read_text()) == PACKAGES
    assert json.loads((ctx.out / "imager.json").read_text()) == PACKAGES[1:]
    conf = (ctx.work / "apt.conf").read_text()
    assert 'Acquire::Check-Valid-Until "true";' in conf
    assert f'Acquire::https::CaInfo "{ctx.inputs["ca.pem"]}";' in conf


def test_the_next_source_when_the_first_has_no_good_index(tmp_path: Path) -> None:
    ctx = context(tmp_path, refusing=("http://m/",))
    resolve.resolve(ctx)
    assert ctx.notes == ["resolving against snapshot"]
    assert 'Acquire::Check-Valid-Until "false";' in (ctx.work / "apt.conf").read_text()


def test_no_source_has_one(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        resolve.resolve(context(tmp_path, refusing=("http://m/", "https://s/")))
    assert caught.value.message == (
        "no source has Debian's index as it was at 20261121T000000Z:\n"
        "mirror: no good signature\n"
        "snapshot: no good signature"
    )


def test_an_index_that_is_newer_than_the_snapshot_is_not_taken(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        resolve.resolve(context(tmp_path, snapshot="20261120T235959Z"))
    assert caught.value.message == (
        "no source has Debian's index as it was at 20261120T235959Z:\n"
        "mirror: its index is of 20261121T000000Z, newer than the snapshot\n"
        "snapshot: its index is of 20261121T000000Z, newer than the snapshot"
    )


def test_an_index_without_a_date_is_newer_than_any() -> None:
    assert resolve.newest([]) > "20991231T235959Z"
