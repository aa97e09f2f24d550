"""File systems without a tree of their own: what the step `filesystem` is given instead of one."""

import tarfile
from pathlib import Path

import pytest

from pipeline.steps import filesystem, filesystem_of_files
from pipeline.steps.runner import Context
from tests.fixtures.context import played
from tests.fixtures.workshop import EPOCH


@pytest.mark.parametrize(
    ("files", "members"),
    [
        ({}, []),
        (
            {"b": b"b", "EFI/BOOT/BOOTX64.EFI": b"MZ"},
            [("EFI/BOOT/BOOTX64.EFI", b"MZ"), ("b", b"b")],
        ),
    ],
)
def test_the_tree_has_these_files_and_nothing_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], members: list[tuple[str, bytes]]
) -> None:
    for name, data in files.items():
        path = tmp_path / "in/files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o400)
    made: list[bytes] = []

    def make(ctx: Context) -> None:
        assert list(ctx.inputs) == [filesystem.TREE]
        made.append(ctx.inputs[filesystem.TREE].read_bytes())

    monkeypatch.setattr(filesystem, "build", make)
    ctx = played(tmp_path, epoch=EPOCH)
    filesystem_of_files.build(ctx)
    assert list(ctx.work.iterdir()) == []
    (tmp_path / "x.tar").write_bytes(made[0])
    with tarfile.open(tmp_path / "x.tar") as tar:
        found = tar.getmembers()
        contents = [(each.name, file.read()) for each in found if (file := tar.extractfile(each))]
    assert contents == members
    assert {(each.mode, each.mtime, each.uid, each.gid, each.uname) for each in found} <= {
        (0o644, EPOCH, 0, 0, "")
    }
