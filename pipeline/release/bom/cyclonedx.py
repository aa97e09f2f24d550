"""Writes a bill of materials in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/)."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.release.bom.components import OF_TOOLS, Contents, Kind, Part

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

PROPERTY = "installer-iso:"
"""What the names of our properties begin with (https://github.com/CycloneDX/cyclonedx-property-taxonomy)."""


def text_of(contents: Contents) -> str:
    """Return the bill of materials as JSON, the same for the same contents.

    A component depends on what is in it and on what it was made of; what was needed to make it, and is in
    nothing, has the scope `excluded`.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from cyclonedx.output.json import JsonV1Dot6

    vendor = OrganizationalEntity(name=contents.product)
    release = Component(
        name=contents.product,
        version=contents.version,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="release",
        supplier=vendor,
    )
    components = {part.ref: _component(part) for part in contents.parts}
    bom = Bom(
        components=components.values(),
        serial_number=contents.number,
        metadata=BomMetaData(
            timestamp=datetime.fromtimestamp(contents.epoch, UTC), component=release, supplier=vendor
        ),
    )
    needs: dict[str, list[Component]] = {}
    for link in contents.links:
        if link.relation not in OF_TOOLS:
            needs.setdefault(link.part, []).append(components[link.other])
    for ref, component in components.items():
        bom.register_dependency(component, needs.get(ref, []))
    bom.register_dependency(release, [components[top.ref] for top in contents.tops])
    said = json.loads(JsonV1Dot6(bom).output_as_string())
    return json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _component(part: Part) -> "Component":
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentScope, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from packageurl import PackageURL

    kinds = {
        Kind.ARTIFACT: ComponentType.FILE,
        Kind.FILE: ComponentType.FILE,
        Kind.CONTAINER: ComponentType.CONTAINER,
    }
    digests = {HashAlgorithm.SHA_256: part.sha256, HashAlgorithm.SHA_1: part.sha1}
    properties: dict[str, Any] = {"kind": part.kind, "origin": part.origin, "size": part.size}
    return Component(
        name=part.name,
        version=part.version or None,
        type=kinds.get(part.kind, ComponentType.LIBRARY),
        bom_ref=part.ref,
        supplier=OrganizationalEntity(name=part.supplier) if part.supplier else None,
        scope=ComponentScope.EXCLUDED if part.tool else ComponentScope.REQUIRED,
        hashes=[HashType(alg=alg, content=digest) for alg, digest in digests.items() if digest],
        licenses=_licences(part),
        purl=PackageURL.from_string(part.purl) if part.purl else None,
        properties=[
            Property(name=PROPERTY + name, value=str(value))
            for name, value in properties.items()
            if value not in ("", None)
        ],
    )


def _licences(part: Part) -> list[Any]:
    """Return a part's licences: an expression, whose references have their texts in the bill for SPDX."""
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
    from cyclonedx.spdx import is_supported_id

    expression = part.licence.expression
    if is_supported_id(expression):
        return [DisjunctiveLicense(id=expression)]
    return [LicenseExpression(expression)] if expression else []
