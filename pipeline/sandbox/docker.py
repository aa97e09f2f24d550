"""The container engine: loading an image into it, running one command in it.

It speaks the Docker API (https://docs.docker.com/reference/api/engine/), which Podman speaks too. Files cross
by a container's standard streams (see `inside`) into an anonymous volume and out of it, so the engine may run
on another machine.
"""

import atexit
import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import IO, Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container
from docker.types import LogConfig

from pipeline.debian.lock import AMD64
from pipeline.errors import PipelineError
from pipeline.sandbox.environment import NO_EMULATION
from pipeline.sandbox.image_archive import image_archive, is_bare, is_ours
from pipeline.sandbox.processes import is_gone, this_process
from pipeline.sandbox.terminal import channel
from pipeline.sandbox.transfer import Streams, extract
from pipeline.steps.runner import BUILD

LABEL = "installer-iso.process"
"""Says which process a container belongs to, see `processes`."""

CAPABILITIES = ("CHOWN", "SETGID", "SETUID")
"""What `inside` needs to become the step's user, who has none."""

REMOVAL = 5  # seconds that a stop waits for the engine


class EngineError(PipelineError):
    """No container engine, or one that cannot do what is asked of it."""


@dataclass(frozen=True)
class Job:
    """One command in a container; `env` are names and values. Equal jobs may use the same container.

    `device` is given to it where the engine has such a device; the command has to look. `port` of the
    loopback of the engine's machine leads to the same one in it. `tmpfs` are folders in memory, with their
    mount options. `architecture` is the image's. `namespaces` lets it make those of users and mounts, which
    engines forbid by default (seccomp); it gets no capability for that.
    """

    image: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    network: bool = False
    device: str = ""
    port: int = 0
    tty: bool = False
    hostname: str = ""
    tmpfs: tuple[tuple[str, str], ...] = ()
    architecture: str = AMD64
    namespaces: bool = False


@dataclass(frozen=True)
class Running:
    """A container that was started, and this process's ends of its standard streams."""

    container: Container
    streams: Streams

    def discard(self) -> None:
        """Let go of a container that is not used."""
        self.streams.close()
        _remove(self.container)


class Engine:
    """A running engine; `address` is where it was found, `warning` what is wrong with that."""

    def __init__(self, client: docker.DockerClient, address: str, warning: str = "") -> None:
        self.client, self.address, self.warning = client, address, warning
        self.swept = self.stopped = False
        self.starters = ThreadPoolExecutor(2)
        self.removals: list[threading.Thread] = []
        self.guard = threading.Lock()
        self.expected: dict[Job, Future[Running]] = {}

    @cached_property
    def version(self) -> dict[str, Any]:
        """What it says of itself (`GET /version`)."""
        with _explained("say its version"):
            return dict(self.client.version())

    @property
    def architecture(self) -> str:
        """What its machine is, and runs without emulation: `amd64`, `arm64`, or another name of Go's."""
        return str(self.version["Arch"])

    def describe(self) -> str:
        """Return name, version, architecture and address in one line."""
        version = self.version
        names = [part["Name"] for part in version.get("Components") or []]
        name = "Podman" if any("Podman" in n for n in names) else "Docker"
        return f"{name} {version['Version']} ({version['Os']}/{version['Arch']}) at {self.address}"

    def image_id(self, tag: str, diff_id: str, architecture: str = AMD64) -> str:
        """Return the ID of the image `tag`, if it is the one of this layer and nothing else; else ""."""
        with _explained("show an image"):
            try:
                image = self.client.images.get(tag)
            except ImageNotFound:
                return ""
        return str(image.id) if is_bare(image.attrs, diff_id, architecture) else ""

    def load_image(self, tag: str, diff_id: str, architecture: str, layer: Path) -> str:
        """Load an image of one layer, in the format of `docker save`, and return its ID."""
        with _explained("load an image"):
            self.client.images.load(image_archive(tag, diff_id, architecture, layer))  # type: ignore[arg-type]
        if found := self.image_id(tag, diff_id, architecture):
            return found
        raise EngineError(
            f"{self.address}: took the image {tag} but does not show it as one bare layer {diff_id}"
        )

    def images(self, repository: str) -> list[str]:
        """Return the tags below `repository` of the images that this program has loaded, and of no others."""
        with _explained("list images"):
            found = [(tag, image.attrs) for image in self.client.images.list() for tag in image.tags]
        return sorted(tag for tag, attributes in found if is_ours(tag, attributes, repository))

    def remove_image(self, tag: str) -> None:
        """Remove an image that no container uses."""
        with _explained(f"remove {tag}"):
            self.client.images.remove(tag)

    def stop(self) -> None:
        """Remove the containers of this process, and make no more: whoever uses one gets an EngineError."""
        self.stopped = True
        mine: dict[str, Any] = {"label": f"{LABEL}={this_process()}"}
        with self.guard:
            self.expected = {}
        with _explained("stop"):
            found = self.client.containers.list(all=True, filters=mine, ignore_removed=True)
        # Each may take seconds, and minutes where there is much in it: what runs is ended first, and what is
        # left then is swept by the next process.
        threads = [threading.Thread(target=_try_to_remove, args=(each,), daemon=True) for each in found]
        for thread in threads:
            thread.start()
        give_up = time.monotonic() + REMOVAL
        for thread in threads:
            thread.join(max(0.0, give_up - time.monotonic()))

    def _create(self, job: Job) -> Container:
        """Make a container. What a dead process of this machine left behind goes first."""
        if self.stopped:
            raise EngineError("stopped")
        with _explained("run a container"):
            if not self.swept:
                self._sweep()
            return self.client.containers.create(
                job.image,
                list(job.argv[1:]),
                entrypoint=list(job.argv[:1]),
                environment=dict(job.env),
                labels={LABEL: this_process()},
                user="0:0",
                hostname=job.hostname or None,
                working_dir=BUILD,
                network_mode="bridge" if job.network or job.port else "none",
                ports={f"{job.port}/tcp": ("127.0.0.1", job.port)} if job.port else {},
                read_only=True,
                cap_drop=["ALL"],
                cap_add=list(CAPABILITIES),
                security_opt=["no-new-privileges", *(["seccomp=unconfined"] if job.namespaces else [])],
                tmpfs={"/tmp": "", **dict(job.tmpfs)},  # noqa: S108
                volumes=[] if BUILD in dict(job.tmpfs) else [BUILD],
                devices=[f"{job.device}:{job.device}:rw"] if job.device else [],
                group_add=_groups(job.device),
                tty=job.tty,
                stdin_open=True,
                platform=f"linux/{job.architecture}",
                log_config=LogConfig(type="none"),  # all of it comes here
                use_config_proxy=False,  # what is in the environment is in `job.env`
            )

    def _sweep(self) -> None:
        """Remove the containers of processes of this machine that are gone."""
        self.swept = True
        found = self.client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        for container in found:
            if is_gone(container.labels[LABEL]):
                _remove(container)

    def _start(self, job: Job) -> Running:
        container = self._create(job)
        try:
            with _explained("run a container"):
                streams = Streams(channel(container))
                container.start()
        except BaseException:
            _remove(container)
            raise
        if self.stopped:  # while it was made, in another thread: no list of what to remove has it
            _remove(container)
            raise EngineError("stopped")
        return Running(container, streams)

    def _take(self, job: Job) -> Running:
        """Return a started container for `job`: the one that was expected, if it still waits."""
        with self.guard:
            expected = self.expected.pop(job, None)
        if expected is not None:
            running = expected.result()
            with _explained("run a container"):
                running.container.reload()
            if running.container.status == "running":
                return running
            running.discard()
        return self._start(job)

    def expect(self, job: Job) -> None:
        """Start a container for `job` in the background; the next `run` of an equal job takes it.

        Starting one takes longer than many a job works. It serves one job, as any other.
        """
        with self.guard:
            if job not in self.expected:
                if not self.expected:
                    atexit.register(self.forget)
                self.expected[job] = self.starters.submit(self._start, job)

    def forget(self) -> None:
        """Remove the containers that were expected and never used."""
        with self.guard:
            futures, self.expected = list(self.expected.values()), {}
        for future in futures:
            with contextlib.suppress(EngineError):
                future.result().discard()

    @contextlib.contextmanager
    def container(self, job: Job, files: IO[bytes]) -> Iterator[Container]:
        """Give a container that holds the tar `files` and is not started yet.

        Whatever happens, it is gone afterwards, and so is its volume.
        """
        made = self._create(job)
        try:
            with _explained("run a container"):
                made.put_archive(BUILD, files)
                yield made
        finally:
            _remove(made)

    def machine(self, image: str) -> str:
        """Return what machine a container of this amd64 image runs on, as it says itself (`uname -m`)."""
        with _explained("run a container"):
            return self._say(image, ["/usr/bin/uname", "-m"], AMD64).strip()

    def has_device(self, image: str, device: str, architecture: str = AMD64) -> bool:
        """Tell whether containers of this engine can be given a device of its machine."""
        with _explained("try a device"):
            try:
                self._say(image, ["/usr/bin/true"], architecture, devices=[f"{device}:{device}"])
            except APIError:
                return False
        return True

    def _say(self, image: str, argv: list[str], architecture: str, **options: Any) -> str:
        """Return what a short command in a container says. Raises what docker-py raises."""
        log = LogConfig(type="json-file")
        made = self.client.containers.create(
            image,
            argv[1:],
            entrypoint=argv[:1],
            labels={LABEL: this_process()},
            platform=f"linux/{architecture}",
            log_config=log,
            **options,
        )
        try:
            made.start()
            made.wait()
            return str(made.logs(), "utf-8", "replace")
        finally:
            _remove(made)

    def run(
        self,
        job: Job,
        write_files: Callable[[IO[bytes]], None],
        out: Path,
        on_line: Callable[[str], None],
        *,
        again: bool = False,
        wanted: Collection[str] = (),
    ) -> int:
        """Run `job`, copy what it leaves in `out` to the folder `out`, return the exit status.

        `write_files` writes the tar of what it finds to a stream; the job waits for its end. `wanted` are the
        files that are copied; all are, where none is named. `on_line` gets each line of its output while it
        runs. The outputs of a command that failed are copied, too: they may say why. Whatever happens, the
        container is removed then, while this process goes on; it does not end before. `again` says that an
        equal job comes next, whose container can be started meanwhile.
        """
        running = self._take(job)
        try:
            if again:
                self.expect(job)
            with _explained("run a container"):
                write_files(running.streams)  # type: ignore[arg-type]
                made = running.streams.output(on_line)
                if first := next(made, b""):
                    extract(chain([first], made), out, wanted)
                for _ in made:
                    pass
                return int(running.container.wait()["StatusCode"])
        finally:
            running.streams.close()
            self._dismiss(running.container)

    def _dismiss(self, container: Container) -> None:
        """Remove a container while this process goes on; it does not end before, unless it was stopped."""
        removal = threading.Thread(target=_try_to_remove, args=(container,), daemon=True)
        try:
            removal.start()
        except RuntimeError:  # this process ends, and starts no more threads
            _try_to_remove(container)
            return
        with self.guard:
            if not self.removals:
                atexit.register(self.await_removals)
            self.removals.append(removal)

    def await_removals(self) -> None:
        """Wait until the containers that were used are gone, unless this is stopped."""
        for removal in self.removals:
            while removal.is_alive() and not self.stopped:
                removal.join(1)


def _groups(device: str) -> list[str]:
    """Return the group that owns a device of this machine: the engine's, if that is on it, has the same."""
    with contextlib.suppress(OSError):
        return [str(Path(device).stat().st_gid)] if device else []
    return []


def _remove(container: Container) -> None:
    """Remove a container, unless it is gone, or somebody else removes it at this moment."""
    with _explained("remove a container"):
        try:
            container.remove(force=True, v=True)
        except APIError as error:
            if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise


def _try_to_remove(container: Container) -> None:
    with contextlib.suppress(EngineError, APIError, DockerException, requests.RequestException):
        container.kill()  # one that has ended is not to be killed
    with contextlib.suppress(EngineError):
        _remove(container)


@contextlib.contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Turn what the engine answers into a sentence."""
    try:
        yield
    except APIError as error:
        text = str(error.explanation or error)
        hint = NO_EMULATION if "exec format" in text else "`./doit doctor` says what this engine can do"
        raise EngineError(f"the container engine could not {doing}: {text}", hint) from error
    except (DockerException, requests.RequestException) as error:
        raise EngineError(
            f"the container engine went away while it should {doing}: {error}", "is it still running?"
        ) from error
