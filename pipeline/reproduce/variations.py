"""What may surround a build and must not change its bytes: what each of two builds gets of it.

The list is the field's own: https://reproducible-builds.org/docs/env-variations/
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pipeline.errors import PipelineError
from pipeline.sandbox.environment import USER

HOME = "/tmp/two"  # noqa: S108  a container's own

_HOSTILE = """
    AR=false; CARGO_BUILD_JOBS=7; CARGO_PROFILE_RELEASE_OPT_LEVEL=1; CARGO_TARGET_DIR=/nonexistent; CC=false
    CFLAGS=-O0 -g; CROSS_COMPILE=nonexistent-; GZIP=-1; KBUILD_BUILD_HOST=hostile
    KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970; KBUILD_BUILD_USER=hostile; KCFLAGS=-g3
    KCONFIG_CONFIG=/nonexistent; LDFLAGS=-Wl,--build-id; MAKEFLAGS=--silent --keep-going
    MTOOLSRC=/nonexistent; MTOOLS_LOWER_CASE=1; MTOOLS_NO_VFAT=1; PERL5OPT=-MNonexistent; POSIXLY_CORRECT=1
    PYTHONOPTIMIZE=2; RUSTC_WRAPPER=false; RUSTFLAGS=-Cdebuginfo=2; SOURCE_DATE_EPOCH=1
    TAR_OPTIONS=--numeric-owner --owner=hostile; TMPDIR=/nonexistent; XORRISO_RC=/nonexistent
    XZ_DEFAULTS=-0; ZSTD_CLEVEL=1; ZSTD_NBTHREADS=3
"""
HOSTILE = MappingProxyType(dict(row.strip().split("=", 1) for row in re.split("[;\n]", _HOSTILE.strip())))
"""Variables that tools of the build read; with any of them in force, it would fail or make other bytes."""

CONFIGS = MappingProxyType(
    {
        "/etc/systemd/ukify.conf": "[UKI]\nCmdline=hostile\nUname=hostile\nEFIArch=aa64\n",
        "/etc/opt/xorriso/rc": "-volid HOSTILE\n",
        "/etc/kernel/uki.conf": "[UKI]\nCmdline=hostile\n",
        f"{HOME}/.mtoolsrc": "MTOOLS_LOWER_CASE=1\nMTOOLS_SKIP_CHECK=1\n",
        f"{HOME}/.xorrisorc": "-volid HOSTILE\n",
        f"{HOME}/.cargo/config.toml": '[build]\nrustflags = ["-Cdebuginfo=2"]\n',
    }
)
"""Files that tools of the build read when nobody tells them otherwise, in a container's /etc and a home."""


@dataclass(frozen=True)
class Side:
    """What one of the two builds gets. `env` is for its process and its containers; `home` is theirs.

    `days` is how far the clock of the steps is ahead; `cpus` how many it may use, 0 for all. `backwards`
    reverses the order in which files are made, `in_memory` puts the scratch folder on a tmpfs.
    """

    folder: str = "checkout"
    env: Mapping[str, str] = field(default_factory=dict)
    umask: int = 0o022
    user: int = USER
    hostname: str = "first"
    days: int = 0
    cpus: int = 0
    backwards: bool = False
    in_memory: bool = False
    configs: bool = False


@dataclass(frozen=True)
class Variation:
    """One thing that differs: the fields of `Side` that each of the two builds gets for it."""

    name: str
    first: Mapping[str, Any]
    second: Mapping[str, Any]


VARIATIONS = (
    Variation("clock", {"days": 0}, {"days": 200}),
    Variation("timezone", {"env": {"TZ": "<-11>11"}}, {"env": {"TZ": "<+14>-14"}}),
    Variation("locale", {"env": {"LC_ALL": "C"}}, {"env": {"LC_ALL": "tr_TR.UTF-8"}}),
    Variation("umask", {"umask": 0o022}, {"umask": 0o077}),
    Variation("path", {"folder": "a"}, {"folder": "blanks and ü/b"}),
    Variation("home", {"env": {"HOME": "/tmp/one"}}, {"env": {"HOME": HOME}}),  # noqa: S108
    Variation("user", {"user": USER}, {"user": 4321}),
    Variation("hostname", {"hostname": "first"}, {"hostname": "another-machine"}),
    Variation("cpus", {"cpus": 0}, {"cpus": 1}),
    Variation("order", {"backwards": False}, {"backwards": True}),
    Variation("filesystem", {"in_memory": False}, {"in_memory": True}),
    Variation("hashseed", {"env": {"PYTHONHASHSEED": "1"}}, {"env": {"PYTHONHASHSEED": "4242"}}),
    Variation("environment", {"env": {}}, {"env": HOSTILE}),
    Variation("config", {"configs": False}, {"configs": True, "env": {"HOME": HOME}}),
)


def chosen(names: str) -> tuple[Variation, ...]:
    """Return the variations that a list with commas names, all for an empty one.

    Raises PipelineError for an unknown name.
    """
    known = {variation.name: variation for variation in VARIATIONS}
    wanted = [name.strip() for name in names.split(",")] if names else list(known)
    for name in wanted:
        if name not in known:
            raise PipelineError(
                f"--vary {names}: unknown variation {name!r}", f"choose from {', '.join(known)}"
            )
    return tuple(known[name] for name in known if name in wanted)


def sides(variations: Sequence[Variation]) -> tuple[Side, Side]:
    """Return what the two builds get when exactly these are varied."""
    return _side([each.first for each in variations]), _side([each.second for each in variations])


def _side(changes: Sequence[Mapping[str, Any]]) -> Side:
    fields = {name: value for change in changes for name, value in change.items() if name != "env"}
    env = {name: value for change in changes for name, value in change.get("env", {}).items()}
    return Side(env=env, **fields)
