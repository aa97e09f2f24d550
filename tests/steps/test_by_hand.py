import io
from pathlib import Path

from pipeline.formats import cpio
from pipeline.steps import by_hand


def test_the_tree_of_an_archive(tmp_path: Path) -> None:
    archive = io.BytesIO()
    members = (
        cpio.Directory("bin"),
        cpio.File("bin/tool", b"elf", 0o755),
        cpio.Symlink("bin/sh", "tool"),
        cpio.CharDevice("null", 1, 3),
    )
    cpio.write(members, archive, 0)
    by_hand.write_tree(archive.getvalue(), tmp_path / "root")
    assert sorted(path.name for path in (tmp_path / "root").rglob("*")) == ["bin", "sh", "tool"]
    assert (tmp_path / "root/bin/sh").read_bytes() == b"elf"
    assert (tmp_path / "root/bin/tool").stat().st_mode & 0o777 == 0o755
