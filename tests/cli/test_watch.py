"""./doit watch: what a file's change makes, on images without code, and how it ends."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_program import there
from tests.conftest import ROOT
from tests.fixtures import checkout

PATCHED = f"""\
import sys
from pathlib import Path
sys.path.append({str(ROOT)!r})
from pipeline.build.session import Session
from pipeline.cli import commands, program, watch
from tests.cli.test_program import images
Session.plans = property(lambda self: images(self.root))
commands.summarise = lambda _session: None
"""
WATCH = f"""{PATCHED}
watch.START = {PATCHED!r} + watch.START
sys.exit(program.run(Path.cwd(), ["watch", *sys.argv[1:]]))
"""
LONG = 60  # seconds, on a busy machine


class Watching:
    """A running ./doit watch, and the lines that it says."""

    def __init__(self, root: Path, *names: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-u", "-c", WATCH, *names],
            cwd=root,
            env=os.environ | {"INSTALLER_ISO_CACHE": str(root.parent / "cache")},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines = queue.Queue[str]()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.put(line.rstrip())

    def until_idle(self) -> list[str]:
        """Return what it says until it waits for a change: names of steps that it made or found."""
        said = []
        while (line := self.lines.get(timeout=LONG)) != "watching; Ctrl-C ends it":
            said += line.split()[1:2] if line.startswith("✓") and not line.endswith("unchanged") else []
        return said


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    root = checkout.write(tmp_path / "checkout")
    (root / "artifacts").mkdir()
    (root / "text").write_text("linux")
    made = Watching(root, "uki:two")
    yield made
    made.process.kill()
    made.process.wait()


def test_a_change_makes_what_depends_on_it(watching: Watching, tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    assert watching.until_idle() == ["kernel:base", "uki:two"]
    (root / "text").write_text("LINUX")
    assert watching.until_idle() == ["kernel:base", "uki:two"]
    assert (root / "artifacts/two/two.efi").read_text() == "LINUX"
    assert there(root) == ["one/vmlinuz", "two/two.efi", "two/vmlinuz"]
    (root / "text").unlink()
    assert watching.until_idle() == []  # it says what is missing, and goes on
    (root / "text").write_text("linux")
    assert watching.until_idle() == ["kernel:base", "uki:two"]


def test_a_key_ends_it_at_once(watching: Watching) -> None:
    watching.until_idle()
    started = time.monotonic()
    os.killpg(watching.process.pid, signal.SIGINT)
    assert watching.process.wait(LONG) == 130
    watching.reader.join(LONG)
    assert list(watching.lines.queue)[-1:] == ["stopped; what was finished is kept"]
    assert time.monotonic() - started < 5  # 20 is how long it waits for steps
