"""What GitHub runs: judged by the tools made for it, and each line of it proved to be one that works."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.build.session import MORE_CACHES
from pipeline.cli.new import FILES
from tests.conftest import ROOT

FOLDER = ROOT / ".github/workflows"
NAMES = sorted(path.name for path in FOLDER.glob("*.yml"))
RUNNER = "fromJSON(inputs.runner || vars.RUNNER || '\"ubuntu-24.04\"')"
HOSTED = "ubuntu-24.04"

JOBS = {
    ("ci.yml", "build"): {"contents": "read"},
    ("ci.yml", "cache"): {"contents": "read", "packages": "write"},
    ("nightly.yml", "jury"): {"contents": "read"},
    ("nightly.yml", "stories"): {"contents": "read"},
    ("rebuild.yml", "last"): {"contents": "read"},
    ("rebuild.yml", "rebuild"): {"contents": "read"},
    ("rebuild.yml", "pins"): {"contents": "read"},
    ("release.yml", "before"): {"contents": "read"},
    ("release.yml", "build"): {"contents": "read"},
    ("release.yml", "sign"): {"contents": "read", "id-token": "write"},
    ("release.yml", "attest"): {"id-token": "write", "attestations": "write"},
    ("release.yml", "publish"): {"contents": "write"},
    ("update.yml", "resolve"): {"contents": "read"},
    ("update.yml", "propose"): {"contents": "write", "pull-requests": "write", "actions": "write"},
}
"""Each job, and all that it may do."""

TRUSTED = ("cache", "sign", "verify")
"""The commands of `./doit` that neither build nor resolve nor boot: they run nothing that others wrote."""

JURY = ".venv/bin/python -m tests.world.jury"
APART = [
    f"./doit boot-test --image {name}"
    for name in ("nix-host", "store-appliance", "store-installer", "heads-stand-in")
]


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


def is_foreign(line: str) -> bool:
    """Tell whether a line of a shell runs what others wrote."""
    called = re.findall(r"\./doit (\S+)", line)
    return ".venv/bin/python" in line or any(command not in TRUSTED for command in called)


def foreign(line: str) -> list[str]:
    """Return what of a line, or of the script of ours that it calls, runs what others wrote."""
    script = line.split()[0]
    text = (ROOT / script).read_text(encoding="utf-8") if script.startswith(".ci/") else line
    said = ("#", "echo ")
    return [each for each in text.splitlines() if is_foreign(each) and not each.strip().startswith(said)]


def exposed(jobs: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what others wrote and runs in a job with a secret, or with permission for more than reading."""
    found = {}
    for job, content in jobs.items():
        secret = re.search(r"github\.token|secrets\.", str(content))
        if secret or set(content["permissions"].values()) != {"read"}:
            lines = [line for step in content["steps"] for line in step.get("run", "").splitlines()]
            found[job] = [each for line in lines for each in foreign(line)]
    return {job: lines for job, lines in found.items() if lines}


@pytest.mark.parametrize("name", NAMES)
def test_a_token_is_in_no_job_that_runs_what_others_wrote(name: str) -> None:
    """What a pull request brings runs where there is none; what resolves or builds packages is given none."""
    assert exposed(workflow(FOLDER / name)["jobs"]) == {}


@pytest.mark.parametrize(
    ("may", "step", "said"),
    [
        ("read", {"run": "./doit iso"}, []),
        ("read", {"run": "./doit iso", "env": {"X": "${{ github.token }}"}}, ["./doit iso"]),
        ("read", {"run": "./doit iso", "env": {"X": "${{ secrets.Y }}"}}, ["./doit iso"]),
        ("write", {"run": ".ci/run"}, ["./doit iso", "./doit test", "./doit boot-test", *APART]),
        ("write", {"run": ".ci/update"}, ["./doit lock --update >artifacts/update/text"]),
        ("write", {"run": f"{JURY} --seed 1"}, [f"{JURY} --seed 1"]),
        ("write", {"run": ".ci/fill-cache\n./doit sign --with sigstore"}, []),
    ],
)
def test_a_token_beside_what_others_wrote_is_noticed(may: str, step: dict[str, Any], said: list[str]) -> None:
    assert exposed({"x": {"permissions": {"packages": may}, "steps": [step]}}) == (
        {"x": said} if said else {}
    )


def test_a_cache_is_filled_by_what_is_on_the_main_branch_alone() -> None:
    condition = "github.event_name == 'push' && github.ref == 'refs/heads/main' && vars.CACHE != ''"
    jobs = workflow(FOLDER / "ci.yml")["jobs"]
    assert jobs["cache"]["if"] == condition
    pushing = [step for step in jobs["build"]["steps"] if "cache push" in step.get("run", "")]
    assert [step["if"] for step in pushing] == [condition]


def test_a_build_reads_the_cache_that_another_filled() -> None:
    steps = workflow(FOLDER / "ci.yml")["jobs"]["build"]["steps"]
    reading = [step["run"] for step in steps if MORE_CACHES in step.get("env", {})]
    assert reading == ["./doit iso", "./doit boot-test", *APART]


def test_actions_are_few_and_the_same_everywhere(folder: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    used = re.findall(r"uses: (actions/\S+)@([0-9a-f]{40}) # v[\d.]+$", text, re.MULTILINE)
    assert len(used) == text.count("uses: ")
    assert len(set(used)) == len({action for action, _ in used})


def test_every_workflow_takes_labels_of_a_runner(folder: Path) -> None:
    for path in folder.iterdir():
        inputs = workflow(path)["on"]["workflow_dispatch"]["inputs"]
        assert {name: (each["type"], each["default"]) for name, each in inputs.items()} == {
            "runner": ("string", "")
        }


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


def test_options_of_the_jury() -> None:
    options = {
        word for _, _, step in steps() for word in step.get("run", "").split() if JURY in step.get("run", "")
    }
    source = (ROOT / "tests/world/jury/__main__.py").read_text(encoding="utf-8")
    known = set(re.findall(r'add_argument\("(--[a-z-]+)"', source))
    assert {option for option in options if option.startswith("--")} == {"--layouts", "--seed"} <= known


def test_a_new_project_runs_what_this_one_does(folder: Path) -> None:
    (job,) = workflow(folder / "new.yml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    lines = (FILES / "dot-ci/run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("./doit")] == lines[-2:]
    assert set(lines[-2:]) <= set((ROOT / ".ci/run").read_text(encoding="utf-8").splitlines())


def test_ci_runs_what_anybody_runs_by_hand() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    ours = [
        step["run"] for name, job, step in steps() if (name, job) == ("ci.yml", "build") and "run" in step
    ]
    count = 3 + len(APART)
    assert lines[-count:] == ours[:count]
    readme = (ROOT / "README.md").read_text()
    assert all(command in readme for command in ours[:count])
