"""What GitHub runs: judged by the tools made for it, and each line of it proved to be one that works."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.build.session import Session
from pipeline.cli.new import FILES
from pipeline.cli.tasks import all_tasks
from pipeline.report import Report
from tests.conftest import ROOT
from tests.test_ci_scripts import TRIED

FOLDER = ROOT / ".github/workflows"
NAMES = sorted(path.name for path in FOLDER.glob("*.yml"))
RUNNER = "fromJSON(vars.RUNNER || '\"ubuntu-24.04\"')"
HOSTED = "ubuntu-24.04"

JOBS = {
    ("ci.yml", "build"): {"contents": "read"},
    ("ci.yml", "cache"): {"contents": "read", "packages": "write"},
    ("nightly.yml", "jury"): {"contents": "read"},
    ("rebuild.yml", "rebuild"): {"contents": "read"},
    ("rebuild.yml", "pins"): {"contents": "read"},
    ("release.yml", "build"): {"contents": "read"},
    ("release.yml", "attest"): {"id-token": "write", "attestations": "write"},
    ("release.yml", "publish"): {"contents": "write"},
    ("update.yml", "resolve"): {"contents": "read"},
    ("update.yml", "propose"): {"contents": "write", "pull-requests": "write", "actions": "write"},
}
"""Each job, and all that it may do."""

JURY = ".venv/bin/python -m tests.world.jury"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All workflows in one folder, with that of a new project."""
    folder = tmp_path_factory.mktemp("ci") / ".github/workflows"
    shutil.copytree(FOLDER, folder)
    template = (FILES / "dot-github/workflows/ci.yml").read_text(encoding="utf-8")
    (folder / "new.yml").write_text(template.format(name="ACME", recipe="acme-installer"), encoding="utf-8")
    return folder


def workflow(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def steps() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each step, with its workflow and job."""
    for name in NAMES:
        for job, content in workflow(FOLDER / name)["jobs"].items():
            for step in content["steps"]:
                yield name, job, step


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the tools that judge, which lie beside this Python."""
    program = Path(sys.executable).with_name(name)
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def schema(folder: Path) -> subprocess.CompletedProcess[str]:
    files = map(str, sorted(folder.glob("*.yml")))
    return tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    return tool("zizmor", "--offline", "--no-config", "--persona=pedantic", "--no-progress", str(folder))


def test_the_schema_has_nothing_against_them(folder: Path) -> None:
    done = schema(folder)
    assert done.returncode == 0, done.stdout


def test_zizmor_has_nothing_against_them(folder: Path) -> None:
    done = zizmor(folder)
    assert done.returncode == 0, done.stdout


SPOILT = [
    ("ci.yml", "runs-on:", "run-on:", schema, "'runs-on' is a required property"),
    ("ci.yml", "contents: read", "contents: reed", schema, "'reed' is not one of"),
    ("rebuild.yml", "schedule:", "shedule:", schema, "shedule"),
    ("ci.yml", "@11bd71901bbe5b1630ceea73d27597364c9af683", "@v4", zizmor, "unpinned-uses"),
    ("ci.yml", "persist-credentials: false", "fetch-depth: 1", zizmor, "artipacked"),
    ("ci.yml", "permissions: {}", "permissions: write-all", zizmor, "excessive-permissions"),
    ("ci.yml", "  pull_request:", "  pull_request_target:", zizmor, "dangerous-triggers"),
    ("nightly.yml", '"$GITHUB_RUN_NUMBER"', "${{ github.head_ref }}", zizmor, "template-injection"),
]


@pytest.mark.parametrize(("name", "before", "after", "judge", "said"), SPOILT)
def test_a_mistake_would_be_noticed(
    folder: Path, tmp_path: Path, name: str, before: str, after: str, judge: Any, said: str
) -> None:
    spoilt = tmp_path / ".github/workflows"
    spoilt.mkdir(parents=True)
    text = (folder / name).read_text(encoding="utf-8")
    assert before in text
    (spoilt / name).write_text(text.replace(before, after), encoding="utf-8")
    done = judge(spoilt)
    assert done.returncode != 0
    assert said in done.stdout


def test_each_job_may_do_no_more_than_it_has_to() -> None:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in NAMES:
        read = workflow(FOLDER / name)
        assert read["permissions"] == {}
        found |= {(name, job): content["permissions"] for job, content in read["jobs"].items()}
    assert found == JOBS


def test_a_token_is_in_no_job_that_runs_what_others_wrote() -> None:
    """What a pull request brings runs where there is none; what resolves or builds packages is given none."""
    wrong = []
    for name, job, step in steps():
        text = str(step)
        if ("github.token" in text or "secrets." in text) and "./doit" in step.get("run", ""):
            wrong.append((name, job))
    assert wrong == []
    writing = {key for key, may in JOBS.items() if set(may.values()) != {"read"}}
    built = {(name, job) for name, job, step in steps() if step.get("run", "").startswith("./doit")}
    assert writing & built == {("ci.yml", "cache")}
    condition = workflow(FOLDER / "ci.yml")["jobs"]["cache"]["if"]
    assert "github.event_name == 'push' && github.ref == 'refs/heads/main'" in condition


def test_actions_are_few_and_the_same_everywhere(folder: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    used = re.findall(r"uses: (actions/\S+)@([0-9a-f]{40}) # v[\d.]+$", text, re.MULTILINE)
    assert len(used) == text.count("uses: ")
    assert len(set(used)) == len({action for action, _ in used})


def test_every_job_that_builds_runs_where_the_project_s_variable_says(folder: Path) -> None:
    for path in folder.iterdir():
        read = workflow(path)
        for content in read["jobs"].values():
            where = content["runs-on"]
            if "pull_request" in read["on"] and "needs" not in content:
                assert where == f"${{{{ github.event_name == 'pull_request' && '{HOSTED}' || {RUNNER} }}}}"
            else:
                assert where in (f"${{{{ {RUNNER} }}}}", HOSTED)


def test_a_rebuild_takes_nothing_of_what_was_built_on_the_runner() -> None:
    """`--from-source` takes results of the local cache, which a runner that is kept has from other jobs."""
    ours = [step for _, job, step in steps() if job == "rebuild" and step.get("run", "").startswith("./doit")]
    caches = [step.get("env", {}).get("INSTALLER_ISO_CACHE") for step in ours]
    assert caches == ["${{ runner.temp }}/cache"] * 2


@pytest.fixture(scope="module")
def known() -> set[str]:
    """All that may follow `./doit`: commands, and commands with an option."""
    tasks = all_tasks(Session(ROOT, Report()), listed=False)
    options = {f"{task.name} --{each['long']}" for task in tasks for each in task.params}
    return {"list", *options, *(task.name for task in tasks)}


def doubts(line: str, known: set[str]) -> str:
    """Say what is not proved of a line that a workflow or a script runs, "" where it is known to work."""
    words = shlex.split(line, comments=True)
    if words[0].startswith(".ci/"):
        return "" if words[0] in TRIED else f"{words[0]}: no test runs it"
    if words[0] == "./doit":
        options = [word.partition("=")[0] for word in words[2:] if word.startswith("--")]
        named = [words[1], *(f"{words[1]} {option}" for option in options)]
        return ", ".join(f"./doit {each}: there is none" for each in named if each not in known)
    return "" if line.startswith(JURY) else f"{line}: nobody runs it but GitHub"


def test_every_line_is_proved(known: set[str]) -> None:
    lines = [line for _, _, step in steps() for line in step.get("run", "").splitlines()]
    lines += re.findall(r"^\./doit .*$", "".join((ROOT / each).read_text() for each in TRIED), re.MULTILINE)
    assert [said for line in lines if (said := doubts(line.partition(" >")[0], known))] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("./doit iso", ""),
        ("./doit lock --check outputs", ""),
        ("./doit no-such", "./doit no-such: there is none"),
        ("./doit lock --chek", "./doit lock --chek: there is none"),
        ("./doit test --fast --slow", "./doit test --slow: there is none"),
        (".ci/no-such x", ".ci/no-such: no test runs it"),
        ("curl https://example.org | sh", "curl https://example.org | sh: nobody runs it but GitHub"),
    ],
)
def test_a_line_that_nothing_proves_is_named(line: str, said: str, known: set[str]) -> None:
    assert doubts(line, known) == said


def test_options_of_the_jury() -> None:
    options = {
        word for _, _, step in steps() for word in step.get("run", "").split() if JURY in step.get("run", "")
    }
    source = (ROOT / "tests/world/jury/__main__.py").read_text(encoding="utf-8")
    known = set(re.findall(r'add_argument\("(--[a-z-]+)"', source))
    assert {option for option in options if option.startswith("--")} == {"--layouts", "--seed"} <= known


def test_a_new_project_s_lines_are_proved(folder: Path, known: set[str]) -> None:
    (job,) = workflow(folder / "new.yml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    lines = (FILES / "dot-ci/run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("./doit")] == lines[-2:]
    assert [doubts(line, known) for line in lines[-2:]] == ["", ""]


def test_ci_runs_what_anybody_runs_by_hand() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    ours = [
        step["run"] for name, job, step in steps() if (name, job) == ("ci.yml", "build") and "run" in step
    ]
    assert lines[-len(ours) :] == ours
    readme = (ROOT / "README.md").read_text()
    assert all(command in readme for command in ours)
