"""What cargo looks at again of what it has compiled: a crate's units, and files of its dependencies.

A unit is one call of rustc, or of a build script: its files have its hash in their names. Reference:
https://doc.rust-lang.org/nightly/nightly-rustc/cargo/core/compiler/fingerprint/
"""

import re
from collections.abc import Collection
from pathlib import Path

UNIT = re.compile(r"-([0-9a-f]{16})(?![0-9a-f])")

NAMES = ("Cargo.toml", ".cargo-checksum.json", "build.rs", "src/lib.rs", "src/main.rs")
"""What cargo looks for in each crate of a Cargo.lock, whether it compiles it or not."""

RERUN = re.compile(r"^cargo::?rerun-if-changed=(.+)$", re.MULTILINE)
"""How a build script names files of its crate (https://doc.rust-lang.org/cargo/reference/build-scripts.html)."""


def units_of(messages: str) -> frozenset[str]:
    """Return the hashes of all units that cargo's messages in JSON name."""
    return frozenset(UNIT.findall(messages))


def belongs(path: Path, units: Collection[str]) -> bool:
    """Tell whether a path below a target folder is of these units, or of none."""
    return all(unit in units for unit in UNIT.findall(path.as_posix()))


def looked_at(crates: Path, target: Path) -> set[Path]:
    """Return the files and folders below `crates` whose presence or dates decide whether units are fresh.

    Of those in `target` that is: manifests, and what build scripts said that they depend on.
    """
    found = {folder / name for folder in crates.glob("*") for name in NAMES}
    for output in target.rglob("build/*/output"):
        crate = output.parent.name.rpartition("-")[0]
        for named in RERUN.findall(output.read_text(errors="replace")):
            places = (folder / named.strip() for folder in crates.glob(f"{crate}-*"))
            for place in places:
                if place.is_relative_to(crates):  # not what a script named by an absolute path elsewhere
                    found |= {place, *place.rglob("*")}
    return found
