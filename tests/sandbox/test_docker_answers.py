"""What the engine's side does with answers that a real engine gives only at a bad moment."""

import io
import json
import os
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any
from unittest.mock import Mock

import pytest
import requests
from docker.errors import APIError

from pipeline.errors import PipelineError
from pipeline.sandbox import docker, processes, transfer
from pipeline.sandbox.discovery import plain_tcp
from pipeline.sandbox.docker import LABEL, Engine, EngineError, Job, Running
from pipeline.sandbox.image_archive import image_archive, is_bare
from pipeline.sandbox.processes import is_gone, this_process
from pipeline.sandbox.run import StepError, read_event
from pipeline.sandbox.transfer import Streams, extract

JOB = Job("image", ("true",), ())


class Answers:
    """Stands for docker-py's client or container: its attributes are what it is given."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


def waiting(name: str) -> Running:
    container: Any = Answers(id=name, status="running", reload=lambda: None)
    return Running(container, Streams(socket.socketpair()[0]))


def test_containers_that_nobody_takes_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(Answers(), "unix:///x")  # type: ignore[arg-type]
    removed: list[str] = []
    monkeypatch.setattr(docker, "_remove", lambda container: removed.append(container.id))
    monkeypatch.setattr(engine, "_start", lambda _job: waiting("second"))
    unused, dead = waiting("unused"), waiting("dead")
    dead.container.status = "exited"  # type: ignore[misc]
    for running in (dead, unused):
        engine.expected[JOB] = Future()
        engine.expected[JOB].set_result(running)
        if running is dead:
            engine._take(JOB).streams.close()
        engine.forget()
    assert removed == ["dead", "unused"]
    assert [each.streams.channel.fileno() for each in (dead, unused)] == [-1, -1]


def pieces(*sent: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack(">BxxxI", stream, len(data)) + data for stream, data in sent)


def saying(data: bytes) -> socket.socket:
    """Return this process's end of what a container said before it ended."""
    ours, theirs = socket.socketpair()
    theirs.sendall(data)
    theirs.close()
    return ours


def test_two_equal_jobs_at_once_get_two_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(Answers(), "unix:///x")  # type: ignore[arg-type]
    expected: Future[Any] = Future()
    engine.expected[JOB] = expected
    started = threading.Semaphore(0)

    def start(_job: Job) -> Any:
        started.release()
        return waiting("second")

    monkeypatch.setattr(engine, "_start", start)
    with ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(engine._take, JOB) for _ in range(2)]
        alone = started.acquire(timeout=10)
        expected.set_result(waiting("first"))
        names = {str(each.result().container.id) for each in taken}
    assert (alone, names) == (True, {"first", "second"})
    assert engine.expected == {}


def nothing(_stream: IO[bytes]) -> None:
    """Give a container no files."""


def ending(remove: Callable[..., None]) -> Engine:
    """Return an engine whose containers end at once."""
    made = Answers(
        start=lambda: None,
        attach_socket=lambda **_: saying(pieces((2, b"done\n"), (1, bytes(10240)))),
        wait=lambda: {"StatusCode": 0},
        kill=lambda: None,
        remove=remove,
    )
    client = Answers(containers=Answers(create=lambda *_, **__: made))
    engine = Engine(client, "unix:///x")  # type: ignore[arg-type]
    engine.swept = True
    return engine


def test_a_job_is_over_before_its_container_is_removed(tmp_path: Path) -> None:
    removed, patient = list[str](), threading.Event()

    def remove(**_: object) -> None:
        patient.wait(10)
        removed.append("it")

    engine = ending(remove)
    assert engine.run(JOB, nothing, tmp_path, print) == 0
    assert removed == []
    patient.set()
    engine.await_removals()
    assert removed == ["it"]


def test_an_end_that_was_asked_for_does_not_wait_for_containers_to_be_removed(tmp_path: Path) -> None:
    """That of a kernel has its whole source in it, and takes a busy disk minutes."""
    patient = threading.Event()
    engine = ending(lambda **_: [patient.wait(60)].clear())
    engine.run(JOB, nothing, tmp_path, print)
    waiting_for_it = threading.Thread(target=engine.await_removals)
    waiting_for_it.start()
    assert waiting_for_it.is_alive()
    engine.stopped = True
    waiting_for_it.join(30)
    assert (waiting_for_it.is_alive(), engine.removals[0].is_alive()) == (False, True)
    assert engine.removals[0].daemon
    patient.set()


def test_a_job_that_outlasts_its_process_s_threads_removes_its_container_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []
    engine = ending(lambda **_: removed.append("it"))
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
    assert engine.run(JOB, nothing, tmp_path, print) == 0
    assert removed == ["it"]


def test_an_engine_that_is_stopped_keeps_no_container_and_makes_none() -> None:
    removed: list[str] = []
    asked: list[dict[str, str]] = []

    def containers(filters: dict[str, str], **_: object) -> list[Any]:
        asked.append(filters)
        return [Answers(kill=lambda: removed.append("killed"), remove=lambda **_: removed.append("mine"))]

    client = Answers(containers=Answers(list=containers))
    engine = Engine(client, "unix:///x")  # type: ignore[arg-type]
    engine.stop()
    assert (removed, asked) == (["killed", "mine"], [{"label": f"{LABEL}={this_process()}"}])
    with pytest.raises(EngineError, match="stopped"):
        engine._create(JOB)


LAYER = "0123456789abcdef" + "f" * 48
IMAGE = {
    "Os": "linux",
    "Architecture": "amd64",
    "RootFS": {"Layers": [f"sha256:{LAYER}"]},
    "Config": {"Env": None, "Cmd": None, "Entrypoint": None, "User": "", "Tty": False, "Labels": {}},
}


def with_config(**fields: object) -> dict[str, Any]:
    return IMAGE | {"Config": IMAGE["Config"] | fields}  # type: ignore[operator]


@pytest.mark.parametrize(
    ("attributes", "bare"),
    [
        (IMAGE, True),
        (IMAGE | {"Config": None}, True),
        (IMAGE | {"RootFS": {"Layers": [f"sha256:{LAYER}", f"sha256:{'0' * 64}"]}}, False),
        (IMAGE | {"RootFS": {"Layers": [f"sha256:{'0' * 64}"]}}, False),
        (IMAGE | {"Architecture": "arm64"}, False),
        (with_config(Entrypoint=["/bin/evil"]), False),
        (with_config(Env=["LD_PRELOAD=/evil.so"]), False),
        (with_config(User="0"), False),
        (with_config(Healthcheck={"Test": ["CMD", "evil"]}), False),
        (with_config(Volumes={"/usr": {}}), False),
    ],
)
def test_an_image_is_known_by_all_that_it_says(attributes: dict[str, Any], *, bare: bool) -> None:
    images = Answers(get=lambda _tag: Answers(id="sha256:id", attrs=attributes))
    engine = Engine(Answers(images=images), "unix:///x")  # type: ignore[arg-type]
    assert is_bare(attributes, LAYER, "amd64") is bare
    assert engine.image_id("x", LAYER) == ("sha256:id" if bare else "")


@pytest.mark.parametrize("size", [0, 1, tarfile.BLOCKSIZE, 2500])
def test_an_image_is_sent_in_pieces_of_its_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("pipeline.sandbox.image_archive.CHUNK", 1000)
    layer = tmp_path / "layer.tar"
    layer.write_bytes(os.urandom(size))
    pieces = list(image_archive("x:1", LAYER, "arm64", layer))
    assert max(map(len, pieces)) < 3 * tarfile.BLOCKSIZE
    assert sum(map(len, pieces)) % tarfile.BLOCKSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces)), mode="r:") as tar:
        held = {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]
    assert held.pop("layer.tar") == layer.read_bytes()
    assert {name: json.loads(data) for name, data in held.items()} == {
        "manifest.json": [{"Config": "config.json", "RepoTags": ["x:1"], "Layers": ["layer.tar"]}],
        "config.json": {
            "architecture": "arm64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{LAYER}"]},
        },
    }


def test_an_image_is_loaded_for_its_architecture(tmp_path: Path) -> None:
    (tmp_path / "layer.tar").write_bytes(b"layer")
    loaded: list[dict[str, Any]] = []

    def load(pieces: Iterator[bytes]) -> None:
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
            config = json.loads((tar.extractfile("config.json") or io.BytesIO()).read())
        attributes = {"Os": config["os"], "Architecture": config["architecture"], "Config": config["config"]}
        loaded.append(attributes | {"RootFS": {"Layers": config["rootfs"]["diff_ids"]}})

    images = Mock(load=load, get=lambda _tag: Answers(id="sha256:id", attrs=loaded[-1]))
    engine = Engine(Answers(images=images), "unix:///x")  # type: ignore[arg-type]
    assert engine.load_image("x", LAYER, "arm64", tmp_path / "layer.tar") == "sha256:id"
    assert loaded[0]["Architecture"] == "arm64"
    assert (engine.image_id("x", LAYER, "arm64"), engine.image_id("x", LAYER)) == ("sha256:id", "")
    images.load = lambda _file: loaded.append(loaded[0] | {"Architecture": "amd64"})
    with pytest.raises(EngineError, match="does not show it as one bare layer"):
        engine.load_image("x", LAYER, "arm64", tmp_path / "layer.tar")


def test_only_our_images_are_ours_to_remove() -> None:
    ours = [
        "installer-iso/kernel:0123456789abcdef",
        "localhost/installer-iso/boot:0123456789abcdef",
        "docker.io/installer-iso/rust:0123456789abcdef",
    ]
    others = [
        "registry/team-installer-iso/app:0123456789abcdef",
        "registry/installer-iso/app:0123456789abcdef",
        "installer-iso/app:latest",
        "installer-iso/app:fedcba9876543210",
        "installer-iso/a/b:0123456789abcdef",
    ]
    found = [Answers(tags=[tag], attrs=IMAGE) for tag in (*ours, *others)]
    found.append(Answers(tags=["installer-iso/x:0123456789abcdef"], attrs={"RootFS": {}}))
    engine = Engine(Answers(images=Answers(list=lambda: found)), "unix:///x")  # type: ignore[arg-type]
    assert engine.images("installer-iso") == sorted(ours)


def test_an_image_s_own_entrypoint_never_runs() -> None:
    created: list[dict[str, Any]] = []
    containers = Answers(create=lambda *_, **more: created.append(more))
    engine = Engine(Answers(containers=containers), "unix:///x")  # type: ignore[arg-type]
    engine.swept = True
    engine._create(Job("image", ("/usr/bin/python3", "-P"), ()))
    assert (created[0]["entrypoint"], created[0]["labels"]) == (["/usr/bin/python3"], {LABEL: this_process()})
    engine._create(Job("image", ("/usr/bin/unshare",), (), namespaces=True))
    more = {"security_opt": ["no-new-privileges", "seccomp=unconfined"], "entrypoint": ["/usr/bin/unshare"]}
    assert (created[0]["security_opt"], created[1]) == (["no-new-privileges"], created[0] | more)


def test_a_container_that_was_being_made_when_all_were_stopped_is_removed() -> None:
    removed: list[str] = []

    def stop() -> None:
        engine.stopped = True

    made = Answers(
        start=stop, attach_socket=lambda **_: saying(b""), remove=lambda **_: removed.append("late")
    )
    containers = Answers(create=lambda *_, **__: made)
    engine = Engine(Answers(containers=containers), "unix:///x")  # type: ignore[arg-type]
    engine.swept = True
    with pytest.raises(EngineError, match="stopped"):
        engine._start(JOB)
    assert removed == ["late"]


def test_a_stop_does_not_wait_for_a_container_that_takes_long_to_remove(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(docker, "REMOVAL", 0.1)
    removed, forever = list[str](), threading.Event()
    slow = Answers(kill=lambda: None, remove=lambda **_: forever.wait(60))
    quick = Answers(kill=lambda: None, remove=lambda **_: removed.append("quick"))
    containers = Answers(list=lambda **_: [slow, quick])
    before = time.monotonic()
    client = Answers(containers=containers)
    Engine(client, "unix:///x").stop()  # type: ignore[arg-type]
    assert time.monotonic() - before < 10
    assert removed == ["quick"]
    forever.set()


def test_a_process_is_known_by_machine_boot_namespace_and_start(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = this_process()
    host, boot, space, number, started = mine.split("/")
    assert int(number) == os.getpid()
    assert not is_gone(mine)
    child = subprocess.run(
        [sys.executable, "-c", "from pipeline.sandbox.processes import this_process; print(this_process())"],
        capture_output=True,
        text=True,
        check=True,
    )
    gone = child.stdout.strip()
    assert is_gone(gone)
    assert is_gone(f"{host}/{boot}/{space}/{number}/{int(started) + 1}")
    elsewhere = gone.split("/")
    for index in range(3):
        others = [*elsewhere[:index], "other", *elsewhere[index + 1 :]]
        assert not is_gone("/".join(others))
    assert not is_gone(f"{host}/1")
    monkeypatch.setattr(processes, "PROC", Path("/nowhere"))
    assert not is_gone(this_process())


@pytest.mark.parametrize("started", ["", "1", "?"])
def test_a_process_whose_start_is_hidden_is_not_gone(monkeypatch: pytest.MonkeyPatch, started: str) -> None:
    monkeypatch.setattr(processes, "_machine", lambda: "host/boot/space")
    monkeypatch.setattr(processes, "PROC", Path("/nowhere"))
    assert not is_gone(f"host/boot/space/{os.getpid()}/{started}")
    child = subprocess.Popen(["true"])
    child.wait()
    assert is_gone(f"host/boot/space/{child.pid}/{started}")


def lost() -> None:
    raise requests.ConnectionError("Connection reset by peer")


def refused() -> None:
    raise APIError("no such device")


def engine_of(start: Callable[[], None]) -> Engine:
    """Return an engine whose containers are started by `start`."""
    made = Answers(
        put_archive=lambda *_: None,
        start=start,
        wait=lambda: None,
        logs=lambda: b"",
        remove=lambda **_: None,
    )
    containers = Answers(create=lambda *_, **__: made, list=lambda **_: [])
    return Engine(Answers(containers=containers), "unix:///x")  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_containers_are_for_the_architecture_of_their_image(architecture: str) -> None:
    made = Answers(start=lambda: None, wait=lambda: None, logs=lambda: b"", remove=lambda **_: None)
    create = Mock(return_value=made)
    engine = Engine(Answers(containers=Answers(create=create)), "unix:///x")  # type: ignore[arg-type]
    engine.swept = True
    engine._create(Job("image", ("true",), (), architecture=architecture))
    assert engine.has_device("image", "/dev/kvm", architecture)
    platforms = [call.kwargs["platform"] for call in create.call_args_list]
    assert platforms == [f"linux/{architecture}"] * 2


def test_an_engine_refuses_a_device_or_has_it() -> None:
    assert engine_of(lambda: None).has_device("image", "/dev/kvm")
    assert not engine_of(refused).has_device("image", "/dev/kvm")


def uses_container(engine: Engine) -> None:
    with engine.container(JOB, io.BytesIO()) as container:
        container.start()


@pytest.mark.parametrize(
    ("use", "doing"),
    [
        (lambda engine: engine.has_device("image", "/dev/kvm"), "try a device"),
        (lambda engine: engine.machine("image"), "run a container"),
        (uses_container, "run a container"),
    ],
)
def test_an_engine_that_goes_away_is_told_as_one(use: Callable[[Engine], object], doing: str) -> None:
    with pytest.raises(EngineError) as caught:
        use(engine_of(lost))
    assert str(caught.value) == (
        f"the container engine went away while it should {doing}: Connection reset by peer\n"
        "  hint: is it still running?"
    )


def archive(*members: tuple[str, bytes], **fields: Any) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(f"out/{name}")
            info.size = len(data)
            vars(info).update(fields) if fields else None
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def sparse() -> bytes:
    holes = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,1,99,1"}
    info = tarfile.TarInfo("out/made")
    info.size, info.pax_headers = 2, holes | {"GNU.sparse.size": "100"}
    return info.tobuf(tarfile.PAX_FORMAT) + b"ab".ljust(512, b"\0") + bytes(1024)


def long_name(size: int) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, size
    return info.tobuf(tarfile.USTAR_FORMAT)


def crosses(data: bytes, out: Path, wanted: tuple[str, ...] = ()) -> dict[str, bytes]:
    extract([data[at : at + 100] for at in range(0, len(data), 100)], out, wanted)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_only_what_is_declared_comes_out(tmp_path: Path) -> None:
    data = archive(("made", b"a"), ("more", b"b"), ("sub/made", b"c"), ("../x", b"d"), ("n" * 200, b"e"))
    (tmp_path / "one").mkdir()
    (tmp_path / "all").mkdir()
    assert crosses(data, tmp_path / "one", ("made",)) == {"made": b"a"}
    whole = {"made": b"a", "more": b"b", "sub/made": b"c", "n" * 200: b"e"}
    assert crosses(data, tmp_path / "all") == whole
    assert {path.name for path in tmp_path.iterdir()} == {"one", "all"}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: b"no tar" * 100, "invalid header"),
        (lambda: archive(("made", b"x" * 2000))[:1500], "unexpected end of data"),
        (lambda: archive(("made", b"x" * 200_000)), "it has more than 100000 bytes"),
        (sparse, "made has holes"),
        (lambda: long_name(1 << 30), "a name in it has 1073741824 bytes"),
    ],
)
def test_what_comes_out_broken_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], bytes], said: str
) -> None:
    monkeypatch.setattr(transfer, "MOST", 100_000)
    with pytest.raises(PipelineError) as caught:
        crosses(make(), tmp_path)
    assert caught.value.message == f"what came out of the container cannot be read: {said}"


@pytest.mark.parametrize(
    ("data", "output", "lines"),
    [
        (b"", b"", []),
        (pieces((1, b"made"), (2, b"a\nb"), (1, b""), (1, b" too"), (2, b"c\n")), b"made too", ["a", "bc"]),
        (pieces((2, b"d0123456789"), (2, b"xy\n"), (2, b"\xff")), b"", ["d0123456789", "xy", "\ufffd"]),
        (pieces((1, b"made"))[:-2], b"ma", []),
        (pieces((1, b"made"), (2, b"lost"))[:14], b"made", []),
    ],
)
def test_what_a_container_says_comes_in_pieces(
    monkeypatch: pytest.MonkeyPatch, data: bytes, output: bytes, lines: list[str]
) -> None:
    monkeypatch.setattr(transfer, "LONGEST", 10)
    said: list[str] = []
    streams = Streams(saying(data))
    assert b"".join(streams.output(said.append)) == output
    assert said == lines
    streams.close()


def test_what_a_container_that_has_ended_is_sent_is_lost() -> None:
    streams = Streams(saying(pieces((2, b"why"))))
    assert [streams.write(b"x" * 1000) for _ in range(3)] == [1000] * 3
    said: list[str] = []
    assert list(streams.output(said.append)) == []
    assert (streams.is_open, said) == (False, ["why"])
    streams.close()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"event": "x"}',
        '{"event": "note"}',
        '{"event": "note", "text": 1}',
        '{"event": "command", "argv": "ls", "cwd": "", "env": {}}',
        '{"event": "command", "argv": ["ls", 1], "cwd": "", "env": {}}',
        '{"event": "command", "argv": ["ls"], "cwd": "", "env": {"A": null}}',
        "[" * 100_000,
    ],
)
def test_an_event_that_is_none_is_a_sentence(line: str) -> None:
    with pytest.raises(StepError) as caught:
        read_event("toy:x", "\x1e" + line)
    assert caught.value.message == f"step toy:x sent an event that cannot be read: {line[:100]!r}"


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("unix:///var/run/docker.sock", False),
        ("ssh://there", False),
        ("tcp://127.0.0.1:2375", False),
        ("tcp://[::1]:2375", False),
        ("tcp://localhost:2375", False),
        ("tcp://10.0.0.1:2375", True),
        ("tcp://localhost.example:2375", True),
        ("http://engine:2375", True),
    ],
)
def test_an_engine_over_a_plain_network_is_warned_of(address: str, *, warned: bool) -> None:
    assert bool(plain_tcp(address)) is warned


@pytest.mark.parametrize(
    ("port", "network", "ports"), [(0, "none", {}), (5901, "bridge", {"5901/tcp": ("127.0.0.1", 5901)})]
)
def test_a_port_leads_in_from_the_loopback_alone(
    port: int, network: str, ports: dict[str, tuple[str, int]]
) -> None:
    client = Mock()
    engine = Engine(client, "nowhere")
    engine.swept = True
    engine._create(Job("image", ("/bin/true",), (), port=port))
    given = client.containers.create.call_args.kwargs
    assert (given["network_mode"], given["ports"]) == (network, ports)


DOCKER = {"Version": "26.0.0", "ApiVersion": "1.45", "Os": "linux", "KernelVersion": "6.8.0-39-generic"}
DOCKER_DESKTOP = {
    "Platform": {"Name": "Docker Desktop 4.49.0 (208700)"},
    "Components": [{"Name": "Engine", "Version": "28.5.1"}],
    "Version": "28.5.1",
    "ApiVersion": "1.51",
    "MinAPIVersion": "1.24",
    "GitCommit": "f8215cc",
    "GoVersion": "go1.24.8",
    "Os": "linux",
    "Arch": "arm64",
    "KernelVersion": "6.10.14-linuxkit",
    "BuildTime": "2025-10-08T12:18:25.000000000+00:00",
}
"""Of an Apple silicon Mac."""

PODMAN = {
    "Platform": {"Name": "linux/arm64/fedora-42"},
    "Components": [
        {"Name": "Podman Engine", "Version": "5.6.2", "Details": {"Arch": "arm64", "Os": "linux"}},
        {"Name": "Conmon", "Version": "conmon version 2.1.13, commit: ", "Details": {}},
    ],
    "Version": "5.6.2",
    "ApiVersion": "1.41",
    "Os": "linux",
    "Arch": "arm64",
    "KernelVersion": "6.15.10-200.fc42.aarch64",
}
"""Of `podman machine`, as its compat/version.go writes it."""


@pytest.mark.parametrize(
    ("version", "said", "architecture"),
    [
        (DOCKER | {"Arch": "amd64"}, "Docker 26.0.0 (linux/amd64)", "amd64"),
        (DOCKER | {"Arch": "arm64"}, "Docker 26.0.0 (linux/arm64)", "arm64"),
        (DOCKER | {"Arch": "riscv64", "Components": None}, "Docker 26.0.0 (linux/riscv64)", "riscv64"),
        (DOCKER_DESKTOP, "Docker 28.5.1 (linux/arm64)", "arm64"),
        (PODMAN, "Podman 5.6.2 (linux/arm64)", "arm64"),
    ],
)
def test_an_engine_says_what_its_machine_is(version: dict[str, Any], said: str, architecture: str) -> None:
    engine = Engine(Answers(version=lambda: version), "unix:///x")  # type: ignore[arg-type]
    assert (engine.architecture, engine.describe()) == (architecture, f"{said} at unix:///x")
