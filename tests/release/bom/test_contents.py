import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.release.bom import contents
from pipeline.release.bom.components import Contents, Kind, Licence, Part
from pipeline.release.bom.contents import collect
from pipeline.steps import compare_kernels, hardening, iso
from tests.conftest import Compare
from tests.fixtures.release_contents import AUDIT, built, collected


def listing(found: Contents) -> str:
    """Return contents as people can read them: a line for each part, and for each link."""
    lines = []
    for part in found.parts:
        marks = [part.kind, part.ref, part.licence.expression or "-", part.origin or "-"]
        lines.append("  ".join([*marks, *(["tool"] * part.tool)]))
    lines += [f"{link.part}  {link.relation}  {link.other}" for link in found.links]
    return "\n".join(lines) + "\n"


def part(found: Contents, ref: str) -> Part:
    return next(part for part in found.parts if part.ref.startswith(ref))


def test_everything_in_the_images(release: Session, golden: Compare) -> None:
    found = collected(release)
    golden("release-contents.txt", listing(found))
    assert (found.product, found.version, found.epoch) == ("Toy", "1.0", 1795219200)
    assert [top.name for top in found.tops] == ["toy-1.0.iso"]


def test_artifacts_are_called_as_they_are_released(release: Session) -> None:
    names = [part.name for part in collected(release).parts if part.kind is Kind.ARTIFACT]
    assert sorted(name for name in names if not name.startswith("initramfs")) == [
        "Inner.efi",
        "Toy.efi",
        "efi.img",
        "other",
        "toy",
        "toy",
        "toy-1.0.iso",
        "vmlinuz-a-kernel",
        "vmlinuz-base",
    ]


def test_what_is_known_of_parts(release: Session) -> None:
    found = collected(release)
    busybox = part(found, "file:initramfs:toy/initramfs.cpio.zst/bin/busybox")
    assert (busybox.kind, busybox.name, busybox.size, len(busybox.sha1)) == (
        Kind.FILE,
        "bin/busybox",
        437,
        40,
    )
    assert (busybox.version, busybox.supplier) == ("", "")
    serde = part(found, "pkg:cargo/serde@")
    assert (serde.version, serde.supplier, serde.sha256) == ("1.0.0", "crates.io", "5" * 64)
    assert serde.licence == Licence("MIT OR Apache-2.0")
    package = part(found, "pkg:deb/debian/busybox-static@")
    assert (package.supplier, package.version) == ("Debian", "1-1+b2")
    assert package.licence.texts == (("LicenseRef-odd-48b60961", "Do as you like."),)


def test_a_file_of_two_packages_is_from_the_one_that_has_it_there(release: Session) -> None:
    origins = {part.name: part.origin for part in collected(release).parts if part.kind is Kind.FILE}
    assert origins["bin/busybox"] == "from Debian package busybox-static"
    assert origins["lib/copy"] == "from Debian package copies"
    assert origins["etc/empty"] == "made by step initramfs:toy"


def test_the_order_in_which_a_cache_was_filled_changes_nothing(
    release: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "other/cache"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    other = collected(built(tmp_path / "other", backwards=True))
    assert other == collected(release)
    assert other.number == collected(release).number


def test_what_is_said_about_images_is_in_none(release: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (compare_kernels.build, hardening.build) == contents.REPORTS
    monkeypatch.setattr(contents, "REPORTS", (iso.build,))
    assert [top.name for top in collected(release).tops] == ["efi.img"]


def changed(**fields: Any) -> dict[str, Any]:
    packages = json.loads(json.dumps(AUDIT["packages"]))
    packages[1] |= fields
    return {"packages": packages}


@pytest.mark.parametrize(
    ("audit", "message"),
    [
        (
            None,
            "program 'toy' does not say which crates it is compiled from: it has no section .dep-v0\n"
            "  hint: run `./doit iso`: it builds programs that do",
        ),
        (
            changed(version="1.0.1"),
            "program 'toy' is compiled from serde 1.0.1, which its Cargo.lock does not name\n"
            "  hint: run `./doit iso` again: it was built from another Cargo.lock",
        ),
    ],
    ids=["silent", "another-version"],
)
def test_a_program_of_which_nobody_knows_what_it_is_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, audit: dict[str, Any] | None, message: str
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    session = built(tmp_path, audit)
    with pytest.raises(PipelineError) as caught:
        collected(session)
    assert str(caught.value) == message


def test_a_step_that_has_not_been_made(release: Session) -> None:
    step = release.steps["iso:toy"]["toy"]
    release.store.forget(release.builder.key(step) or "")
    with pytest.raises(PipelineError) as caught:
        collect(release, {})
    assert str(caught.value) == "step iso:toy has not been made\n  hint: run `./doit iso` first"


def test_a_file_that_has_left_the_cache(release: Session) -> None:
    made = release.builder.result(release.steps["iso:toy"]["toy"])
    assert made
    (release.store.root / "blobs" / made.outputs["toy.iso"].sha256).unlink()
    with pytest.raises(PipelineError) as caught:
        collected(release)
    assert (
        str(caught.value)
        == "toy.iso of step iso:toy left the cache\n  hint: run the same command again: it will be made anew"
    )
