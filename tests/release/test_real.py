"""The bills of materials, the provenance and the record of what this checkout really builds."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from ntia_conformance_checker import SbomChecker
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from pipeline.build.build import build_step
from pipeline.build.session import Session
from pipeline.release import agreement
from pipeline.release.artifacts import artifacts
from pipeline.release.bom.components import Kind
from pipeline.release.documents import TEXTS, Draft
from pipeline.release.layout import BUILD, CYCLONEDX, PROVENANCE, SPDX
from pipeline.report import Line


@pytest.fixture(scope="module")
def draft(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Draft:
    """The documents of a release of this checkout that are about its parts, in a folder of their own."""
    for image, steps in session.images.items():
        for step in steps:
            build_step(step, session.builder, session.folder(image), Line.silent())
    found = Draft(session, tmp_path_factory.mktemp("release"), artifacts(session))
    for name in (BUILD, PROVENANCE, CYCLONEDX, SPDX):
        (found.folder / name).write_text(TEXTS[name](found), encoding="utf-8")
    return found


@pytest.mark.container
def test_bills_of_materials_are_valid_and_have_the_minimum_elements(draft: Draft) -> None:
    text = (draft.folder / CYCLONEDX).read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    path = str(draft.folder / SPDX)
    assert validate_full_spdx_document(parse_file(path)) == []
    found = SbomChecker(path, compliance="ntia", sbom_spec="spdx2")
    assert found.compliant, found.output_json()


@pytest.mark.container
def test_documents_agree(draft: Draft) -> None:
    names = (BUILD, PROVENANCE, CYCLONEDX, SPDX)
    verdicts = list(agreement.judge({name: json.loads((draft.folder / name).read_bytes()) for name in names}))
    assert [verdict for verdict in verdicts if not verdict.good] == []
    assert [verdict.subject for verdict in verdicts] == [SPDX, PROVENANCE, BUILD]


@pytest.mark.container
def test_files_of_packages_programs_and_recipes_have_licences(draft: Draft) -> None:
    files = [part for part in draft.contents.parts if part.kind is Kind.FILE]
    without = {part.name for part in files if not part.licence.expression}
    made = {part.name for part in files if part.origin.startswith("made by step ")}
    assert without <= made
    assert len({part.licence for part in files}) > 2  # none, the project's own, and those of packages
