"""Reads a release folder as what it is compared by: its images, and its SBOM."""

import re
import stat
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pipeline.checks.catalog import recognise
from pipeline.checks.quoting import escaped
from pipeline.errors import PipelineError
from pipeline.formats.fields import open_image
from pipeline.inspection.open import guarded
from pipeline.release.diff.image_parts import digest_of, image_side
from pipeline.release.diff.side import Component, Side, Stored, with_images
from pipeline.release.layout import CYCLONEDX
from pipeline.release.stranger import MOST_BYTES, MOST_FILES, MOST_TEXT
from pipeline.report import size_text

if TYPE_CHECKING:
    from pipeline.release.pages.records import Sbom

PURL = re.compile(
    r"pkg:(?P<type>deb/[^/@]+|cargo)/(?P<name>[^/@?#]+)@(?P<version>[^@?#]++)(?!.*[?&]arch=source(?:[&#]|$))"
)
"""Package URL of a crate or a binary package: https://github.com/package-url/purl-spec."""

OUTER = (("iso", "disk"), ("fat",), ("uki",), ("bzimage", "efi", "initramfs"))
"""Kinds of images, of which each holds what comes after it: the first that are there are taken apart."""


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
    sbom = guarded(partial(_sbom, folder / CYCLONEDX)) if CYCLONEDX in kinds else None
    version = escaped(sbom.metadata.component.version) if sbom else ""
    sides = [_image(path, _unversioned(path, version) if len(outer) > 1 else "") for path in outer]
    side = Side(
        name,
        version,
        packages=_named(sbom, "deb") if sbom else None,
        crates=_named(sbom, "cargo") if sbom else None,
        untold=() if sbom else (f"there is no {CYCLONEDX}",),
    )
    side = with_images(side, sides)
    return replace(
        side,
        artifacts={_unversioned(path, side.version): _stored(path) for path in files if kinds[path.name]},
    )


def _files(folder: Path) -> list[Path]:
    try:
        about = {path: path.lstat() for path in sorted(folder.iterdir())}
    except OSError as error:
        raise PipelineError(
            f"cannot be read: {error.strerror}", "name a folder that is yours to read"
        ) from error
    sizes = {path: each.st_size for path, each in about.items() if stat.S_ISREG(each.st_mode)}
    if len(sizes) > MOST_FILES:
        raise PipelineError(f"has {len(sizes)} files, more than a release has", "name a release folder")
    if sum(sizes.values()) > MOST_BYTES:
        raise PipelineError(
            f"has {size_text(sum(sizes.values()))}, more than a release has", "name a release folder"
        )
    return [*sizes]


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


def _sbom(path: Path) -> "Sbom":
    from pipeline.release.pages.records import Sbom, read

    if path.stat().st_size > MOST_TEXT:
        raise PipelineError(
            f"{CYCLONEDX} has more than {MOST_TEXT} bytes", f"make the release again, or remove {CYCLONEDX}"
        )
    return read(Sbom, path)


def _named(sbom: "Sbom", kind: str) -> dict[str, Component]:
    """Return the components of one type of package URL, whatever they are parts of.

    What is in no image, as its scope says, is a tool, and another thing than what is in one by that name.
    """
    found: dict[str, set[str]] = {}
    pending = [*sbom.components, sbom.metadata.component]
    while pending:
        component = pending.pop()
        pending += component.components
        match = PURL.match(component.purl)
        if match and match["type"].partition("/")[0] == kind:
            name, version = escaped(unquote(match["name"])), escaped(unquote(match["version"]))
            name = name if component.scope != "excluded" else f"{name} (tool)"
            found.setdefault(name, set()).add(version)
    return {name: Component(tuple(sorted(versions))) for name, versions in found.items()}
