"""Each line that GitHub runs: what shell and program make of it, and which test tries that."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.cli import program, run_tests, tasks, verify
from tests.conftest import ROOT
from tests.fixtures import checkout
from tests.test_ci import JURY, steps
from tests.test_ci_scripts import TRIED

SURROUNDINGS = {
    "CACHE": "oci://ghcr.io/acme/cache",
    "GITHUB_REF_NAME": "v1.2",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_WORKFLOW_REF": "acme/iso/.github/workflows/release.yml@refs/tags/v1.2",
    "RUNNER_TEMP": "/tmp/my runner",
}
BY_HAND = [
    line for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines() if line.startswith("./doit ")
]
"""What CI runs, as people do."""

NO_LOCKS = {"downgrade": False, "trust_mirror": False}
WHO = {
    "identity": "https://github.com/acme/iso/.github/workflows/release.yml@refs/tags/v1.2",
    "issuer": "https://token.actions.githubusercontent.com",
}

CALLS: dict[str, tuple[str, dict[str, Any], str]] = {
    './doit cache push "$RUNNER_TEMP/filled"': (
        "push:push",
        {"arguments": ["push", "/tmp/my runner/filled"], "key": "", "fetch": False},
        "tests/cli/test_push.py::test_a_folder_on_a_web_server",
    ),
    './doit cache push --fetch "$CACHE"': (
        "push:push",
        {"arguments": ["push", "oci://ghcr.io/acme/cache"], "key": "", "fetch": True},
        "tests/cli/test_push.py::test_a_cache_is_copied_to_another_and_nothing_is_built",
    ),
    "./doit lock --check outputs": (
        "commands:lock",
        {"names": ["outputs"], "check": True, "update": False, **NO_LOCKS},
        "tests/cli/test_commands.py::test_a_build_is_compared_with_what_is_locked",
    ),
    "./doit lock --check": (
        "commands:lock",
        {"names": [], "check": True, "update": False, **NO_LOCKS},
        "tests/cli/test_lock.py::test_a_check_asks_for_pins_and_for_what_apt_resolves",
    ),
    "./doit lock --update": (
        "commands:lock",
        {"names": [], "check": False, "update": True, **NO_LOCKS},
        "tests/cli/test_lock_update.py::test_all_locks_and_the_manifest_go_on",
    ),
    "./doit release": (
        "release:release",
        {"since": "", "tag": False},
        "tests/cli/test_release.py::test_a_release_once_and_again",
    ),
    "./doit release --since artifacts/before": (
        "release:release",
        {"since": "artifacts/before", "tag": False},
        "tests/cli/test_release.py::test_a_release_is_compared_with_the_one_before",
    ),
    "./doit sign --with sigstore": (
        "release:sign_release",
        {
            **dict.fromkeys(("key", "out", "pcr_key", "timestamp"), ""),
            **dict.fromkeys(("heads", "secure_boot"), False),
            "tool": "sigstore",
            "certificate": [],
            "files": [],
        },
        "tests/release/test_sign.py::test_sigstore",
    ),
}
"""Each line with a command: the function below `pipeline.cli` that it calls, with what, and its test."""

LOOKS: dict[str, tuple[dict[str, str], str]] = {
    './doit verify "artifacts/release/${GITHUB_REF_NAME#v}"': (
        {"identity": "", "issuer": ""},
        "tests/cli/test_verify.py::test_as_a_program_of_its_own",
    ),
    './doit verify "artifacts/release/${GITHUB_REF_NAME#v}"'
    ' --identity "$GITHUB_SERVER_URL/$GITHUB_WORKFLOW_REF"'
    " --issuer https://token.actions.githubusercontent.com": (
        WHO,
        "tests/release/test_signatures.py::test_sigstore",
    ),
}
"""The lines that look at releases, which have arguments of their own."""

NIGHTLY = ".venv/bin/pytest -m nightly tests/world/jury"

WHOLE = {
    NIGHTLY: "tests/test_ci_lines.py::test_what_runs_at_night_runs_then_alone",
    "./doit list": "tests/cli/test_tasks.py::test_the_tasks_and_their_order",
    "./doit boot-test --all": "tests/cli/test_program.py::test_long_stories_are_told",
    "./doit iso --from-source": "tests/cli/test_program.py::test_from_source_is_for_builds",
    **{
        f"./doit boot-test --image {name} --all": "tests/cli/test_program.py::test_long_stories_are_told"
        for name in ("nix-host", "store-appliance", "store-laptop", "store-installer", "heads-stand-in")
    },
}
"""The lines that tests run as they are."""


def unproved(line: str) -> str:
    """Say what is not proved of a line that a workflow runs, "" where it is known to work."""
    script = line.split()[0]
    if script.startswith(".ci/"):
        return "" if script in TRIED else f"{script}: no test runs it"
    known = {*BY_HAND, *CALLS, *LOOKS, *WHOLE}
    return "" if line in known or line.startswith(JURY) else f"{line}: nobody runs it but GitHub"


def lines() -> Iterator[str]:
    """Yield the lines of workflows, without comments, and those with `./doit` of scripts."""
    for _, _, step in steps():
        yield from (re.sub(" +#.*", "", line) for line in step.get("run", "").splitlines())
    text = "".join((ROOT / each).read_text(encoding="utf-8") for each in TRIED)
    yield from (line.partition(" >")[0] for line in re.findall(r"^\./doit .*$", text, re.MULTILINE))


def test_every_line_is_proved() -> None:
    found = set(lines())
    assert [said for line in sorted(found) if (said := unproved(line))] == []
    assert {*CALLS, *LOOKS, *WHOLE} <= found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("./doit iso", ""),
        ("./doit lock --check outputs", ""),
        ("./doit lock --check imager", "./doit lock --check imager: nobody runs it but GitHub"),
        (".ci/no-such x", ".ci/no-such: no test runs it"),
        ("curl https://example.org | sh", "curl https://example.org | sh: nobody runs it but GitHub"),
    ],
)
def test_a_line_that_nothing_proves_is_named(line: str, said: str) -> None:
    assert unproved(line) == said


def test_who_tries_a_line_is_there() -> None:
    named = [*(call[-1] for call in CALLS.values()), *(look[-1] for look in LOOKS.values()), *WHOLE.values()]
    for path, _, name in (each.partition("::") for each in named):
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), name


def words(line: str, folder: Path) -> list[str]:
    """Return the arguments that a shell gives to `./doit`."""
    (folder / "doit").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (folder / "doit").chmod(0o755)
    done = subprocess.run(
        ["sh", "-eu", "-c", line], cwd=folder, env=SURROUNDINGS, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_what_runs_at_night_runs_then_alone() -> None:
    """Collected alone: firmware tries it for minutes."""
    _, *arguments = NIGHTLY.split()
    at_night = collected(*arguments)
    assert {name.partition("::")[0].rpartition("/")[2] for name in at_night} == {
        "test_flips.py",
        "test_jury.py",
    }
    (_, *by_day) = run_tests.python_commands(fast=False)[-1]
    assert not at_night & collected(*by_day, arguments[-1])


def collected(*arguments: str) -> set[str]:
    """Return the tests that pytest takes up with these arguments."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return {line for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.parametrize("line", CALLS)
def test_a_line_calls_what_is_tried(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = checkout.write(tmp_path / "checkout")
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(root))
    monkeypatch.chdir(root)
    named, called = tasks.named, list[tuple[str, dict[str, Any]]]()

    def noting(where: str) -> Any:
        if ":judge" in where:
            return named(where)

        def note(_session: Session, **options: Any) -> bool:
            called.append((where, options))
            return True

        return note

    monkeypatch.setattr(tasks, "named", noting)
    assert program.run(root, words(line, tmp_path)) == 0
    assert called[-1] == CALLS[line][:2]


@pytest.mark.parametrize("line", LOOKS)
def test_a_line_looks_at_a_release(line: str, tmp_path: Path) -> None:
    command, *arguments = words(line, tmp_path)
    assert command == "verify"
    asked = vars(verify._parser().parse_args(arguments))
    assert asked == {"folder": "artifacts/release/1.2", "key": None, **LOOKS[line][0]}
