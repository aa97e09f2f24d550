"""`measured.json`: of which files of a release it tells, and of whose keys."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pipeline.project.trust import Trust
from pipeline.release.documents import Draft, measured_text
from tests.fixtures.firmware import SHA256, entries
from tests.fixtures.iso import iso
from tests.fixtures.uki import uki
from tests.measure.test_chain import digest_of


def _artifact(step: str) -> Any:
    return SimpleNamespace(step=SimpleNamespace(name=step), blob=SimpleNamespace(sha256="ab" * 32))


def test_isos_and_ukis_are_told_of(tmp_path: Path) -> None:
    files = {"a-1.iso": iso(), "A.efi": uki(), "vmlinuz-a": b"MZ", "B.efi": b"GIF"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    for name in ("PK", "KEK", "db"):
        (tmp_path / f"{name}.esl").write_bytes(entries((SHA256, digest_of(uki()))))
    recipes = {"a": SimpleNamespace(trust=None), "b": SimpleNamespace(trust=Trust("keys"))}
    project = SimpleNamespace(recipes=recipes, place=lambda *_: tmp_path)
    made = {
        "a-1.iso": _artifact("iso:a"),
        "A.efi": _artifact("uki:b"),
        "B.efi": _artifact("uki:b"),
        "vmlinuz-a": _artifact("kernel:a"),
    }
    session = SimpleNamespace(project=project)
    draft = cast(Draft, SimpleNamespace(session=session, folder=tmp_path, artifacts=made))
    said = json.loads(measured_text(draft))
    found = {one["image"]: sorted({each["trust"] for each in one["predictions"]}) for one in said["images"]}
    assert found == {
        "a-1.iso": ["off", "setup"],
        "A.efi": ["off", "own", "setup"],
        "B.efi": [],
    }
    assert {one["sha256"] for one in said["images"]} == {"ab" * 32}
