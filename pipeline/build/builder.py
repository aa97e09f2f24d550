"""What all steps of a run share, and what follows from it: keys, results, where inputs lie."""

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.build.rules import CheckError, check_rules
from pipeline.debian.lock import Package
from pipeline.debian.mirrors import Mirror
from pipeline.errors import PipelineError
from pipeline.plan.step import (
    Entry,
    Input,
    LockedPackage,
    Output,
    Pinned,
    ReadModule,
    Source,
    Step,
    digest_as_read,
    digests_of,
    read_module,
    read_source,
)
from pipeline.report import Line
from pipeline.sandbox.run import Sandbox, StepError, Work
from pipeline.store.cache import Blob, Result, Store
from pipeline.store.files import sha256_of


class LostError(StepError):
    """A step that cannot begin: the cache lost or spoiled what another one made for it."""


@dataclass(frozen=True)
class Builder:
    """What every step shares: the cache, where steps run, and where Debian's packages come from.

    The last two are asked for when first needed.
    """

    store: Store
    open_sandbox: Callable[[], Sandbox]
    mirrors: Callable[[], Sequence[Mirror]] = tuple
    locked: Mapping[str, Mapping[str, Blob]] = field(default_factory=dict)
    """What steps with these keys have to make, by the outputs' names: it disproves what a cache says."""

    keys: dict[Step, str] = field(default_factory=dict)
    """Keys that this run has computed already."""

    sources: dict[Source, Blob] = field(default_factory=dict)
    """Sources that this run has read already."""

    read_module: ReadModule = field(default_factory=lambda: functools.cache(read_module))
    """Reads each module once a run."""

    modules: dict[frozenset[str], dict[str, str]] = field(default_factory=dict)
    """Digests of modules, and of all that they import, that this run knows already."""

    guard: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @functools.cached_property
    def sandbox(self) -> Sandbox:
        """Where steps run: a build that is all cached needs no such place."""
        with self.guard:  # steps may run at the same time
            if "sandbox" not in vars(self):
                vars(self)["sandbox"] = self.open_sandbox()
            return vars(self)["sandbox"]  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Have what runs end now, with an error, and let nothing begin any more."""
        if "sandbox" in vars(self):
            self.sandbox.stop()

    def work(
        self, step: Step, line: Line, *, device: str = "", port: int = 0, again: bool = False, room: int = 0
    ) -> Work:
        """Return what a sandbox is given to run the step, its inputs fetched if need be; see `Work`."""

        def expect_read(read: Mapping[str, Mapping[str, Entry]], modules: Mapping[str, str]) -> None:
            self.expect_read(step, read, modules)

        return Work(step, self.files(step, line), expect_read, line, device, port, again, room)

    def key(self, step: Step) -> str | None:
        """Return the step's key, or None while an input of it has not been made."""
        if step not in self.keys and (inputs := self._inputs(step, self.digest)) is not None:
            self.keys[step] = step.key(inputs, self._digests_of(step.code_modules()))
        return self.keys.get(step)

    def key_now(self, step: Step) -> str | None:
        """Return the step's key as the files of the repository are at this moment."""
        inputs = self._inputs(step, self.digest_now)
        return None if inputs is None else step.key(inputs)

    def _inputs(self, step: Step, digest: Callable[[Input, str], str | None]) -> dict[str, str] | None:
        """Return the digests of the step's inputs, None while one has not been made."""
        inputs = {}
        for name, source in step.inputs.items():
            found = digest(source, f"step {step.name}")
            if found is None:
                return None
            inputs[name] = found
        return inputs

    def _digests_of(self, modules: frozenset[str]) -> dict[str, str]:
        if modules not in self.modules:
            self.modules[modules] = digests_of(modules, self.read_module)
        return self.modules[modules]

    def digest(self, source: Input, name: str) -> str | None:
        """Return an input's SHA-256, None while it has not been made; `name` is for messages."""
        return (
            self.source(source, name).sha256 if isinstance(source, Source) else self.digest_now(source, name)
        )

    def source(self, source: Source, name: str) -> Blob:
        """Return a source's SHA-256 and size in bytes; `name` is for messages.

        It is read once a run: a step that finds it changed when it takes it says so.
        """
        if source not in self.sources:
            self.sources[source] = read_source(source, name)
        return self.sources[source]

    def digest_now(self, source: Input, name: str) -> str | None:
        """Return an input's SHA-256 as its files are at this moment; see `digest`."""
        match source:
            case Output(step, output):
                made = self.result(step)
                return made.outputs[output].sha256 if made else None
            case Source():
                return read_source(source, name).sha256
            case Pinned(blob):
                return blob.sha256
            case LockedPackage(package):
                return package.sha256

    def expect_read(
        self, step: Step, read: Mapping[str, Mapping[str, Entry]], modules: Mapping[str, str] | None = None
    ) -> None:
        """Raise StepError unless what was read of the step's inputs and modules is what its key was made of.

        So whatever changes a file for a moment changes no byte of a result.
        """
        inputs = {name: digest_as_read(source, read[name]) for name, source in step.inputs.items()}
        if step.key(inputs, modules) != self.key(step):
            raise StepError(f"step {step.name}: its inputs changed while they were read", "run it again")

    def result(self, step: Step) -> Result | None:
        """Return what the step made, if a run of it with the present key is remembered, and not disproved."""
        key = self.key(step)
        result = self.store.result(key) if key else None
        if not (key and result) or set(result.outputs) != set(step.outputs):
            return None
        return None if self.disproof(key, result.outputs) else result

    def disproof(self, key: str, outputs: Mapping[str, Blob]) -> str:
        """Return what of these outputs is not what `locked` says of a step with this key; "" for nothing."""
        for name, blob in outputs.items():
            locked = self.locked.get(key, {}).get(name, blob)
            if locked != blob:
                return (
                    f"{name} has {blob.size} bytes and the SHA-256 {blob.sha256}, "
                    f"locked are {locked.size} and {locked.sha256}"
                )
        return ""

    def elsewhere(self, step: Step, key: str) -> Result | None:
        """Return what remote caches have of the step, if the lock or a signature vouches for it.

        They say that they have what it does not publish, which is only fetched for a step that takes it.
        """
        remotes = self.store.remotes()
        if not remotes:
            return None
        outputs, seconds = self.locked.get(key), 0.0
        if outputs is None and (claim := remotes.claim(key)):
            outputs, seconds = claim.outputs, claim.seconds
        if outputs is None or set(outputs) != set(step.outputs):
            return None
        left = (blob for name, blob in outputs.items() if name not in step.published)
        if not all(self.store.holds(blob) or remotes.offers(blob) for blob in left):
            return None
        return Result(dict(outputs), seconds, "", fetched=True)

    def obtain(self, blob: Blob, what: str, line: Line) -> Path | None:
        """Return the path of a blob, fetched from a remote cache if need be; None where none has it."""
        path = self.store.find(blob)
        if path is None and self.store.remotes():
            from pipeline.store.download import fetch
            from pipeline.store.reply import FetchError  # they take longer to load than doing nothing

            try:
                path = fetch(self.store, blob, (), what, _progress(line, blob))
            except FetchError:
                if self.store.stopped.is_set():
                    raise
        return path

    def checks_digest(self, step: Step) -> str:
        """Return the digest of the step's rules."""
        return step.checks_digest(self._digests_of(step.rule_modules()))

    def is_current(self, step: Step, folder: Path) -> bool:
        """Tell whether the step's result is known and checked, and what it publishes lies in `folder`."""
        result = self.result(step)
        return (
            result is not None
            and result.checked == self.checks_digest(step)
            and all(self.store.holds(result.outputs[name]) for name in here(step, result))
            and all(_holds(folder / name, result.outputs[name]) for name in step.published)
        )

    def files(self, step: Step, line: Line) -> dict[str, Path]:
        """Return the step's inputs that are single files, fetched if need be: input's name to path."""
        packages = {name: it.package for name, it in step.inputs.items() if isinstance(it, LockedPackage)}
        files = self._packages(packages, line) if packages else {}
        for name, source in step.inputs.items():
            match source:
                case Output():
                    files[name] = self.output(source, line, f"step {step.name}: ")
                case Pinned():
                    files[name] = self._pinned(source, line)
                case Source() if not source.path.is_dir():
                    files[name] = source.path
        return files

    def output(self, source: Output, line: Line, who: str = "") -> Path:
        """Return the path of what a step made, fetched if need be, and obeying its rules; `who` asks for it.

        Raises LostError where it is gone, or must not be used.
        """
        name, made = source.name, self.result(source.step)
        what = f"{who}{name} of step {source.step.name}"
        path = self.obtain(made.outputs[name], what, line) if made else None
        if path is None or made is None:
            raise LostError(f"{what} left the cache", "run the same command again: it will be made anew")
        if name not in here(source.step, made):
            try:
                check_rules(source.step, {name: path}, line)
            except CheckError as error:
                raise LostError(f"{what} is not to be used: {error.message}") from error
        return path

    def _packages(self, packages: Mapping[str, Package], line: Line) -> dict[str, Path]:
        from pipeline.debian.packages import download, verify  # they take longer to load than doing nothing

        locked = tuple(packages.values())
        paths = download(locked, self.mirrors(), self.store, line.progress)
        verify(locked, paths)
        return dict(zip(packages, paths, strict=True))

    def _pinned(self, source: Pinned, line: Line) -> Path:
        blob = source.blob
        if source.path is None:
            from pipeline.store.download import fetch  # it takes longer to load than doing nothing

            return fetch(self.store, blob, source.urls, source.what, _progress(line, blob))
        if not source.path.is_file():
            raise PipelineError(
                f"{source.what}: there is no file {source.path}",
                "correct its path in manifests/manifest.toml",
            )
        found = Blob(sha256_of(source.path), source.path.stat().st_size)
        if found != blob:
            raise PipelineError(
                f"{source.what}: {source.path} has {found.size} bytes and SHA-256 {found.sha256},"
                f" the manifest says {blob.size} and {blob.sha256}",
                "if the new file is the one you want, correct its pin in manifests/manifest.toml",
            )
        return source.path


def here(step: Step, result: Result) -> list[str]:
    """Return the outputs that have to be in the store: of what was fetched, those that people get."""
    return [name for name in step.outputs if name in step.published or not result.fetched]


def _progress(line: Line, blob: Blob) -> Callable[[int], None]:
    return lambda done: line.progress(done, blob.size, "bytes")


def _holds(path: Path, blob: Blob) -> bool:
    return path.is_file() and path.stat().st_size == blob.size and sha256_of(path) == blob.sha256
