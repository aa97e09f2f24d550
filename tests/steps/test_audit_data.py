import json
import zlib
from typing import Any

import pytest

from pipeline.steps.audit_data import audit_data

MUSL = "x86_64-unknown-linux-musl"
INDEX = "registry+https://github.com/rust-lang/crates.io-index"
TOY = "path+file:///build/work/repository/toy#0.1.0"


def unit(pkg_id: str, kind: str, *needs: int, platform: str | None = MUSL, mode: str = "build") -> Any:
    return {
        "pkg_id": pkg_id,
        "target": {"kind": [kind], "name": "toy" if kind == "bin" else "lib"},
        "platform": platform,
        "mode": mode,
        "dependencies": [{"index": each} for each in needs],
    }


GRAPH = {
    "units": [
        unit(TOY, "bin", 1, 2, 3, 5),
        unit(TOY, "lib", 2, 3),
        unit(f"{INDEX}#serde@1.0.229", "lib", 4, 9),
        unit(f"{INDEX}#derive@1.0.0", "proc-macro", 8, platform=None),
        unit(f"{INDEX}#serde@1.0.229", "custom-build", 6, mode="run-custom-build"),
        unit("git+https://example.org/words?branch=main#the-words@2.0.0+x", "lib"),
        unit(f"{INDEX}#serde@1.0.229", "custom-build", 7, platform=None),
        unit(f"{INDEX}#cc@1.2.30", "lib", platform=None),
        unit(f"{INDEX}#both@0.1.0", "lib", platform=None),
        unit(f"{INDEX}#both@0.1.0", "lib"),
        unit("registry+https://crates.example.org/index#unused@1.0.0", "lib"),
        unit(TOY.replace("toy", "toys"), "bin", 10),
    ],
    "roots": [1, 11, 0],
}
GRAPH["units"][11]["target"]["name"] = "toys"


def said(graph: Any, binary: str = "toy") -> Any:
    return json.loads(zlib.decompress(audit_data(graph, binary)))


def test_a_program_names_the_packages_that_it_is_compiled_from() -> None:
    assert said(GRAPH) == {
        "packages": [
            {"name": "both", "version": "0.1.0", "source": "crates.io"},
            {"name": "cc", "version": "1.2.30", "source": "crates.io", "kind": "build"},
            {
                "name": "derive",
                "version": "1.0.0",
                "source": "crates.io",
                "kind": "build",
                "dependencies": [0],
            },
            {"name": "serde", "version": "1.0.229", "source": "crates.io", "dependencies": [0, 1]},
            {"name": "the-words", "version": "2.0.0+x", "source": "git"},
            {
                "name": "toy",
                "version": "0.1.0",
                "source": "local",
                "dependencies": [2, 3, 4],
                "root": True,
            },
        ],
        "format": 8,
    }


def test_another_program_of_the_same_build() -> None:
    assert said(GRAPH, "toys")["packages"] == [
        {"name": "toys", "version": "0.1.0", "source": "local", "dependencies": [1], "root": True},
        {"name": "unused", "version": "1.0.0", "source": "registry"},
    ]


@pytest.mark.parametrize(
    ("pkg_id", "package"),
    [
        (f"{INDEX}#a@1.0.0", ("a", "1.0.0", "crates.io")),
        ("sparse+https://index.crates.io/#a@1.0.0", ("a", "1.0.0", "crates.io")),
        ("sparse+https://crates.example.org/#a@1.0.0", ("a", "1.0.0", "registry")),
        ("git+https://example.org/a/?rev=1#1.0.0", ("a", "1.0.0", "git")),
        ("path+file:///build/work/folder#a@1.0.0", ("a", "1.0.0", "local")),
    ],
)
def test_package_ids(pkg_id: str, package: tuple[str, str, str]) -> None:
    (only,) = said({"units": [unit(pkg_id, "bin")], "roots": [0]})["packages"]
    assert (only["name"], only["version"], only["source"]) == package


def test_places_and_order_of_units_change_nothing() -> None:
    last = len(GRAPH["units"]) - 1
    turned = [
        each | {"dependencies": [{"index": last - need["index"]} for need in each["dependencies"]]}
        for each in reversed(GRAPH["units"])
    ]
    moved = json.loads(json.dumps(turned).replace("/build/work", "/elsewhere"))
    graph = {"units": moved, "roots": [last - each for each in GRAPH["roots"]]}
    assert audit_data(graph, "toy") == audit_data(GRAPH, "toy")
