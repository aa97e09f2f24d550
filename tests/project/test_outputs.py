import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipeline.build.build import build_step
from pipeline.build.record import made
from pipeline.build.session import Session
from pipeline.cli import commands
from pipeline.errors import ConfigError
from pipeline.plan.step import distinct
from pipeline.project.outputs import PATH, Artifact, StaleError, by_key, differences, read, unproved, write
from pipeline.report import Line
from pipeline.store.cache import Blob

ISO = Artifact("iso:image", "1" * 64, "image.iso", 100, "a" * 64)
KERNEL = Artifact("kernel:installer", "2" * 64, "vmlinuz", 50, "b" * 64)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    return tmp_path


def test_what_is_written_is_read_again_one_artifact_a_line(root: Path) -> None:
    write(root, "TruthDB 1", [KERNEL, ISO])
    found = read(root)
    assert (found.version, found.product, found.artifacts) == (3, "TruthDB 1", (KERNEL, ISO))
    lines = (root / PATH).read_text().splitlines()
    assert [json.loads(line.rstrip(",")) for line in lines if "sha256" in line] == [
        asdict(KERNEL),
        asdict(ISO),
    ]
    assert sorted(path.name for path in (root / "manifests").iterdir()) == ["outputs.lock.json"]


HINT = "\n  hint: `./doit lock outputs` writes it anew, of what was built last"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", f"{PATH}: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", f"{PATH}: holds list, want a table"),
        ("{}", f"{PATH}: version: this key is missing"),
        ('{"version": 4, "product": "x", "artifacts": []}', f"{PATH}: version: 4 is not 3"),
        ('{"version": 3, "product": "x"}', f"{PATH}: artifacts: this key is missing"),
    ],
)
def test_a_lock_that_is_damaged_is_told(root: Path, text: str, said: str) -> None:
    (root / PATH).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(root)
    assert str(caught.value) == said + HINT


def test_a_merge_conflict_is_not_solved_by_what_was_built_here(root: Path) -> None:
    (root / PATH).write_text('{\n<<<<<<< HEAD\n  "version": 3\n=======\n>>>>>>> other\n}\n')
    with pytest.raises(ConfigError) as caught:
        read(root)
    assert caught.value.mistakes == [f"{PATH}: line 2 has a mark of a merge conflict"]
    assert (
        caught.value.hint
        == "take one side of the file whole: `git checkout --ours` or `--theirs`, and its name"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", f"{PATH}: no such file"),
        (
            '{"version": 2, "product": "x", "artifacts": [{"step": "y"}]}',
            f"{PATH}: version 2 does not say from which inputs artifacts were made",
        ),
    ],
)
def test_a_lock_that_proves_nothing_is_in_nobody_s_way(root: Path, text: str, said: str) -> None:
    if text:
        (root / PATH).write_text(text)
    with pytest.raises(StaleError) as caught:
        read(root)
    assert str(caught.value) == said + HINT
    assert by_key(root) == {}


def test_what_is_locked_by_key(root: Path) -> None:
    config = replace(KERNEL, name="kernel.config", size=7)
    write(root, "TruthDB 1", [KERNEL, config, ISO])
    assert by_key(root) == {
        KERNEL.key: {"vmlinuz": Blob(KERNEL.sha256, 50), "kernel.config": Blob(KERNEL.sha256, 7)},
        ISO.key: {"image.iso": Blob(ISO.sha256, 100)},
    }
    again = replace(KERNEL, key="3" * 64)
    assert differences(read(root), "TruthDB 1", [again, config, ISO]) == []
    assert unproved(read(root), [again, config, ISO]) == ["kernel:installer"]


def test_differences_are_sentences(root: Path) -> None:
    write(root, "TruthDB 1", [KERNEL, ISO])
    locked = read(root)
    assert differences(locked, "TruthDB 1", [KERNEL, ISO]) == []
    other = replace(ISO, sha256="c" * 64)
    new = replace(ISO, name="new.img")
    assert differences(locked, "TruthDB 2", [other, new]) == [
        f"{PATH} is of TruthDB 1, this is TruthDB 2",
        f"image.iso of step iso:image has 100 bytes and the SHA-256 {other.sha256}, "
        f"{PATH} says 100 and {ISO.sha256}",
        f"new.img of step iso:image is not in {PATH}",
        f"vmlinuz of step kernel:installer is in {PATH}, but was not built",
    ]


@pytest.mark.container
def test_what_this_checkout_builds_is_what_everybody_gets(session: Session) -> None:
    """Whoever changes what is built on purpose runs `./doit lock outputs`."""
    for image, steps in session.images.items():
        for step in steps:
            build_step(step, session.builder, session.folder(image), Line.silent())
    found = made(session.images, session.builder)
    assert differences(read(session.root), commands.product(session), found) == []


def test_the_committed_lock_has_every_output_of_every_step_with_its_key(session: Session) -> None:
    locked = read(session.root)
    steps = distinct(step for steps in session.images.values() for step in steps)
    assert {(each.step, each.name) for each in locked.artifacts} == {
        (step.name, name) for step in steps for name in step.outputs
    }
    assert len(by_key(session.root)) == len(steps)
