"""Writes a bill of materials in SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/)."""

import hashlib
import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.release.bom.components import Contents, Kind, Licence, Part, Relation

if TYPE_CHECKING:
    from spdx_tools.spdx.model import File, Package

DOCUMENT = "SPDXRef-DOCUMENT"
CREATOR = "installer-iso"
OF_FILES = "as declared for the package, program or sources that it comes from"
"""Why a licence of a file is concluded: it need not say any itself."""


def text_of(contents: Contents) -> str:
    """Return the bill of materials as JSON, the same for the same contents.

    Files in artifacts are files there, all else is packages. Whether it fits the specification is not
    checked here, but by the tests.
    """
    from spdx_tools.spdx.model import (
        Actor,
        ActorType,
        CreationInfo,
        Document,
        ExtractedLicensingInfo,
        Relationship,
        RelationshipType,
    )
    from spdx_tools.spdx.writer.json.json_writer import write_document_to_stream

    texts = dict(text for part in contents.parts for text in part.licence.texts)
    describes = [(DOCUMENT, "DESCRIBES", _id(top)) for top in contents.tops]
    ids = {part.ref: _id(part) for part in contents.parts}
    parts = {part.ref: part for part in contents.parts}
    files: dict[str, list[Part]] = {}
    for link in contents.links:
        if link.relation is Relation.CONTAINS and parts[link.other].kind is Kind.FILE:
            files.setdefault(link.part, []).append(parts[link.other])
    linked = [(ids[link.part], link.relation.value, ids[link.other]) for link in contents.links]
    document = Document(
        CreationInfo(
            "SPDX-2.3",
            DOCUMENT,
            f"{contents.product}-{contents.version}",
            f"urn:uuid:{contents.number}",
            [Actor(ActorType.ORGANIZATION, contents.product), Actor(ActorType.TOOL, CREATOR)],
            datetime.fromtimestamp(contents.epoch, UTC).replace(tzinfo=None),
        ),
        packages=[
            _package(part, files.get(part.ref, [])) for part in contents.parts if part.kind is not Kind.FILE
        ],
        files=[_file(part) for part in contents.parts if part.kind is Kind.FILE],
        relationships=[
            Relationship(one, RelationshipType[relation], other)
            for one, relation, other in [*describes, *linked]
        ],
        extracted_licensing_info=[ExtractedLicensingInfo(name, text) for name, text in sorted(texts.items())],
    )
    out = io.StringIO()
    write_document_to_stream(document, out, validate=False, drop_duplicates=False)
    return out.getvalue() + "\n"


def _id(part: Part) -> str:
    """Return a part's identifier, which no other part has."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", part.name).strip("-")
    return f"SPDXRef-{part.kind}-{plain}-{hashlib.sha256(part.ref.encode()).hexdigest()[:16]}"


def _expression(licence: Licence) -> Any:
    from spdx_tools.common.spdx_licensing import spdx_licensing
    from spdx_tools.spdx.model import SpdxNoAssertion

    return spdx_licensing.parse(licence.expression) if licence.expression else SpdxNoAssertion()


def _checksums(part: Part) -> list[Any]:
    from spdx_tools.spdx.model import Checksum, ChecksumAlgorithm

    digests = {ChecksumAlgorithm.SHA1: part.sha1, ChecksumAlgorithm.SHA256: part.sha256}
    return [Checksum(algorithm, digest) for algorithm, digest in digests.items() if digest]


def _package(part: Part, files: list[Part]) -> "Package":
    """Return a package in which are these files; their digest is that of clause 7.9."""
    from spdx_tools.spdx.model import (
        Actor,
        ActorType,
        ExternalPackageRef,
        ExternalPackageRefCategory,
        Package,
        PackagePurpose,
        PackageVerificationCode,
        SpdxNoAssertion,
    )

    purposes = {
        Kind.ARTIFACT: PackagePurpose.FILE,
        Kind.CONTAINER: PackagePurpose.CONTAINER,
        Kind.SOURCE: PackagePurpose.SOURCE,
        Kind.CRATE: PackagePurpose.LIBRARY,
    }
    sums = "".join(sorted(file.sha1 for file in files))
    code = hashlib.sha1(sums.encode(), usedforsecurity=False).hexdigest()
    url = ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", part.purl)
    return Package(
        _id(part),
        part.name,
        SpdxNoAssertion(),
        version=part.version,
        file_name=part.name if part.kind is Kind.ARTIFACT else None,
        supplier=Actor(ActorType.ORGANIZATION, part.supplier) if part.supplier else SpdxNoAssertion(),
        files_analyzed=bool(files),
        verification_code=PackageVerificationCode(code) if files else None,
        license_info_from_files=[SpdxNoAssertion()] if files else [],
        checksums=_checksums(part),
        source_info=part.origin or None,
        license_concluded=SpdxNoAssertion(),
        license_declared=_expression(part.licence),
        copyright_text=SpdxNoAssertion(),
        external_references=[url] if part.purl else [],
        primary_package_purpose=purposes.get(part.kind),
    )


def _file(part: Part) -> "File":
    from spdx_tools.spdx.model import File, SpdxNoAssertion

    return File(
        f"./{part.name}",
        _id(part),
        _checksums(part),
        license_concluded=_expression(part.licence),
        license_comment=OF_FILES if part.licence.expression else None,
        copyright_text=SpdxNoAssertion(),
        comment=part.origin or None,
    )
