"""What a sandbox starts with, as far as it can be tried without one: how files go in, and what comes out."""

import importlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from pipeline.sandbox import inside
from pipeline.sandbox.environment import Conditions
from pipeline.sandbox.transfer import add_bytes
from tests.fixtures.inside_tree import write_tree

STEP = b"""
import os, subprocess, sys
from pipeline.errors import PipelineError

def good(ctx):
    print("printed")
    subprocess.run(["sh", "-c", "echo by a program; cat; ls -l /proc/self/fd >/dev/null"])
    ctx.note(os.environ.get("KEPT", "") + os.environ.get("HOSTILE", ""))
    (ctx.out / "made").write_text("x")

def bad(ctx):
    (ctx.out / "reason").write_text("why")
    raise PipelineError("it is wrong")

def broken(ctx):
    (ctx.out / "reason").write_text("why")
    ctx.none
"""


def tree(function: str) -> io.BytesIO:
    stream = io.BytesIO()
    write_tree(stream, STEP, function)
    stream.seek(0)
    return stream


def given(build: Path, **changes: Any) -> str:
    """Return what a sandbox is given that has been entered."""
    plain = Conditions().given(["KEPT"])
    environment = {"PATH": os.environ["PATH"], "TZ": "UTC"}
    place = {"build": str(build), "bytecode": str(build / "bytecode"), "environment": environment}
    return json.dumps({**plain, **place, "user": None, **changes})


def start(text: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Start it as a container does."""
    program = Conditions().argv([])[1:-1]
    return subprocess.run(
        [sys.executable, *program, text],
        env=os.environ | env, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip


def made(output: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(output)) as tar:
        files = [member for member in tar if member.isreg()]
        return {member.name: tar.extractfile(member).read() for member in files}  # type: ignore[union-attr]


def test_what_is_said_and_what_is_made_leave_by_two_ways(tmp_path: Path) -> None:
    inside.take(tmp_path, tree("good"))
    done = start(given(tmp_path), KEPT="kept", HOSTILE="hostile")
    assert (done.returncode, made(done.stdout)) == (0, {"out/made": b"x"})
    assert done.stderr.split(b"\n") == [
        b"printed", b"by a program", b'\x1e{"event": "note", "text": "kept"}', b"",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "status", "said"),
    [("bad", 3, b'"message": "it is wrong"'), ("broken", 1, b"AttributeError")],
)
def test_what_a_step_made_that_failed_comes_too(
    tmp_path: Path, function: str, status: int, said: bytes
) -> None:
    inside.take(tmp_path, tree(function))
    done = start(given(tmp_path))
    assert (done.returncode, made(done.stdout)) == (status, {"out/reason": b"why"})
    assert said in done.stderr


def test_what_runs_instead_finds_what_was_given(tmp_path: Path) -> None:
    done = start(given(tmp_path, instead='print(given["kept"], step.__name__)'))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"['KEPT'] step\n", b"")


def test_links_and_modes_go_in_as_they_are(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        link = tarfile.TarInfo("in/root/mounts")
        link.type, link.linkname = tarfile.SYMTYPE, "/proc/mounts"
        tar.addfile(link)
        add_bytes(tar, "in/root/file", b"x")
    stream.seek(0)
    inside.take(tmp_path, stream)
    assert (tmp_path / "in/root/mounts").readlink() == Path("/proc/mounts")
    assert (tmp_path / "in/root/file").stat().st_mode & 0o777 == 0o444


def test_what_is_needed_is_loaded_until_there_is_something_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(os, "umask", Mock())
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin, os.fdopen(theirs, "wb") as sender:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(importlib, "import_module", loaded.append)
        inside.load(["one", "two"])
        sender.write(b"x")
        sender.flush()
        inside.load(["three"])
    assert loaded == ["one", "two"]


def test_what_no_container_has_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", Mock())
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin, os.fdopen(theirs, "wb"):
        monkeypatch.setattr(sys, "stdin", stdin)
        inside.load(["no_such_module"])
    assert "no_such_module" not in sys.modules


def test_it_becomes_the_step_s_user_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    for name in ("chown", "setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda *of, name=name: asked.append((name, *of)))
    monkeypatch.setattr(os, "getgroups", lambda: [0, 108])
    inside.become(1000, tmp_path)
    assert asked == [
        ("chown", tmp_path / "out", 1000, 1000),
        ("chown", tmp_path / "work", 1000, 1000),
        ("setgroups", [108]),
        ("setgid", 1000),
        ("setuid", 1000),
    ]
