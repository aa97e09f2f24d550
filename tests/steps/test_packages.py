import tarfile
from pathlib import Path

from pipeline.steps import packages
from tests.fixtures.context import played
from tests.fixtures.deb import deb

EPOCH = 1795219200


def test_packages_are_unpacked_into_one_tar_and_no_script_of_theirs_runs(tmp_path: Path) -> None:
    (tmp_path / "in/packages").mkdir(parents=True)
    (tmp_path / "in/packages/b.deb").write_bytes(deb([("./bin/b", b"b", 0o755)]))
    (tmp_path / "in/packages/a.deb").write_bytes(deb([("./usr/share/a/x", b"a", 0o644)]))
    ctx = played(tmp_path, epoch=EPOCH)
    packages.build(ctx)
    assert ctx.calls == []
    with tarfile.open(ctx.out / packages.TAR) as tar:
        members = tar.getmembers()
    assert [(each.name, each.mode) for each in members if each.isreg()] == [
        ("usr/share/a/x", 0o644),
        ("usr/bin/b", 0o755),
    ]
    assert {each.mtime for each in members} == {EPOCH}
