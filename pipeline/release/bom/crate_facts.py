"""Which crates programs are compiled from: by their own audit data, and by Cargo.lock.

Those of Rust's standard library are known by the libraries that it was built as.
"""

import re
import tarfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.debian import deb
from pipeline.errors import FormatError
from pipeline.formats.elf import MAGIC
from pipeline.formats.fields import Image
from pipeline.release.audit import Crate, read_audit

LIBRARY_FILE = re.compile(r"(?:\./)?usr/src/rustc-[^/]+/library/(Cargo\.lock|vendor/([^/]+)/Cargo\.toml)")
BUILT = re.compile(r"lib/rustlib/[^/]+/lib/lib(.+)-[0-9a-f]{16}\.rlib")


def audit_of(program: Image, name: str) -> tuple[Crate, ...]:
    """Return the crates that a program says it is compiled from, nothing where it does not say it.

    Raises FormatError where that makes no sense.
    """
    if bytes(program[: len(MAGIC)]) != MAGIC:
        return ()
    try:
        return read_audit(program)
    except FormatError as error:
        raise FormatError(f"program {name!r}: {error.message}", error.hint) from error


def checksums(cargo_lock: str) -> dict[tuple[str, str], str]:
    """Return the SHA-256 of each crate's archive that a Cargo.lock has, by name and version."""
    packages = tomllib.loads(cargo_lock).get("package", [])
    return {(it["name"], it["version"]): it["checksum"] for it in packages if "checksum" in it}


def licence_in(cargo_toml: str, workspace: Mapping[str, Any] | None = None) -> str:
    """Return the licence that a Cargo.toml names, or its workspace's, "" for none."""
    said = tomllib.loads(cargo_toml).get("package", {}).get("license", "")
    if isinstance(said, dict):
        said = (workspace or {}).get("workspace", {}).get("package", {}).get("license", "")
    return str(said)


def licences_in(crates_tar: Path) -> dict[str, str]:
    """Return what each crate's Cargo.toml says of its licence, by its folder, `name-version`."""
    found = {}
    with tarfile.open(crates_tar) as tar:
        for member in tar:
            folder, _, file = member.name.partition("/")
            if file == "Cargo.toml" and (data := tar.extractfile(member)):
                found[folder] = licence_in(data.read().decode("utf-8", "replace"))
    return found


@dataclass(frozen=True)
class LibraryCrate:
    """A crate that Rust's standard library is built from, and that is not the library's own."""

    name: str
    version: str
    sha256: str
    licence: str


def library_crates(sysroot_tar: Path, rust_source: Path) -> tuple[LibraryCrate, ...]:
    """Return the crates in the standard library that a build made, from Debian's package of its source."""
    with tarfile.open(sysroot_tar) as tar:
        built = {match[1] for name in tar.getnames() if (match := BUILT.fullmatch(name))}
    wanted: dict[str, tuple[str, str, str]] = {}
    said: dict[str, str] = {}
    with deb.open_archive(rust_source) as archive:
        for member in archive:
            match = LIBRARY_FILE.fullmatch(member.name)
            file = archive.extractfile(member) if match else None
            if match is None or file is None:
                continue
            text = file.read().decode("utf-8", "replace")
            if match[2]:
                said[match[2]] = licence_in(text)
            else:
                wanted = {
                    f"{name}-{version}": (name, version, checksum)
                    for (name, version), checksum in checksums(text).items()
                    if name.replace("-", "_") in built
                }
            if wanted and wanted.keys() <= said.keys():
                break
    return tuple(LibraryCrate(*each, said.get(folder, "")) for folder, each in sorted(wanted.items()))
