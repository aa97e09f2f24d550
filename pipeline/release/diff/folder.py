"""Reads a release folder as what it is compared by: its images, and its SBOM."""

import re
import stat
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from pipeline.checks.catalog import recognise
from pipeline.checks.quoting import escaped, sentence
from pipeline.errors import PipelineError
from pipeline.formats.fields import open_image
from pipeline.inspection.open import guarded
from pipeline.release.diff.image_parts import digest_of, image_side
from pipeline.release.diff.side import Component, Side, Stored, with_images

SBOM = "sbom.cdx.json"
MAX_SBOM = 1 << 28  # bytes
MAX_FILES = 1000
PURL = re.compile(
    r"pkg:(?P<type>deb/[^/@]+|cargo)/(?P<name>[^/@?#]+)@(?P<version>[^@?#]+)(?!.*[?&]arch=source(?:[&#]|$))"
)
"""Package URL of a crate or a binary package: https://github.com/package-url/purl-spec."""

OUTER = (("iso", "disk"), ("fat",), ("uki",), ("bzimage", "efi", "initramfs"))
"""Kinds of images, of which each holds what comes after it: the first that are there are taken apart."""

LAX = {"extra": "ignore", "strict": True}


@dataclass(frozen=True)
class _Component:
    __pydantic_config__ = LAX
    version: str = ""
    purl: str = ""
    scope: str = ""
    components: tuple["_Component", ...] = ()


@dataclass(frozen=True)
class _Metadata:
    __pydantic_config__ = LAX
    component: _Component = _Component()


@dataclass(frozen=True)
class _Sbom:
    """What of CycloneDX 1.6 is of interest here: https://cyclonedx.org/docs/1.6/json/."""

    __pydantic_config__ = LAX
    bomFormat: str  # noqa: N815  CycloneDX calls it so
    metadata: _Metadata = _Metadata()
    components: tuple[_Component, ...] = ()


def folder_side(folder: Path, name: str) -> Side:
    """Return what a release folder is made of: no file of it is believed to be what it is called.

    Raises PipelineError where there is no image in it, or something in it cannot be read.
    """
    files = _files(folder)
    kinds = {path.name: guarded(partial(_kind, path)) for path in files}
    of_kind = ([path for path in files if kinds[path.name] in outer] for outer in OUTER)
    outer = next((paths for paths in of_kind if paths), [])
    if not outer:
        raise PipelineError("is a folder without an image in it", "name a release folder, or an image")
    sbom = _sbom(folder / SBOM) if any(path.name == SBOM for path in files) else None
    version = escaped(sbom.metadata.component.version) if sbom else ""
    sides = [_image(path, _unversioned(path, version) if len(outer) > 1 else "") for path in outer]
    side = Side(
        name,
        version,
        packages=_named(sbom, "deb") if sbom else None,
        crates=_named(sbom, "cargo") if sbom else None,
        untold=() if sbom else (f"there is no {SBOM}",),
    )
    side = with_images(side, sides)
    return replace(
        side,
        artifacts={_unversioned(path, side.version): _stored(path) for path in files if kinds[path.name]},
    )


def _files(folder: Path) -> list[Path]:
    try:
        files = sorted(path for path in folder.iterdir() if stat.S_ISREG(path.lstat().st_mode))
    except OSError as error:
        raise PipelineError(
            f"cannot be read: {error.strerror}", "name a folder that is yours to read"
        ) from error
    if len(files) > MAX_FILES:
        raise PipelineError(f"has {len(files)} files, more than a release has", "name a release folder")
    return files


def _kind(path: Path) -> str:
    return recognise(open_image(path))


def _image(path: Path, prefix: str) -> Side:
    try:
        return guarded(lambda: image_side(open_image(path), escaped(path.name), prefix))
    except PipelineError as error:
        raise PipelineError(f"{escaped(path.name)}: {error.message}", error.hint) from error


def _stored(path: Path) -> Stored:
    image = open_image(path)
    return Stored(len(image), digest_of(image))


def _unversioned(path: Path, version: str) -> str:
    """Return the name of a file of a release as it is in all of them."""
    return escaped(path.name).replace(f"-{version}", "") if version else escaped(path.name)


def _sbom(path: Path) -> _Sbom:
    from pydantic import ValidationError

    from pipeline.config import adapter

    hint = f"make the release again, or remove {SBOM}"
    if path.stat().st_size > MAX_SBOM:
        raise PipelineError(f"{SBOM} has more than {MAX_SBOM} bytes", hint)
    try:
        sbom: _Sbom = adapter(_Sbom).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise PipelineError(sentence(f"{SBOM} is no CycloneDX: {where}: {first['msg']}"), hint) from error
    return sbom


def _named(sbom: _Sbom, kind: str) -> dict[str, Component]:
    """Return the components of one type of package URL, whatever they are parts of.

    Those that are in no image, as their scope says, are told to be tools.
    """
    found: dict[str, set[str]] = {}
    inside = set[str]()
    pending = [*sbom.components, sbom.metadata.component]
    while pending:
        component = pending.pop()
        pending += component.components
        match = PURL.match(component.purl)
        if match and match["type"].partition("/")[0] == kind:
            name, version = escaped(unquote(match["name"])), escaped(unquote(match["version"]))
            found.setdefault(name, set()).add(version)
            inside |= {name} if component.scope != "excluded" else set()
    return {
        name: Component(tuple(sorted(versions)), () if name in inside else ("tool",))
        for name, versions in found.items()
    }
