import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.steps import kernel
from pipeline.steps.runner import Context

EPOCH = 1763683200
MAKE = ["make", "--no-print-directory", "ARCH=x86_64"]
JOBS = f"--jobs={len(os.sched_getaffinity(0))}"
PARAMS = {"source": "linux-source-6.12", "epoch": EPOCH}
CONFIG = "#\n# Linux\n#\nCONFIG_PCI=y\n# CONFIG_MODULES is not set\n"
BUILD_ENV = {
    "KBUILD_BUILD_TIMESTAMP": "Fri Nov 21 00:00:00 UTC 2025",
    "KBUILD_BUILD_USER": "builder",
    "KBUILD_BUILD_HOST": "installer-iso",
    "KBUILD_BUILD_VERSION": "1",
}

Tool = Callable[[Sequence[str], Mapping[str, str], Path], str]


class Recorder(Context):
    """A context whose commands are played by `tool`, and recorded as (argv, env, cwd)."""

    def __init__(self, *given: Any, tool: Tool) -> None:
        super().__init__(*given)
        self.tool = tool
        self.calls: list[tuple[list[str], dict[str, str], Path]] = []
        self.shown: list[tuple[int, int, str]] = []

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes | None = None,
        on_line: Callable[[str], None] = lambda _: None,
    ) -> str:
        assert stdin is None
        where = cwd or self.work
        self.calls.append((list(argv), dict(env or {}), where))
        output = self.tool(argv, env or {}, where)
        for line in output.splitlines():
            on_line(line)
        return output

    def progress(self, done: int, total: int, unit: str) -> None:
        self.shown.append((done, total, unit))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("in", "out", "work", "usr-src"):
        (tmp_path / name).mkdir()
    (tmp_path / "in/kernel.config").write_text(CONFIG)
    return tmp_path


def recorder(folders: Path, tool: Tool, **params: object) -> Recorder:
    inputs = {path.name: path for path in (folders / "in").iterdir()}
    return Recorder(inputs, PARAMS | params, folders / "out", folders / "work", tool=tool)


def tree(folders: Path) -> Path:
    """Make what a builder container and an unpacked source have, as far as the step looks at it."""
    (folders / "usr-src/linux-source-6.12.tar.xz").touch()
    source = folders / "work/linux-source-6.12"
    (source / "arch/x86/boot").mkdir(parents=True)
    (source / "include/config").mkdir(parents=True)
    return source


def healthy(argv: Sequence[str], _env: Mapping[str, str], cwd: Path) -> str:
    """Play tools for a kernel of three objects."""
    match argv[-1]:
        case "bzImage":
            (cwd / "arch/x86/boot/bzImage").write_text("kernel")
            (cwd / "include/config/kernel.release").write_text("6.12.1-acme\n")
            return (
                "  HOSTCC  scripts/kallsyms\n  CC      init/main.o\n  AS      entry.o\n"
                "  LD      x.o\n  CC      y.o\n  AR      vmlinux.a\n  CC      init/version-timestamp.o\n"
            )
    return "3\n" if argv[0] == "sh" else ""


def test_build(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "SOURCES", folders / "usr-src")
    source, work = tree(folders), folders / "work"
    ctx = recorder(folders, healthy)
    kernel.build(ctx)
    archive = folders / "usr-src/linux-source-6.12.tar.xz"
    dry_run = "make --no-print-directory ARCH=x86_64 --dry-run bzImage 2>&1"
    assert ctx.calls == [
        (["tar", "--extract", "--xz", f"--file={archive}", f"--directory={work}"], {}, work),
        ([*MAKE, JOBS, "prepare"], BUILD_ENV, source),
        (["sh", "-c", f'{dry_run} | grep -cE "echo \'  (CC|AS)  "'], BUILD_ENV, source),
        ([*MAKE, JOBS, "bzImage"], BUILD_ENV, source),
    ]
    assert ctx.shown == [(1, 3, "objects"), (2, 3, "objects"), (3, 3, "objects")]
    assert {path.name: path.read_text() for path in ctx.out.iterdir()} == {
        "vmlinuz": "kernel",
        "kernel.release": "6.12.1-acme\n",
    }
    assert not source.exists()


def test_build_refuses_a_configuration_that_it_would_change(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def adds(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> str:
        if argv[-1] == "prepare":
            (cwd / ".config").write_text(f"{CONFIG}CONFIG_NEW=y\n")
        return healthy(argv, env, cwd)

    monkeypatch.setattr(kernel, "SOURCES", folders / "usr-src")
    tree(folders)
    ctx = recorder(folders, adds)
    with pytest.raises(PipelineError, match=r"changed kernel\.config: it was made for another source"):
        kernel.build(ctx)
    assert not list(ctx.out.iterdir())


def test_build_refuses_a_container_without_the_source(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "SOURCES", folders / "usr-src")
    with pytest.raises(PipelineError) as caught:
        kernel.build(recorder(folders, healthy))
    archive = folders / "usr-src/linux-source-6.12.tar.xz"
    assert caught.value.message == f"{archive}: not found in the builder container"
    assert (
        caught.value.hint
        == "name its Debian package in containers/kernel.toml, then run `./doit lock kernel`"
    )


def test_environment_is_a_function_of_the_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert kernel.environment(EPOCH) == BUILD_ENV
        assert kernel.environment(0)["KBUILD_BUILD_TIMESTAMP"] == "Thu Jan  1 00:00:00 UTC 1970"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_progress_counts_objects_up_to_the_total(folders: Path) -> None:
    ctx = recorder(folders, healthy)
    count = kernel.progress_counter(ctx, 2)
    seen = []
    for line in ("  CC      a.o", "  HOSTCC  b", "  CC [M]  b.ko", "  AS      c.o", "  CC      d.o"):
        count(line)
        seen.append(ctx.shown[-1])
    first, second = (1, 2, "objects"), (2, 2, "objects")
    assert seen == [first, first, first, second, second]
