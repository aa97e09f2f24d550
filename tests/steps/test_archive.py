import hashlib
import os
import tarfile
from pathlib import Path

from pipeline.steps import archive

EPOCH = 1795219200


def make(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
        os.utime(folder / name, (1, 1))
    (folder / "b/run").chmod(0o700)
    (folder / "link").symlink_to("a")
    (folder / "empty").mkdir(0o700)
    return folder


def test_the_tar_is_the_same_whatever_the_order_dates_and_rights(tmp_path: Path) -> None:
    first = make(tmp_path / "first", ["a", "b/run"])
    second = make(tmp_path / "second", ["b/run", "a"])
    (second / "a").chmod(0o600)
    os.utime(second / "a", (2, 2))
    archive.pack(first, tmp_path / "1.tar", EPOCH)
    archive.pack(second, tmp_path / "2.tar", EPOCH)
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert hashlib.sha256((tmp_path / "1.tar").read_bytes()).hexdigest() == (
        "d3410b4396589cddeb410d37c2fb9fa79bdd1113cc7de0e0b6081e75c9682bef"
    )
    with tarfile.open(tmp_path / "1.tar") as tar:
        found = [(m.name, m.mode, m.mtime, m.uid, m.gid, m.uname) for m in tar]
    assert found == [
        ("a", 0o644, EPOCH, 0, 0, ""),
        ("b", 0o755, EPOCH, 0, 0, ""),
        ("b/run", 0o755, EPOCH, 0, 0, ""),
        ("empty", 0o755, EPOCH, 0, 0, ""),
        ("link", 0o755, EPOCH, 0, 0, ""),
    ]


def test_what_is_packed_comes_out_again_with_its_date(tmp_path: Path) -> None:
    archive.pack(make(tmp_path / "in", ["a", "b/run"]), tmp_path / "x.tar", EPOCH)
    out = tmp_path / "out"
    archive.unpack(tmp_path / "x.tar", out)
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*")) == [
        "a",
        "b",
        "b/run",
        "empty",
        "link",
    ]
    assert ((out / "b/run").read_text(), (out / "b/run").stat().st_mode & 0o777) == ("b/run", 0o755)
    assert (out / "a").stat().st_mtime == EPOCH
    assert (out / "link").readlink() == Path("a")
