import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.release import stranger
from tests.fixtures.release_folder import sha256


def test_files_are_digested_and_documents_kept(tmp_path: Path) -> None:
    (tmp_path / "x.iso").write_bytes(b"iso" * 1_000_000)
    (tmp_path / "SHA256SUMS").write_bytes(b"list")
    (tmp_path / "empty").touch()
    found = stranger.look(tmp_path)
    assert found.digests == {
        "SHA256SUMS": sha256(b"list"),
        "empty": sha256(b""),
        "x.iso": sha256(b"iso" * 1_000_000),
    }
    assert found.texts == {"SHA256SUMS": b"list"}
    assert found.wrong == []


def test_nothing_but_files_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "secret"
    outside.write_text("not to be read")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "build.json").symlink_to("/dev/zero")
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        opened: list[object] = []
        real = os.open

        def open_told(path: Any, *more: Any, **named: Any) -> int:
            opened.append(path)
            return real(path, *more, **named)

        monkeypatch.setattr(os, "open", open_told)
        found = stranger.look(folder)
    assert opened == [folder]
    assert found.digests == {}
    assert found.wrong == [
        ("build.json", "is a link"),
        ("link", "is a link"),
        ("pipe", "is a pipe"),
        ("socket", "is a socket"),
        ("sub", "is a folder"),
    ]


def test_what_turns_into_a_link_or_a_pipe_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    file = tmp_path / "zz"
    file.touch()
    was = file.stat()
    monkeypatch.setattr(os, "stat", lambda *_, **__: was)
    assert stranger.look(tmp_path).wrong == [
        ("link", "cannot be read: Too many levels of symbolic links"),
        ("pipe", "is another thing each time it is looked at"),
    ]


def test_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").touch()
    device = os.stat_result([stat.S_IFBLK | 0o644, *[0] * 9])
    monkeypatch.setattr(os, "stat", lambda *_, **__: device)
    assert stranger.look(tmp_path).wrong == [("disk", "is a device")]


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    for name, size in (("a.iso", stranger.MOST_BYTES + 1), ("build.json", stranger.MOST_TEXT + 1)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    found = stranger.look(tmp_path)
    assert found.digests == {}
    assert found.wrong == [
        ("a.iso", "is too large to be read: 17.2 GB"),
        ("build.json", "is too large to be read: 33.6 MB"),
    ]


def test_all_together_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stranger, "MOST_BYTES", 5)
    for name in "abc":
        (tmp_path / name).write_text("123")
    found = stranger.look(tmp_path)
    assert sorted(found.digests) == ["a"]
    assert found.wrong == [(name, "is too large to be read: 3 B") for name in "bc"]


def test_more_files_than_a_release_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stranger, "MOST_FILES", 3)
    for name in "abcde":
        (tmp_path / name).touch()
    found = stranger.look(tmp_path)
    assert len(found.digests) == 3
    assert found.wrong == [("", "has more than 3 files: the others were not looked at")]


def test_a_file_that_grows_is_read_as_far_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("123")
    real = os.fstat

    class Short:
        def __init__(self, about: os.stat_result) -> None:
            self.st_mode, self.st_size = about.st_mode, 2

    monkeypatch.setattr(os, "fstat", lambda number: Short(real(number)))
    assert stranger.look(tmp_path).digests == {"a": sha256(b"12")}


@pytest.mark.parametrize(
    ("name", "why"), [("none", "No such file or directory"), ("file", "Not a directory")]
)
def test_what_is_no_folder(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError) as caught:
        stranger.look(tmp_path / name)
    assert str(caught.value) == (
        f"{tmp_path / name}: cannot be read as a folder: {why}\n  hint: name the folder of a release"
    )


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "fdopen", refuse)
    assert stranger.look(tmp_path).wrong == [("a", "cannot be read: Permission denied")]
