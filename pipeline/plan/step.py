"""`Step`: one piece of work as data, and the key that stands for everything its bytes depend on."""

import ast
import functools
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any, TypedDict

from pipeline.checks.finding import Check
from pipeline.debian.lock import Lock, Package
from pipeline.errors import ConfigError, PipelineError
from pipeline.store.cache import Blob
from pipeline.store.files import sha256_of

RUNNER = "pipeline.steps.runner"

TRAVELLING = ("pipeline", "qemu")
"""Packages whose modules go into a container with the step that imports them, as do those of the step's own
package; all else is in the container's image. Debian has no package of qemu.qmp."""


@dataclass(frozen=True)
class Output:
    """A file that another step makes."""

    step: "Step"
    name: str


@dataclass(frozen=True)
class Source:
    """A file or folder of the repository; folders come without the entries named in `exclude`."""

    path: Path
    exclude: tuple[str, ...] = ()

    def files(self) -> dict[str, Path]:
        """Return what it consists of, sorted: paths below it to files; a file is itself under ''."""
        if not self.path.is_dir():
            return {"": self.path}
        top, found = str(self.path), list[str]()
        for folder, folders, files in os.walk(top):  # pathlib takes several times as long
            if folder == top:
                folders[:] = [name for name in folders if name not in self.exclude]
                files = [name for name in files if name not in self.exclude]
            links = [name for name in folders if Path(folder, name).is_symlink()]
            found += [f"{folder}/{name}" for name in (*files, *links)]
        return {path.removeprefix(f"{top}/"): Path(path) for path in sorted(found)}


@dataclass(frozen=True)
class Module:
    """A module as it was read: its source file, that file's SHA-256, and the names it imports, or takes of
    what it imports.
    """

    path: Path
    sha256: str
    imports: tuple[str, ...]


@dataclass(frozen=True)
class Pinned:
    """A file from outside, known by its content: a path of the repository, or URLs to fetch it from."""

    blob: Blob
    what: str
    path: Path | None = None
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class LockedPackage:
    """A Debian package, known by its content; `lock` is the path of the lock that names it."""

    package: Package
    lock: str

    @property
    def what(self) -> str:
        """What people know it as."""
        return f"Debian package {self.package.name} {self.package.version} of {self.lock}"


BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where a node of Python's syntax has statements, or what has some in turn (https://docs.python.org/3/library/ast.html)."""

IMPORT = re.compile(rb"\bimport\b")
NEXT = re.compile(rb"\n(?=[^\s)])")
"""Where a statement may end that is in no other one."""

Input = Output | Source | Pinned | LockedPackage

Entry = tuple[str, str]
"""What a digest holds of a file: `x` or `-` and its SHA-256; or `link`, and where it points."""


@dataclass(frozen=True)
class Step:
    """One piece of work; see ARCHITECTURE: everything that can change its bytes is a field.

    `run` is called inside the container `container`, with a `pipeline.steps.runner.Context`. A step without
    it passes its inputs on under its outputs' names: the checks are its work. `checks` are rules that
    an output must obey; `published` are the outputs that people get, with their file modes.
    """

    name: str
    summary: str
    inputs: Mapping[str, Input]
    outputs: tuple[str, ...]
    container: Lock | None = None
    run: Callable[[Any], None] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    published: Mapping[str, int] = field(default_factory=dict)
    network: bool = False

    def output(self, name: str) -> Output:
        """Return one of its outputs, to be another step's input."""
        if name not in self.outputs:
            raise ValueError(f"step {self.name} has no output {name!r}")
        return Output(self, name)

    def needs(self) -> tuple["Step", ...]:
        """Return the steps whose outputs it takes."""
        return tuple(dict.fromkeys(i.step for i in self.inputs.values() if isinstance(i, Output)))

    def __hash__(self) -> int:
        return hash(self.name)

    def modules(self) -> dict[str, Path]:
        """Return the modules that `run` can import besides what its container has: name to source file."""
        return {name: it.path for name, it in modules_of(self.code_modules()).items()}

    def code_modules(self) -> frozenset[str]:
        """Return the modules that its code begins with."""
        return frozenset((RUNNER, self.run.__module__) if self.run else ())

    def rule_modules(self) -> frozenset[str]:
        """Return the modules that its rules are in."""
        return frozenset(check.__module__ for check in self.checks.values())

    def checks_digest(self, modules: Mapping[str, str] | None = None) -> str:
        """Return the SHA-256 of the rules that its outputs must obey: which ones, and their source.

        `modules` are the digests of all modules that its rules are made of, where they were read already.
        """
        if modules is None:
            modules = digests_of(self.rule_modules())
        rules = {name: _rule(check) for name, check in self.checks.items()}
        return digest({"modules": modules, "rules": rules})

    def key(self, inputs: Mapping[str, str], modules: Mapping[str, str] | None = None) -> str:
        """Return the SHA-256 of all that the outputs depend on, given the inputs' digests.

        `modules` are the digests of its modules, where they were read already.
        """
        if modules is None:
            modules = digests_of(self.code_modules())
        return digest(
            {
                "container": self.container.layer if self.container else None,
                "function": f"{self.run.__module__}:{self.run.__qualname__}" if self.run else None,
                "inputs": inputs,
                "modules": modules,
                "outputs": self.outputs,
                "params": self.params,
            }
        )


class Made(TypedDict):
    """What a step says of the one file that it makes for people."""

    outputs: tuple[str, ...]
    checks: dict[str, Check]
    published: dict[str, int]


def made(name: str, check: Check, mode: int = 0o644) -> Made:
    """Return what a step says of the file `name` that it makes for people."""
    return {"outputs": (name,), "checks": {name: check}, "published": {name: mode}}


def _rule(check: Check) -> str:
    """Return what tells a rule from others of its module: a function's name, or a dataclass's fields."""
    return str(getattr(check, "__qualname__", None) or repr(check))


def file_name(step: str) -> str:
    """Return what files and folders about the step of this name are called."""
    return step.replace(":", "-").replace("/", "_")


def distinct(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return steps without repetition: the same work is one step, which publishes all that people get of it.

    Raises ConfigError for two that have one name and do not the same.
    """
    found: dict[str, Step] = {}
    for step in steps:
        known = found.get(step.name, step)
        if replace(known, published={}) != replace(step, published={}):
            raise ConfigError(
                [f"two different steps are called {step.name!r}"],
                "they are named after programs, artifacts or last fragments: give one of those another name",
            )
        found[step.name] = replace(step, published={**known.published, **step.published})
    return tuple(found.values())


def digest(data: object) -> str:
    """Return the SHA-256 of JSON data in its one canonical form (keys sorted, no blanks)."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_source(source: Source, name: str) -> Blob:
    """Return the SHA-256 over the names, modes and contents of a source, and how many bytes its files have;
    `name` is for the message.

    Of a mode only the owner's x bit counts: git keeps nothing else of it.
    """
    if not source.path.exists():
        raise PipelineError(f"{source.path}: no such file or folder; {name} needs it")
    entries: dict[str, Entry] = {}
    size = 0
    for relative, path in source.files().items():
        found = path.lstat() if relative else path.stat()  # a single file is what a link points to
        size += found.st_size
        if stat.S_ISLNK(found.st_mode):
            entries[relative] = ("link", str(path.readlink()))
        else:
            entries[relative] = ("x" if found.st_mode & 0o100 else "-", sha256_of(path))
    return Blob(digest(entries), size)


ReadModule = Callable[[str], Module | None]
"""Reads the module of a name, as `read_module` does."""


def digest_as_read(source: Input, entries: Mapping[str, Entry]) -> str:
    """Return the digest of an input of which exactly these entries were read: as it stands in a key."""
    return digest(dict(sorted(entries.items()))) if isinstance(source, Source) else entries[""][1]


def read_module(name: str) -> Module | None:
    """Return a module, or None when the name is not a module's, or of a bare namespace."""
    path = _source_of(name)
    if path is None:
        return None
    source = path.read_bytes()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return Module(path, hashlib.sha256(source).hexdigest(), _imported_names(source, package))


def digests_of(names: Iterable[str], read: ReadModule = read_module) -> dict[str, str]:
    """Return the SHA-256 of the source of each module that `modules_of` finds."""
    return {name: module.sha256 for name, module in modules_of(names, read).items()}


def modules_of(names: Iterable[str], read: ReadModule = read_module) -> dict[str, Module]:
    """Return these modules and all that they import of TRAVELLING and of their own packages, sorted."""
    found: dict[str, Module] = {}
    waiting = list(names)
    packages = {*TRAVELLING, *(name.partition(".")[0] for name in waiting)}
    while waiting:
        name = waiting.pop()
        above = found.get(name.rpartition(".")[0])  # where that is no package, it has no modules
        if name in found or (above and above.path.name != "__init__.py") or not (module := read(name)):
            continue
        found[name] = module
        waiting += [each for each in module.imports if each.partition(".")[0] in packages]
        waiting += [name.rpartition(".")[0]] if "." in name else []
    return dict(sorted(found.items()))


def _source_of(name: str) -> Path | None:
    """Return a module's source file, or None when the name is not a module's, or of a bare namespace.

    Nothing is loaded to find it.
    """
    top, *rest = name.split(".")
    spec = find_spec(top)
    if spec is None or not rest:
        return Path(spec.origin) if spec and spec.origin else None
    bases = (Path(folder, *rest) for folder in spec.submodule_search_locations or ())
    files = (file for base in bases for file in (base / "__init__.py", base.with_suffix(".py")))
    # Python tells capitals apart where the file system does not.
    return next((it for it in files if it.is_file() and it.name in os.listdir(it.parent)), None)  # noqa: PTH208


@functools.cache
def _imported_names(source: bytes, package: str) -> tuple[str, ...]:
    """Return every name that a module of `package` imports and that may be a module."""
    names: list[str] = []
    waiting: list[Any] = [_parsed_imports(source)]
    while waiting:
        node = waiting.pop()
        # An import is a statement, so it is in no expression: most of a module needs no look.
        waiting += [each for part in BLOCKS for each in getattr(node, part, ())]
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            names += [*(f"{base}.{alias.name}" for alias in node.names), base]
    return tuple(names)


def _parsed_imports(source: bytes) -> ast.Module:
    """Return the syntax of a module, most often without what follows its last import."""
    last = max((found.end() for found in IMPORT.finditer(source)), default=0)
    follows = NEXT.search(source, last)
    try:
        return ast.parse(source[: follows.start()] if follows else source)
    except SyntaxError:  # a string, or a statement of several parts, goes on there
        return ast.parse(source)
