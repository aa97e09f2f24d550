"""The container that steps run in, as a step finds it: what it may do, and what it may not."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

import pytest

from pipeline.sandbox.discovery import candidates
from pipeline.sandbox.docker import LABEL, Engine, EngineError, Job
from pipeline.sandbox.environment import Conditions
from pipeline.steps.runner import ENVIRONMENT
from tests.fixtures.inside_tree import write_tree

pytestmark = pytest.mark.container


STATUS = "while read key value; do [ $key != {}: ] || echo $value; done < /proc/self/status"


STEP = b"""
import subprocess, sys

def run(ctx):
    script = ctx.inputs["script"].read_text()
    sys.exit(subprocess.run(["/usr/bin/sh", "-c", script], cwd=ctx.work).returncode)
"""


def job(image: str) -> Job:
    return Job(image=image, argv=Conditions().argv([]), env=tuple(ENVIRONMENT.items()))


def tree(script: str, files: Mapping[str, bytes]) -> Callable[[IO[bytes]], None]:
    found = {"in/script": script.encode(), **files}
    return lambda stream: write_tree(stream, STEP, "run", files=found)


def run(
    engine: Engine, image: str, script: str, out: Path, files: Mapping[str, bytes] = MappingProxyType({})
) -> tuple[int, list[str]]:
    lines: list[str] = []
    return engine.run(job(image), tree(script, files), out, lines.append), lines


def test_files_cross_both_ways_and_output_comes_line_by_line(
    engine: Engine, imager: str, tmp_path: Path
) -> None:
    script = "cat /build/in/x; echo; mkdir /build/out/sub; printf made > /build/out/sub/y; echo last"
    status, lines = run(engine, imager, script, tmp_path, {"in/x": b"given"})
    assert (status, lines) == (0, ["given", "last"])
    assert (tmp_path / "sub/y").read_bytes() == b"made"


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("id -u; id -g", ["1000", "1000"]),
        ("uname -m", ["x86_64"]),
        ("date +%Z; locale charmap 2>/dev/null || echo $LC_ALL", ["UTC", "C.UTF-8"]),
        ("touch /usr/x 2>&1", ["touch: cannot touch '/usr/x': Read-only file system"]),
        ("touch /build/in/x 2>&1", ["touch: cannot touch '/build/in/x': Permission denied"]),
        ("id -G", ["1000"]),
        (STATUS.format("CapPrm"), ["0000000000000000"]),
        (STATUS.format("CapEff"), ["0000000000000000"]),
        ("cat", []),
        (STATUS.format("NoNewPrivs"), ["1"]),
        ("ls /sys/class/net", ["lo"]),
        ("touch /tmp/x && echo yes", ["yes"]),
    ],
)
def test_what_a_step_finds(
    engine: Engine, imager: str, tmp_path: Path, script: str, lines: list[str]
) -> None:
    assert run(engine, imager, script, tmp_path)[1] == lines


def test_outputs_of_a_command_that_failed_come_too(engine: Engine, imager: str, tmp_path: Path) -> None:
    status, _ = run(engine, imager, "echo why > /build/out/reason; exit 7", tmp_path)
    assert status == 7
    assert (tmp_path / "reason").read_text() == "why\n"


def test_what_is_said_comes_before_the_outputs_and_none_of_it_is_taken_for_them(
    engine: Engine, imager: str, tmp_path: Path
) -> None:
    script = "head -c 3000000 /dev/urandom > /build/out/large; yes | head -n 50000; echo more >&2"
    status, lines = run(engine, imager, script, tmp_path)
    assert (status, len(lines), lines[-1]) == (0, 50_001, "more")
    assert (tmp_path / "large").stat().st_size == 3_000_000


def test_a_link_among_the_outputs_points_nowhere(engine: Engine, imager: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    run(engine, imager, "ln -s ../../etc /build/out/l; echo x > /build/out/x", out)
    assert [path.name for path in out.rglob("*")] == ["x"]


def containers_of(engine: Engine) -> dict[str, str]:
    """Return the containers that processes of this program left: ids to what they belong to."""
    found = engine.client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
    return {str(container.id): str(container.labels[LABEL]) for container in found}


def test_nothing_is_left_when_it_is_interrupted(engine: Engine, imager: str, tmp_path: Path) -> None:
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    containers, volumes = containers_of(engine), len(engine.client.volumes.list())
    with pytest.raises(KeyboardInterrupt):
        engine.run(job(imager), tree("echo started; sleep 60", {}), tmp_path, interrupt)
    engine.await_removals()
    assert containers_of(engine).items() <= containers.items()
    assert len(engine.client.volumes.list()) <= volumes


def test_an_expected_container_serves_one_job_and_no_other(
    engine: Engine, imager: str, tmp_path: Path
) -> None:
    script = "ls /build/work; touch /build/work/here; hostname 2>/dev/null || cat /etc/hostname"
    what = job(imager)
    before = containers_of(engine)
    engine.expect(what)
    engine.expect(what)
    engine.expected[what].result()
    [started] = containers_of(engine).keys() - before.keys()
    _, first = run(engine, imager, script, tmp_path)
    _, second = run(engine, imager, script, tmp_path)
    assert first == [started[:12]]
    assert len(second) == 1
    assert second != first


def test_an_expected_container_that_nobody_used_goes(engine: Engine, imager: str) -> None:
    before = containers_of(engine)
    engine.expect(job(imager))
    engine.forget()
    assert containers_of(engine).keys() <= before.keys()


def test_what_a_killed_process_left_behind_goes_first(engine: Engine, imager: str, tmp_path: Path) -> None:
    name = "from pipeline.sandbox.processes import this_process; print(this_process())"
    dead = subprocess.run([sys.executable, "-c", name], capture_output=True, text=True, check=True)
    labels = {LABEL: dead.stdout.strip()}
    left = engine.client.containers.create(imager, ["/usr/bin/true"], labels=labels)
    others = engine.client.containers.create(imager, ["/usr/bin/true"], labels={LABEL: "another-machine/1"})
    try:
        Engine(engine.client, engine.address).run(job(imager), tree("true", {}), tmp_path, print)
        assert left.id not in containers_of(engine)
        assert others.id in containers_of(engine)
    finally:
        others.remove()


def test_an_image_that_is_not_there_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"No such image: installer-iso/none"):
        run(engine, "installer-iso/none:0", "true", tmp_path)


def test_an_image_is_known_by_its_layer(engine: Engine, imager: str) -> None:
    assert not engine.image_id(imager, "0" * 64)
    assert not engine.image_id("installer-iso/none:0", "0" * 64)


def test_the_named_engine_is_the_only_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert candidates() == ["tcp://127.0.0.1:1"]
