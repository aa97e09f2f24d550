"""Both bills of materials, by the schemas, validators and checkers that others wrote."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from ntia_conformance_checker import SbomChecker
from spdx_tools.spdx.model import Document
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from pipeline.build.session import Session
from pipeline.release.bom import cyclonedx, licence_lock, spdx
from pipeline.release.bom.components import Contents, Kind, Licence
from tests.conftest import ROOT
from tests.fixtures.release_contents import OF_CRATES_IO, built, collected


@pytest.fixture
def contents(release: Session) -> Contents:
    return collected(release)


def parsed(text: str, folder: Path) -> Document:
    (folder / "sbom.spdx.json").write_text(text)
    return parse_file(str(folder / "sbom.spdx.json"))


def test_cyclonedx_is_valid(contents: Contents) -> None:
    text = cyclonedx.text_of(contents)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    broken = text.replace('"bomFormat": "CycloneDX"', '"bomFormat": "none"')
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None


def test_spdx_is_valid(contents: Contents, tmp_path: Path) -> None:
    document = parsed(spdx.text_of(contents), tmp_path)
    assert validate_full_spdx_document(document) == []
    document.packages[0].spdx_id = "none"
    assert validate_full_spdx_document(document) != []


def judged(text: str, folder: Path) -> SbomChecker:
    (folder / "sbom.spdx.json").write_text(text)
    found: SbomChecker = SbomChecker(str(folder / "sbom.spdx.json"), compliance="ntia", sbom_spec="spdx2")
    return found


def test_spdx_has_the_minimum_elements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    text = spdx.text_of(collected(built(tmp_path, other=OF_CRATES_IO)))
    found = judged(text, tmp_path)
    assert found.compliant, found.output_json()
    without = json.loads(text)
    del without["packages"][0]["supplier"]
    assert not judged(json.dumps(without), tmp_path).compliant


def test_spdx_lacks_suppliers_that_nobody_names(contents: Contents, tmp_path: Path) -> None:
    found = judged(spdx.text_of(contents), tmp_path)
    assert [name for name, _ in found.components_without_suppliers] == ["letters", "words"]
    assert not found.compliant


def test_what_is_said_of_the_licence_of_a_file(contents: Contents) -> None:
    files = {each["fileName"]: each for each in json.loads(spdx.text_of(contents))["files"]}
    assert files["./bin/toy"]["licenseConcluded"] == "MIT"
    assert files["./bin/toy"]["licenseComments"] == spdx.OF_FILES
    assert files["./README.txt"]["licenseConcluded"] == "NOASSERTION"
    assert "licenseComments" not in files["./README.txt"]
    said = json.loads(cyclonedx.text_of(contents))
    assert component(said, "file:initramfs:toy/initramfs.cpio.zst/bin/toy")["licenses"] == [
        {"license": {"id": "MIT"}}
    ]
    assert "licenses" not in component(said, "file:iso:toy/toy.iso/README.txt")


def test_the_licences_of_all_locked_packages_are_valid(contents: Contents, tmp_path: Path) -> None:
    a_tool = next(part for part in contents.parts if part.kind is Kind.DEBIAN and part.tool)

    def saying(licences: Iterable[Licence]) -> Contents:
        parts = (replace(a_tool, ref=f"{number}", licence=licence) for number, licence in enumerate(licences))
        return replace(contents, parts=(*contents.parts, *parts))

    found = saying(sorted({*licence_lock.load(ROOT).by_digest().values()}))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx.text_of(found)) is None
    assert validate_full_spdx_document(parsed(spdx.text_of(found), tmp_path)) == []
    untold = parsed(spdx.text_of(saying([Licence("LicenseRef-untold")])), tmp_path)
    assert validate_full_spdx_document(untold) != []


def test_both_have_every_part(contents: Contents, tmp_path: Path) -> None:
    said = json.loads(cyclonedx.text_of(contents))
    assert [each["bom-ref"] for each in said["components"]] != []
    assert {each["bom-ref"] for each in said["components"]} == {part.ref for part in contents.parts}
    document = parsed(spdx.text_of(contents), tmp_path)
    assert len(document.packages) + len(document.files) == len(contents.parts)
    assert len(document.relationships) == len(contents.links) + len(contents.tops)


def reached(ref: str, needs: dict[str, list[str]]) -> set[str]:
    found, ahead = {ref}, [ref]
    while ahead:
        new = set(needs.get(ahead.pop(), ())) - found
        found |= new
        ahead += new
    return found


def test_cyclonedx_leads_from_the_release_to_all_that_is_in_it(contents: Contents) -> None:
    said = json.loads(cyclonedx.text_of(contents))
    needs = {each["ref"]: each.get("dependsOn", []) for each in said["dependencies"]}
    found = reached("release", needs)
    inside = {part.ref for part in contents.parts if not part.tool}
    assert inside <= found
    assert "container:installer-iso/rust:4444444444444444" not in found
    scopes = {each["bom-ref"]: each["scope"] for each in said["components"]}
    assert {ref for ref, scope in scopes.items() if scope == "required"} == inside


def component(said: Any, ref: str) -> Any:
    return next(each for each in said["components"] if each["bom-ref"].startswith(ref))


def test_what_cyclonedx_says_of_a_part(contents: Contents) -> None:
    said = json.loads(cyclonedx.text_of(contents))
    serde = component(said, "pkg:cargo/serde@")
    assert serde == {
        "bom-ref": "pkg:cargo/serde@1.0.0",
        "hashes": [{"alg": "SHA-256", "content": "5" * 64}],
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "name": "serde",
        "properties": [{"name": "installer-iso:kind", "value": "crate"}],
        "purl": "pkg:cargo/serde@1.0.0",
        "scope": "required",
        "supplier": {"name": "crates.io"},
        "type": "library",
        "version": "1.0.0",
    }
    assert component(said, "crate:toy@")["licenses"] == [{"license": {"id": "MIT"}}]
    assert "licenses" not in component(said, "pkg:cargo/cc@")
    assert said["metadata"]["timestamp"] == "2026-11-21T00:00:00+00:00"


def test_files_are_not_said_to_be_of_the_product(contents: Contents) -> None:
    said = json.loads(cyclonedx.text_of(contents))
    for ref in ("file:initramfs:toy/initramfs.cpio.zst/bin/busybox", "crate:words@"):
        assert "supplier" not in component(said, ref)
    assert "version" not in component(said, "file:initramfs:toy/initramfs.cpio.zst/bin/busybox")


def test_what_spdx_says_packages_are(contents: Contents) -> None:
    said = json.loads(spdx.text_of(contents))["packages"]
    purposes = {each["name"]: each.get("primaryPackagePurpose") for each in said}
    assert (purposes["toy-1.0.iso"], purposes["glibc"], purposes["serde"]) == ("FILE", "SOURCE", "LIBRARY")
    assert purposes["gcc"] is None
    assert {each["name"]: each["supplier"] for each in said}["words"] == "NOASSERTION"


def test_what_spdx_says_of_a_document(contents: Contents) -> None:
    said = json.loads(spdx.text_of(contents))
    assert said["documentNamespace"] == f"urn:uuid:{contents.number}"
    assert said["creationInfo"]["created"] == "2026-11-21T00:00:00Z"
    texts = {each["licenseId"]: each["extractedText"] for each in said["hasExtractedLicensingInfos"]}
    assert texts["LicenseRef-odd-48b60961"] == "Do as you like."
    (top,) = [each for each in said["relationships"] if each["relationshipType"] == "DESCRIBES"]
    assert top["relatedSpdxElement"].startswith("SPDXRef-artifact-toy-1.0.iso-")


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_whoever_writes_them_writes_the_same(
    contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    texts = (cyclonedx.text_of(contents), spdx.text_of(contents))
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "other/cache"))
    monkeypatch.setenv("TZ", zone)
    other = collected(built(tmp_path / "other", backwards=True))
    assert (cyclonedx.text_of(other), spdx.text_of(other)) == texts
    assert str(tmp_path) not in "".join(texts)
