"""What a program says of itself: which packages it is compiled from, in the format of cargo-auditable.

Scanners read it (cargo-audit, Syft, Trivy), and this project's own SBOM is made of it. Reference:
https://github.com/rust-secure-code/cargo-auditable/blob/master/cargo-auditable.schema.json
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

SECTION = ".dep-v0"

FORMAT = 8
"""Says that the data name exactly what is compiled, as those from cargo's SBOM precursor do."""

SOURCES = {
    "registry+https://github.com/rust-lang/crates.io-index": "crates.io",
    "sparse+https://index.crates.io/": "crates.io",
}


def audit_data(graph: Mapping[str, Any], binary: str) -> bytes:
    """Return the contents of SECTION for the program `binary`: zlib-compressed JSON.

    `graph` is what `cargo build --target=… --unit-graph` says
    (https://doc.rust-lang.org/cargo/reference/unstable.html#unit-graph). A package that only the container
    needs, for build scripts and macros, is marked as such.
    """
    units = graph["units"]
    root = next(
        index
        for index in graph["roots"]
        if units[index]["target"]["kind"] == ["bin"] and units[index]["target"]["name"] == binary
    )
    used = _reached(units, root)
    ids = {units[index]["pkg_id"] for index in used}
    packages = sorted((_package(each), each) for each in ids)
    places = {each: place for place, (_, each) in enumerate(packages)}
    runtime, needs = set(), {each: set[int]() for each in ids}
    for unit in (units[index] for index in used):
        own = unit["pkg_id"]
        needed = {units[each["index"]]["pkg_id"] for each in unit["dependencies"]} - {own}
        needs[own] |= {places[each] for each in needed}
        if unit["platform"] and unit["mode"] == "build":
            runtime.add(own)
    said = [
        {"name": name, "version": version, "source": source}
        | ({} if each in runtime else {"kind": "build"})
        | ({"dependencies": sorted(needs[each])} if needs[each] else {})
        | ({"root": True} if each == units[root]["pkg_id"] else {})
        for (name, version, source), each in packages
    ]
    return zlib.compress(json.dumps({"packages": said, "format": FORMAT}, separators=(",", ":")).encode(), 9)


def _reached(units: Sequence[Mapping[str, Any]], root: int) -> set[int]:
    """Return the units that `root` is made of, itself among them."""
    found, ahead = {root}, [root]
    while ahead:
        new = {each["index"] for each in units[ahead.pop()]["dependencies"]} - found
        found |= new
        ahead += new
    return found


def _package(pkg_id: str) -> tuple[str, str, str]:
    """Return name, version and kind of source of a package ID
    (https://doc.rust-lang.org/cargo/reference/pkgid-spec.html)."""
    url, _, fragment = pkg_id.partition("#")
    name, _, version = fragment.rpartition("@")
    kind = {"path": "local", "git": "git"}.get(url.partition("+")[0], "registry")
    path = url.partition("?")[0].rstrip("/")
    return name or path.rpartition("/")[2], version, SOURCES.get(url, kind)
