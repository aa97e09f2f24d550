"""The parts of the benchmark that measure nothing."""

from pathlib import Path

import pytest

from pipeline.bench import Checkout, Figure, write_large_iso
from pipeline.checks.catalog import take_apart
from pipeline.formats.fields import open_image
from pipeline.surroundings import StepError
from tests.fixtures.iso import efi_image


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure("x", 0.954, "seconds"), "0.95 seconds"),
        (Figure("x", 5_900_000, "bytes"), "5.9 MB"),
        (Figure("x", 123.4, "MiB"), "123.40 MiB"),
    ],
)
def test_figures_as_people_read_them(figure: Figure, text: str) -> None:
    assert figure.text() == text


def checkout(folder: Path, script: str, cache: Path | None = None) -> Checkout:
    (folder / "doit").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "doit").chmod(0o755)
    return Checkout(folder, "toy", cache)


def test_doit_is_called_in_the_copy_with_its_cache(tmp_path: Path) -> None:
    copy = checkout(tmp_path, 'echo "$PWD $INSTALLER_ISO_CACHE $*" > said', tmp_path / "cache")
    assert copy.doit("iso", "-x") >= 0
    assert (tmp_path / "said").read_text() == f"{tmp_path} {tmp_path}/cache iso -x\n"
    assert copy.artifacts == tmp_path / "artifacts/toy"


def test_a_command_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        checkout(tmp_path, "echo out; echo err >&2; exit 1").doit("iso", "x")
    assert str(caught.value) == "./doit iso x failed:\nout\nerr\n"


def test_a_line_is_added(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a\n")
    checkout(tmp_path, "").append("x", "b\n")
    assert (tmp_path / "x").read_text() == "a\nb\n"


def test_the_large_iso_is_large_and_boots_but_takes_no_room(tmp_path: Path) -> None:
    (tmp_path / "efi.img").write_bytes(efi_image())
    path = tmp_path / "large.iso"
    write_large_iso(tmp_path / "efi.img", path)
    assert path.stat().st_size > 1 << 32
    assert path.stat().st_blocks * 512 < 1 << 24
    node = take_apart(open_image(path), "large.iso", house=False)
    kinds = [node.kind.name for _, node in node.walk() if node.kind]
    assert kinds[:3] == ["iso", "fat", "uki"]
