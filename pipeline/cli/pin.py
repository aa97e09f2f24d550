"""`./doit pin`: a file from outside is measured, and its pin written into the manifest that people keep."""

import contextlib
import os
import re
import tomllib
from pathlib import Path

import tomlkit

from pipeline.build.session import Session
from pipeline.config import A_NAME, NAME, is_url
from pipeline.errors import ConfigError, PipelineError
from pipeline.project import manifest
from pipeline.report import size_text
from pipeline.store.cache import Blob
from pipeline.store.download import measure
from pipeline.store.files import sha256_of, write_atomically

USAGE = "`./doit pin NAME FILE`, or `./doit pin NAME URL`"


def pin(session: Session, arguments: list[str]) -> None:
    """Write where the file NAME comes from, its SHA-256 and its size into the manifest.

    NAME goes to the table in which it stands, or to `payload` where a recipe takes a payload of that name.
    Raises PipelineError for what cannot be pinned.
    """
    if len(arguments) != 2:
        raise PipelineError(f"pin takes two arguments, got {len(arguments)}", USAGE)
    name, source = arguments
    if not re.fullmatch(NAME, name):
        raise PipelineError(f"{name!r} is not {A_NAME}", USAGE)
    if is_url(source):
        with session.report.step(f"pin {name}", source) as line:
            blob = measure(session.store, source, lambda done: line.progress(done, done, "bytes"))
        where = {"url": source}
    else:
        where, blob = _file(session.root, source)
    if blob.size == 0:
        raise PipelineError(f"{source}: is empty", "name a file with content")
    table = "payload" if name in _taken(session.root, "payload") else "artifacts"
    write(session.root, table, name, where, blob)
    session.report.print(f"{table}.{name}: {size_text(blob.size)}, SHA-256 {blob.sha256}")
    session.report.print(f"written: {manifest.PATH}")
    if table == "artifacts" and name not in _taken(session.root, "artifact"):
        session.report.print(
            f'  no recipe takes it yet: write artifact = "{name}" below [kernel] or a [programs.…] of one'
        )


def _file(root: Path, source: str) -> tuple[dict[str, str], Blob]:
    """Return the place below the checkout of a file, as it is called where ./doit was called, and its pin."""
    path = Path(os.environ.get("INSTALLER_ISO_CALLED_FROM", root), source).absolute()
    if not path.is_file():
        raise PipelineError(f"{source}: no such file", USAGE)
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise PipelineError(
            f"{source}: is outside the checkout, so nobody else has it",
            f"copy it into the checkout first, such as to vendor/{path.name}, or name a URL",
        )
    relative = (path.parent.resolve() / path.name).relative_to(root.resolve()).as_posix()
    return {"path": relative}, Blob(sha256_of(path), path.stat().st_size)


def _taken(root: Path, key: str) -> set[object]:
    """Return what the recipes' kernels and programs name by this key, also where they have mistakes."""
    found: set[object] = set()
    for path in root.glob("recipes/*/recipe.toml"):
        with contextlib.suppress(ValueError, AttributeError):  # a mistake that `./doit iso` tells
            recipe = tomllib.loads(path.read_text(encoding="utf-8"))
            parts = (recipe.get("kernel", {}), *recipe.get("programs", {}).values())
            found |= {part.get(key) for part in parts}
    return found


def write(root: Path, table: str, name: str, where: dict[str, str], blob: Blob) -> None:
    """Write the pin `name` into a table of the manifest, which stays as people wrote it in all else.

    Raises ConfigError for a manifest that is no TOML.
    """
    path = root / manifest.PATH
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError([f"{manifest.PATH}: {error}"]) from error
    pins = document.setdefault(table, tomlkit.table(is_super_table=True))
    entry = pins.setdefault(name, tomlkit.table())
    for key in ("path", "url"):
        entry.pop(key, None)
    entry.update({**where, "sha256": blob.sha256, "size": blob.size})
    write_atomically(path, tomlkit.dumps(document))
