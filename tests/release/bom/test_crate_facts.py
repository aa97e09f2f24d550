import json
import zlib
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.release.bom.crate_facts import (
    LibraryCrate,
    audit_of,
    checksums,
    library_crates,
    licence_in,
    licences_in,
)
from tests.fixtures.deb import deb
from tests.fixtures.elf import elf, with_section
from tests.fixtures.release_contents import AUDIT, CARGO_LOCK, DEBS, tar


def program(data: bytes) -> bytes:
    return with_section(elf(), ".dep-v0", data)


def packed(said: object) -> bytes:
    return zlib.compress(json.dumps(said).encode())


def test_what_a_program_says() -> None:
    found = audit_of(program(packed(AUDIT)), "toy")
    assert [(it.name, it.version, it.source, it.kind, it.dependencies, it.root) for it in found] == [
        ("cc", "1.2.0", "crates.io", "build", (), False),
        ("serde", "1.0.0", "crates.io", "runtime", (0,), False),
        ("toy", "0.1.0", "local", "runtime", (0, 1), True),
    ]


@pytest.mark.parametrize("image", [elf(), b"MZ", b""], ids=["elf", "pe", "empty"])
def test_what_says_nothing(image: bytes) -> None:
    assert audit_of(image, "toy") == ()


def test_fields_of_later_formats_are_passed_over() -> None:
    package = {"name": "a", "version": "1", "source": "registry", "more": 1}
    (only,) = audit_of(program(packed({"packages": [package], "format": 9, "new": []})), "toy")
    assert only.name == "a"


def test_audit_data_that_make_no_sense() -> None:
    with pytest.raises(FormatError) as caught:
        audit_of(program(b"no"), "toy")
    assert caught.value.message.startswith("program 'toy': .dep-v0 is not what cargo-auditable writes: ")


def test_checksums_of_what_has_some() -> None:
    found = checksums(CARGO_LOCK)
    assert found == {
        ("serde", "1.0.0"): "5" * 64,
        ("cc", "1.2.0"): "6" * 64,
        ("unused", "1.0.0"): "7" * 64,
    }
    assert checksums("version = 4\n") == {}


@pytest.mark.parametrize(
    ("manifest", "licence"),
    [
        ('[package]\nlicense = "MIT"\n', "MIT"),
        ("[package]\nlicense.workspace = true\n", "ISC"),
        ("[package]\n", ""),
        ("[workspace]\n", ""),
    ],
)
def test_the_licence_in_a_manifest(manifest: str, licence: str) -> None:
    assert licence_in(manifest, {"workspace": {"package": {"license": "ISC"}}}) == licence


def test_a_licence_of_a_workspace_that_has_none() -> None:
    assert licence_in("[package]\nlicense.workspace = true\n") == ""


def test_licences_of_many_crates(tmp_path: Path) -> None:
    path = tmp_path / "crates.tar"
    mit = b'[package]\nlicense = "MIT"\n'
    path.write_bytes(tar({"a-1.0.0/Cargo.toml": mit, "a-1.0.0/x/Cargo.toml": b"[", "b-1/Cargo.toml": b""}))
    assert licences_in(path) == {"a-1.0.0": "MIT", "b-1": ""}


def test_crates_of_the_standard_library(tmp_path: Path) -> None:
    names = ("hash_brown-0123456789abcdef", "std-0123456789abcdef", "not_built-short")
    (tmp_path / "sysroot.tar").write_bytes(tar({f"lib/rustlib/x/lib/lib{name}.rlib": b"" for name in names}))
    _, members = DEBS["rust-web-src"]
    (tmp_path / "source.deb").write_bytes(deb([*members, ("./usr/src/more", b"")]))
    assert library_crates(tmp_path / "sysroot.tar", tmp_path / "source.deb") == (
        LibraryCrate("hash-brown", "0.15.0", "8" * 64, "MIT/Apache-2.0"),
    )
