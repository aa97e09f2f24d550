"""Strangers' files: what may be opened, and what comes of a reader's surprise."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import FormatError, PipelineError
from pipeline.inspection.open import guarded, located, open_file


def make_folder(path: Path) -> None:
    path.mkdir()


def make_link_to_nothing(path: Path) -> None:
    path.symlink_to("gone")


def make_circle(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_folder, "is a directory"),
        (make_link_to_nothing, "cannot be read: No such file or directory"),
        (make_circle, "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "odd")
    with pytest.raises(PipelineError) as caught:
        open_file(str(tmp_path / "odd"))
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/dev/zero", "is a character device, which has no end"),
        ("a\0b", "cannot be read: embedded null byte"),
        ("x" * 5000, "cannot be read: File name too long"),
        ("", "is a directory"),
    ],
)
def test_names_that_mean_no_file(name: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        open_file(name)
    assert caught.value.message == message


def test_of_a_pipe_all_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    contents = bytes(range(256)) * 1000
    with ThreadPoolExecutor() as writer:
        written = writer.submit((tmp_path / "pipe").write_bytes, contents)
        assert bytes(open_file(str(tmp_path / "pipe"))) == contents
    assert written.result() == len(contents)


def test_names_are_relative_to_where_it_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"here")
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    assert bytes(open_file("x")) == b"here"
    assert located("/x") == Path("/x")


def fail(error: Exception) -> Callable[[], None]:
    def read() -> None:
        raise error

    return read


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FormatError("PE: damaged at offset 0x40", "make it again"), "PE: damaged at offset 0x40"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
        (
            RecursionError(),
            "reading it failed in a way that nobody thought of: RecursionError at test_open.py:",
        ),
        (
            IndexError("x"),
            "reading it failed in a way that nobody thought of: IndexError at test_open.py:",
        ),
    ],
)
def test_a_reader_that_fails_is_a_sentence(error: Exception, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        guarded(fail(error))
    assert caught.value.message.startswith(message)
    assert caught.value.hint
