"""Release folders: their images, their SBOM, and folders that are none."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component as CycloneComponent
from cyclonedx.model.component import ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from pipeline.errors import PipelineError
from pipeline.release.diff import folder
from pipeline.release.diff.changes import VersionChange, compare
from pipeline.release.diff.folder import folder_side
from pipeline.release.diff.notes import FORMATS, compared, rendered
from pipeline.release.diff.side import Component
from pipeline.release.diff.wording import text
from pipeline.report import size_text
from tests.fixtures import versions
from tests.fixtures.iso import iso
from tests.fixtures.uki import uki


def sbom(
    *purls: str, version: str = "1.0", inside: tuple[str, ...] = (), tools: tuple[str, ...] = ()
) -> bytes:
    """A CycloneDX SBOM, as far as anybody looks into it here."""
    library: dict[str, Any] = {"type": "library", "name": "x"}
    parts = [library | {"purl": each} for each in inside]
    components = [library | {"purl": purl, "components": parts} for purl in purls]
    components += [library | {"purl": each, "scope": "excluded"} for each in tools]
    return json.dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "metadata": {"component": {"type": "firmware", "name": "toy", "version": version}},
            "components": components,
        }
    ).encode()


def release(path: Path, files: Mapping[str, bytes]) -> Path:
    path.mkdir()
    for name, contents in files.items():
        (path / name).write_bytes(contents)
    return path


def test_components_are_those_of_the_sbom(tmp_path: Path) -> None:
    purls = (
        "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=trixie",
        "pkg:deb/debian/busybox@1%3A1.37.0-6",
        "pkg:deb/debian/busybox@1%3A1.37.0-5?arch=source&distro=trixie",
        "pkg:deb/debian/only-source@1?distro=trixie&arch=source",
        "pkg:cargo/rustix@1.1.0#src",
        "pkg:cargo/rustix@0.38.0",
        "pkg:generic/linux@6.12",
        "no purl",
    )
    inside = ("pkg:cargo/inner@1.0.0%2Bdeprecated",)
    tools = ("pkg:deb/debian/gcc@14", "pkg:deb/debian/busybox@1%3A1.36.0-6")
    bill = sbom(*purls, inside=inside, tools=tools)
    side = folder_side(release(tmp_path / "r", {"toy-1.0.iso": iso(), "sbom.cdx.json": bill}), "r")
    assert side.packages == {
        "libstdc++6": Component(("14.2.0-19",)),
        "busybox": Component(("1:1.37.0-6",)),
        "gcc (tool)": Component(("14",)),
        "busybox (tool)": Component(("1:1.36.0-6",)),
    }
    assert side.crates == {
        "rustix": Component(("0.38.0", "1.1.0")),
        "inner": Component(("1.0.0+deprecated",)),
    }
    assert (side.version, side.untold) == ("1.0", ())


def test_a_tool_that_comes_into_an_image_is_told(tmp_path: Path) -> None:
    purl = "pkg:deb/debian/busybox@1"
    old, new = (
        folder_side(release(tmp_path / name, {"x.efi": uki(), "sbom.cdx.json": bill}), name)
        for name, bill in (("old", sbom(tools=(purl,))), ("new", sbom(purl)))
    )
    assert compare(old, new).packages == [
        VersionChange("busybox", [], ["1"], []),
        VersionChange("busybox (tool)", ["1"], [], []),
    ]


def test_a_long_package_url_ends(tmp_path: Path) -> None:
    bill = sbom(f"pkg:cargo/x@{'1' * 10**6}?arch=source")
    assert folder_side(release(tmp_path / "r", {"x.efi": uki(), "sbom.cdx.json": bill}), "r").crates == {}


def test_an_sbom_that_the_library_for_it_writes(tmp_path: Path) -> None:
    bom = Bom()
    bom.metadata.component = CycloneComponent(name="toy", version="3.0", type=ComponentType.OPERATING_SYSTEM)
    for purl in (
        PackageURL("deb", "debian", "libstdc++6", "14.2.0-19", {"arch": "amd64"}),
        PackageURL("deb", "debian", "busybox", "1:1.37.0-6+b3", {"arch": "amd64", "distro": "trixie"}),
        PackageURL("cargo", None, "rustix", "1.1.0+build"),
    ):
        bom.components.add(CycloneComponent(name=purl.name, version=purl.version, purl=purl))
    bom.register_dependency(bom.metadata.component, bom.components)
    written = JsonV1Dot6(bom).output_as_string().encode()
    side = folder_side(release(tmp_path / "r", {"x.efi": uki(), "sbom.cdx.json": written}), "r")
    assert (side.version, side.crates) == ("3.0", {"rustix": Component(("1.1.0+build",))})
    assert side.packages == {
        "busybox": Component(("1:1.37.0-6+b3",)),
        "libstdc++6": Component(("14.2.0-19",)),
    }


def test_names_are_compared_without_the_version(tmp_path: Path) -> None:
    old = release(
        tmp_path / "1", {"toy-1.0.iso": versions.old(), "sbom.cdx.json": sbom(version="1.0"), "x": b"x"}
    )
    new = release(tmp_path / "2", {"toy-2.0.iso": versions.new(), "sbom.cdx.json": sbom(version="2.0")})
    said = compare(folder_side(old, "1.0"), folder_side(new, "2.0"))
    assert [one.name for one in said.artifacts] == ["toy.iso"]
    assert text(said).startswith("1.0 (117.2 kB) -> 2.0 (117.2 kB)\n")
    assert [one.path for one in said.ukis] == [versions.PATH]


def test_without_an_sbom_programs_and_the_uki_say_what_they_can(tmp_path: Path) -> None:
    side = folder_side(release(tmp_path / "r", {"toy-1.0.iso": versions.old()}), "r")
    assert (side.version, side.packages, side.untold) == ("1.0", None, ("there is no sbom.cdx.json",))
    assert side.crates
    assert set(side.crates) == {"rustix", "tinybmp"}


def test_several_images_each_have_their_parts(tmp_path: Path) -> None:
    files = {"a-1.0.iso": versions.old(), "b-1.0.iso": iso(), "a.efi": uki(), "sbom.cdx.json": sbom()}
    side = folder_side(release(tmp_path / "r", files), "r")
    assert list(side.ukis) == [f"a.iso!{versions.PATH}", f"b.iso!{versions.PATH}"]
    assert list(side.artifacts) == ["a.iso", "a.efi", "b.iso"]
    assert side.size == len(files["a-1.0.iso"]) + len(files["b-1.0.iso"])


def test_without_an_iso_the_ukis_are_looked_into(tmp_path: Path) -> None:
    assert list(folder_side(release(tmp_path / "r", {"x.efi": uki()}), "r").ukis) == [""]


def test_links_and_devices_are_no_files_of_a_release(tmp_path: Path) -> None:
    made = release(tmp_path / "r", {"x.efi": uki()})
    (made / "away.iso").symlink_to("/dev/zero")
    os.mkfifo(made / "sbom.cdx.json")
    assert list(folder_side(made, "r").artifacts) == ["x.efi"]


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({}, "is a folder without an image in it", "name a release folder, or an image"),
        ({"x": b"x"}, "is a folder without an image in it", "name a release folder, or an image"),
        (
            {"x.efi": uki(), "sbom.cdx.json": b"{"},
            "sbom.cdx.json: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            "make the file again",
        ),
        (
            {"x.efi": uki(), "sbom.cdx.json": b"{}"},
            "sbom.cdx.json: bomFormat: this key is missing",
            "make the file again",
        ),
        (
            {"x.efi": uki(), "sbom.cdx.json": sbom().replace(b"1.0", b"2.0").replace(b'"2.0"', b"1")},
            "sbom.cdx.json: metadata.component.version: 1 is not a string",
            "make the file again",
        ),
    ],
)
def test_a_folder_that_is_no_release(
    files: Mapping[str, bytes], message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError) as raised:
        folder_side(release(tmp_path / "r", files), "r")
    assert (raised.value.message, raised.value.hint) == (message, hint)


def nested() -> bytes:
    component: dict[str, Any] = {}
    for _ in range(150):
        component = {"type": "library", "name": "x", "components": [component]}
    return json.dumps({"bomFormat": "CycloneDX", "components": [component]}).encode()


def test_an_sbom_that_is_nested_deeply_ends(tmp_path: Path) -> None:
    made = release(tmp_path / "r", {"x.efi": uki(), "sbom.cdx.json": nested().replace(b"{}", b"[" * 10**6)})
    with pytest.raises(PipelineError, match="is nested too deeply"):
        folder_side(made, "r")


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("MOST_TEXT", "sbom.cdx.json has more than 1 bytes"),
        ("MOST_FILES", "has 2 files, more than a release has"),
        ("MOST_BYTES", f"has {size_text(len(uki()) + len(sbom()))}, more than a release has"),
    ],
)
def test_limits(limit: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = release(tmp_path / "r", {"x.efi": uki(), "sbom.cdx.json": sbom()})
    monkeypatch.setattr(folder, limit, 1)
    with pytest.raises(PipelineError) as raised:
        folder_side(made, "r")
    assert raised.value.message == message


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as raised:
        folder_side(tmp_path / "r", "r")
    assert raised.value.message == "cannot be read: No such file or directory"


def test_an_image_that_is_damaged_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise PipelineError("is broken", "mend it")

    monkeypatch.setattr(folder, "image_side", broken)
    with pytest.raises(PipelineError) as raised:
        folder_side(release(tmp_path / "r", {"x.efi": uki()}), "r")
    assert raised.value.message == "x.efi: is broken"


def test_notes_are_the_same_wherever_the_folders_lie(tmp_path: Path) -> None:
    written = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        old = release(
            tmp_path / place / f"old-{place}", {"toy-1.0.iso": versions.old(), "sbom.cdx.json": sbom()}
        )
        new = release(
            tmp_path / place / f"new-{place}",
            {"toy-2.0.iso": versions.new(), "sbom.cdx.json": sbom(version="2.0")},
        )
        written.append([rendered(compared(old, new), form) for form in FORMATS])
    assert written[0] == written[1]
    assert written[0][0].startswith("1.0 (117.2 kB) -> 2.0 (117.2 kB)\n")
    assert json.loads(written[0][2])["old"] == {"name": "1.0", "version": "1.0", "size": len(versions.old())}


def test_the_notes_of_a_first_release(tmp_path: Path) -> None:
    made = release(tmp_path / "x", {"toy-1.0.iso": versions.old(), "sbom.cdx.json": sbom()})
    first = compared(None, made)
    assert rendered(first, "markdown").startswith(
        "# 1.0 (117.2 kB): the first release, and what it is made of\n"
    )
    assert json.loads(rendered(first, "json"))["old"] is None
