import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipeline import commands, outputs
from pipeline.errors import ConfigError
from pipeline.outputs import PATH, Artifact, differences, read, write
from pipeline.realise import realise
from pipeline.report import Line
from pipeline.session import Session

ISO = Artifact("iso:image", "image.iso", 100, "a" * 64)
KERNEL = Artifact("kernel:installer", "vmlinuz", 50, "b" * 64)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    return tmp_path


def test_what_is_written_is_read_again_one_artifact_a_line(root: Path) -> None:
    write(root, "TruthDB 1", [KERNEL, ISO])
    found = read(root)
    assert (found.version, found.product, found.artifacts) == (2, "TruthDB 1", (KERNEL, ISO))
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
        ('{"version": 1, "product": "x", "artifacts": []}', f"{PATH}: version: 1 is not 2"),
        ('{"version": 2, "product": "x"}', f"{PATH}: artifacts: this key is missing"),
    ],
)
def test_a_lock_that_is_damaged_is_told(root: Path, text: str, said: str) -> None:
    (root / PATH).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(root)
    assert str(caught.value) == said + HINT


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
            realise(step, session.around, session.folder(image), Line.silent())
    made = outputs.made(session.images, session.around)
    assert differences(read(session.root), commands.product(session), made) == []
