import json
from pathlib import Path

import pytest

from pipeline.release.claims import Part, claims_in, parts_in
from tests.fixtures import release_folder as release
from tests.fixtures.release_folder import ARTIFACTS, sha256


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, {}),
        ([[{"name": "a", "sha256": "1"}]], {"a": {"1"}}),
        ({"name": "a", "digest": {"sha256": "1", "sha512": "2"}}, {"a": {"1"}}),
        ({"name": "a", "digest": {"sha512": "2"}}, {}),
        ({"name": 5, "sha256": "1"}, {}),
        ({"name": "a", "sha256": 1}, {}),
        ({"name": "a", "digest": 5}, {}),
        ({"name": "a", "hashes": [5, {}, {"alg": "SHA-1", "content": "2"}]}, {}),
        ({"name": "a", "hashes": [{"alg": "SHA-256", "content": "1"}]}, {"a": {"1"}}),
        ({"name": "b", "fileName": "./a", "checksums": [{"algorithm": "SHA256", "checksumValue": "1"}]},
         {"a": {"1"}, "b": {"1"}}),
        ([{"name": "a", "sha256": "1"}, {"name": "a", "sha256": "2"}], {"a": {"1", "2"}}),
    ],
)  # fmt: skip
def test_what_a_document_says_of_files(document: object, expected: dict[str, set[str]]) -> None:
    assert claims_in(document) == expected


def test_documents_are_read_as_they_are_written(tmp_path: Path) -> None:
    for name in release.documents():
        claims = claims_in(json.loads((release.write(tmp_path) / name).read_text()))
        assert claims["toy-1.0.iso"] == {sha256(ARTIFACTS["toy-1.0.iso"])}


@pytest.mark.parametrize(
    ("bill", "expected"),
    [
        (7, set()),
        ({"components": 7, "packages": [7, None, []], "files": {}}, set()),
        ({"components": [{}]}, {Part("", "", "", "")}),
        ({"components": [{"name": 7, "purl": 7, "hashes": 7}]}, {Part("", "", "", "")}),
        (
            {"components": [{"name": "a", "components": [{"name": "b"}]}]},
            {Part("", "a", "", ""), Part("", "b", "", "")},
        ),
        ({"metadata": {"component": {"name": "a", "components": [{"name": "b"}]}}}, {Part("", "b", "", "")}),
        (
            {"components": [{"name": "a", "version": "1", "purl": "pkg:x/a@1"}]},
            {Part("pkg:x/a@1", "a", "1", "")},
        ),
        (
            {
                "packages": [
                    {
                        "name": "a",
                        "versionInfo": "1",
                        "externalRefs": [7, {"referenceType": "purl", "referenceLocator": "pkg:x/a@1"}],
                    }
                ]
            },
            {Part("pkg:x/a@1", "a", "1", "")},
        ),
        ({"packages": [{"name": "a", "externalRefs": [{"referenceType": "cpe"}]}]}, {Part("", "a", "", "")}),
        (
            {"files": [{"fileName": "./a", "checksums": [{"algorithm": "SHA256", "checksumValue": "1"}]}]},
            {Part("", "a", "", "1")},
        ),
    ],
)
def test_what_a_bill_of_materials_names(bill: object, expected: set[Part]) -> None:
    assert parts_in(bill) == expected
