"""How this project's settings for cargo join those of a crate's own `.cargo/config.toml`.

Reference: https://doc.rust-lang.org/cargo/reference/config.html
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError

TARGET = "x86_64-unknown-linux-musl"
FILE = ".cargo/config.toml"
OLD = ".cargo/config"
"""The name that it had, and that cargo prefers where both are there."""

PLACE = "target.'cfg(all(target_env = \"musl\"))'.rustflags"
"""A key that cargo joins with those of a crate, as nobody else writes the condition so."""

LINKERS = ("musl-gcc", "x86_64-linux-musl-gcc")
"""What a crate may name as its linker: the one that there is, by its two names."""

OTHER_LINKING = ("linker=", "linker-flavor", "fuse-ld", "link-self-contained=y", "-crt-static", "sysroot")
"""What in a flag would link programs in another way than here."""

OTHER_COMPILERS = ("rustc", "rustc-wrapper", "rustc-workspace-wrapper")

REMOVE = "remove that line, or keep it in a configuration outside of the repository"


def in_folder(folder: Path, top: Path) -> Path | None:
    """Return the configuration that lies in `folder` itself, None where there is none.

    Raises PipelineError, with its path below `top`, for one by its old name.
    """
    if (folder / OLD).exists():
        where = (folder / OLD).relative_to(top).as_posix()
        raise PipelineError(
            f"{where}: is a configuration of cargo by its old name, which is not looked at here",
            f"call it {FILE}",
        )
    return folder / FILE if (folder / FILE).is_file() else None


def files_of(folder: Path, top: Path) -> list[Path]:
    """Return the configurations that cargo reads in `folder`, from `top` down, the nearest last.

    Raises PipelineError as `in_folder` does.
    """
    above = [in_folder(each, top) for each in (folder, *folder.parents) if each.is_relative_to(top)]
    return [file for file in reversed(above) if file is not None]


def arguments(files: Sequence[Path], top: Path, flags: Sequence[str]) -> list[str]:
    """Return cargo's option that gives rustc `flags` besides those of the configurations `files`.

    Raises PipelineError, with the line below `top`, for a setting that contradicts them, and for
    build.rustflags beside those of a condition.
    """
    configs = [_read(file, file.relative_to(top).as_posix()) for file in files]
    # cargo itself looks at build.rustflags only where no target has flags, and here one always has
    everywhere = [flag for config in configs for flag in _words(config.get("build", {}).get("rustflags"))]
    if any(_words(config.get("target", {}).get(TARGET, {}).get("rustflags")) for config in configs):
        everywhere = []
    if everywhere:
        for file, config in zip(files, configs, strict=True):
            _refuse_conditions(config, file.read_text(encoding="utf-8"), file.relative_to(top).as_posix())
    return ["--config", f"{PLACE}={json.dumps([*everywhere, *flags])}"]


def _refuse_conditions(config: Mapping[str, Any], text: str, where: str) -> None:
    """Refuse flags of a condition: only cargo can tell whether it holds, and so whether build's count."""
    for name, settings in config.get("target", {}).items():
        if name.startswith("cfg(") and _words(settings.get("rustflags")):
            why = "target: with its rustflags, those of build count only where it does not hold"
            _refuse(text, where, name, why, "write all rustflags below [build], or all below conditions")


def _read(file: Path, where: str) -> Mapping[str, Any]:
    text = file.read_text(encoding="utf-8")
    try:
        config = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PipelineError(f"{where}: {error}") from error
    build = config.get("build", {})
    for name in OTHER_COMPILERS:
        if name in build:
            _refuse(text, where, build[name], f"build.{name}: programs are compiled by the container's rustc")
    for target in _words(build.get("target")):
        if target != TARGET:
            _refuse(text, where, target, f"build.target: programs are built for {TARGET}")
    flags = _words(build.get("rustflags"))
    for name, settings in config.get("target", {}).items():
        linker = settings.get("linker", LINKERS[0])
        if name == TARGET and linker not in LINKERS:
            _refuse(text, where, linker, f"target.{name}.linker: programs are linked by {LINKERS[0]}")
        flags += _words(settings.get("rustflags")) if name == TARGET or name.startswith("cfg(") else []
    for flag in flags:
        if any(word in flag for word in OTHER_LINKING):
            _refuse(text, where, flag, f"rustflags: programs are linked by {LINKERS[0]} here, and static")
    return config


def _words(value: str | Sequence[str] | None) -> list[str]:
    """Return a list of flags or names, which cargo also takes as one text."""
    return value.split() if isinstance(value, str) else list(value or ())


def _refuse(text: str, where: str, value: str, why: str, hint: str = REMOVE) -> None:
    lines = text.splitlines()
    number = next((number for number, line in enumerate(lines, 1) if value in line), 1)
    raise PipelineError(f"{where}:{number}: {value!r} in {why}", hint)
