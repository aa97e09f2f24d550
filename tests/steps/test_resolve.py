import io
import json
import re
from pathlib import Path

import certifi
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
    assert caught.value.message == f"apt printed a package in an unknown format: {line!r}"


SATURDAY = "Sat, 21 Nov 2026 00:00:00 UTC"
STAMP = "20261121T000000Z"
DATES = {"debian/trixie": STAMP, "debian/trixie-updates": STAMP, "debian-security/trixie-security": STAMP}


def wanted(intent: str, *packages: str, architecture: str = "amd64", **more: object) -> dict[str, object]:
    usual = {"essential": False, "components": ("main",)}
    return {"intent": intent, "packages": packages, "architecture": architecture} | usual | more


def context(folder: Path, refusing: tuple[str, ...] = (), date: str = SATURDAY, **params: object) -> Played:
    """A resolver whose snapshot archive is out of reach, but for apt."""

    def apt(argv: list[str], work: Path) -> str:
        sources = (work / "sources.list").read_text()
        if argv[1] == "update":
            if any(url in sources for url in refusing):
                raise PipelineError("no good signature")
            lists = work / "state/lists"
            for line in sources.splitlines():
                _, _, url, suite, *_ = line.split()
                name = url.partition("://")[2].replace("_", "%5f").replace("/", "_")
                said = "Origin: Debian\n" + (f"Date: {date}\n" if date else "")
                (lists / f"{name}_dists_{suite}_InRelease").write_text(said)
            (lists / "m_debian_dists_trixie_main_Packages").write_text("Date: not this one\n")
            return ""
        text = f"{GCC}\n{EXPAT}\n" if argv[-1] == "gcc" else f"{EXPAT}\n"
        return text.replace("http://m/", "https://127.0.0.1:9/a_b/") if "https://127" in sources else text

    (folder / "in").mkdir()
    (folder / "in/ca.pem").write_text(Path(certifi.where()).read_text())
    plain = {name: f"https://127.0.0.1:9/a_b/{name}" for name in MIRROR}
    return played(
        folder,
        apt,
        **{
            "sources": [
                {"origin": "mirror", "urls": MIRROR, "dated": False},
                {"origin": "snapshot", "urls": plain, "dated": True},
            ],
            "archives": ARCHIVES,
            "snapshot": STAMP,
            "dates": DATES,
            "trust_mirror": False,
            "wanted": {
                "kernel": wanted("containers/kernel.toml", "make", "gcc"),
                "base": wanted("roots/base.toml", "expat"),
            },
        }
        | params,
    )


UPDATE = ["apt-get", "update", "--error-on=any"]
INSTALL = ["apt-get", "install", "--print-uris", "--yes", "-qq"]


def test_each_intent_is_resolved_against_the_first_good_index(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    resolve.resolve(ctx)
    assert ctx.calls == [UPDATE, [*INSTALL, "make", "gcc"], [*INSTALL, "expat"]]
    assert ctx.envs == [{"APT_CONFIG": f"{ctx.work}/amd64.conf"}] * 3
    assert ctx.notes == ["resolving against mirror"]
    assert json.loads((ctx.out / "kernel.json").read_text()) == PACKAGES
    assert json.loads((ctx.out / "base.json").read_text()) == PACKAGES[1:]
    assert json.loads((ctx.out / "dates").read_text()) == DATES
    conf = (ctx.work / "amd64.conf").read_text()
    assert conf.startswith('APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\n')
    assert 'Acquire::Check-Valid-Until "true";' in conf
    assert f'Acquire::https::CaInfo "{ctx.inputs["ca.pem"]}";' in conf


def test_each_architecture_is_resolved_alone_against_one_index(tmp_path: Path) -> None:
    both = {
        name: wanted("containers/boot.toml", "gcc", architecture=architecture)
        for name, architecture in (("boot", "amd64"), ("boot.arm64", "arm64"))
    }
    ctx = context(tmp_path, wanted=both)
    resolve.resolve(ctx)
    assert ctx.calls == [UPDATE, [*INSTALL, "gcc"], [*INSTALL, "gcc"]]
    assert [Path(env["APT_CONFIG"]).name for env in ctx.envs] == [
        "amd64-arm64.conf",
        "amd64.conf",
        "arm64.conf",
    ]
    architectures = [Path(env["APT_CONFIG"]).read_text().splitlines()[:2] for env in ctx.envs]
    assert architectures == [
        ['APT::Architecture "amd64";', 'APT::Architectures { "amd64"; "arm64"; };'],
        ['APT::Architecture "amd64";', 'APT::Architectures { "amd64"; };'],
        ['APT::Architecture "arm64";', 'APT::Architectures { "arm64"; };'],
    ]
    assert {path.name for path in ctx.out.iterdir()} == {"dates", "boot.json", "boot.arm64.json"}


def test_essential_packages_and_components_are_each_intents_own(tmp_path: Path) -> None:
    parts = ("main", "non-free-firmware")
    both = {
        "bare": wanted("roots/bare.toml", "systemd", essential=True),
        "metal": wanted("roots/metal.toml", "gcc", components=parts),
    }
    ctx, seen = context(tmp_path, wanted=both), list[set[str]]()
    tool = ctx.tool

    def apt(argv: list[str], cwd: Path) -> str:
        match = re.search(r'sourcelist "(.*)"', Path(ctx.envs[-1]["APT_CONFIG"]).read_text())
        assert match
        seen.append({line.split(" ", 4)[4] for line in Path(match[1]).read_text().splitlines()})
        return tool(argv, cwd)

    ctx.tool = apt
    resolve.resolve(ctx)
    assert ctx.calls == [UPDATE, [*INSTALL, "?essential", "systemd"], [*INSTALL, "gcc"]]
    assert seen == [{"main non-free-firmware"}, {"main"}, {"main non-free-firmware"}]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "E: Unable to locate package gcx\nE: Package 'awk' has no installation candidate",
            "roots/base.toml: packages: 'gcx', 'awk' is in no suite of debian.archives for amd64",
        ),
        ("E: Unmet dependencies", "apt-get failed with status 100:\nE: Unmet dependencies"),
    ],
)
def test_packages_that_apt_does_not_know(tmp_path: Path, said: str, message: str) -> None:
    ctx = context(tmp_path)
    tool = ctx.tool

    def apt(argv: list[str], cwd: Path) -> str:
        if argv[-1] == "expat":
            raise PipelineError(f"apt-get failed with status 100:\n{said}")
        return tool(argv, cwd)

    ctx.tool = apt
    with pytest.raises(PipelineError) as caught:
        resolve.resolve(ctx)
    assert caught.value.message == message


def test_the_next_source_when_the_first_has_no_good_index(tmp_path: Path) -> None:
    ctx = context(tmp_path, refusing=("http://m/",))
    resolve.resolve(ctx)
    assert ctx.notes == ["resolving against snapshot"]
    assert 'Acquire::Check-Valid-Until "false";' in (ctx.work / "amd64.conf").read_text()


def refused(ctx: Played) -> list[str]:
    with pytest.raises(PipelineError) as caught:
        resolve.resolve(ctx)
    first, *reasons = caught.value.message.splitlines()
    assert first == f"no source has Debian's index as it was at {ctx.params['snapshot']}:"
    return reasons


def test_no_source_has_one(tmp_path: Path) -> None:
    assert refused(context(tmp_path, refusing=("http://m/", "https://127"))) == [
        "mirror: no good signature",
        "snapshot: no good signature",
    ]


NEWER = "its index of debian/trixie is of 20261121T000000Z, newer than the snapshot"
OLDER = "its index of debian/trixie is of 20261115T220000Z, the snapshot's is of 20261121T000000Z"
NO_WORD = "its index may be an old one: the snapshot archive cannot be reached: "
ONLY_MIRROR = ("https://127",)


def test_an_index_that_is_newer_than_the_snapshot_is_not_taken(tmp_path: Path) -> None:
    ctx = context(tmp_path, snapshot="20261120T235959Z")
    assert refused(ctx) == [f"mirror: {NEWER}", f"snapshot: {NEWER}"]


def test_an_old_index_is_not_taken_though_it_is_signed(tmp_path: Path) -> None:
    ctx = context(tmp_path, refusing=ONLY_MIRROR, date="Mon, 16 Nov 2026 00:00:00 +0200")
    assert refused(ctx)[0] == f"mirror: {OLDER}"


def test_an_index_without_a_date_is_not_taken(tmp_path: Path) -> None:
    reasons = refused(context(tmp_path, date=""))
    assert reasons[0] == "mirror: the index of debian/trixie has no date"


@pytest.mark.parametrize("dates", [{}, {"debian/trixie": STAMP}])
def test_without_known_dates_the_snapshot_archive_has_the_word(tmp_path: Path, dates: dict[str, str]) -> None:
    reasons = refused(context(tmp_path, refusing=ONLY_MIRROR, dates=dates))
    assert reasons[0].startswith(f"mirror: {NO_WORD}")


def test_a_mirror_may_be_believed(tmp_path: Path) -> None:
    ctx = context(tmp_path, refusing=ONLY_MIRROR, dates={}, trust_mirror=True)
    resolve.resolve(ctx)
    assert ctx.notes[0].startswith("taken without the snapshot archive's word: ")


def test_but_not_with_dates_that_are_known_to_be_others(tmp_path: Path) -> None:
    ctx = context(tmp_path, refusing=ONLY_MIRROR, date="Mon, 16 Nov 2026 00:00:00 +0200", trust_mirror=True)
    assert refused(ctx)[0] == f"mirror: {OLDER}"


@pytest.mark.parametrize(("date", "good"), [(SATURDAY, True), ("Mon, 16 Nov 2026 00:00:00 +0200", False)])
def test_the_word_of_the_snapshot_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, date: str, good: bool
) -> None:
    asked: list[str] = []

    def answer(url: str, **_more: object) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(f"-----BEGIN PGP SIGNED MESSAGE-----\nDate: {SATURDAY}\n".encode())

    monkeypatch.setattr("urllib.request.urlopen", answer)
    ctx = context(tmp_path, refusing=ONLY_MIRROR, date=date, dates={})
    if good:
        resolve.resolve(ctx)
    else:
        assert refused(ctx)[0] == f"mirror: {OLDER}"
    assert asked[0] == "https://127.0.0.1:9/a_b/debian/dists/trixie/InRelease"
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("urls", "suite"),
    [
        ({"debian": "http://m/debian"}, "trixie main\ndeb [trusted=yes] http://x y"),
        ({"debian": "http://m/debian\ndeb"}, "trixie"),
        ({"debian": "http://m/ debian"}, "trixie"),
        ({"debian": "[trusted=yes]"}, "trixie"),
    ],
)
def test_no_word_makes_another_line(urls: dict[str, str], suite: str) -> None:
    with pytest.raises(PipelineError) as caught:
        resolve.sources_list(urls, {"debian": [suite]})
    assert caught.value.message.endswith(" is not a word of a sources.list")
