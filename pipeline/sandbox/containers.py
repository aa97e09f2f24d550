"""Sandboxes that are containers: what goes into one for a step, and which engine makes it."""

import hashlib
import json
import os
import tarfile
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO

from pipeline.debian.lock import Lock
from pipeline.debian.mirrors import Mirror
from pipeline.debian.packages import Progress
from pipeline.errors import PipelineError
from pipeline.plan.step import Entry, Source
from pipeline.sandbox import discovery, image
from pipeline.sandbox.docker import Engine, Job
from pipeline.sandbox.environment import Conditions
from pipeline.sandbox.run import Work
from pipeline.sandbox.terminal import attach
from pipeline.sandbox.transfer import add_bytes, add_file, add_folder, extract
from pipeline.steps.runner import BUILD, ENVIRONMENT
from pipeline.store.cache import Store
from pipeline.store.files import explained
from pipeline.store.reply import ca_bundle

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Names of architectures, Debian's and Linux's."""

PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def proxies() -> list[tuple[str, str]]:
    """Return the proxies that this machine's environment names: a step with network goes through them."""
    return [(name, os.environ[name]) for name in PROXIES if name in os.environ]


class Containers:
    """Runs steps in containers of an engine, which is looked for when the first one needs it.

    `sources` are where Debian's packages come from, of which images are made in `store`.
    """

    def __init__(self, store: Store, sources: Sequence[Mirror], conditions: Conditions | None = None) -> None:
        self.store, self.sources = store, sources
        self.conditions = conditions or Conditions()
        self.guard = threading.Lock()

    @cached_property
    def engine(self) -> Engine:
        """The engine. Raises EngineError if none answers."""
        with self.guard:  # steps may run at the same time
            if "engine" not in vars(self):
                vars(self)["engine"] = discovery.connect()
            return vars(self)["engine"]  # type: ignore[no-any-return]

    def image(self, lock: Lock, progress: Progress) -> str:
        """Have the image of a lock in the engine, and return its ID."""
        return image.ensure(self.engine, self.store, lock, self.sources, progress)

    def run(self, work: Work, out: Path, on_line: Callable[[str], None]) -> int:
        """Run the step in a container; see `Sandbox`."""
        job = self._job(work)
        return self.engine.run(
            job,
            lambda stream: self._write_tree(work, stream),
            out,
            on_line,
            again=work.again,
            wanted=work.step.outputs,
        )

    def attach(self, work: Work, out: Path | None = None) -> int:
        """Run the step in a container that has this terminal; see `Sandbox`.

        Raises PipelineError where the engine is reached through ssh, whose channel cannot be waited for.
        """
        if self.engine.address.startswith("ssh:"):
            raise PipelineError(
                f"{self.engine.address}: a terminal cannot be passed on through ssh://",
                "run this on that machine, or reach its engine by tcp://",
            )
        job = self._job(work, tty=True)
        with self.store.scratch() as scratch, tempfile.TemporaryFile(dir=scratch) as files:
            with explained(scratch, "write"):
                self._write_tree(work, files)
            files.seek(0)
            with self.engine.container(job, files) as container:
                try:
                    return attach(container)
                finally:
                    if out is not None:
                        container.stop()  # one that has ended is left as it is
                        extract(container.get_archive(f"{BUILD}/out")[0], out, room=work.room)

    def stop(self) -> None:
        """Remove this process's containers, and make no more."""
        if "engine" in vars(self):
            self.engine.stop()

    def _job(self, work: Work, *, tty: bool = False) -> Job:
        """Return what the engine is asked to run, after seeing to it that the container's image is there."""
        step, given = work.step, self.conditions
        if step.container is None:
            raise ValueError(f"step {step.name} has no container")
        if self.engine.warning:
            work.line.note(self.engine.warning)
            self.engine.warning = ""  # once is enough
        image_id, architecture = self.image(step.container, work.line.progress), step.container.architecture
        is_there = work.device and self.engine.has_device(image_id, work.device, architecture)
        kept = proxies() if step.network else []
        return Job(
            image=image_id,
            argv=given.argv([name for name, _ in kept]),
            env=tuple((dict(ENVIRONMENT) | dict(given.env) | dict(kept)).items()),
            network=step.network,
            device=work.device if is_there else "",
            port=work.port,
            tty=tty,
            hostname=given.hostname,
            tmpfs=given.tmpfs,
            architecture=architecture,
        )

    def _write_tree(self, work: Work, stream: IO[bytes]) -> None:
        """Write the tar of everything a step finds below /build: code, inputs, empty out and work.

        It has its end when what was read is what the step's key stands for.
        """
        step, given = work.step, self.conditions
        run, lock = step.run, step.container
        if run is None or lock is None:
            raise ValueError(f"step {step.name} has no code, or no container")
        what = {
            "machine": MACHINES[lock.architecture],
            "module": run.__module__,
            "function": run.__qualname__,
            "params": dict(step.params),
            "epoch": step.params.get("epoch", lock.epoch),
        }
        small = {"step.json": json.dumps(what).encode(), **given.files}
        modules = {}
        for module, path in step.modules().items():
            name = module.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")
            small[f"src/{name}"] = path.read_bytes()
            modules[module] = hashlib.sha256(small[f"src/{name}"]).hexdigest()
        large = {f"in/{name}": (name, "", path.resolve()) for name, path in work.files.items()}
        if step.network:
            small["in/ca.pem"] = Path(ca_bundle()).read_bytes()
        for name, source in step.inputs.items():
            if isinstance(source, Source) and source.path.is_dir():
                large |= {f"in/{name}/{below}": (name, below, path) for below, path in source.files().items()}
        read: dict[str, dict[str, Entry]] = {name: {} for name in step.inputs}
        with tarfile.open(fileobj=stream, mode="w|", bufsize=1 << 16) as tar:
            for name in ("out", "work", "src", "in"):
                add_folder(tar, name)
            for name in sorted([*small, *large], reverse=given.backwards):
                if name in small:
                    add_bytes(tar, name, small[name])
                else:
                    whose, below, path = large[name]
                    read[whose][below] = add_file(tar, name, path)
            work.expect_read(read, modules)
