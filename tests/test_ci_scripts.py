"""The scripts that workflows call, with gh, docker and ./doit replaced by what notes how it was called."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT

TRIED = (
    ".ci/before",
    ".ci/compare",
    ".ci/fill-cache",
    ".ci/last-release",
    ".ci/propose",
    ".ci/publish",
    ".ci/tag",
    ".ci/update",
)
"""What is tried here; `.ci/run` is what CI's first job runs, line by line."""

FAKE = """\
#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case $(basename "$0") in docker) cat >>"$CALLS"; echo >>"$CALLS" ;; esac
"""

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with the scripts, pins, and a remote."""
    root = tmp_path / "project"
    shutil.copytree(ROOT / ".ci", root / ".ci")
    (root / "manifests").mkdir()
    (root / "manifests/manifest.toml").write_text('[product]\nversion = "0.1.0"\n')
    (root / "README.md").write_text("it\n")
    (root / ".gitignore").write_text("/artifacts/\n/.venv/\n/doit\n")
    for command in (
        "init --quiet --initial-branch=main",
        "add .",
        "-c user.name=a -c user.email=a@example.org commit --quiet --message=first",
        "tag v0.1.0",
        "init --quiet --bare ../remote.git",
        "remote add origin ../remote.git",
    ):
        subprocess.run(["git", *command.split()], cwd=root, check=True)
    return root


def fake(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FAKE + text)
    path.chmod(0o755)


@pytest.fixture
def call(tmp_path: Path, project: Path) -> Call:
    """Call a script with its programs; `calls` and `output` beside the project have what it did."""

    def run(
        script: str, *arguments: str, env: Mapping[str, str] = {}, **programs: str
    ) -> subprocess.CompletedProcess[str]:
        for name, text in programs.items():
            fake(project / "doit" if name == "doit" else tmp_path / "bin" / name, text)
        surroundings = {
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "CALLS": str(tmp_path / "calls"),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            **env,
        }
        return subprocess.run(
            [project / script, *arguments],
            cwd=project,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def noted(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_every_script_is_tried() -> None:
    found = {f".ci/{path.name}" for path in (ROOT / ".ci").iterdir()}
    assert found == {*TRIED, ".ci/run"}
    assert all(os.access(ROOT / script, os.X_OK) for script in found)


@pytest.mark.parametrize(
    ("tag", "status", "said"),
    [
        ("v0.1.0", 0, ""),
        ("v0.1.1", 1, "error: the tag is v0.1.1, and manifests/manifest.toml pins 0.1.0"),
        ("0.1.0", 1, "error: the tag is 0.1.0, and manifests/manifest.toml pins 0.1.0"),
        ("v0.1.0-rc1", 1, "error: the tag is v0.1.0-rc1, and manifests/manifest.toml pins 0.1.0"),
    ],
)
def test_a_tag_is_the_version_that_is_pinned(
    call: Call, project: Path, tag: str, status: int, said: str
) -> None:
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").symlink_to(ROOT / ".venv/bin/python")
    done = call(".ci/tag", tag, doit="")
    assert (done.returncode, "".join(done.stderr.splitlines()[:1])) == (status, said)


@pytest.mark.parametrize(
    ("cache", "calls"),
    [
        (
            "oci://ghcr.io/acme/cache",
            [
                "docker login --username me --password-stdin ghcr.io",
                "hush",
                "doit cache push --fetch oci://ghcr.io/acme/cache",
                "without a token",
            ],
        ),
        ("file:/srv/cache", ["doit cache push --fetch file:/srv/cache", "without a token"]),
    ],
)
def test_a_cache_is_filled(call: Call, tmp_path: Path, cache: str, calls: list[str]) -> None:
    env = {"CACHE": cache, "REGISTRY_USER": "me", "REGISTRY_TOKEN": "hush"}
    done = call(
        ".ci/fill-cache", env=env, docker="", doit='echo "with${REGISTRY_TOKEN-out a token}" >>"$CALLS"\n'
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert noted(tmp_path / "calls") == calls


def test_a_registry_that_refuses_the_token_gets_nothing(call: Call, tmp_path: Path) -> None:
    env = {"CACHE": "oci://ghcr.io/acme", "REGISTRY_USER": "me", "REGISTRY_TOKEN": "hush"}
    assert call(".ci/fill-cache", env=env, docker="exit 1\n", doit="").returncode == 1
    assert "doit" not in " ".join(noted(tmp_path / "calls"))


LISTED = "gh release list --limit 1000 --json tagName --jq .[].tagName"


def test_a_release_is_published_when_all_its_files_are_there(
    call: Call, project: Path, tmp_path: Path
) -> None:
    (project / "files").mkdir()
    for name in ("SHA256SUMS", "notes.md", "x.iso"):
        (project / "files" / name).touch()
    listing = "case $2 in list) echo v0.1.1; echo v0.1.01 ;; esac\n"
    assert call(".ci/publish", "v0.1.0", "files", gh=listing).returncode == 0
    assert noted(tmp_path / "calls") == [
        LISTED,
        "gh release create v0.1.0 --verify-tag --draft --title v0.1.0 --notes-file files/notes.md"
        " files/SHA256SUMS files/notes.md files/x.iso",
        "gh release edit v0.1.0 --draft=false",
    ]


def test_no_release_is_overwritten(call: Call, tmp_path: Path) -> None:
    done = call(".ci/publish", "v0.1.0", "files", gh="echo v0.2.0; echo v0.1.0\n")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "error: there is a release v0.1.0, and none is ever overwritten",
    )
    assert noted(tmp_path / "calls") == [LISTED]


@pytest.mark.parametrize("failing", ["list", "create"])
def test_nothing_is_published_that_is_not_whole(call: Call, tmp_path: Path, failing: str) -> None:
    done = call(".ci/publish", "v0.1.0", "files", gh=f"case $2 in {failing}) exit 4 ;; esac\n")
    assert done.returncode == 4
    assert noted(tmp_path / "calls")[-1].startswith(f"gh release {failing} ")


def test_a_release_is_compared_with_the_one_before(call: Call, project: Path, tmp_path: Path) -> None:
    assert call(".ci/before", gh="").returncode == 0
    assert (noted(tmp_path / "calls"), noted(tmp_path / "output")) == (
        [],
        [],
    )  # the first is compared with none
    git(project, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--allow-empty", "-qm", "x")
    for tag in ("v0.2.0", "nightly"):  # one is this release's own, the other no release
        git(project, "tag", tag)
    git(project, "tag", "v0.1.0-rc1", "v0.1.0")
    assert call(".ci/before", gh="").returncode == 0
    assert noted(tmp_path / "calls") == ["gh release download v0.1.0 --dir artifacts/before"]
    assert noted(tmp_path / "output") == ["tag=v0.1.0"]


def test_a_release_before_that_is_not_to_be_had_is_no_first_release(
    call: Call, project: Path, tmp_path: Path
) -> None:
    git(project, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--allow-empty", "-qm", "x")
    assert call(".ci/before", gh="exit 1\n").returncode == 1
    assert noted(tmp_path / "output") == []


def test_the_last_release_is_found(call: Call, tmp_path: Path) -> None:
    done = call(".ci/last-release", gh="case $2 in list) echo v0.1.0 ;; esac\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert noted(tmp_path / "output") == ["tag=v0.1.0"]
    assert noted(tmp_path / "calls")[-1] == (
        "gh release download v0.1.0 --pattern SHA256SUMS --dir artifacts/last"
    )


@pytest.mark.parametrize("failing", ["list", "download"])
def test_a_last_release_that_github_does_not_give(call: Call, tmp_path: Path, failing: str) -> None:
    done = call(".ci/last-release", gh=f"case $2 in {failing}) exit 4 ;; list) echo v0.1.0 ;; esac\n")
    assert (done.returncode, noted(tmp_path / "output")) == (4, [])


def test_where_nothing_is_released_yet(call: Call, tmp_path: Path) -> None:
    done = call(".ci/last-release", gh="")
    assert (done.returncode, done.stdout) == (0, "nothing is released yet\n")
    assert noted(tmp_path / "output") == []


ISO = "4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a"  # of "4"


@pytest.mark.parametrize(
    ("sums", "status", "said"),
    [
        (f"{'0' * 64}  SHA256\n{ISO}  toy-0.1.0.iso\n", 0, ""),
        (f"{'0' * 64}  toy-0.1.0.iso\n", 1, f"is not what was released: its SHA-256 is {ISO}"),
        (f"{ISO}  toy.efi\n", 1, f"is not what was released: its SHA-256 is {ISO}"),
        ("", 1, f"is not what was released: its SHA-256 is {ISO}"),
    ],
)
def test_what_was_rebuilt_is_compared(call: Call, project: Path, sums: str, status: int, said: str) -> None:
    iso = project / "last/artifacts/toy/toy.iso"
    iso.parent.mkdir(parents=True)
    iso.write_text("4")
    (project / "sums").write_text(sums)
    done = call(".ci/compare", "last", "sums")
    assert done.returncode == status
    assert said in done.stderr


def test_a_rebuild_that_left_no_iso_is_no_success(call: Call, project: Path) -> None:
    (project / "sums").write_text(f"{ISO}  toy.iso\n")
    assert call(".ci/compare", "last", "sums").returncode != 0


RENEW = """\
echo 'linux 6.12.1 -> 6.12.2'
sed -i s/0.1.0/0.2.0/ manifests/manifest.toml
"""


def test_new_pins_become_a_pull_request(call: Call, project: Path, tmp_path: Path) -> None:
    done = call(".ci/update", doit=RENEW)
    assert (done.returncode, done.stdout, done.stderr) == (0, "linux 6.12.1 -> 6.12.2\n", "")
    assert noted(tmp_path / "output") == ["changed=true"]
    git(project, "checkout", "--quiet", ".")  # the second job has a checkout of its own
    done = call(".ci/propose", gh="")
    assert (done.returncode, done.stderr) == (0, "")
    remote = tmp_path / "remote.git"
    assert git(remote, "diff", "--name-only", "update-pins~", "update-pins") == "manifests/manifest.toml"
    assert (
        git(remote, "log", "-1", "--format=%an: %s", "update-pins") == "github-actions[bot]: Renew the pins"
    )
    assert noted(tmp_path / "calls")[1:] == [
        "gh auth setup-git",
        "gh pr list --head update-pins --state open --json number --jq .[].number",
        "gh pr create --head update-pins --title Renew the pins --body-file artifacts/update/body.md",
        "gh workflow run ci.yml --ref update-pins",
    ]
    assert (project / "artifacts/update/body.md").read_text().splitlines()[1:] == [
        "",
        "```text",
        "linux 6.12.1 -> 6.12.2",
        "```",
    ]


def test_a_pull_request_that_is_open_is_brought_up_to_date(call: Call, project: Path, tmp_path: Path) -> None:
    for number in (2, 3):
        assert call(".ci/update", doit=RENEW.replace("0.2.0", f"0.{number}.0")).returncode == 0
        git(project, "checkout", "--quiet", ".")
        assert call(".ci/propose", gh="case $2 in list) echo 7 ;; esac\n").returncode == 0
        git(project, "reset", "--quiet", "--hard", "v0.1.0")
    assert noted(tmp_path / "calls")[-2] == "gh pr edit update-pins --body-file artifacts/update/body.md"
    assert 'version = "0.3.0"' in git(tmp_path / "remote.git", "show", "update-pins:manifests/manifest.toml")


def test_pins_that_are_current_make_no_pull_request(call: Call, tmp_path: Path) -> None:
    assert call(".ci/update", doit="").returncode == 0
    assert noted(tmp_path / "output") == []


def test_an_update_changes_pins_alone(call: Call, tmp_path: Path) -> None:
    done = call(".ci/update", doit="echo more >>README.md\n")
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "error: more than manifests/ has changed:")
    assert noted(tmp_path / "output") == []


def test_a_patch_reaches_pins_alone(call: Call, project: Path) -> None:
    (project / "README.md").write_text("worse\n")
    (project / "artifacts/update").mkdir(parents=True)
    (project / "artifacts/update/patch").write_text(git(project, "diff") + "\n")
    git(project, "checkout", "--quiet", ".")
    assert call(".ci/propose", gh="").returncode != 0  # there is nothing to commit
    assert (project / "README.md").read_text() == "it\n"
